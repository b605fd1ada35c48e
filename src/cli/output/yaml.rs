//! One YAML document: `items:`, then `more:` and `cursor:`.
//!
//! The document is written row by row: a list of one row is a part of the list of all. What a YAML
//! 1.1 reader would take for a number, a time or a truth value is quoted.

use std::io::{self, Write};

use serde::Serialize;
use serde_saphyr::ser_options;

use super::{End, Form, Row};

pub struct Yaml<'a> {
    out: &'a mut dyn Write,
    empty: bool,
}

impl<'a> Yaml<'a> {
    pub fn new(out: &'a mut dyn Write) -> Yaml<'a> {
        Yaml { out, empty: true }
    }
}

impl<R: Row> Form<R> for Yaml<'_> {
    fn row(&mut self, row: &R) -> io::Result<()> {
        if self.empty {
            self.out.write_all(b"items:\n")?;
            self.empty = false;
        }
        self.out.write_all(text(&[row])?.as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn end(&mut self, end: &End) -> io::Result<()> {
        #[derive(Serialize)]
        struct Tail<'a> {
            more: bool,
            cursor: Option<&'a str>,
        }

        if self.empty {
            self.out.write_all(b"items: []\n")?;
        }
        let tail = Tail {
            more: end.more.is_some(),
            cursor: end.more.as_deref(),
        };
        self.out.write_all(text(&tail)?.as_bytes())?;
        self.out.flush()
    }
}

fn text(value: &impl Serialize) -> io::Result<String> {
    // Without block scalars a value stays on the line of its key, where `grep` finds it.
    let options = ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(value, options).map_err(io::Error::other)
}
