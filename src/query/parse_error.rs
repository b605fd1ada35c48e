//! What is wrong with a question, by the names of its parameters.

use std::fmt;

/// A parameter of a question that could not be read. `Display` uses the names of the API, [`ParseError::as_flags`] those of
/// the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// One value is invalid.
    Value {
        parameter: &'static str,
        /// Names the value, and what to write instead.
        problem: String,
    },
    /// Two were given of which one must be left out.
    Combined(&'static str, &'static str),
}

impl ParseError {
    pub fn value(parameter: &'static str, problem: impl Into<String>) -> ParseError {
        ParseError::Value {
            parameter,
            problem: problem.into(),
        }
    }

    /// The same in terms of command line flags.
    pub fn as_flags(&self) -> String {
        self.text(flag)
    }

    fn text(&self, name: fn(&str) -> String) -> String {
        match self {
            ParseError::Value { parameter, problem } => format!("{}: {problem}", name(parameter)),
            ParseError::Combined(one, other) => {
                format!("{} and {} cannot be combined", name(one), name(other))
            }
        }
    }
}

fn flag(parameter: &str) -> String {
    match parameter {
        "name" => "NAME".to_owned(),
        "labels" => "--selector".to_owned(),
        parameter => format!("--{}", parameter.replace('_', "-")),
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text(str::to_owned))
    }
}

impl std::error::Error for ParseError {}
