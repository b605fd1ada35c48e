//! One JSON object per line, and nothing else.

use std::io::{self, Write};

use super::{End, Form, Row};

pub struct Ndjson<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Ndjson<'a> {
    pub fn new(out: &'a mut dyn Write) -> Ndjson<'a> {
        Ndjson { out }
    }
}

impl<R: Row> Form<R> for Ndjson<'_> {
    fn row(&mut self, row: &R) -> io::Result<()> {
        serde_json::to_writer(&mut *self.out, row)?;
        self.out.write_all(b"\n")
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn end(&mut self, _end: &End) -> io::Result<()> {
        self.out.flush()
    }
}
