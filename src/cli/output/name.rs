//! One name a line, for `xargs` and `while read`.

use std::io::{self, Write};

use super::{End, Form, Row, cell};

pub struct Name<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Name<'a> {
    pub fn new(out: &'a mut dyn Write) -> Name<'a> {
        Name { out }
    }
}

impl<R: Row> Form<R> for Name<'_> {
    fn row(&mut self, row: &R) -> io::Result<()> {
        writeln!(self.out, "{}", cell::visible(row.name()))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn end(&mut self, _end: &End) -> io::Result<()> {
        self.out.flush()
    }
}
