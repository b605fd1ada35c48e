//! Which lines are wanted by their text.

mod re2;

use regex::{Regex, RegexBuilder};

/// A regular expression. Stores that speak RE2 are given a wider one where there is one; here every line is filtered in
/// any case, so that an answer does not depend on the store.
#[derive(Clone, Debug)]
pub struct Grep {
    regex: Regex,
    wider: Option<String>,
}

impl Grep {
    /// # Errors
    ///
    /// Why it is none, in one line.
    pub fn new(text: &str) -> Result<Grep, String> {
        // 1 MiB of program: what a person writes takes a few KiB.
        let built = RegexBuilder::new(text).size_limit(1 << 20).build();
        let regex = built.map_err(|error| {
            let text_of_error = error.to_string();
            let last = text_of_error.lines().last().unwrap_or_default();
            let cause = last.trim_start_matches("error: ");
            format!("invalid regular expression {text:?}: {cause}")
        })?;
        let wider = re2::widened(text);
        Ok(Grep { regex, wider })
    }

    /// Whether a line is wanted. What is not UTF-8 in it is U+FFFD, as it is shown.
    #[must_use]
    pub fn is_match(&self, line: &[u8]) -> bool {
        self.regex.is_match(&String::from_utf8_lossy(line))
    }

    /// An expression for RE2 that finds all of these lines that are UTF-8, also with a line end behind them; `None` where
    /// there is none.
    #[must_use]
    pub fn re2(&self) -> Option<&str> {
        self.wider.as_deref()
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
    fn characters_are_those_of_unicode() {
        let finds = |text: &str, line: &[u8]| Grep::new(text).unwrap().is_match(line);
        assert!(finds("^gr.n$", "grün".as_bytes()));
        assert!(finds(r"\d", "٣".as_bytes()));
        assert!(finds(r"^a.b\s7$", b"a\xffb 7"));
    }
}
