//! The forms in which lines are written.

use std::borrow::Cow;
use std::io::{self, BufWriter, IsTerminal, Write};

use clap::ValueEnum;
use jiff::tz::TimeZone;

use super::{Shape, given};
use crate::csv::{Csv, Texts};
use crate::escape;
use crate::logs::Record;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// The lines as they were written
    Text,
    /// One document
    Json,
    /// One JSON object per line
    Ndjson,
    /// Safe for spreadsheets
    Csv,
}

/// The columns of CSV.
const COLUMNS: [&str; 9] = [
    "at",
    "cluster",
    "namespace",
    "pod",
    "pod_uid",
    "container",
    "restart",
    "stream",
    "line",
];

/// Writes lines to stdout.
pub struct Writer<W: Write = BufWriter<io::StdoutLock<'static>>> {
    out: W,
    form: Form,
    prefix: bool,
    timestamps: Option<TimeZone>,
    escapes: bool,
    bytes_left: Option<u64>,
    csv: Csv,
    lines: u64,
}

impl Writer {
    pub fn new(shape: &Shape, prefix: bool, zone: TimeZone) -> Writer {
        let stdout = io::stdout();
        Writer {
            escapes: stdout.is_terminal() && !shape.raw,
            out: BufWriter::new(stdout.lock()),
            form: shape.output,
            prefix: prefix || given(shape.prefix).is_some(),
            timestamps: given(shape.timestamps).map(|_| zone),
            bytes_left: shape.limit_bytes.filter(|bytes| *bytes > 0),
            csv: Csv::new(COLUMNS.map(str::to_owned).into(), Texts::Safe),
            lines: 0,
        }
    }
}

impl<W: Write> Writer<W> {
    /// Whether the limit of bytes is reached.
    pub fn is_full(&self) -> bool {
        self.bytes_left == Some(0)
    }

    pub fn write(&mut self, record: &Record) -> anyhow::Result<()> {
        let mut text = match self.form {
            Form::Text => self.text(record),
            Form::Csv => {
                let row = self.csv.row(record)?;
                let header = if self.lines == 0 {
                    self.csv.header()
                } else {
                    Vec::new()
                };
                [header, row].concat()
            }
            Form::Json | Form::Ndjson => {
                let before = match (self.form, self.lines) {
                    (Form::Json, 0) => "{\"items\":[\n",
                    (Form::Json, _) => ",\n",
                    _ => "",
                };
                let mut text = before.as_bytes().to_vec();
                serde_json::to_writer(&mut text, record)?;
                if self.form == Form::Ndjson {
                    text.push(b'\n');
                }
                text
            }
        };
        if let Some(left) = &mut self.bytes_left {
            if self.form == Form::Text {
                text.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            }
            *left = left.saturating_sub(text.len() as u64);
        }
        self.out.write_all(&text)?;
        self.lines += 1;
        Ok(())
    }

    fn text(&self, record: &Record) -> Vec<u8> {
        let mut text = Vec::with_capacity(record.line.len() + 64);
        if self.prefix {
            let Record { pod, container, .. } = record;
            text.extend_from_slice(format!("[pod/{pod}/{container}] ").as_bytes());
        }
        if let Some(zone) = &self.timestamps {
            let at = record.at.to_zoned_datetime(zone.clone());
            text.extend_from_slice(
                at.strftime("%Y-%m-%dT%H:%M:%S%.9f%:z ")
                    .to_string()
                    .as_bytes(),
            );
        }
        match self.escapes {
            true => text.extend_from_slice(shown(&record.line).as_bytes()),
            false => text.extend_from_slice(&record.bytes()),
        }
        text.push(b'\n');
        text
    }

    /// Shows what was written so far.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Ends the document. Returns how many lines were written, and whether the limit of bytes was reached.
    pub fn end(mut self) -> anyhow::Result<(u64, bool)> {
        if self.form == Form::Json {
            let before = if self.lines == 0 { "{\"items\":[" } else { "" };
            writeln!(self.out, "{before}\n]}}")?;
        }
        self.out.flush()?;
        Ok((self.lines, self.is_full()))
    }
}

/// A line on a terminal: tabs stay, whatever else commands it is an escape.
fn shown(line: &str) -> Cow<'_, str> {
    match line.contains('\t') {
        false => escape::controls(line),
        true => {
            let parts = line.split('\t').map(escape::controls);
            Cow::Owned(parts.collect::<Vec<_>>().join("\t"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn record(line: &str) -> Record {
        Record {
            at: "2026-11-23T06:15:00.000000001Z".parse().unwrap(),
            cluster: "prod".to_owned(),
            namespace: "shop".to_owned(),
            pod: "web-0".to_owned(),
            pod_uid: uuid::Uuid::nil(),
            container: "app".to_owned(),
            restart: 1,
            container_id: None,
            stream: Some("stdout".to_owned()),
            line: line.to_owned(),
            line_base64: None,
            cut: false,
        }
    }

    fn check(set: impl FnOnce(&mut Writer<&mut Vec<u8>>), expected: Expect) {
        let mut out = Vec::new();
        let mut writer = Writer {
            out: &mut out,
            form: Form::Text,
            prefix: false,
            timestamps: None,
            escapes: false,
            bytes_left: None,
            csv: Csv::new(COLUMNS.map(str::to_owned).into(), Texts::Safe),
            lines: 0,
        };
        set(&mut writer);
        for line in ["a\tb\u{1b}[31m", "=1+1"] {
            if !writer.is_full() {
                writer.write(&record(line)).unwrap();
            }
        }
        writer.end().unwrap();
        let text = String::from_utf8(out)
            .unwrap()
            .replace('\r', "")
            .replace('\u{1b}', "ESC");
        expected.assert_eq(&text);
    }

    #[test]
    fn forms() {
        check(
            |_| (),
            expect![[r#"
            a	bESC[31m
            =1+1
        "#]],
        );
        check(
            |writer| writer.escapes = true,
            expect!["a\tb\\u{1b}[31m\n=1+1\n"],
        );
        check(
            |writer| {
                writer.prefix = true;
                writer.timestamps = Some(TimeZone::UTC);
                writer.bytes_left = Some(70);
            },
            expect![[r#"
                [pod/web-0/app] 2026-11-23T06:15:00.000000001+00:00 a	bESC[31m
                [pod/web-"#]],
        );
        check(
            |writer| writer.form = Form::Csv,
            expect![[r#"
            at,cluster,namespace,pod,pod_uid,container,restart,stream,line
            2026-11-23T06:15:00.000000001Z,prod,shop,web-0,00000000-0000-0000-0000-000000000000,app,1,stdout,a\tb\u{1b}[31m
            2026-11-23T06:15:00.000000001Z,prod,shop,web-0,00000000-0000-0000-0000-000000000000,app,1,stdout,'=1+1
        "#]],
        );
        check(
            |writer| writer.form = Form::Json,
            expect![[r#"
            {"items":[
            {"at":"2026-11-23T06:15:00.000000001Z","cluster":"prod","namespace":"shop","pod":"web-0","pod_uid":"00000000-0000-0000-0000-000000000000","container":"app","restart":1,"container_id":null,"stream":"stdout","line":"a\tb\u001b[31m"},
            {"at":"2026-11-23T06:15:00.000000001Z","cluster":"prod","namespace":"shop","pod":"web-0","pod_uid":"00000000-0000-0000-0000-000000000000","container":"app","restart":1,"container_id":null,"stream":"stdout","line":"=1+1"}
            ]}
        "#]],
        );
    }
}
