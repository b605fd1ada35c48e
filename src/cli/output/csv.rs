//! CSV by RFC 4180: a header line, CRLF, quotes where they are needed.
//!
//! Absent is empty. A list is joined by `;`, labels are `key=value` joined by `;`. The values are as
//! they are: nothing is done for spreadsheets that run what begins with `=`.

use std::io::{self, Write};

use csv::{ErrorKind, Terminator, Writer, WriterBuilder};
use serde::Deserializer;
use serde::de::value::Error as NoValue;
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde_json::Value;

use super::{End, Form, Row};

pub struct Csv<'a> {
    out: Writer<&'a mut dyn Write>,
    fields: &'static [&'static str],
    header_due: bool,
}

impl<'a> Csv<'a> {
    pub fn new<R: Row>(header: bool, out: &'a mut dyn Write) -> Csv<'a> {
        let out = WriterBuilder::new()
            .terminator(Terminator::CRLF)
            .from_writer(out);
        Csv {
            out,
            fields: fields::<R>(),
            header_due: header,
        }
    }

    fn header(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.header_due) {
            self.out.write_record(self.fields).map_err(of_writing)?;
        }
        Ok(())
    }
}

impl<R: Row> Form<R> for Csv<'_> {
    fn row(&mut self, row: &R) -> io::Result<()> {
        self.header()?;
        let row = serde_json::to_value(row)?;
        let cells = self.fields.iter().map(|field| cell(&row[*field]));
        self.out.write_record(cells).map_err(of_writing)
    }

    /// The header is also in an empty answer, so that every answer is a table with these fields.
    fn end(&mut self, _end: &End) -> io::Result<()> {
        self.header()?;
        self.out.flush()
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(cell).collect::<Vec<_>>().join(";"),
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| format!("{key}={}", cell(value)));
            pairs.collect::<Vec<_>>().join(";")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// The crate's own conversion would hide the kind, and with it a closed pipe.
fn of_writing(error: csv::Error) -> io::Error {
    match error.into_kind() {
        ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// The names of a struct's fields in their order, without a value of it.
fn fields<R: DeserializeOwned>() -> &'static [&'static str] {
    let mut names = Names(&[]);
    // It always fails: there is nothing to read a value from.
    let _ = R::deserialize(&mut names);
    names.0
}

struct Names(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Names {
    type Error = NoValue;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, NoValue> {
        self.0 = fields;
        Err(NoValue::custom("only the names are wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, NoValue> {
        Err(NoValue::custom("only structs have names of fields"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
