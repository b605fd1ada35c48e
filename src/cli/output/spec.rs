//! What `-o` takes: a format by its name, columns, or a template.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::{Error, ErrorKind};
use clap::{Arg, Command, ValueEnum};

use super::custom::Columns;
use super::jsonpath::Template;
use super::{Format, Look, Row};

/// How an answer is written.
#[derive(Clone, Debug)]
pub enum Output {
    Form(Format),
    Columns(Columns),
    Template(Template),
}

impl From<Format> for Output {
    fn from(format: Format) -> Output {
        Output::Form(format)
    }
}

impl Output {
    fn parse(text: &str) -> Result<Output, String> {
        if let Some(columns) = text.strip_prefix("custom-columns=") {
            return Ok(Output::Columns(Columns::parse(columns)?));
        }
        if let Some(template) = text.strip_prefix("jsonpath=") {
            return Ok(Output::Template(Template::parse(template)?));
        }
        let format = Format::from_str(text, false);
        format.map(Output::Form).map_err(|_| {
            let known = OutputParser.possible_values().into_iter().flatten();
            let known: Vec<String> = known.map(|it| it.get_name().to_owned()).collect();
            format!(
                "unknown output format {text:?}: use one of {}",
                known.join(", ")
            )
        })
    }

    /// The fields that it needs of such a row; none: all.
    pub fn fields<R: Row>(&self, look: &Look) -> Vec<String> {
        match self {
            Output::Form(format) => {
                let fields = format.fields::<R>().into_iter();
                let mut fields: Vec<String> = fields.map(str::to_owned).collect();
                if format.is_table() && (look.labels_column || !look.label_columns.is_empty()) {
                    fields.push("labels".to_owned());
                }
                fields
            }
            Output::Columns(columns) => columns.fields(),
            Output::Template(_) => Vec::new(),
        }
    }

    /// The fields that its paths name.
    pub fn named(&self) -> Vec<&str> {
        match self {
            Output::Columns(columns) => columns.firsts().collect(),
            Output::Form(_) | Output::Template(_) => Vec::new(),
        }
    }
}

/// Reads [`Output`], and names the values that help and completion show.
#[derive(Clone, Copy, Debug)]
pub struct OutputParser;

impl TypedValueParser for OutputParser {
    type Value = Output;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Output, Error> {
        let parsed = match value.to_str() {
            Some(text) => Output::parse(text),
            None => Err("an output format is text".to_owned()),
        };
        parsed.map_err(|why| Error::raw(ErrorKind::ValueValidation, why).with_cmd(command))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let formats = Format::value_variants().iter();
        let formats = formats.filter_map(ValueEnum::to_possible_value);
        let more = [
            (
                "custom-columns=",
                "NAME:.path,... a table of these fields, like POD:.pod,APP:.labels.app",
            ),
            (
                "jsonpath=",
                "A template over the json output, like '{.items[*].pod}'",
            ),
        ];
        let more = more.map(|(name, help)| PossibleValue::new(name).help(help));
        Some(Box::new(formats.chain(more)))
    }
}
