//! What there is in the store: the fields of its records.

use reqwest::{StatusCode, Url};
use serde::Deserialize;

use super::VictoriaLogs;
use crate::logs::Error;
use crate::logs::seen::Seen;
use crate::logs::span::Span;

const ANSWER_BYTES_MAX: usize = 16 << 20;

#[derive(Deserialize)]
struct Names {
    values: Vec<Name>,
}

#[derive(Deserialize)]
struct Name {
    value: String,
}

impl VictoriaLogs {
    /// The fields that records of a time have.
    pub async fn seen(&self, span: Span) -> Result<Vec<Seen>, Error> {
        let path = "/select/logsql/field_names";
        let query = format!("_time:[{}, {})", span.from, span.until);
        let form = Url::parse_with_params("form:", [("query", query)]).expect("a URL");
        let request = self.asked(path);
        let request = request.body(form.query().unwrap_or_default().to_owned());
        let response = self.client.send(request).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Err(self.missing(path));
        }
        let names: Names = self.client.json(response, ANSWER_BYTES_MAX).await?;
        let names = names.values.into_iter().map(|name| name.value);
        Ok(vec![Seen::new("fields of that day", names)])
    }
}
