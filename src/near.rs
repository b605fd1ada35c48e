//! Which of the known names someone may have meant: the one rule for names of the history, of fields and of keys.
//!
//! In: a name, and those that are known. Out: the known ones that are near, the nearest first.
//!
//! Never here: where the names come from, and how they are shown.

/// The most names that are shown.
const SHOWN_MAX: usize = 5;

/// Shorter texts are found in too many names to be useful.
const PART_CHARS_MIN: usize = 3;

/// The known names that contain one, or differ little from it, the nearest first, and none that are much farther than
/// these. Of a known name only what `part` takes
/// of it is compared; of a name with `*` the longest text beside it, with as much of a known name.
pub fn of<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    part: fn(&str) -> &str,
) -> Vec<&'a str> {
    let lower = name.to_lowercase();
    let wanted = Wanted::of(&lower);
    let near = known.into_iter().filter_map(|known| {
        let distance = wanted.distance(&part(known).to_lowercase())?;
        Some((distance, known))
    });
    let mut near: Vec<(usize, &str)> = near.collect();
    near.sort_unstable();
    let nearest = near.first().map_or(0, |(distance, _)| *distance);
    near.retain(|(distance, _)| *distance <= nearest + 1);
    near.truncate(SHOWN_MAX);
    near.into_iter().map(|(_, known)| known).collect()
}

/// The nearest of the known names, if any is near at all.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    of(name, known, |known| known).first().copied()
}

/// What is looked for, in lower case.
struct Wanted<'a> {
    text: &'a str,
    chars: usize,
    /// Where in a known name it is looked for.
    anchor: Anchor,
}

enum Anchor {
    Whole,
    Beginning,
    End,
    Anywhere,
}

impl Wanted<'_> {
    fn of(name: &str) -> Wanted<'_> {
        // A wildcard differs from it by at most one character.
        let texts = name.split('*');
        let text = texts.max_by_key(|text| text.len()).unwrap_or_default();
        let anchor = match (name.starts_with(text), name.ends_with(text)) {
            (true, true) => Anchor::Whole,
            (true, false) => Anchor::Beginning,
            (false, true) => Anchor::End,
            (false, false) => Anchor::Anywhere,
        };
        Wanted {
            text,
            chars: text.chars().count(),
            anchor,
        }
    }

    /// How far a known name is from it; nothing where it is another one.
    fn distance(&self, known: &str) -> Option<usize> {
        if known == self.text {
            return Some(0);
        }
        if self.chars >= PART_CHARS_MIN && known.contains(self.text) {
            return Some(1);
        }
        let chars = known.chars();
        let count = chars.clone().count();
        let compared: String = match self.anchor {
            Anchor::Whole => known.to_owned(),
            Anchor::Beginning => chars.take(self.chars).collect(),
            Anchor::End => chars.skip(count.saturating_sub(self.chars)).collect(),
            Anchor::Anywhere => return None,
        };
        let distance = strsim::damerau_levenshtein(self.text, &compared);
        // One slip in three characters, two at least: "dmeo" is demo with two of them.
        let most = (self.chars / 3).max(2).min(self.chars.saturating_sub(1));
        (distance <= most).then_some(distance)
    }
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
        assert_eq!(near("db"), "");
        fn after_slash(known: &str) -> &str {
            known.rsplit('/').next().unwrap_or(known)
        }
        assert_eq!(
            of("wbe", ["Deployment/web"], after_slash),
            ["Deployment/web"]
        );
    }

    #[test]
    fn the_same_name_is_the_nearest() {
        let known = ["ReplicaSet/web-1", "StatefulSet/web"];
        let near = of("web", known, |known| &known[known.len() - 3..]);
        assert_eq!(near, ["StatefulSet/web"]);
        let near = of("web", ["a-web", "web", "wev"], |known| known);
        assert_eq!(near, ["web", "a-web", "wev"]);
        let addresses = ["10.0.2.30", "10.0.3.17", "10.0.3.21"];
        let near = of("10.0.3.71", addresses, |known| known);
        assert_eq!(near, ["10.0.3.17", "10.0.3.21"]);
    }

    /// A part of a name is compared with as much of the known ones.
    #[test]
    fn wildcards() {
        let known = ["cart-6d4cf56db6-x2x9k", "db-0", "shop-eu"];
        let near = |name: &str| of(name, known, |known| known).join(" ");
        assert_eq!(near("crat-*"), "cart-6d4cf56db6-x2x9k");
        assert_eq!(near("shpo-*"), "shop-eu");
        assert_eq!(near("*-x2x9j"), "cart-6d4cf56db6-x2x9k");
        assert_eq!(near("c?rt-6d4cf56db7-*"), "cart-6d4cf56db6-x2x9k");
        assert_eq!(near("*6d4cf56db6*"), "cart-6d4cf56db6-x2x9k");
        assert_eq!(near("*6d4cf56db7*"), "");
        assert_eq!(near("*"), "");
    }
}
