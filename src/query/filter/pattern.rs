//! Names with wildcards.

/// A name in which `*` matches any text and `?` any one character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    pub fn new(text: impl Into<String>) -> Pattern {
        Pattern(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has no wildcard.
    pub fn is_exact(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name): (Vec<char>, Vec<char>) =
            (self.0.chars().collect(), name.chars().collect());
        let (mut at, mut place) = (0, 0);
        // The last `*`, and the position at which the text after it is tried.
        let mut star: Option<(usize, usize)> = None;
        while place < name.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, place));
                    at += 1;
                }
                Some(c) if *c == '?' || *c == name[place] => (at, place) = (at + 1, place + 1),
                _ => {
                    let Some((behind, tried)) = star else {
                        return false;
                    };
                    star = Some((behind, tried + 1));
                    (at, place) = (behind + 1, tried + 1);
                }
            }
        }
        pattern[at..].iter().all(|c| *c == '*')
    }

    /// The same as a pattern of SQL's `LIKE`.
    pub fn like(&self) -> String {
        let mut like = String::with_capacity(self.0.len() + 2);
        for c in self.0.chars() {
            match c {
                '*' => like.push('%'),
                '?' => like.push('_'),
                '%' | '_' | '\\' => like.extend(['\\', c]),
                c => like.push(c),
            }
        }
        like
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn matches() {
        let all = |pattern: &str, names: &[&str]| {
            let pattern = Pattern::new(pattern);
            names.iter().all(|name| pattern.matches(name))
        };
        assert!(all("shop", &["shop"]));
        assert!(all("shop*", &["shop", "shop-eu"]));
        assert!(all("*-eu", &["shop-eu", "-eu", "a-eu-eu"]));
        assert!(all("s?op*e?", &["shop-eu", "stop-e-eu"]));
        assert!(all("*", &["", "x"]));
        let none = |pattern: &str, names: &[&str]| {
            let pattern = Pattern::new(pattern);
            !names.iter().any(|name| pattern.matches(name))
        };
        assert!(none("shop", &["shop-eu", "sho", ""]));
        assert!(none("shop-*", &["shop", "shopping"]));
        assert!(none("*-eu", &["shop-eux", "eu"]));
        assert!(none("?", &["", "xy"]));
    }

    #[test]
    fn like_means_the_same() {
        for (text, like) in [
            ("web-*", "web-%"),
            ("*-0", "%-0"),
            ("web-?", "web-_"),
            ("100%_a\\b*", "100\\%\\_a\\\\b%"),
        ] {
            assert_eq!(Pattern::new(text).like(), like);
            assert!(!Pattern::new(text).is_exact());
        }
        assert!(Pattern::new("web-0").is_exact());
    }
}
