//! Lines that a container runtime has split: docker's after 16 KiB, and in the files of the CRI those with `P`. The
//! pieces of one stream of one container are joined within a delivery; a piece whose other half did not come with it
//! is a dead letter.
//!
//! Where a large body is cut into portions (see [`super::portions`]), each of them is such a delivery.

use std::ops::Range;

use memchr::{memchr, memmem};
use serde_json::value::RawValue;

use super::fields::{Fields, text_of};
use super::holds::names_event;
use super::split;
use super::wrapper::TIMES;

/// Streams in which lines are open at a time. With more, the one that was added to longest ago is given up.
const STREAMS_MAX: usize = 64;

/// Docker splits here, so a record that is not shorter may be a piece, whatever it looks like.
const DOCKER_PIECE_BYTES: usize = 16 << 10;

/// A line of a container's log in a file of the CRI: `TIME STREAM P|F TEXT`.
pub struct CriLine<'b> {
    pub stream: &'b [u8],
    pub is_last: bool,
    pub text: &'b [u8],
}

impl<'b> CriLine<'b> {
    pub fn of(line: &'b [u8]) -> Option<CriLine<'b>> {
        let mut parts = line.splitn(4, |byte| *byte == b' ');
        let (time, stream, tags) = (parts.next()?, parts.next()?, parts.next()?);
        let is_time = time.len() >= 20 && time[4] == b'-' && time[10] == b'T';
        // Tags are separated by colons; the first is `P` for a partial line or `F` for its end.
        let tag = tags.split(|byte| *byte == b':').next()?.trim_ascii();
        let is_line = is_time && matches!(stream, b"stdout" | b"stderr");
        (is_line && matches!(tag, b"P" | b"F")).then(|| CriLine {
            stream,
            is_last: tag == b"F",
            text: parts.next().unwrap_or_default(),
        })
    }
}

/// A record of docker, or of an agent that read its files: `{"log":"...","stream":"stdout","time":...}`. (AKS has
/// records with the first two of these, which it cuts and does not split.)
pub struct Record<'b> {
    /// Identifies the container.
    pub stream: String,
    pub text: &'b RawValue,
    /// Whether it ends a line, if a member has that.
    ends: Option<bool>,
}

impl<'b> Record<'b> {
    pub fn of(fields: &Fields<'b>) -> Option<Record<'b>> {
        let mut stream = fields.text("stream")?.into_owned();
        let text = ["log", "message"]
            .iter()
            .find_map(|name| fields.get(name))?;
        let has_time = TIMES.iter().any(|name| fields.has(name));
        if !has_time || !text.get().starts_with('"') {
            return None;
        }
        for name in ["kubernetes", "container_id", "filename", "tag"] {
            stream += fields.get(name).map_or("", RawValue::get);
        }
        let of_tag = fields.text("logtag").map(|tag| tag.starts_with('F'));
        let of_docker = || {
            let part = fields.text("partial_message")?;
            (part == "true").then(|| {
                fields
                    .text("partial_last")
                    .is_some_and(|last| last == "true")
            })
        };
        Some(Record {
            stream,
            text,
            ends: of_tag.or_else(of_docker),
        })
    }

    /// Whether it ends a line. Its text has the line's end then, but agents may cut that off.
    pub fn is_last(&self) -> bool {
        self.ends
            .unwrap_or_else(|| self.text.get().ends_with("\\n\""))
    }

    /// Whether a line begins with it and goes on in the next record.
    pub fn begins_a_line(&self, text: &str) -> bool {
        match self.ends {
            Some(ends) => !ends,
            None if self.is_last() || !names_event(text.as_bytes()) => false,
            None => text.len() == DOCKER_PIECE_BYTES || !is_whole(text.as_bytes()),
        }
    }

    /// Whether it is a piece, where no other one came before it.
    pub fn is_half(&self) -> bool {
        let is_tail = |text: &str| is_tail(text.as_bytes());
        !self.is_last() || text_of(self.text).is_some_and(|text| is_tail(&text))
    }
}

/// Lines that are open.
#[derive(Default)]
pub struct Lines(Vec<Line>);

/// A line that goes on.
pub struct Line {
    stream: String,
    /// Its beginning and end in the delivery, with everything between.
    pub at: Range<usize>,
    pub text: Vec<u8>,
    brackets: Brackets,
}

impl Line {
    /// Whether another record that begins an event can't be a part of this line. Where a value is allowed, it may be
    /// one: the author of an object may put text that looks like an event into it.
    pub fn is_torn_by(&self, text: &[u8]) -> bool {
        text.starts_with(b"{\"") && is_whole(text) && !self.brackets.takes_a_value()
    }

    /// Whether its brackets are closed.
    pub fn is_closed(&self) -> bool {
        self.brackets.depth == 0 && !self.brackets.is_in_string
    }
}

impl Lines {
    pub fn has(&self, stream: &str) -> bool {
        self.0.iter().any(|line| line.stream == stream)
    }

    pub fn get(&self, stream: &str) -> Option<&Line> {
        self.0.iter().find(|line| line.stream == stream)
    }

    /// Adds a piece to the line of its stream. Returns the line that had to be given up for it.
    pub fn add(&mut self, stream: &str, at: Range<usize>, text: &[u8]) -> Option<Line> {
        let mut line = self.take(stream).unwrap_or_else(|| Line {
            stream: stream.to_owned(),
            at: at.clone(),
            text: Vec::new(),
            brackets: Brackets::default(),
        });
        line.at.end = line.at.end.max(at.end);
        line.brackets.read(text);
        line.text.extend_from_slice(text);
        let is_full = self.0.len() == STREAMS_MAX;
        let given_up = is_full.then(|| self.0.remove(0));
        self.0.push(line);
        given_up
    }

    pub fn take(&mut self, stream: &str) -> Option<Line> {
        let place = self.0.iter().position(|line| line.stream == stream)?;
        Some(self.0.remove(place))
    }

    /// All of them, of which the other halves did not come.
    pub fn take_all(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.0)
    }
}

/// How far the brackets of a text are open that comes piece by piece.
#[derive(Default)]
struct Brackets {
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
    /// The last byte outside of strings that is not white space.
    last: u8,
}

impl Brackets {
    fn read(&mut self, text: &[u8]) {
        for byte in text {
            match byte {
                _ if std::mem::take(&mut self.is_escaped) => {}
                b'\\' => self.is_escaped = self.is_in_string,
                b'"' => self.is_in_string = !self.is_in_string,
                _ if self.is_in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if !self.is_in_string && !byte.is_ascii_whitespace() {
                self.last = *byte;
            }
        }
    }

    fn takes_a_value(&self) -> bool {
        !self.is_in_string && matches!(self.last, b':' | b'[' | b',')
    }
}

/// Whether a text is one JSON value.
fn is_whole(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    matches!(text.first(), Some(b'{' | b'[' | b'"')) && split::end_of(text, 0) == Some(text.len())
}

/// Whether a line that should be whole looks like a later part of JSON: it closes a bracket that it did not open, or,
/// unless it begins as JSON does, ends in a string. Such a part may begin with an event that the author of an object
/// has put into it.
pub fn is_tail(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    if memmem::find(line, b"\":").is_none() && !line.ends_with(b"}") {
        return false;
    }
    let (mut open, mut at) = (0_usize, 0);
    while let Some(found) = line[at..].iter().position(|byte| b"\"{}[]".contains(byte)) {
        at += found;
        match line[at] {
            b'{' | b'[' => open += 1,
            b'"' => match split::end_of(line, at) {
                Some(end) => at = end - 1,
                None => return !line.starts_with(b"{"),
            },
            _ if open == 0 => return true,
            _ => open -= 1,
        }
        at += 1;
    }
    false
}

/// The first line of a text.
pub fn first_line(text: &[u8]) -> &[u8] {
    &text[..memchr(b'\n', text).unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_cri() {
        let read = |line: &str| {
            let line = CriLine::of(line.as_bytes())?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Some((text(line.stream), line.is_last, text(line.text)))
        };
        let line =
            |stream: &str, is_last, text: &str| Some((stream.to_owned(), is_last, text.to_owned()));
        let time = "2026-11-28T09:00:00.004000000Z";
        assert_eq!(
            read(&format!("{time} stdout F a b ")),
            line("stdout", true, "a b ")
        );
        assert_eq!(
            read(&format!("{time} stderr P:x {{")),
            line("stderr", false, "{")
        );
        assert_eq!(read(&format!("{time} stdout F")), line("stdout", true, ""));
        for other in [
            "",
            "a stdout F b",
            &format!("{time} out F b"),
            &format!("{time} stdout X b"),
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn tails() {
        for tail in [
            "},\"spec\":{\"a\":1}}",
            "ps\",\"ready\":true}]}}",
            "00},\"a\":1}}",
            "}",
            "]}",
            "Nov 28 09:00:00 h t: },\"a\":{}}",
            "\"a\":\"b",
            "{\"a\":\"b\"},\"c\":1}",
            "{\"a\":\"b\"}]}",
        ] {
            assert!(is_tail(tail.as_bytes()), "{tail}");
        }
        for whole in [
            "",
            "hello",
            "it's 5\" wide",
            "{\"a\":[1]}",
            "{\"a\":\"b",
            "2026-11-28T09:00:00Z INFO x {\"a\": \"b}\"}",
            "[a] {b} c",
        ] {
            assert!(!is_tail(whole.as_bytes()), "{whole}");
        }
    }

    #[test]
    fn streams_have_a_maximum() {
        let mut lines = Lines::default();
        for number in 0..STREAMS_MAX {
            assert!(
                lines
                    .add(&number.to_string(), number..number + 1, b"{")
                    .is_none()
            );
        }
        assert!(lines.add("1", 90..91, b"}").is_none());
        assert_eq!(lines.add("new", 91..92, b"{").unwrap().at, 0..1);
        assert_eq!(lines.get("1").unwrap().at, 1..91);
        assert!(lines.get("1").unwrap().is_closed());
        assert_eq!(lines.take_all().len(), STREAMS_MAX);
    }
}
