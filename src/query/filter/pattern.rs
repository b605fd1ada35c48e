//! Names with wildcards.

/// A name in which `*` stands for any text and `?` for any one character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    pub fn new(text: impl Into<String>) -> Pattern {
        Pattern(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for itself alone.
    pub fn is_exact(&self) -> bool {
        !self.0.contains(['*', '?'])
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
