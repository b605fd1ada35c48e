//! Which of the known names someone may have meant.

/// The most names that are shown.
const SHOWN_MAX: usize = 5;

/// The known names that differ little from one, the nearest first.
pub fn of<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let lower = name.to_lowercase();
    // One slip in three characters, two at least: "dmeo" is demo with two of them.
    let most = (lower.chars().count() / 3).max(2);
    let near = known.into_iter().filter_map(|known| {
        let distance = strsim::damerau_levenshtein(&lower, &known.to_lowercase());
        (distance <= most && distance < lower.len()).then_some((distance, known))
    });
    let mut near: Vec<(usize, &str)> = near.collect();
    near.sort_unstable();
    near.truncate(SHOWN_MAX);
    near.into_iter().map(|(_, known)| known).collect()
}
