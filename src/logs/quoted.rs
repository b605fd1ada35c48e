//! Texts in the query languages of Loki and VictoriaLogs, which quote as Go does.

use super::grep::Grep;

/// A string literal.
pub fn text(text: &str) -> String {
    // The escapes of JSON's strings are escapes of Go's, and what JSON leaves as it is Go does, too.
    serde_json::to_string(text).expect("a string is JSON")
}

/// A regular expression of RE2 for this text itself, not yet quoted.
pub fn literally(text: &str) -> String {
    regex::escape(text)
}

/// An expression that finds all lines that `grep` wants, as a literal; `None` where a store could miss some.
pub fn expression(grep: &Grep) -> Option<String> {
    grep.re2().map(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_literal_but_its_quote() {
        for (value, literal) in [
            ("web-0", r#""web-0""#),
            ("", r#""""#),
            (r#"a" or "b"#, r#""a\" or \"b""#),
            (r"a\", r#""a\\""#),
            (r#"\" | drop"#, r#""\\\" | drop""#),
            ("a\nb\r\t", r#""a\nb\r\t""#),
            ("{}|`'#", r#""{}|`'#""#),
            ("\0\u{1b}", r#""\u0000\u001b""#),
            ("grün \u{2028}💥", "\"grün \u{2028}💥\""),
        ] {
            assert_eq!(text(value), literal, "{value:?}");
        }
    }

    #[test]
    fn expressions_are_quoted() {
        let expression = |text: &str| expression(&Grep::new(text).unwrap());
        assert_eq!(expression("a \"b\"").as_deref(), Some(r#""a \"b\"""#));
        assert_eq!(expression("a$").as_deref(), Some(r#""a[\\r\\n]*$""#));
        assert_eq!(expression(r"\p{Lu}"), None);
    }

    #[test]
    fn a_text_as_an_expression_finds_itself_alone() {
        for value in ["a.b", "(a|b)*", "[x]{2}^$", r"\d", "#&-~", "grün"] {
            let expression = regex::Regex::new(&format!("^{}$", literally(value))).unwrap();
            assert!(expression.is_match(value), "{value}");
            assert!(!expression.is_match("a"), "{value}");
        }
    }
}
