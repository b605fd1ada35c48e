//! What there is in the store: its labels, and what a line of it has besides.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::{ANSWER_BYTES_MAX, Answer, Loki};
use crate::logs::Error;
use crate::logs::seen::{Seen, names_of};
use crate::logs::span::Span;

#[derive(Deserialize)]
struct Labels {
    #[serde(default)]
    data: Vec<String>,
}

impl Loki {
    /// The labels of the streams of a time, and the parts of one of their newest lines.
    pub async fn seen(&self, span: Span) -> Result<Vec<Seen>, Error> {
        let labels = self.labels(span).await?;
        let Some(label) = labels.first().cloned() else {
            return Ok(vec![Seen::new("labels", [])]);
        };
        let mut seen = vec![Seen::new("labels (stream:LABEL)", labels.clone())];
        let query = format!("{{{label}=~\".+\"}}");
        let range = [
            ("query", &*query),
            ("limit", "1"),
            ("direction", "backward"),
        ];
        let request = self.asked("/loki/api/v1/query_range", span).query(&range);
        let response = self.client.send(request).await?;
        let answer: Answer = self.client.json(response, ANSWER_BYTES_MAX).await?;
        let Some(stream) = answer.data.result.into_iter().next() else {
            return Ok(seen);
        };
        let own = stream.stream.into_keys();
        let own = own.filter(|name| !labels.contains(name));
        seen.push(Seen::new("structured metadata of a line (label:NAME)", own));
        let line = stream.values.into_iter().next();
        let json = line.and_then(|(_, text)| serde_json::from_str::<Value>(&text).ok());
        if let Some(json) = json.filter(Value::is_object) {
            seen.push(Seen::new("JSON of a line (json:PATH)", names_of(&json)));
        }
        Ok(seen)
    }

    async fn labels(&self, span: Span) -> Result<Vec<String>, Error> {
        let path = "/loki/api/v1/labels";
        let response = self.client.send(self.asked(path, span)).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Err(self.missing(path));
        }
        let labels: Labels = self.client.json(response, ANSWER_BYTES_MAX).await?;
        let is_own = |name: &String| !name.starts_with("__");
        Ok(labels.data.into_iter().filter(is_own).collect())
    }

    fn asked(&self, path: &str, span: Span) -> reqwest::RequestBuilder {
        let request = self.client.request(Method::GET, path).query(&[
            ("start", span.from.as_nanosecond().to_string()),
            ("end", span.until.as_nanosecond().to_string()),
        ]);
        match &self.tenant {
            Some(tenant) => request.header("X-Scope-OrgID", tenant),
            None => request,
        }
    }
}
