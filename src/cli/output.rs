//! Answers as people and programs read them: one file per output format.
//!
//! In: the rows of an answer, one after the other, and how it ended. Out: text. An answer may have a
//! million rows, so no form keeps more than `table::CHUNK_ROWS` of them.
//!
//! The formats for programs (json, yaml, csv, ndjson) have all fields of a row under their own names, in their own
//! order, unchanged. The human-readable formats (table, wide, name) choose columns, and escape text that could
//! command a terminal (`escape`), as csv does, which also escapes formulas (`csv`).
//!
//! What can go wrong: only writing. A closed pipe comes back as it is, `BrokenPipe`.
//!
//! Never here: asking, and anything on stderr.

mod cell;
mod containers;
mod contexts;
mod coverage;
mod csv;
mod custom;
mod dead_letters;
mod json;
mod jsonpath;
mod name;
mod ndjson;
mod page;
mod pods;
mod sessions;
mod sources;
mod span;
mod spec;
mod summaries;
mod table;
mod yaml;

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use containers::ID_CHARS;
pub use contexts::Listed;
pub use page::{Described, Other, Others, PageFormat, Subject, write_page};
pub use spec::{Output, OutputParser};
use table::Column;

use crate::csv::Texts;

/// How an answer is written.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The most important columns
    #[default]
    Table,
    /// More columns
    Wide,
    /// One JSON document: items, more, cursor
    Json,
    /// One YAML document: items, more, cursor
    Yaml,
    /// RFC 4180 with a header line, safe for spreadsheets unless --csv-raw is given
    Csv,
    /// One JSON object per line
    Ndjson,
    /// namespace/pod, or namespace/pod/container
    Name,
}

impl Format {
    /// The fields that it shows of such a row; none: all.
    pub fn fields<R: Row>(self) -> Vec<&'static str> {
        match self {
            Format::Table => R::TABLE_FIELDS.to_vec(),
            Format::Wide => [R::TABLE_FIELDS, R::WIDE_FIELDS].concat(),
            Format::Name => R::NAME_FIELDS.to_vec(),
            Format::Json | Format::Yaml | Format::Csv | Format::Ndjson => Vec::new(),
        }
    }

    /// Whether it is one line a row, so that rows may come at any time.
    pub fn is_lines(self) -> bool {
        !matches!(self, Format::Json | Format::Yaml)
    }

    /// Whether it has columns that are chosen for a person.
    pub fn is_table(self) -> bool {
        matches!(self, Format::Table | Format::Wide)
    }
}

/// The formats for short lists that are not about pods.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum ListFormat {
    /// Human-readable
    Table,
    /// One JSON document: items, more, cursor
    Json,
    /// One JSON object per line
    Ndjson,
}

impl From<ListFormat> for Output {
    fn from(form: ListFormat) -> Output {
        Output::Form(match form {
            ListFormat::Table => Format::Table,
            ListFormat::Json => Format::Json,
            ListFormat::Ndjson => Format::Ndjson,
        })
    }
}

/// How rows look to a person. The forms for programs take only `headers` and `csv` from it, and only csv does.
#[derive(Clone, Debug)]
pub struct Look {
    /// Of the times in tables.
    pub zone: TimeZone,
    /// What ages are counted to.
    pub now: Timestamp,
    pub namespace_column: bool,
    pub cluster_column: bool,
    /// Labels that have a column of their own.
    pub label_columns: Vec<String>,
    /// Whether all labels are in a column.
    pub labels_column: bool,
    /// Whether wide tables have a column of links to log lines.
    pub links_column: bool,
    pub headers: bool,
    /// Whether tables paint what ended badly.
    pub colours: bool,
    /// What is done to texts in csv.
    pub csv: Texts,
}

impl Look {
    /// For lists that are not about pods.
    pub fn plain() -> Look {
        Look {
            zone: TimeZone::UTC,
            now: Timestamp::now(),
            namespace_column: false,
            cluster_column: true,
            label_columns: Vec::new(),
            labels_column: false,
            links_column: false,
            headers: true,
            colours: false,
            csv: Texts::Safe,
        }
    }
}

/// How an answer ended. Only json and yaml have a place for it; the others leave it to the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// The cursor to go on with, if more rows follow.
    pub more: Option<String>,
}

/// A row that can be written in every format.
///
/// Its serde fields are those of the formats for programs. It is never deserialized: `DeserializeOwned` provides the
/// names of the fields where there is no row.
pub trait Row: Serialize + DeserializeOwned {
    /// The fields that [`Row::name`] needs; none: all.
    const NAME_FIELDS: &'static [&'static str] = &[];
    /// The fields that the columns of a table need; none: all.
    const TABLE_FIELDS: &'static [&'static str] = &[];
    /// The fields that those of a wide table need beside them.
    const WIDE_FIELDS: &'static [&'static str] = &[];

    #[doc(hidden)]
    fn columns(look: &Look, wide: bool) -> Vec<Column<Self>>;

    /// The row in one word: `namespace/pod` or `namespace/pod/container`.
    fn name(&self) -> String;
}

/// Writes one answer. Without [`Printer::end`] the text is incomplete, and shows it where it can.
pub struct Printer<'a, R>(Box<dyn Form<R> + 'a>);

impl<'a, R: Row + 'a> Printer<'a, R> {
    /// Nothing is written before the first row or the end. `out` should be buffered.
    pub fn new(output: impl Into<Output>, look: Look, out: &'a mut dyn Write) -> Printer<'a, R> {
        Printer(match output.into() {
            Output::Form(format) => Printer::form(format, look, out),
            Output::Columns(columns) => Box::new(custom::Custom::new(columns, look, out)),
            Output::Template(template) => Box::new(jsonpath::Filled::new(template, out)),
        })
    }

    fn form(format: Format, look: Look, out: &'a mut dyn Write) -> Box<dyn Form<R> + 'a> {
        match format {
            Format::Table => Box::new(table::Table::new(look, false, out)),
            Format::Wide => Box::new(table::Table::new(look, true, out)),
            Format::Json => Box::new(json::Json::new(out)),
            Format::Yaml => Box::new(yaml::Yaml::new(out)),
            Format::Csv => Box::new(csv::Csv::new::<R>(look.headers, look.csv, out)),
            Format::Ndjson => Box::new(ndjson::Ndjson::new(out)),
            Format::Name => Box::new(name::Name::new(out)),
        }
    }

    /// # Errors
    ///
    /// When `out` fails.
    pub fn row(&mut self, row: &R) -> io::Result<()> {
        self.0.row(row)
    }

    /// Ages in later rows are counted to this instant.
    pub fn set_now(&mut self, now: Timestamp) {
        self.0.set_now(now);
    }

    /// Writes what is kept back so far.
    ///
    /// # Errors
    ///
    /// When `out` fails.
    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    /// Writes what is kept back, closes the document and flushes `out`.
    ///
    /// # Errors
    ///
    /// When `out` fails.
    pub fn end(mut self, end: &End) -> io::Result<()> {
        self.0.end(end)
    }
}

/// One format on its way to one place.
trait Form<R> {
    fn row(&mut self, row: &R) -> io::Result<()>;

    /// Of the forms that show ages.
    fn set_now(&mut self, _now: Timestamp) {}

    /// Writes what is kept back, and flushes the place.
    fn flush(&mut self) -> io::Result<()>;

    /// Flushes the place, too.
    fn end(&mut self, end: &End) -> io::Result<()>;
}

#[cfg(test)]
mod tests;
