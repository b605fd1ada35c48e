//! Conditions on a number.

use crate::query::ParseError;

/// What a number must be: one of a list, if there is one, and all of the comparisons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    pub any_of: Vec<i64>,
    /// Operators as SQL has them.
    pub comparisons: Vec<(&'static str, i64)>,
}

/// How operators are written, and what they are in SQL. The longer ones come first.
const OPERATORS: [(&str, &str); 7] = [
    ("!=", "!="),
    (">=", ">="),
    ("<=", "<="),
    ("==", "="),
    ("=", "="),
    (">", ">"),
    ("<", "<"),
];

impl Numbers {
    /// Reads `137`, `137,143`, `!=0`, `>3`, `>=1,<5`.
    ///
    /// # Errors
    ///
    /// When a part is something else.
    pub fn parse(parameter: &'static str, text: &str) -> Result<Numbers, ParseError> {
        let mut numbers = Numbers::default();
        for part in text.split(',').map(str::trim) {
            let operator = OPERATORS
                .iter()
                .find_map(|(word, sql)| Some((*sql, part.strip_prefix(word)?)));
            let (sql, digits) = operator.unwrap_or(("", part));
            let number: i64 = digits.trim().parse().map_err(|_| {
                let problem = format!("invalid number {part:?}: use 137, 137,143, !=0 or '>3'");
                ParseError::value(parameter, problem)
            })?;
            match sql {
                "" => numbers.any_of.push(number),
                sql => numbers.comparisons.push((sql, number)),
            }
        }
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match Numbers::parse("exit_code", text) {
            Ok(Numbers {
                any_of,
                comparisons,
            }) => format!("{any_of:?} {comparisons:?}"),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn lists_and_comparisons() {
        check("137", expect!["[137] []"]);
        check("137, 143", expect!["[137, 143] []"]);
        check("!=0", expect![[r#"[] [("!=", 0)]"#]]);
        check(">= 1,<5", expect![[r#"[] [(">=", 1), ("<", 5)]"#]]);
        check("-1,==2", expect![[r#"[-1] [("=", 2)]"#]]);
        for text in ["", "x", ">", "1,", "=>1", "1.5"] {
            let error = Numbers::parse("restarts", text).unwrap_err().as_flags();
            assert!(error.starts_with("--restarts: invalid number "), "{error}");
        }
    }
}
