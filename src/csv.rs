//! Rows as CSV by RFC 4180: a header line, CRLF, quotes where they are needed.
//!
//! In: rows, which are structs. Out: lines of text. Absent is empty. A list is joined by `;`, labels are `key=value`
//! joined by `;`.
//!
//! The creator of a pod chooses the content of cells, and spreadsheets run content that looks like a formula. So by
//! default a text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return gets a `'` before it, as OWASP
//! advises against CSV injection, and control characters are escapes (`escape`); the API leaves these as they are.
//! Numbers, times and truth values are never changed.

use ::csv::{Terminator, WriterBuilder};
use serde::de::value::Error as NoValue;
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::Value;

use crate::escape;

/// What is done to texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Texts {
    /// They can't be formulas, nor command a terminal.
    #[default]
    Safe,
    /// They can't be formulas; control characters stay: what asks the API is a program.
    NoFormulas,
    /// As they are: for programs that read nothing into them.
    Raw,
}

/// How the rows of one answer are written.
#[derive(Clone, Debug)]
pub struct Csv {
    fields: Vec<String>,
    texts: Texts,
}

impl Csv {
    /// With all fields of `R`, in their order.
    pub fn of<R: DeserializeOwned>(texts: Texts) -> Csv {
        let fields = fields::<R>().iter();
        Csv::new(fields.map(|field| (*field).to_owned()).collect(), texts)
    }

    /// With these fields of a row.
    pub fn new(fields: Vec<String>, texts: Texts) -> Csv {
        Csv { fields, texts }
    }

    /// The header line.
    pub fn header(&self) -> Vec<u8> {
        line(&self.fields)
    }

    /// The line of a row.
    ///
    /// # Errors
    ///
    /// When the row is nothing that JSON can hold.
    pub fn row(&self, row: &impl Serialize) -> serde_json::Result<Vec<u8>> {
        let row = serde_json::to_value(row)?;
        let cells = self.fields.iter().map(|field| self.cell(&row[field]));
        Ok(line(&cells.collect::<Vec<_>>()))
    }

    fn cell(&self, value: &Value) -> String {
        let text = cell(value);
        let is_text = matches!(value, Value::String(_) | Value::Array(_) | Value::Object(_));
        match self.texts {
            Texts::Safe if is_text => {
                let before = if is_formula(&text) { "'" } else { "" };
                format!("{before}{}", escape::controls(&text))
            }
            Texts::NoFormulas if is_text && is_formula(&text) => format!("'{text}"),
            _ => text,
        }
    }
}

fn line(cells: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .buffer_capacity(1 << 10)
        .from_writer(Vec::new());
    let written = writer.write_record(cells);
    written.expect("a record by itself has as many cells as it has");
    writer.into_inner().expect("a Vec takes all")
}

/// Whether a spreadsheet would run it.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
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

/// The names of a struct's fields in their order, without a value of it.
pub fn fields<R: DeserializeOwned>() -> &'static [&'static str] {
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

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Serialize, Deserialize)]
    struct Row {
        text: String,
        number: Option<i32>,
        list: Vec<String>,
        map: BTreeMap<String, String>,
    }

    fn row(text: &str) -> Row {
        Row {
            text: text.to_owned(),
            number: Some(-1),
            list: vec![format!("{text}1"), "2".to_owned()],
            map: [("a".to_owned(), text.to_owned())].into(),
        }
    }

    /// The expected texts have no CR: a source file can't keep it.
    fn lines(texts: Texts) -> String {
        let csv = Csv::of::<Row>(texts);
        let begins = [
            "=1+1", "+1", "-1", "@SUM", "\t=", "\r=", "a=1", " =1", "\u{1b}[",
        ];
        let rows = begins.map(|text| csv.row(&row(text)).unwrap());
        let text = [vec![csv.header()], rows.to_vec()].concat().concat();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.matches("\r\n").count(), 10);
        text.replace("\r\n", "\n")
    }

    #[test]
    fn formulas_are_texts() {
        expect![[r#"
            text,number,list,map
            '=1+1,-1,'=1+11;2,a==1+1
            '+1,-1,'+11;2,a=+1
            '-1,-1,'-11;2,a=-1
            '@SUM,-1,'@SUM1;2,a=@SUM
            '\t=,-1,'\t=1;2,a=\t=
            '\r=,-1,'\r=1;2,a=\r=
            a=1,-1,a=11;2,a=a=1
             =1,-1, =11;2,a= =1
            \u{1b}[,-1,\u{1b}[1;2,a=\u{1b}[
        "#]]
        .assert_eq(&lines(Texts::Safe));
    }

    #[test]
    fn raw_is_as_it_is() {
        let text = lines(Texts::Raw);
        assert!(text.contains("\n=1+1,-1,=1+11;2,a==1+1\n"), "{text}");
        assert!(text.contains("\n\u{1b}[,-1,\u{1b}[1;2,"), "{text}");
        assert!(text.contains("\n\"\r=\",-1,"), "{text}");
    }
}
