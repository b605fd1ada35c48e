//! CSV, as `crate::csv` writes it.

use std::io::{self, Write};

use super::{End, Form, Row};
use crate::csv;

pub struct Csv<'a> {
    out: &'a mut dyn Write,
    csv: csv::Csv,
    header_due: bool,
}

impl<'a> Csv<'a> {
    pub fn new<R: Row>(header: bool, texts: csv::Texts, out: &'a mut dyn Write) -> Csv<'a> {
        Csv {
            out,
            csv: csv::Csv::of::<R>(texts),
            header_due: header,
        }
    }

    fn header(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.header_due) {
            self.out.write_all(&self.csv.header())?;
        }
        Ok(())
    }
}

impl<R: Row> Form<R> for Csv<'_> {
    fn row(&mut self, row: &R) -> io::Result<()> {
        self.header()?;
        self.out.write_all(&self.csv.row(row)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The header is also in an empty answer, so that every answer is a table with these fields.
    fn end(&mut self, _end: &End) -> io::Result<()> {
        self.header()?;
        self.out.flush()
    }
}
