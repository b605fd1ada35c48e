//! `-o custom-columns=NAME:.path,...`: a table whose columns are paths into the row, as kubectl has it.

use std::io::{self, Write};

use serde_json::Value;

use super::jsonpath::Path;
use super::table::{Column, Table};
use super::{End, Form, Look, Row, cell};

/// The name of each column, and the path of its values.
#[derive(Clone, Debug)]
pub struct Columns(Vec<(String, Path)>);

impl Columns {
    /// Reads `NAME:.path,...`.
    ///
    /// # Errors
    ///
    /// One line with the error.
    pub fn parse(text: &str) -> Result<Columns, String> {
        let columns = parts(text).into_iter().map(|column| {
            let column = column.trim();
            match column.split_once(':') {
                Some((head, path)) if !head.is_empty() && !path.is_empty() => {
                    Ok((head.to_owned(), Path::parse(path)?))
                }
                _ => Err(format!("invalid column {column:?}: write it like POD:.pod")),
            }
        });
        Ok(Columns(columns.collect::<Result<_, String>>()?))
    }

    /// The fields of a row that they begin with; none where one may begin with any.
    pub fn fields(&self) -> Vec<String> {
        let fields = self
            .0
            .iter()
            .map(|(_, path)| path.first().map(str::to_owned));
        fields.collect::<Option<_>>().unwrap_or_default()
    }

    /// The names that paths begin with.
    pub fn firsts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|(_, path)| path.first())
    }
}

/// At the commas outside of brackets.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, c) in text.char_indices() {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

pub struct Custom<'a>(Table<'a, Value>);

impl<'a> Custom<'a> {
    pub fn new(columns: Columns, look: Look, out: &'a mut dyn Write) -> Custom<'a> {
        let columns = columns
            .0
            .into_iter()
            .map(|(head, path)| Column::with(head, move |row: &Value, _: &Look| shown(&path, row)));
        Custom(Table::of(columns.collect(), look, out))
    }
}

/// Several values are joined; what is absent is the same as what is null.
fn shown(path: &Path, row: &Value) -> String {
    let texts = path.texts(row);
    match &*texts {
        [] => cell::NONE.to_owned(),
        [null] if null == "null" => cell::NONE.to_owned(),
        texts => texts.join(","),
    }
}

impl<R: Row> Form<R> for Custom<'_> {
    fn row(&mut self, row: &R) -> io::Result<()> {
        self.0.row(&serde_json::to_value(row)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn end(&mut self, _end: &End) -> io::Result<()> {
        self.0.flush()
    }
}
