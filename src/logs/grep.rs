//! Which lines are wanted by their text.

use regex::bytes::{Regex, RegexBuilder};

/// What RE2 does not have, or reads in another way.
const NOT_RE2: [&str; 10] = [
    "\\p", "\\P", "\\u", "\\U", "\\<", "\\>", "&&", "--", "~~", "(?",
];

/// A regular expression. Stores that speak RE2 are given it where they read it alike; here it is applied to every line
/// in any case, so that an answer does not depend on the store.
#[derive(Clone, Debug)]
pub struct Grep {
    regex: Regex,
    is_re2: bool,
}

impl Grep {
    /// # Errors
    ///
    /// Why it is none, in one line.
    pub fn new(text: &str) -> Result<Grep, String> {
        let bare = text.replace("(?:", "(").replace("(?i)", "");
        let is_re2 = text.is_ascii() && !NOT_RE2.iter().any(|part| bare.contains(part));
        // As in RE2 \d, \w, \s and \b are of ASCII then. 1 MiB of program: what a person writes takes a few KiB.
        let built = RegexBuilder::new(text)
            .unicode(!is_re2)
            .size_limit(1 << 20)
            .build();
        let regex = built.map_err(|error| {
            let text_of_error = error.to_string();
            let last = text_of_error.lines().last().unwrap_or_default();
            let cause = last.trim_start_matches("error: ");
            format!("invalid regular expression {text:?}: {cause}")
        })?;
        Ok(Grep { regex, is_re2 })
    }

    pub fn is_match(&self, line: &[u8]) -> bool {
        self.regex.is_match(line)
    }

    /// The same for RE2, where that finds all that is found here.
    pub fn re2(&self) -> Option<&str> {
        self.is_re2.then_some(self.regex.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_expression_is_said_in_a_line() {
        let error = Grep::new("a(b").unwrap_err();
        assert_eq!(error, "invalid regular expression \"a(b\": unclosed group");
    }

    #[test]
    fn only_what_all_engines_read_alike_is_given_to_a_store() {
        for (text, is_re2) in [
            ("timeout|refused", true),
            ("\\d+(?:ms|s)", true),
            ("(?i)error", true),
            ("ü", false),
            ("\\p{Lu}", false),
            ("(?x) a b", false),
            ("[a-z&&[^x]]", false),
        ] {
            assert_eq!(Grep::new(text).unwrap().re2().is_some(), is_re2, "{text}");
        }
        assert!(Grep::new("ü").unwrap().is_match("grün".as_bytes()));
        assert!(Grep::new("\\d").unwrap().is_match(b"\xff 7"));
    }
}
