//! The lines of a watch, cut out of what arrives.

use bytes::{Bytes, BytesMut};

use super::super::objects::batch::Batch;
use crate::lifecycle::watched::Moment;

/// The longest line. An object has at most 3 MiB in an API server.
const LINE_BYTES_MAX: usize = 8 << 20;

/// Lines that came and are not taken, and the beginning of the next one.
#[derive(Default)]
pub struct Lines {
    whole: Batch<Bytes>,
    begun: BytesMut,
    /// The rest of the line that begins is left out.
    skips: bool,
    too_long: u64,
}

impl Lines {
    /// Adds what came, all of it written between the two moments.
    pub fn add(&mut self, data: &Bytes, moment: Moment) {
        let mut rest = &data[..];
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.begin(&rest[..end]);
            rest = &rest[end + 1..];
            let bytes = self.begun.split().freeze();
            let is_skipped = std::mem::take(&mut self.skips);
            if !is_skipped && !bytes.trim_ascii().is_empty() {
                let length = bytes.len();
                self.whole.push(bytes, length, moment);
            }
        }
        self.begin(rest);
    }

    fn begin(&mut self, part: &[u8]) {
        if self.skips {
            return;
        }
        if self.begun.len() + part.len() > LINE_BYTES_MAX {
            self.skips = true;
            self.too_long += 1;
            self.begun = BytesMut::new();
            return;
        }
        self.begun.extend_from_slice(part);
    }

    /// Whether they should be taken before more is added.
    pub fn has_many(&self) -> bool {
        self.whole.is_full()
    }

    /// The whole lines, and how many were left out because they are too long.
    pub fn take_whole(&mut self) -> (Vec<(Bytes, Moment)>, u64) {
        (self.whole.take(), std::mem::take(&mut self.too_long))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(lines: &mut Lines) -> Vec<String> {
        let (whole, _) = lines.take_whole();
        let text = |(line, _): (Bytes, Moment)| String::from_utf8(line.to_vec()).unwrap();
        whole.into_iter().map(text).collect()
    }

    #[test]
    fn lines_come_in_any_pieces() {
        let mut lines = Lines::default();
        for piece in ["a", "b\nc", "", "d\n\n", "e\nf\ng"] {
            lines.add(&Bytes::from(piece), Moment::at(1));
        }
        assert_eq!(taken(&mut lines), ["ab", "cd", "e", "f"]);
        lines.add(&Bytes::from("h\n"), Moment::at(2));
        assert_eq!(taken(&mut lines), ["gh"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_and_counted() {
        let mut lines = Lines::default();
        let part = Bytes::from(vec![b'x'; LINE_BYTES_MAX / 2 + 1]);
        lines.add(&part, Moment::at(1));
        lines.add(&part, Moment::at(1));
        lines.add(&Bytes::from("y\nz\n"), Moment::at(1));
        let (whole, too_long) = lines.take_whole();
        assert_eq!((whole.len(), too_long), (1, 1));
        assert_eq!(&whole[0].0[..], b"z");
    }
}
