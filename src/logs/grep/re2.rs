//! A regular expression for stores that speak RE2: theirs are RE2 itself (ClickHouse) and Go's (Loki, VictoriaLogs).
//!
//! In: an expression that Rust's `regex` takes. Out: one that finds every line that the other finds, and maybe more,
//! since each line is filtered again. Where the two differ it is widened:
//!
//! - `\d`, `\w` and `\s` are of Unicode in Rust and of ASCII in RE2, and so are the words of `\b`;
//! - a store may keep a line with its line end, which `$` and `\z` do not expect.
//!
//! What RE2 lacks, reads as something else or refuses has no such expression: classes of Unicode, classes in classes,
//! flags other than a leading `(?i)`, large repetitions.

use std::iter::Peekable;
use std::str::Chars;

/// The largest repetition that RE2 takes.
const REPEAT_MAX: u32 = 1_000;

const LINE_END: &str = "[\\r\\n]*";

const BEYOND_ASCII: &str = "\\x{80}-\\x{10FFFF}";

/// The wider expression; `None` where there is none.
pub fn widened(expression: &str) -> Option<String> {
    let (flag, body) = match expression.strip_prefix("(?i)") {
        // Which letters are the same depends on the version of Unicode.
        Some(_) if !expression.is_ascii() => return None,
        Some(body) => ("(?i)", body),
        None => ("", expression),
    };
    let mut widening = Widening {
        rest: body.chars().peekable(),
        wide: flag.to_owned(),
        has_count: false,
    };
    while let Some(next) = widening.rest.next() {
        match next {
            '\\' => widening.escape()?,
            '[' => widening.class()?,
            '(' => widening.group()?,
            '*' | '+' | '?' | '{' => widening.repetition(next)?,
            '$' => widening.push(&[LINE_END, "$"]),
            other => widening.wide.push(other),
        }
    }
    Some(widening.wide)
}

struct Widening<'a> {
    rest: Peekable<Chars<'a>>,
    wide: String,
    /// RE2 multiplies the counts of nested repetitions: one is always right.
    has_count: bool,
}

impl Widening<'_> {
    fn push(&mut self, parts: &[&str]) {
        self.wide.extend(parts.iter().copied());
    }

    /// Behind a backslash outside of classes.
    fn escape(&mut self) -> Option<()> {
        match self.rest.next()? {
            'd' => self.push(&["[\\d", BEYOND_ASCII, "]"]),
            'w' => self.push(&["[\\w", BEYOND_ASCII, "]"]),
            's' => self.push(&["[\\s\\x0b", BEYOND_ASCII, "]"]),
            'D' => self.push(&["\\D"]),
            'W' => self.push(&["\\W"]),
            'S' => self.push(&["\\S"]),
            'A' => self.push(&["\\A"]),
            'z' => self.push(&[LINE_END, "\\z"]),
            // \b{start} and the like.
            'b' | 'B' if self.rest.peek() == Some(&'{') => return None,
            'b' | 'B' => self.push(&["(?:)"]),
            other => self.escaped(other)?,
        }
        Some(())
    }

    /// An escaped character that stands for one character.
    fn escaped(&mut self, character: char) -> Option<()> {
        match character {
            'x' => {
                self.push(&["\\x"]);
                if self.rest.peek() == Some(&'{') {
                    let code = self.rest.by_ref().take_while(|next| *next != '}');
                    let code: String = code.collect();
                    self.push(&[&code, "}"]);
                }
            }
            'n' | 't' | 'r' | 'f' | 'v' | 'a' => self.wide.extend(['\\', character]),
            '_' => self.wide.push('_'),
            '<' | '>' => return None,
            other if other.is_ascii_punctuation() => self.wide.extend(['\\', other]),
            _ => return None,
        }
        Some(())
    }

    /// Behind the bracket that opens a class.
    fn class(&mut self) -> Option<()> {
        self.wide.push('[');
        let is_negated = self.rest.next_if_eq(&'^').is_some();
        if is_negated {
            self.wide.push('^');
        }
        // The first one does not end it.
        if self.rest.next_if_eq(&']').is_some() {
            self.push(&["\\]"]);
        }
        loop {
            let next = self.rest.next()?;
            let is_twice = self.rest.peek() == Some(&next);
            match next {
                ']' => break,
                '[' => self.named_class()?,
                '\\' => self.escape_in_class(is_negated)?,
                // Operators of Rust.
                '&' | '-' | '~' if is_twice => return None,
                other => self.wide.push(other),
            }
        }
        self.wide.push(']');
        Some(())
    }

    /// `[:alpha:]`, of ASCII in both.
    fn named_class(&mut self) -> Option<()> {
        self.rest.next_if_eq(&':')?;
        let name = self.rest.by_ref().take_while(|next| *next != ':');
        let name: String = name.collect();
        self.rest.next_if_eq(&']')?;
        self.push(&["[:", &name, ":]"]);
        Some(())
    }

    fn escape_in_class(&mut self, is_negated: bool) -> Option<()> {
        let next = self.rest.next()?;
        match (next, is_negated) {
            // Fewer characters in a negated class are more outside of it.
            ('d' | 'w' | 's', true) | ('D' | 'W' | 'S', false) => self.wide.extend(['\\', next]),
            ('d' | 'w', false) => {
                self.wide.extend(['\\', next]);
                self.push(&[BEYOND_ASCII]);
            }
            ('s', false) => self.push(&["\\s\\x0b", BEYOND_ASCII]),
            ('D' | 'W' | 'S', true) => return None,
            (other, _) => self.escaped(other)?,
        }
        Some(())
    }

    /// Behind the bracket that opens a group.
    fn group(&mut self) -> Option<()> {
        self.wide.push('(');
        if self.rest.next_if_eq(&'?').is_some() {
            self.rest.next_if_eq(&':')?;
            self.push(&["?:"]);
        }
        Some(())
    }

    fn repetition(&mut self, first: char) -> Option<()> {
        self.wide.push(first);
        if first == '{' {
            let counts = self.rest.by_ref().take_while(|next| *next != '}');
            let counts: String = counts.collect();
            let (least, most) = counts.split_once(',').unwrap_or((&counts, ""));
            let is_taken = |count: &str| count.parse::<u32>().is_ok_and(|n| n <= REPEAT_MAX);
            if self.has_count || !is_taken(least) || !(most.is_empty() || is_taken(most)) {
                return None;
            }
            self.has_count = true;
            self.push(&[&counts, "}"]);
        }
        if self.rest.next_if_eq(&'?').is_some() {
            self.wide.push('?');
        }
        // A repetition of a repetition.
        match self.rest.peek() {
            Some('*' | '+' | '?' | '{') => None,
            _ => Some(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_read_alike_stays() {
        for same in [
            "",
            "timeout|refused",
            "(?i)error",
            "^GET /(?:a|b)+?\\.html",
            "[^a-z\\d\\s]{2,7}",
            "[]^\\-[:alpha:]]*",
            "\\x{1F4A5}\\x7f\\t\\\\",
            "grün.*💥",
            "\\D\\W\\S[\\D]",
        ] {
            let expected = same.replace("[]", "[\\]");
            assert_eq!(widened(same), Some(expected), "{same}");
        }
    }

    #[test]
    fn what_differs_is_widened() {
        for (expression, wide) in [
            ("a$", r"a[\r\n]*$"),
            (r"a\z", r"a[\r\n]*\z"),
            (r"\$[$]", r"\$[$]"),
            (r"\d+ms", r"[\d\x{80}-\x{10FFFF}]+ms"),
            (r"[\w.]", r"[\w\x{80}-\x{10FFFF}.]"),
            (r"\bid\B", "(?:)id(?:)"),
            (r"a\_b", "a_b"),
        ] {
            assert_eq!(widened(expression).as_deref(), Some(wide), "{expression}");
        }
    }

    #[test]
    fn what_has_no_such_expression() {
        for expression in [
            r"\p{Lu}",
            r"\u{fc}",
            r"\<a",
            r"\b{start}a",
            "(?i)ü",
            "(?x) a b",
            "(?P<name>a)",
            "a(?i)b",
            "[a-z&&[^x]]",
            "[a[b]]",
            r"[^\D]",
            "a**",
            "a{2}{3}",
            "(a{40}){40}",
            "a{1001}",
            "a{,5}",
            "a{ 1, 2 }",
        ] {
            assert_eq!(widened(expression), None, "{expression}");
        }
    }
}
