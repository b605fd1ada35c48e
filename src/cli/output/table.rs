//! The tables of `kubectl get`: no borders, upper-case heads, three spaces between columns.
//!
//! Widths are chosen over a chunk of rows. A later chunk may widen a column, it never narrows one,
//! and it has no heads. Without rows there is no table, and no heads either.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::Timestamp;

use super::cell::{self, Tone};
use super::{End, Form, Look, Row};

/// As many rows as are kept to choose the widths.
pub const CHUNK_ROWS: usize = 1_000;

const GAP: &str = "   ";

type CellOf<R> = dyn Fn(&R, &Look) -> String;

/// A column of a table.
pub struct Column<R> {
    head: String,
    cell: Box<CellOf<R>>,
    tone: fn(&R) -> Option<Tone>,
    shown: bool,
}

impl<R: 'static> Column<R> {
    pub fn new(head: impl Into<String>, cell: fn(&R, &Look) -> String) -> Column<R> {
        Column::with(head, cell)
    }

    /// With a cell that knows more than its row.
    pub fn with(
        head: impl Into<String>,
        cell: impl Fn(&R, &Look) -> String + 'static,
    ) -> Column<R> {
        Column {
            head: head.into(),
            cell: Box::new(cell),
            tone: |_| None,
            shown: true,
        }
    }

    pub fn toned(self, tone: fn(&R) -> Option<Tone>) -> Column<R> {
        Column { tone, ..self }
    }

    pub fn only_if(self, shown: bool) -> Column<R> {
        Column { shown, ..self }
    }
}

struct Cell {
    text: String,
    tone: Option<Tone>,
}

pub struct Table<'a, R> {
    out: &'a mut dyn Write,
    look: Look,
    columns: Vec<Column<R>>,
    /// In characters.
    widths: Vec<usize>,
    /// The chunk; its first line may be the heads.
    lines: Vec<Vec<Cell>>,
    heads_due: bool,
}

impl<'a, R: Row> Table<'a, R> {
    pub fn new(look: Look, wide: bool, out: &'a mut dyn Write) -> Table<'a, R> {
        let columns = R::columns(&look, wide);
        Table::of(columns, look, out)
    }
}

impl<'a, R> Table<'a, R> {
    /// With these columns.
    pub fn of(mut columns: Vec<Column<R>>, look: Look, out: &'a mut dyn Write) -> Table<'a, R> {
        columns.retain(|column| column.shown);
        let widths = vec![0; columns.len()];
        Table {
            out,
            heads_due: look.headers,
            look,
            columns,
            widths,
            lines: Vec::new(),
        }
    }
}

impl<R> Table<'_, R> {
    pub fn row(&mut self, row: &R) -> io::Result<()> {
        if std::mem::take(&mut self.heads_due) {
            let heads = self.columns.iter().map(|column| Cell {
                text: cell::visible(column.head.clone()),
                tone: None,
            });
            self.push(heads.collect());
        }
        let cells = self.columns.iter().map(|column| Cell {
            text: cell::visible((column.cell)(row, &self.look)),
            tone: (column.tone)(row).filter(|_| self.look.colours),
        });
        self.push(cells.collect());
        if self.lines.len() < CHUNK_ROWS {
            Ok(())
        } else {
            self.write_chunk()
        }
    }

    /// Later rows may have other widths.
    pub fn flush(&mut self) -> io::Result<()> {
        self.write_chunk()?;
        self.out.flush()
    }

    fn push(&mut self, line: Vec<Cell>) {
        for (width, cell) in self.widths.iter_mut().zip(&line) {
            *width = (*width).max(cell.text.chars().count());
        }
        self.lines.push(line);
    }

    fn write_chunk(&mut self) -> io::Result<()> {
        let mut text = String::new();
        for line in self.lines.drain(..) {
            text.clear();
            for (cell, width) in line.iter().zip(&self.widths) {
                let style = cell.tone.map(Tone::style).unwrap_or_default();
                let padding = width - cell.text.chars().count();
                write!(text, "{style}{}{style:#}{:padding$}{GAP}", cell.text, "")
                    .expect("a string takes any text");
            }
            writeln!(self.out, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

impl<R: Row> Form<R> for Table<'_, R> {
    fn row(&mut self, row: &R) -> io::Result<()> {
        Table::row(self, row)
    }

    fn set_now(&mut self, now: Timestamp) {
        self.look.now = now;
    }

    fn flush(&mut self) -> io::Result<()> {
        Table::flush(self)
    }

    fn end(&mut self, _end: &End) -> io::Result<()> {
        Table::flush(self)
    }
}
