//! The last lines of an answer: read newest first, held, and given in the order of time.

use super::line::{Given, Line};

/// What the lines that are held may take.
pub const TAIL_BYTES_MAX: usize = 32 << 20;

/// Lines that are held.
pub struct Tail {
    /// Newest first.
    lines: Vec<Given>,
    bytes: usize,
    bytes_max: usize,
}

impl Default for Tail {
    fn default() -> Tail {
        Tail {
            lines: Vec::new(),
            bytes: 0,
            bytes_max: TAIL_BYTES_MAX,
        }
    }
}

impl Tail {
    /// Whether a line has room behind those that are held.
    pub fn has_room(&self, line: &Line) -> bool {
        self.bytes + bytes(line) <= self.bytes_max
    }

    /// Takes a line that is older than those before.
    pub fn push(&mut self, given: Given) {
        self.bytes += bytes(&given.line);
        self.lines.push(given);
    }

    /// The oldest one.
    pub fn pop(&mut self) -> Option<Given> {
        self.lines.pop()
    }
}

fn bytes(line: &Line) -> usize {
    let stream = line.stream.as_ref().map_or(0, String::len);
    size_of::<Given>() + stream + line.text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::line::LINE_BYTES_MAX;
    use jiff::Timestamp;

    fn given(text: &str) -> Given {
        Given {
            line: Line::new(Timestamp::UNIX_EPOCH, "stdout", text.into()),
            instance: Default::default(),
        }
    }

    #[test]
    fn lines_are_held_up_to_the_limit_and_turned_round() {
        let mut tail = Tail {
            bytes_max: 3 * (size_of::<Given>() + 16),
            ..Tail::default()
        };
        for text in ["third", "second", "first"] {
            assert!(tail.has_room(&given(text).line), "{text}");
            tail.push(given(text));
        }
        assert!(!tail.has_room(&given("before them").line));
        let mut texts = Vec::new();
        while let Some(given) = tail.pop() {
            texts.push(String::from_utf8(given.line.text).unwrap());
        }
        assert_eq!(texts, ["first", "second", "third"]);
    }

    #[test]
    fn the_longest_line_fits() {
        let longest = "x".repeat(LINE_BYTES_MAX);
        assert!(Tail::default().has_room(&given(&longest).line));
    }
}
