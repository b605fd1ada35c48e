//! Which of the known names someone may have meant.

/// The most names that are shown.
const SHOWN_MAX: usize = 5;

/// The known names that contain one, or differ little from it, the nearest first. Of a known name only what `part` takes
/// of it is compared.
pub fn of<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    part: fn(&str) -> &str,
) -> Vec<&'a str> {
    let lower = name.to_lowercase();
    let chars = lower.chars().count();
    // One slip in three characters, two at least: "dmeo" is demo with two of them.
    let most = (chars / 3).max(2).min(chars.saturating_sub(1));
    let near = known.into_iter().filter_map(|known| {
        let other = part(known).to_lowercase();
        let distance = match chars > 1 && other.contains(&lower) {
            true => 0,
            false => strsim::damerau_levenshtein(&lower, &other),
        };
        (distance <= most).then_some((distance, known))
    });
    let mut near: Vec<(usize, &str)> = near.collect();
    near.sort_unstable();
    near.truncate(SHOWN_MAX);
    near.into_iter().map(|(_, known)| known).collect()
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn slips_and_parts() {
        let known = ["demo", "load", "demo-eu", "cart-6d4cf56db6-x2x9k"];
        let near = |name: &str| of(name, known, |known| known).join(" ");
        assert_eq!(near("dmeo"), "demo");
        assert_eq!(near("Demo"), "demo demo-eu");
        assert_eq!(near("cart"), "cart-6d4cf56db6-x2x9k");
        assert_eq!(near("cart-6d4cf56db6-x2x9j"), "cart-6d4cf56db6-x2x9k");
        assert_eq!(near("shop"), "");
        assert_eq!(near("x"), "");
        fn after_slash(known: &str) -> &str {
            known.rsplit('/').next().unwrap_or(known)
        }
        assert_eq!(
            of("wbe", ["Deployment/web"], after_slash),
            ["Deployment/web"]
        );
    }
}
