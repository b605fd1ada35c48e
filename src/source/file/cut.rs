//! Text is cut into pieces between its documents, and every piece has the place behind it.
//!
//! A file of lines is cut at line breaks, which costs next to nothing. A line that is long, and a file that is one array,
//! one `EventList` or indented JSON, is cut between its events by [`Portions`]. There the place is a number of portions,
//! since the same bytes give the same portions.

use std::collections::VecDeque;

use memchr::{memchr, memchr_iter, memrchr, memrchr_iter};
use serde::de::IgnoredAny;

use super::buffers::{Buffers, PIECE_BYTES};
use super::place::{Place, TAIL_BYTES};
use crate::envelope::{Portion, Portions};

/// The longest event. A longer one is a dead letter without its bytes.
pub const EVENT_BYTES_MAX: usize = 64 << 20;

/// A part of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// `from` of a text, and the place of what is too long, count from the beginning of the file.
    pub portion: Portion,
    /// The number of its first line, from 1.
    pub line: u64,
    /// Where reading continues behind it.
    pub next: Place,
}

/// What was read before the place where reading continues is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed;

/// Cuts the text of one file.
pub struct Cutter {
    /// Text that is not cut yet, and where it begins. Between documents, unless `long` has the beginning.
    held: Vec<u8>,
    at: u64,
    /// Line breaks before `at`.
    lines: u64,
    /// The bytes before `held`, as many as are compared.
    tail: Vec<u8>,
    form: Form,
    long: Option<Long>,
    /// Portions of the first document that were read before, and their checksum.
    skip: Option<(u64, u32)>,
    ready: VecDeque<Piece>,
    buffers: Buffers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Not known yet.
    Unknown,
    /// Lines; where all begin with `{`, one that does not is a part of the one before.
    Lines { begin: Option<u8> },
    /// One document or many, on any number of lines.
    Documents,
}

/// A document that is cut into portions.
struct Long {
    portions: Portions,
    begin: Place,
    read: u64,
    crc: crc32fast::Hasher,
    /// Line breaks in the portions so far.
    lines: u64,
}

impl Cutter {
    /// Begins at a place; `tail` are the bytes before its document.
    pub fn at(place: &Place, tail: Vec<u8>, buffers: Buffers) -> Result<Cutter, Changed> {
        if place.document > 0 && crc32fast::hash(&tail) != place.tail {
            return Err(Changed);
        }
        Ok(Cutter {
            held: buffers.take(),
            at: place.document,
            lines: place.lines,
            tail,
            form: Form::Unknown,
            long: None,
            skip: (place.portions > 0).then_some((place.portions, place.crc)),
            ready: VecDeque::new(),
            buffers,
        })
    }

    /// Room for this many bytes, to read into.
    pub fn room(&mut self, bytes: usize) -> &mut [u8] {
        let held = self.held.len();
        self.held.resize(held + bytes, 0);
        &mut self.held[held..]
    }

    /// So many bytes of the `room` were filled. Returns the pieces that are whole now.
    pub fn filled(&mut self, room: usize, bytes: usize) -> Result<VecDeque<Piece>, Changed> {
        self.held.truncate(self.held.len() - room + bytes);
        if self.form == Form::Unknown {
            self.form = form(&self.held);
        }
        self.cut()?;
        Ok(std::mem::take(&mut self.ready))
    }

    /// What is there of lines that are whole, at the end of what there is for now.
    pub fn flush(&mut self) -> Result<VecDeque<Piece>, Changed> {
        if matches!(self.form, Form::Unknown) && self.held.contains(&b'\n') {
            self.form = form(&self.held);
        }
        self.cut()?;
        if let (Form::Lines { .. }, None, Some(end)) =
            (self.form, &self.long, memrchr(b'\n', &self.held))
        {
            self.take_lines(end + 1);
        }
        Ok(std::mem::take(&mut self.ready))
    }

    /// At the end of the file: the rest. What breaks off in the midst of a line is left, unless `is_cut` says that its
    /// end will never come. Returns the number of bytes that are left, too.
    pub fn end(mut self, is_cut: bool) -> Result<(VecDeque<Piece>, u64), Changed> {
        let mut ready = self.flush()?;
        let mut left = 0;
        if let Some(long) = self.long.take() {
            self.end_long(long)?;
            left = self.take_back(is_cut);
        } else if is_cut || is_whole(&self.held) {
            self.take_lines(self.held.len());
        }
        ready.append(&mut self.ready);
        Ok((ready, left + self.held.len() as u64))
    }

    /// Takes a last portion back that is not all there. Returns its length.
    fn take_back(&mut self, is_cut: bool) -> u64 {
        let is_half = |piece: &mut Piece| match &piece.portion {
            Portion::Text { bytes, .. } => !is_cut && !is_whole(bytes),
            Portion::TooLong { .. } => false,
        };
        match self.ready.pop_back_if(is_half).map(|piece| piece.portion) {
            Some(Portion::Text { bytes, .. }) => bytes.len() as u64,
            _ => 0,
        }
    }

    fn cut(&mut self) -> Result<(), Changed> {
        loop {
            if self.long.is_some() {
                if !self.go_on_long()? {
                    return Ok(());
                }
                continue;
            }
            self.skip_zeros();
            match self.form {
                Form::Unknown => return Ok(()),
                Form::Documents => self.begin_long(),
                // The portions of a long line that were read before are passed over.
                Form::Lines { .. } if self.skip.is_some() => self.begin_long(),
                Form::Lines { begin } => {
                    if self.held.len() < PIECE_BYTES {
                        return Ok(());
                    }
                    match end_of_lines(&self.held, begin) {
                        Some(end) => self.take_lines(end),
                        None => self.begin_long(),
                    }
                }
            }
        }
    }

    /// A hole in the file.
    fn skip_zeros(&mut self) {
        let zeros = self.held.iter().take_while(|byte| **byte == 0).count();
        if zeros > 0 {
            let zeros = self.pass(zeros);
            self.buffers.put(zeros);
        }
    }

    /// Takes the first bytes away, as read.
    fn pass(&mut self, end: usize) -> Vec<u8> {
        let mut rest = self.buffers.take();
        rest.extend_from_slice(&self.held[end..]);
        self.held.truncate(end);
        let passed = std::mem::replace(&mut self.held, rest);
        self.at += end as u64;
        self.lines += memchr_iter(b'\n', &passed).count() as u64;
        if passed.len() >= TAIL_BYTES {
            self.tail.clear();
        }
        self.tail
            .extend_from_slice(&passed[passed.len().saturating_sub(TAIL_BYTES)..]);
        let surplus = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..surplus);
        passed
    }

    fn place(&self) -> Place {
        Place {
            position: self.at,
            document: self.at,
            lines: self.lines,
            portions: 0,
            tail: crc32fast::hash(&self.tail),
            crc: 0,
        }
    }

    fn take_lines(&mut self, end: usize) {
        if end == 0 {
            return;
        }
        let (from, line) = (self.at as i64, self.lines + 1);
        let bytes = self.pass(end);
        let next = self.place();
        self.ready.push_back(Piece {
            portion: Portion::Text { from, bytes },
            line,
            next,
        });
    }

    fn begin_long(&mut self) {
        self.long = Some(Long {
            portions: Portions::new(PIECE_BYTES, EVENT_BYTES_MAX),
            begin: self.place(),
            read: 0,
            crc: crc32fast::Hasher::new(),
            lines: 0,
        });
    }

    /// Feeds what is held to the document under way. Whether it has ended.
    fn go_on_long(&mut self) -> Result<bool, Changed> {
        let end = match self.form {
            Form::Lines { .. } => memchr(b'\n', &self.held).map(|end| end + 1),
            _ => None,
        };
        let held = self.pass(end.unwrap_or(self.held.len()));
        self.feed(&held)?;
        self.buffers.put(held);
        let Some(long) = self.long.take_if(|_| end.is_some()) else {
            return Ok(false);
        };
        self.end_long(long)?;
        let next = self.place();
        if let Some(last) = self.ready.back_mut() {
            last.next = next;
        }
        Ok(true)
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Changed> {
        let Some(mut long) = self.long.take() else {
            return Ok(());
        };
        for portion in long.portions.push(bytes) {
            self.add(&mut long, portion)?;
        }
        self.long = Some(long);
        Ok(())
    }

    fn end_long(&mut self, mut long: Long) -> Result<(), Changed> {
        let rest = std::mem::replace(&mut long.portions, Portions::new(1, 1)).end();
        for portion in rest {
            self.add(&mut long, portion)?;
        }
        // What was to be passed over is not there any more.
        match self.skip.take() {
            Some(_) => Err(Changed),
            None => Ok(()),
        }
    }

    fn add(&mut self, long: &mut Long, portion: Portion) -> Result<(), Changed> {
        let begin = long.begin.document;
        long.read += 1;
        let line = long.begin.lines + long.lines + 1;
        let (portion, end) = match portion {
            Portion::Text { from, bytes } => {
                long.crc.update(&bytes);
                long.lines += memchr_iter(b'\n', &bytes).count() as u64;
                let from = begin as i64 + from;
                let end = from.saturating_add_unsigned(bytes.len() as u64);
                (Portion::Text { from, bytes }, end.max(0).unsigned_abs())
            }
            Portion::TooLong { at, sha256 } => {
                long.crc.update(&sha256);
                let at = begin + at.start..begin + at.end;
                let end = at.end;
                (Portion::TooLong { at, sha256 }, end)
            }
        };
        if let Some((portions, crc)) = self.skip {
            if long.read == portions {
                self.skip = None;
                if long.crc.clone().finalize() != crc {
                    return Err(Changed);
                }
            }
            return Ok(());
        }
        let next = Place {
            position: end.max(begin),
            portions: long.read,
            crc: long.crc.clone().finalize(),
            ..long.begin
        };
        self.ready.push_back(Piece {
            portion,
            line,
            next,
        });
        Ok(())
    }
}

/// What kind of text begins like this.
fn form(held: &[u8]) -> Form {
    let begin = held
        .iter()
        .find(|byte| !byte.is_ascii_whitespace() && **byte != 0);
    let text = held.trim_ascii_start();
    let Some(begin) = begin else {
        return Form::Unknown;
    };
    match begin {
        b'[' => Form::Documents,
        b'{' => match memchr(b'\n', text) {
            Some(end) if is_json(&text[..end]) => Form::Lines { begin: Some(b'{') },
            Some(_) => Form::Documents,
            None if held.len() >= PIECE_BYTES => Form::Lines { begin: None },
            None => Form::Unknown,
        },
        _ => Form::Lines { begin: None },
    }
}

/// Behind the last line break where a document ends.
fn end_of_lines(held: &[u8], begin: Option<u8>) -> Option<usize> {
    let ends = |at: &usize| begin.is_none() || held.get(at + 1).copied() == begin;
    let mut breaks = memrchr_iter(b'\n', held);
    let last = memrchr(b'\n', held);
    breaks.find(ends).or(last).map(|at| at + 1)
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// Whether a last line without its line break is all there: JSON that ends, maybe behind a prefix.
fn is_whole(line: &[u8]) -> bool {
    let from_first =
        |bracket: u8| memchr(bracket, line).is_some_and(|begin| is_json(&line[begin..]));
    line.trim_ascii().is_empty() || from_first(b'[') || from_first(b'{')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a text in chunks from a place on.
    fn read(text: &[u8], from: &Place, chunk: usize) -> Result<(Vec<Piece>, u64), Changed> {
        let document = from.document as usize;
        let tail = text[document.saturating_sub(TAIL_BYTES)..document].to_vec();
        let mut cutter = Cutter::at(from, tail, Buffers::default())?;
        let mut pieces = Vec::new();
        for chunk in text[document..].chunks(chunk) {
            cutter.room(chunk.len() + 3)[..chunk.len()].copy_from_slice(chunk);
            pieces.extend(cutter.filled(chunk.len() + 3, chunk.len())?);
        }
        let (rest, left) = cutter.end(false)?;
        pieces.extend(rest);
        Ok((pieces, left))
    }

    /// The events of pieces, and the number of the line of each.
    fn events(pieces: &[Piece]) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        for piece in pieces {
            let Portion::Text { bytes, .. } = &piece.portion else {
                continue;
            };
            let text = std::str::from_utf8(bytes).unwrap();
            for (at, _) in text.match_indices("\"auditID\":\"") {
                let id = &text[at + 11..];
                let line = piece.line + text[..at].matches('\n').count() as u64;
                found.push((id[..id.find('"').unwrap()].to_owned(), line));
            }
        }
        found
    }

    fn line(id: usize, bytes: usize) -> String {
        format!(r#"{{"auditID":"{id}","x":"{}"}}"#, "y".repeat(bytes))
    }

    /// Texts of some MiB, and where each event stands.
    fn texts() -> Vec<(&'static str, String, Vec<u64>)> {
        let many: Vec<String> = (0..30).map(|id| line(id, 500_000)).collect();
        let mut long = many.clone();
        long[3] = line(3, 10 << 20);
        let list = format!(r#"{{"kind":"EventList","items":[{}]}}"#, many.join(","));
        let indented = many.iter().map(|it| it.replace("{\"a", "{\n  \"a"));
        let indented: Vec<String> = indented.collect();
        let all: Vec<u64> = (1..=30).collect();
        vec![
            ("lines", many.join("\n") + "\n", all.clone()),
            ("a long line", long.join("\n") + "\n", all.clone()),
            ("without the last line break", many.join("\n"), all),
            ("one line that is a list", list, vec![1; 30]),
            (
                "an array",
                format!("[\n{}\n]\n", many.join(",\n")),
                (2..=31).collect(),
            ),
            (
                "indented",
                indented.join("\n"),
                (0..30).map(|n| 2 * n + 2).collect(),
            ),
        ]
    }

    #[test]
    fn every_event_is_in_one_piece_and_reading_continues_behind_any() {
        for (name, text, lines) in texts() {
            let text = text.as_bytes();
            let expected: Vec<(String, u64)> = lines
                .iter()
                .enumerate()
                .map(|(id, line)| (id.to_string(), *line))
                .collect();
            let (pieces, left) = read(text, &Place::default(), 1 << 18).unwrap();
            assert_eq!((left, events(&pieces)), (0, expected.clone()), "{name}");
            assert!(pieces.len() >= 3, "{name}: {}", pieces.len());
            let mut before = 0;
            for piece in &pieces {
                before += events(std::slice::from_ref(piece)).len();
                let (rest, _) = read(text, &piece.next, 1 << 20).unwrap();
                assert_eq!(
                    events(&rest),
                    expected[before..],
                    "{name} from {:?}",
                    piece.next
                );
            }
        }
    }

    #[test]
    fn another_text_before_the_place_is_noticed() {
        for (name, text, _) in texts() {
            let (pieces, _) = read(text.as_bytes(), &Place::default(), 1 << 18).unwrap();
            let mut other = text.into_bytes();
            let place = pieces[0].next;
            let end = (place.position as usize).min(other.len()) - 20;
            other[end] ^= 1;
            assert_eq!(read(&other, &place, 1 << 18), Err(Changed), "{name}");
        }
    }

    #[test]
    fn half_a_line_waits() {
        let whole = format!("{}\n{}\n", line(0, 5), line(1, 5));
        for (end, left) in [
            (r#"{"auditID":"2","#, 15),
            ("2026 {\"auditID\":", 16),
            ("tail", 4),
            ("  ", 0),
        ] {
            let text = format!("{whole}{end}");
            let (pieces, found) = read(text.as_bytes(), &Place::default(), 7).unwrap();
            assert_eq!((events(&pieces).len(), found), (2, left), "{end}");
            let expected = text.len() as u64 - left;
            assert_eq!(pieces.last().unwrap().next.position, expected);
        }
    }

    #[test]
    fn a_hole_is_passed_over() {
        let text = [&[0; 5_000][..], line(0, 5).as_bytes(), b"\n"].concat();
        let (pieces, left) = read(&text, &Place::default(), 512).unwrap();
        assert_eq!((events(&pieces).len(), left), (1, 0));
    }

    #[test]
    fn what_is_too_long_is_told_with_its_place() {
        let text = format!(
            "{}\n{}\n{}\n",
            line(0, 5),
            line(1, EVENT_BYTES_MAX),
            line(2, 5)
        );
        let (pieces, _) = read(text.as_bytes(), &Place::default(), 1 << 20).unwrap();
        let long = pieces.iter().find_map(|piece| match &piece.portion {
            Portion::TooLong { at, .. } => Some((at.clone(), piece.line)),
            Portion::Text { .. } => None,
        });
        let begin = line(0, 5).len() as u64 + 1;
        let end = begin + line(1, EVENT_BYTES_MAX).len() as u64;
        assert_eq!(long, Some((begin..end, 2)));
        let ids: Vec<String> = events(&pieces).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["0", "2"]);
    }
}
