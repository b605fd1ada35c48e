//! The form of an answer: `Accept` against what a route offers (RFC 9110, section 12.5.1).
//!
//! Without `Accept`, or where several are as welcome, the first one that is offered.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use headers_accept::Accept;
use mediatype::{MediaType, Name, names};

use super::problem::{Kind, Problem};

/// The content type of one JSON document a line.
pub const NDJSON: &str = "application/x-ndjson";

/// A form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Ndjson,
    Yaml,
    Csv,
}

/// What lists of rows are offered in.
pub const OF_ROWS: &[Format] = &[Format::Json, Format::Ndjson, Format::Yaml, Format::Csv];

/// What lines of logs are offered in: they stream, and one of them may be no line.
pub const OF_LOGS: &[Format] = &[Format::Ndjson];

/// What nested documents are offered in: they fit no table.
pub const OF_DOCUMENTS: &[Format] = &[Format::Json, Format::Ndjson, Format::Yaml];

impl Format {
    fn media_type(self) -> MediaType<'static> {
        match self {
            Format::Json => MediaType::new(names::APPLICATION, names::JSON),
            Format::Ndjson => MediaType::new(names::APPLICATION, Name::new_unchecked("x-ndjson")),
            Format::Yaml => MediaType::new(names::APPLICATION, Name::new_unchecked("yaml")),
            Format::Csv => MediaType::new(names::TEXT, names::CSV),
        }
    }

    /// Without parameters, as in the API description.
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Ndjson => NDJSON,
            Format::Yaml => "application/yaml",
            Format::Csv => "text/csv",
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Format::Csv => "text/csv; charset=utf-8; header=present",
            other => other.name(),
        })
    }

    /// An answer in this form.
    pub fn response(self, body: impl IntoResponse) -> Response {
        let mut response = body.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.content_type());
        headers.append(header::VARY, HeaderValue::from_static("accept"));
        response
    }

    /// The form that the client likes best.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAcceptable`] where it accepts none of those.
    pub fn negotiate(headers: &HeaderMap, offered: &[Format]) -> Result<Format, Problem> {
        let accepted = headers.get_all(header::ACCEPT).iter();
        let accepted = accepted.filter_map(|value| value.to_str().ok());
        let accepted = accepted.collect::<Vec<_>>().join(", ");
        let types: Vec<_> = offered.iter().map(|form| form.media_type()).collect();
        let chosen = match accepted.trim().is_empty() {
            true => types.first(),
            false => {
                let accept = accepted.parse::<Accept>().ok();
                accept.and_then(|accept| accept.negotiate(&types))
            }
        };
        let at = chosen.and_then(|chosen| types.iter().position(|it| it == chosen));
        let form = at.and_then(|at| offered.get(at).copied());
        form.ok_or_else(|| {
            let names: Vec<&str> = offered.iter().map(|form| form.name()).collect();
            let detail = format!(
                "this path answers in {}: accept one of them",
                names.join(", ")
            );
            Problem::new(Kind::NotAcceptable, detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &[&'static str], offered: &[Format]) -> Option<Format> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, HeaderValue::from_static(value));
        }
        Format::negotiate(&headers, offered).ok()
    }

    #[test]
    fn the_best_that_is_accepted_is_sent() {
        for (accept, expected) in [
            ("", Some(Format::Json)),
            ("*/*", Some(Format::Json)),
            ("application/*", Some(Format::Json)),
            ("text/*", Some(Format::Csv)),
            ("application/x-ndjson", Some(Format::Ndjson)),
            ("application/json;q=0.5, text/csv", Some(Format::Csv)),
            ("text/html, application/yaml;q=0.1", Some(Format::Yaml)),
            // As a browser asks.
            (
                "text/html,application/xhtml+xml,*/*;q=0.8",
                Some(Format::Json),
            ),
            ("application/json;q=0, */*", Some(Format::Ndjson)),
            ("application/xml", None),
            ("application/json;q=0", None),
            ("nonsense", None),
        ] {
            assert_eq!(of(&[accept], OF_ROWS), expected, "{accept}");
        }
        assert_eq!(of(&[], OF_ROWS), Some(Format::Json));
        assert_eq!(of(&["image/png", "text/csv"], OF_ROWS), Some(Format::Csv));
        assert_eq!(of(&["text/csv"], OF_DOCUMENTS), None);
    }
}
