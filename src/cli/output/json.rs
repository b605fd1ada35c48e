//! One JSON document, indented: `{"items": [...], "more": ..., "cursor": ...}`.
//!
//! The document is written row by row. An interrupted one is invalid JSON, so it is not taken for the whole.

use std::io::{self, Write};

use super::{End, Form, Row};

pub struct Json<'a> {
    out: &'a mut dyn Write,
    empty: bool,
}

impl<'a> Json<'a> {
    pub fn new(out: &'a mut dyn Write) -> Json<'a> {
        Json { out, empty: true }
    }
}

impl<R: Row> Form<R> for Json<'_> {
    fn row(&mut self, row: &R) -> io::Result<()> {
        let before = if self.empty {
            "{\n  \"items\": [\n"
        } else {
            ",\n"
        };
        self.empty = false;
        // A line break inside of a string is escaped, so each one here is a line of the document.
        let row = serde_json::to_string_pretty(row)?.replace('\n', "\n    ");
        write!(self.out, "{before}    {row}")
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn end(&mut self, end: &End) -> io::Result<()> {
        let before = if self.empty {
            "{\n  \"items\": []"
        } else {
            "\n  ]"
        };
        let more = end.more.is_some();
        let cursor = serde_json::to_string(&end.more)?;
        write!(
            self.out,
            "{before},\n  \"more\": {more},\n  \"cursor\": {cursor}\n}}\n"
        )?;
        self.out.flush()
    }
}
