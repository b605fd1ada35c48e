//! Rows as text, in each form of an answer.
//!
//! In: rows, one after the other, and how the answer ended. Out: bytes that are appended to a buffer, so that
//! an answer is sent while it is read.
//!
//! | form | one row | the end |
//! |---|---|---|
//! | JSON | an element of `items` | `more`, `cursor` beside `items` |
//! | NDJSON | a line | a last line `{"end": {"more": ..., "cursor": ...}}` |
//! | YAML | an element of `items` | `more`, `cursor` beside `items` |
//! | CSV | a record under a header line | nothing: see [`super::rows`] |
//!
//! CSV is that of [`crate::csv`]: no text in it is a formula.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_saphyr::ser_options;
use utoipa::PartialSchema;
use utoipa::openapi::{RefOr, Schema};

use super::format::Format;
use crate::csv::{Csv, Texts};
use crate::query::Ending;

/// Writes one answer.
pub struct Writer {
    format: Format,
    /// Empty: all of them.
    fields: Vec<String>,
    csv: Csv,
    is_first: bool,
}

/// A row with the fields that are wanted, in the order in which they were asked for.
struct Projected<'a, R> {
    row: &'a R,
    fields: &'a [String],
}

impl<R: Serialize> Serialize for Projected<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.fields.is_empty() {
            return self.row.serialize(serializer);
        }
        let row = serde_json::to_value(self.row).map_err(serde::ser::Error::custom)?;
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for field in self.fields {
            if let Some(value) = row.get(field) {
                map.serialize_entry(field, value)?;
            }
        }
        map.end()
    }
}

const PLAIN_DATA: &str = "rows are plain data, and a Vec takes all";

impl Writer {
    /// Without `fields` all of them are written.
    pub fn new<R: PartialSchema>(format: Format, mut fields: Vec<String>) -> Writer {
        // A name that is given twice would be a key twice.
        let mut seen = std::collections::HashSet::new();
        fields.retain(|field| seen.insert(field.clone()));
        let columns = match fields.is_empty() {
            true => names_of::<R>(),
            false => fields.clone(),
        };
        Writer {
            format,
            fields,
            csv: Csv::new(columns, Texts::NoFormulas),
            is_first: true,
        }
    }

    pub fn row<R: Serialize>(&mut self, row: &R, out: &mut Vec<u8>) {
        let before: &[u8] = match (self.format, self.is_first) {
            (Format::Json, true) => b"{\"items\":[\n",
            (Format::Json, false) => b",\n",
            (Format::Yaml, true) => b"items:\n",
            (Format::Ndjson | Format::Yaml | Format::Csv, _) => b"",
        };
        out.extend_from_slice(before);
        if self.is_first && self.format == Format::Csv {
            out.extend_from_slice(&self.csv.header());
        }
        self.is_first = false;
        let fields = &self.fields;
        let projected = Projected { row, fields };
        match self.format {
            Format::Json => serde_json::to_writer(out, &projected).expect(PLAIN_DATA),
            Format::Ndjson => {
                serde_json::to_writer(&mut *out, &projected).expect(PLAIN_DATA);
                out.push(b'\n');
            }
            Format::Yaml => out.extend_from_slice(yaml(&[projected]).as_bytes()),
            Format::Csv => out.extend_from_slice(&self.csv.row(row).expect(PLAIN_DATA)),
        }
    }

    pub fn end(&mut self, ending: &Ending, out: &mut Vec<u8>) {
        match self.format {
            Format::Json => {
                let before: &[u8] = if self.is_first { b"{\"items\":[" } else { b"" };
                // The fields of the ending are beside the items.
                let ending = serde_json::to_string(ending).expect(PLAIN_DATA);
                let fields = ending.strip_prefix('{').unwrap_or(&ending);
                out.extend_from_slice(before);
                out.extend_from_slice(format!("\n],{fields}\n").as_bytes());
            }
            Format::Ndjson => {
                let ending = serde_json::to_string(ending).expect(PLAIN_DATA);
                out.extend_from_slice(format!("{{\"end\":{ending}}}\n").as_bytes());
            }
            Format::Yaml => {
                let before: &[u8] = if self.is_first { b"items: []\n" } else { b"" };
                out.extend_from_slice(before);
                out.extend_from_slice(yaml(ending).as_bytes());
            }
            // The header is also in an empty answer, so that every answer is a table with these columns.
            Format::Csv if self.is_first => out.extend_from_slice(&self.csv.header()),
            Format::Csv => {}
        }
    }

    /// A whole list.
    pub fn list<R: Serialize>(self, rows: &[R]) -> Vec<u8> {
        self.part(rows, &Ending::default())
    }

    /// A list that ends like that.
    pub fn part<R: Serialize>(mut self, rows: &[R], ending: &Ending) -> Vec<u8> {
        let mut out = Vec::new();
        for row in rows {
            self.row(row, &mut out);
        }
        self.end(ending, &mut out);
        out
    }
}

/// A single document: in NDJSON on its one line.
pub fn document<R: Serialize + PartialSchema>(format: Format, document: &R) -> Vec<u8> {
    let mut out = Vec::new();
    match format {
        Format::Json | Format::Ndjson => {
            serde_json::to_writer(&mut out, document).expect(PLAIN_DATA);
            out.push(b'\n');
        }
        Format::Yaml => out.extend_from_slice(yaml(document).as_bytes()),
        Format::Csv => Writer::new::<R>(format, Vec::new()).row(document, &mut out),
    }
    out
}

/// The names of a struct's fields, in their order.
pub fn names_of<R: PartialSchema>() -> Vec<String> {
    match R::schema() {
        RefOr::T(Schema::Object(object)) => object.properties.into_keys().collect(),
        _ => Vec::new(),
    }
}

fn yaml(value: &impl Serialize) -> String {
    // Without block scalars a value stays on the line of its key, where `grep` finds it.
    let options = ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(value, options).expect(PLAIN_DATA)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use utoipa::ToSchema;

    use super::*;

    #[derive(Serialize, ToSchema)]
    struct Row {
        name: &'static str,
        count: i32,
        tags: Vec<&'static str>,
    }

    fn check(format: Format, fields: &[&str], rows: &[(&'static str, i32)], expected: Expect) {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        let rows = rows.iter().map(|(name, count)| Row {
            name,
            count: *count,
            tags: vec!["a", "b"],
        });
        let rows: Vec<Row> = rows.collect();
        let text = Writer::new::<Row>(format, fields).list(&rows);
        let text = String::from_utf8(text).expect("UTF-8");
        expected.assert_eq(&text.replace('\r', "<CR>"));
    }

    #[test]
    fn each_form_has_its_end() {
        let rows = [("x", 1), ("1", -2)];
        check(
            Format::Json,
            &[],
            &rows,
            expect![[r#"
                {"items":[
                {"name":"x","count":1,"tags":["a","b"]},
                {"name":"1","count":-2,"tags":["a","b"]}
                ],"more":false,"cursor":null}
            "#]],
        );
        check(
            Format::Ndjson,
            &[],
            &rows,
            expect![[r#"
                {"name":"x","count":1,"tags":["a","b"]}
                {"name":"1","count":-2,"tags":["a","b"]}
                {"end":{"more":false,"cursor":null}}
            "#]],
        );
        check(
            Format::Yaml,
            &[],
            &rows,
            expect![[r#"
            items:
            - name: x
              count: 1
              tags:
              - a
              - b
            - name: "1"
              count: -2
              tags:
              - a
              - b
            more: false
            cursor: null
        "#]],
        );
        check(
            Format::Csv,
            &[],
            &rows,
            expect![[r#"
                name,count,tags<CR>
                x,1,a;b<CR>
                1,-2,a;b<CR>
            "#]],
        );
    }

    #[test]
    fn an_empty_answer_has_it_too() {
        check(
            Format::Json,
            &[],
            &[],
            expect![[r#"
                {"items":[
                ],"more":false,"cursor":null}
            "#]],
        );
        check(
            Format::Ndjson,
            &[],
            &[],
            expect![[r#"
                {"end":{"more":false,"cursor":null}}
            "#]],
        );
        check(
            Format::Yaml,
            &[],
            &[],
            expect![[r#"
            items: []
            more: false
            cursor: null
        "#]],
        );
        check(
            Format::Csv,
            &[],
            &[],
            expect![[r#"
                name,count,tags<CR>
            "#]],
        );
    }

    #[test]
    fn fields_come_in_the_order_in_which_they_are_asked_for() {
        let fields = ["tags", "name", "tags"];
        check(
            Format::Json,
            &fields,
            &[("x", 1)],
            expect![[r#"
                {"items":[
                {"tags":["a","b"],"name":"x"}
                ],"more":false,"cursor":null}
            "#]],
        );
        check(
            Format::Yaml,
            &fields,
            &[("x", 1)],
            expect![[r#"
            items:
            - tags:
              - a
              - b
              name: x
            more: false
            cursor: null
        "#]],
        );
        check(
            Format::Csv,
            &fields,
            &[("x", 1)],
            expect![[r#"
                tags,name<CR>
                a;b,x<CR>
            "#]],
        );
    }

    /// Numbers are not escaped as formulas.
    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        let rows = [("=HYPERLINK(\"x\")", -1), ("@a", 1), ("\tb", 1), ("a,b", 1)];
        check(
            Format::Csv,
            &["name", "count"],
            &rows,
            expect![[r#"
                name,count<CR>
                "'=HYPERLINK(""x"")",-1<CR>
                '@a,1<CR>
                '	b,1<CR>
                "a,b",1<CR>
            "#]],
        );
    }
}
