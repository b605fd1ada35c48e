//! A body that is too large to be held, cut between its events while it comes in.
//!
//! In: its bytes, in chunks of any size. Out: [`Portion`]s, each a delivery by itself: the documents of
//! some lines, or some items of an array or of an `EventList` with the text before its items. A body without such
//! borders is one portion of any length. A value that is longer than an event may be is reported with its position,
//! length and hash, and not kept.
//!
//! Borders are found by brackets and quotes alone; what is between them, [`super::read`] judges. They know nothing of
//! lines that were split, so a cut may part the pieces of one, which are dead letters then: one line for each portion
//! at most. What is packed, or in UTF-16, has no borders: it comes in one piece.

use std::collections::VecDeque;
use std::ops::Range;

use memchr::{memchr3, memmem};
use sha2::{Digest, Sha256};

/// The longest beginning of a list that is repeated in each of its portions.
const BEGINNING_BYTES_MAX: usize = 4 << 10;

/// A part of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Portion {
    /// To be read as a delivery. A place in it and `from` make the place in the body; `from` is below zero where the
    /// beginning of its list, which is repeated, is longer than what came before it.
    Text { from: i64, bytes: Vec<u8> },
    /// One value that was too long, and is not there any more.
    TooLong { at: Range<u64>, sha256: [u8; 32] },
}

/// Cuts a body.
pub struct Portions {
    /// A portion is cut at the first border after this many bytes.
    wanted: usize,
    /// The longest value between two borders that is kept.
    value_bytes_max: usize,
    /// The text of the portion that comes in, with the beginning of its list.
    held: Vec<u8>,
    /// Where `held` begins in the body, as in [`Portion::Text`].
    from: i64,
    /// How far `held` was looked at.
    seen: usize,
    /// Where the value under way begins in `held`: behind the last border.
    value: usize,
    within: Within,
    /// What each further portion of the list under way begins with.
    beginning: Vec<u8>,
    /// The part of `held` that is this, and was reported before.
    repeated: usize,
    /// Brackets that are open.
    depth: usize,
    /// Where the string under way begins, and whether its next byte is escaped.
    string: Option<usize>,
    is_escaped: bool,
    /// The last string that stood directly in a document: the key, where a value follows.
    key: Range<usize>,
    /// The current value is too long: what was discarded of it.
    discard: Option<Discarding>,
    ready: VecDeque<Portion>,
}

/// Between what the borders are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Documents after one another.
    Nothing,
    Array,
    /// The items of an `EventList`.
    Items,
}

impl Within {
    /// How many brackets are open between two values.
    fn depth(self) -> usize {
        match self {
            Within::Nothing => 0,
            Within::Array => 1,
            Within::Items => 2,
        }
    }

    /// What closes a portion.
    fn end(self) -> &'static [u8] {
        match self {
            Within::Nothing => b"",
            Within::Array => b"]",
            Within::Items => b"]}",
        }
    }
}

struct Discarding {
    at: u64,
    bytes: u64,
    hash: Sha256,
}

impl Portions {
    /// Portions of about `wanted` bytes, of values that have at most `value_bytes_max`.
    pub fn new(wanted: usize, value_bytes_max: usize) -> Portions {
        Portions {
            wanted,
            value_bytes_max,
            held: Vec::new(),
            from: 0,
            seen: 0,
            value: 0,
            within: Within::Nothing,
            beginning: Vec::new(),
            repeated: 0,
            depth: 0,
            string: None,
            is_escaped: false,
            key: 0..0,
            discard: None,
            ready: VecDeque::new(),
        }
    }

    /// Bytes of the portion that comes in.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes up what came next. Returns the portions that are whole now.
    pub fn push(&mut self, chunk: &[u8]) -> VecDeque<Portion> {
        self.held.extend_from_slice(chunk);
        self.look();
        let is_too_long = self.held.len() - self.value > self.value_bytes_max;
        if self.discard.is_some() || (is_too_long && !self.cut_lines()) {
            self.discard();
        }
        std::mem::take(&mut self.ready)
    }

    /// After the last byte: what is left.
    pub fn end(mut self) -> VecDeque<Portion> {
        let end = self.held.len();
        if self.discard.is_some() {
            self.report_too_long(end, end);
        } else if end > self.repeated {
            self.within = Within::Nothing;
            self.cut(end, end);
        }
        self.ready
    }

    fn look(&mut self) {
        while let Some(byte) = self.held.get(self.seen) {
            if let Some(start) = self.string {
                self.look_at_string(start);
                continue;
            }
            let at = self.seen;
            self.seen += 1;
            match byte {
                b'"' => self.string = Some(at),
                b'{' => self.depth += 1,
                b'[' => self.open(at),
                b'}' | b']' => self.close(at),
                b',' if self.within != Within::Nothing && self.depth == self.within.depth() => {
                    self.border(at, at + 1);
                }
                _ => {}
            }
        }
    }

    fn look_at_string(&mut self, start: usize) {
        if std::mem::take(&mut self.is_escaped) {
            self.seen += 1;
            return;
        }
        let Some(found) = memchr3(b'"', b'\\', b'\n', &self.held[self.seen..]) else {
            self.seen = self.held.len();
            return;
        };
        let end = self.seen + found + 1;
        self.seen = end;
        match self.held[end - 1] {
            b'\\' => {
                self.is_escaped = true;
                return;
            }
            // No string of JSON holds one: this line is broken, and the next one is another matter.
            b'\n' if self.within == Within::Nothing => {
                (self.string, self.depth) = (None, 0);
                return self.border(end, end);
            }
            b'\n' => return,
            _ => {}
        }
        self.string = None;
        match self.depth {
            0 => self.border(end, end),
            1 => self.key = start..end,
            _ => {}
        }
    }

    fn open(&mut self, at: usize) {
        // A long beginning is neither repeated nor searched, over and over: then it is a value like any other.
        let is_short = self.seen - self.value <= BEGINNING_BYTES_MAX;
        let is_top = self.within == Within::Nothing && self.discard.is_none() && is_short;
        let within = match self.depth {
            0 if is_top => Within::Array,
            1 if is_top && self.is_items(at) => Within::Items,
            _ => Within::Nothing,
        };
        self.depth += 1;
        if within == Within::Nothing {
            return;
        }
        self.within = within;
        self.beginning = self.held[self.value..self.seen].to_vec();
        self.value = self.seen;
    }

    /// Whether the items of an `EventList` begin at `at`. Its kind comes before them: API servers write it so.
    fn is_items(&self, at: usize) -> bool {
        let document = &self.held[self.value..at];
        self.held.get(self.key.clone()) == Some(b"\"items\"")
            && memmem::find(document, b"\"EventList\"").is_some()
    }

    fn close(&mut self, at: usize) {
        self.depth = self.depth.saturating_sub(1);
        let is_head = self.is_head(at);
        if self.depth < self.within.depth() {
            self.end_too_long(at, at);
            self.within = Within::Nothing;
            self.beginning.clear();
            self.value = self.seen;
        }
        if self.depth == 0 && !is_head {
            self.border(self.seen, self.seen);
        }
    }

    /// Whether the brackets that close at `at` are the head of a line, like `[pod/NAME/CONTAINER] `, which belongs to
    /// the document after it: its apparent last item is not JSON.
    fn is_head(&self, at: usize) -> bool {
        let first = self.held[self.value..at].trim_ascii_start().first();
        self.within == Within::Array && first.is_some_and(u8::is_ascii_alphabetic)
    }

    /// The value under way ends before `end`, and the next one begins at `next`.
    fn border(&mut self, end: usize, next: usize) {
        if self.end_too_long(end, next) {
            return;
        }
        // What is repeated does not count: there is something new in each.
        if end >= self.wanted + self.repeated {
            self.cut(end, next);
        } else {
            self.value = next;
        }
    }

    /// Makes a portion of the text before `end`; the next one begins with the text at `next`.
    fn cut(&mut self, end: usize, next: usize) {
        let rest = self.held.split_off(next);
        let mut bytes = std::mem::replace(&mut self.held, self.beginning.clone());
        self.held.extend_from_slice(&rest);
        bytes.truncate(end);
        bytes.extend_from_slice(self.within.end());
        let from = self.from;
        self.ready.push_back(Portion::Text { from, bytes });
        self.go_on(next);
    }

    /// The text that was at `next` now follows the beginning of the list.
    fn go_on(&mut self, next: usize) {
        let begin = self.beginning.len();
        self.from += next as i64 - begin as i64;
        self.seen = self.seen.saturating_sub(next) + begin;
        self.key = 0..0;
        self.value = begin;
        self.repeated = begin;
    }

    /// Lines, one of which does not close its brackets, look like one value: they are cut before the last one, and
    /// the reader finds which.
    fn cut_lines(&mut self) -> bool {
        let line = memmem::rfind(&self.held[self.value..], b"\n{");
        let (Within::Nothing, Some(line)) = (self.within, line) else {
            return false;
        };
        let next = self.value + line + 1;
        self.cut(next, next);
        (self.seen, self.depth, self.string, self.is_escaped) = (0, 0, None, false);
        self.look();
        true
    }

    /// Keeps nothing of the value under way but its hash.
    fn discard(&mut self) {
        self.begin_discard();
        self.hash_to(self.held.len());
        self.from += self.held.len() as i64 - self.value as i64;
        self.held.truncate(self.value);
        self.seen = self.value;
        self.string = self.string.map(|_| self.value);
    }

    fn begin_discard(&mut self) {
        if self.discard.is_some() {
            return;
        }
        if self.value > self.repeated {
            let before = &self.held[..self.value];
            let before = before.strip_suffix(b",").unwrap_or(before);
            self.cut(before.len(), self.value);
        }
        self.discard = Some(Discarding {
            at: self.position(self.value),
            bytes: 0,
            hash: Sha256::new(),
        });
    }

    /// As [`Portions::border`], if the value under way is too long. Returns whether it is.
    fn end_too_long(&mut self, end: usize, next: usize) -> bool {
        let (bytes, border) = (end - self.value, next - end);
        if self.discard.is_none() && bytes <= self.value_bytes_max {
            return false;
        }
        self.begin_discard();
        let end = self.value + bytes;
        self.report_too_long(end, end + border);
        true
    }

    fn hash_to(&mut self, end: usize) {
        if let Some(discard) = &mut self.discard {
            let value = &self.held[self.value..end];
            discard.hash.update(value);
            discard.bytes += value.len() as u64;
        }
    }

    /// The discarded value ends before `end`, and the next one begins at `next`.
    fn report_too_long(&mut self, end: usize, next: usize) {
        self.hash_to(end);
        if let Some(Discarding { at, bytes, hash }) = self.discard.take() {
            let sha256 = hash.finalize().into();
            let at = at..at + bytes;
            self.ready.push_back(Portion::TooLong { at, sha256 });
        }
        let rest = self.held.split_off(next);
        self.held.clone_from(&self.beginning);
        self.held.extend_from_slice(&rest);
        self.go_on(next);
    }

    /// The position in the body of the byte at `at`.
    fn position(&self, at: usize) -> u64 {
        self.from
            .saturating_add_unsigned(at as u64)
            .max(0)
            .unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1_000;

    /// The portions of a body that comes in chunks of this size.
    fn portions(body: &[u8], wanted: usize, value_bytes_max: usize, chunk: usize) -> Vec<Portion> {
        let mut portions = Portions::new(wanted, value_bytes_max);
        let mut found = Vec::new();
        for chunk in body.chunks(chunk) {
            found.extend(portions.push(chunk));
        }
        found.extend(portions.end());
        found
    }

    fn texts(portions: &[Portion]) -> Vec<String> {
        let texts = portions.iter().map(|portion| match portion {
            Portion::Text { bytes, .. } => String::from_utf8(bytes.clone()).unwrap(),
            Portion::TooLong { at, .. } => format!("too long: {at:?}"),
        });
        texts.collect()
    }

    #[test]
    fn borders() {
        // (body, portions of one byte and more)
        let table: [(&str, &[&str]); 12] = [
            ("", &[]),
            (
                "[pod/a/b] {}\n[pod/a/b] {}",
                &["[pod/a/b] {}", "\n[pod/a/b] {}"],
            ),
            (r#"{"a":[1,2]}"#, &[r#"{"a":[1,2]}"#]),
            ("{}\n{\"b\":{}} {}", &["{}", "\n{\"b\":{}}", " {}"]),
            (
                "[1,{\"a\":[2,3]},[4]]",
                &["[1]", "[{\"a\":[2,3]}]", "[[4]]"],
            ),
            (
                r#"{"kind":"EventList","items":[{"a":"]}\",[{"},{}],"x":[1,2]}{}"#,
                &[
                    r#"{"kind":"EventList","items":[{"a":"]}\",[{"}]}"#,
                    r#"{"kind":"EventList","items":[{}],"x":[1,2]}"#,
                    "{}",
                ],
            ),
            (
                r#"{"kind":"EventList","items":[]}"#,
                &[r#"{"kind":"EventList","items":[]}"#],
            ),
            // Not known to be a list of events: one document.
            (r#"{"items":[1,2]}"#, &[r#"{"items":[1,2]}"#]),
            (
                r#"{"kind":"EventList","metadata":{"items":[1,2]}}"#,
                &[r#"{"kind":"EventList","metadata":{"items":[1,2]}}"#],
            ),
            (r#""a""b""#, &[r#""a""#, r#""b""#]),
            // It never ends.
            (r#"[1,{"a":"#, &["[1]", r#"[{"a":"#]),
            ("]}]", &["]", "}", "]"]),
        ];
        for (body, expected) in table {
            for chunk in 1..=body.len().max(1) {
                let found = portions(body.as_bytes(), 1, MAX, chunk);
                assert_eq!(texts(&found), expected, "{body} in chunks of {chunk}");
            }
        }
    }

    #[test]
    fn portions_are_about_as_long_as_wanted() {
        let list = format!(r#"{{"kind":"EventList","items":[{}7]}}"#, "7,".repeat(99));
        let found = texts(&portions(list.as_bytes(), 60, MAX, 7));
        let beginning = r#"{"kind":"EventList","items":["#;
        assert!(found.iter().all(|text| text.starts_with(beginning)));
        assert!(found.iter().all(|text| text.len() <= 95), "{found:?}");
        let items: usize = found.iter().map(|text| text.matches('7').count()).sum();
        assert_eq!(items, 100);
        // Small lists after one another stay together.
        let lines = r#"{"kind":"EventList","items":[7,7]}"#.repeat(5);
        assert_eq!(texts(&portions(lines.as_bytes(), 200, MAX, 7)).len(), 1);
    }

    /// Every byte of the body is where its portion claims.
    #[test]
    fn places() {
        let long = format!("\"{}\"", "too long ".repeat(9));
        let body = format!(
            r#"{{}} {{"kind":"EventList","items":[{{"a":1}},{long},{{"b":2}},{{"c":3}}]}} {{"d":4}}"#
        );
        for chunk in 1..body.len() {
            let found = portions(body.as_bytes(), 1, 40, chunk);
            let mut reported = 0;
            for portion in &found {
                match portion {
                    Portion::Text { from, bytes } => {
                        let text = std::str::from_utf8(bytes).unwrap();
                        for name in ["\"a\"", "\"b\"", "\"c\"", "\"d\""] {
                            let Some(at) = text.find(name) else { continue };
                            let position = body.find(name).unwrap();
                            assert_eq!(from + at as i64, position as i64, "{name}");
                            reported += 1;
                        }
                    }
                    Portion::TooLong { at, sha256 } => {
                        let value = &body[at.start as usize..at.end as usize];
                        assert_eq!(value, long);
                        assert_eq!(*sha256, <[u8; 32]>::from(Sha256::digest(value)));
                        reported += 1;
                    }
                }
            }
            assert_eq!(reported, 5, "{:?} in chunks of {chunk}", texts(&found));
        }
    }

    #[test]
    fn what_is_too_long_is_told_and_not_kept() {
        let long = "7".repeat(50);
        // (body, portions); values have at most 20 bytes
        let table: [(String, &[&str]); 5] = [
            (format!("[1,{long},2]"), &["[1]", "too long: 3..53", "[2]"]),
            (format!("[{long},2]"), &["[]", "too long: 1..51", "[2]"]),
            (format!("[1,{long}]"), &["[1]", "too long: 3..53", "[]"]),
            (
                format!("{{\"a\":\"{long}\"}}{{}}"),
                &["too long: 0..58", "{}"],
            ),
            (format!("[1,\"{long}"), &["[1]", "too long: 3..54"]),
        ];
        for (body, expected) in table {
            for chunk in 1..20 {
                let found = texts(&portions(body.as_bytes(), 10_000, 20, chunk));
                assert_eq!(found, expected, "{body} in chunks of {chunk}");
            }
        }
    }

    /// As in a file of lines, one of which was cut off, or is text.
    #[test]
    fn a_broken_line_does_not_take_the_others_along() {
        for broken in [
            "{\"a\":\"",
            "{\"a\":[",
            "I1123 it's 5\" wide",
            "{\"a\":\"\\",
        ] {
            let lines = format!("{broken}\n{}", "{\"b\":1}\n".repeat(20));
            let found = texts(&portions(lines.as_bytes(), 10, 40, 8));
            assert_eq!(found.concat(), lines);
            assert!(found.iter().all(|text| text.len() <= 64), "{found:?}");
            // No event was cut in two.
            let whole: usize = found
                .iter()
                .map(|text| text.matches("{\"b\":1}").count())
                .sum();
            assert_eq!(whole, 20, "{found:?}");
        }
    }

    /// A document that names its items again and again is searched once for what it is, in its first bytes.
    #[test]
    fn a_long_document_is_not_searched_for_each_of_its_lists() {
        let body = format!(
            "{{{}\"kind\":\"EventList\"}}",
            "\"items\":[],".repeat(1 << 20)
        );
        let begun = std::time::Instant::now();
        assert_eq!(portions(body.as_bytes(), 1, 1 << 30, 1 << 16).len(), 1);
        // Each search of all that came before would take hours together.
        assert!(begun.elapsed() < std::time::Duration::from_secs(60));
    }

    /// However it begins, no more comes out than went in, but for short beginnings.
    #[test]
    fn a_long_beginning_is_not_repeated() {
        let blanks = " ".repeat(BEGINNING_BYTES_MAX + 1);
        for (begin, bytes_max) in [(&*blanks, 100_000), (" ", 20_000)] {
            let body = format!("{begin}[{}1]", "1,".repeat(5_000));
            let found = texts(&portions(body.as_bytes(), 10, 1 << 20, 1_000));
            let bytes: usize = found.iter().map(String::len).sum();
            assert!(bytes <= bytes_max, "{bytes} of {}", body.len());
        }
    }
}
