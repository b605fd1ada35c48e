//! One line.

use std::sync::Arc;

use jiff::Timestamp;

use super::instance::Instance;

/// The longest line that is passed on; what is longer is cut, and says so.
pub const LINE_BYTES_MAX: usize = 4 << 20;

/// A line as a store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// With the precision of the store, at most nanoseconds.
    pub at: Timestamp,
    /// `stdout` or `stderr`, where the store says so.
    pub stream: Option<String>,
    /// Without its line end. Whatever the container wrote: not always UTF-8.
    pub text: Vec<u8>,
    /// Whether it was longer than 4 MiB, and is cut.
    pub is_cut: bool,
}

/// A line, and whose it is.
#[derive(Clone, Debug)]
pub struct Given {
    pub line: Line,
    pub instance: Arc<Instance>,
}

impl Line {
    pub fn new(at: Timestamp, stream: &str, mut text: Vec<u8>) -> Line {
        while text
            .last()
            .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
        {
            text.pop();
        }
        let is_cut = text.len() > LINE_BYTES_MAX;
        text.truncate(LINE_BYTES_MAX);
        Line {
            at,
            stream: (!stream.is_empty()).then(|| stream.to_owned()),
            text,
            is_cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_before_its_line_end_and_at_the_limit() {
        let line = Line::new(Timestamp::UNIX_EPOCH, "stdout", b"hello \r\n".to_vec());
        assert_eq!((line.text.as_slice(), line.is_cut), (&b"hello "[..], false));
        let long = Line::new(Timestamp::UNIX_EPOCH, "", vec![b'x'; LINE_BYTES_MAX + 1]);
        assert_eq!(
            (long.text.len(), long.is_cut, long.stream),
            (LINE_BYTES_MAX, true, None)
        );
    }
}
