//! Lines in VictoriaLogs, by LogsQL.

mod seen;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, RequestBuilder, Response, Url};

use super::Error;
use super::client::Client;
use super::conditions::Condition;
use super::config::Config;
use super::layout::Fields;
use super::line::Line;
use super::paging::{Failed, Limits, Page, Source, Want};
use super::query::Query;
use super::quoted;

/// The most lines of one instant: VictoriaLogs has no limit of its own.
const LINES_MAX: usize = 50_000;

/// What is read for one page; what is behind it comes with the next one.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// A VictoriaLogs, and where the parts of its records are.
pub struct VictoriaLogs {
    client: Client,
    name: String,
    /// `AccountID` and `ProjectID`.
    tenant: Option<(u32, u32)>,
    /// A filter that narrows every query.
    from: String,
    line: Vec<String>,
    stream: Option<String>,
    tie_break: Option<String>,
}

impl VictoriaLogs {
    pub fn open(config: &Config, from: &str, fields: &Fields) -> Result<VictoriaLogs, Error> {
        let wrong = |cause: String| Error::Config {
            store: config.name.clone(),
            cause,
        };
        if fields.time.as_deref().is_some_and(|time| time != "_time") {
            return Err(wrong(
                "the time of VictoriaLogs is always _time: leave out fields.time".to_owned(),
            ));
        }
        let line = match fields.line.as_slice() {
            [] => vec!["_msg".to_owned()],
            fields => fields.to_vec(),
        };
        Ok(VictoriaLogs {
            client: Client::open(config)?,
            name: config.name.clone(),
            tenant: tenant(config.tenant.as_deref()).map_err(wrong)?,
            from: from.to_owned(),
            line,
            stream: fields.stream.clone(),
            tie_break: fields.tie_break.clone(),
        })
    }

    fn logsql(&self, query: &Query, want: Want) -> String {
        let mut logsql = format!("_time:[{}, {})", want.span.from, want.span.until);
        for filter in filters(&self.from, &query.conditions) {
            logsql.push(' ');
            logsql.push_str(&filter);
        }
        if let Some(expression) = query.grep.as_ref().and_then(quoted::expression) {
            let in_any = self.line.iter();
            let in_any = in_any.map(|line| format!("{}:~{expression}", quoted::text(line)));
            logsql.push_str(&format!(" ({})", in_any.collect::<Vec<_>>().join(" or ")));
        }
        let shown = self.line.iter().chain(&self.stream).chain(&self.tie_break);
        let shown = shown.map(|field| quoted::text(field));
        let direction = if query.newest_first { " desc" } else { "" };
        let mut order = format!("_time{direction}");
        if let Some(tie_break) = &self.tie_break {
            order.push_str(&format!(", {}{direction}", quoted::text(tie_break)));
        }
        logsql.push_str(&format!(
            " | fields _time, {} | sort by ({order}) limit {}",
            shown.collect::<Vec<_>>().join(", "),
            want.lines_max
        ));
        logsql
    }

    /// The body of a form.
    fn form(&self, query: &Query, want: Want) -> String {
        let logsql = self.logsql(query, want);
        query
            .sent
            .note(|| format!("POST /select/logsql/query query={logsql}"));
        // Some nodes of a cluster are not all of it.
        let fields = [("query", &*logsql), ("allow_partial_response", "0")];
        let url = Url::parse_with_params("form:", fields).expect("a URL");
        url.query().unwrap_or_default().to_owned()
    }

    async fn page(&self, mut response: Response, want: Want) -> Result<Page, Failed> {
        let mut page = Page::default();
        let mut rest = Vec::new();
        let mut bytes = 0;
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk.map_err(|error| Failed::of(self.client.failure(error)))?;
            let Some(chunk) = chunk else {
                break;
            };
            bytes += chunk.len();
            rest.extend_from_slice(&chunk);
            let Some(end) = memchr::memrchr(b'\n', &rest) else {
                if rest.len() > PAGE_BYTES_MAX {
                    return Err(Failed::Other(self.wrong("a line of it is over 64 MiB")));
                }
                continue;
            };
            let behind = rest.split_off(end + 1);
            self.read(&rest, &mut page)?;
            rest = behind;
            // Sorted: what came is all there is until the last line.
            if bytes > PAGE_BYTES_MAX {
                page.more = true;
                return Ok(page);
            }
        }
        self.read(&rest, &mut page)?;
        page.more = page.lines.len() >= want.lines_max;
        Ok(page)
    }

    fn read(&self, text: &[u8], page: &mut Page) -> Result<(), Failed> {
        for record in text.split(|byte| *byte == b'\n') {
            if record.is_empty() {
                continue;
            }
            let line = self.line(record);
            let wrong =
                || Failed::Other(self.wrong("it is not the lines of JSON that were expected"));
            page.lines.push(line.ok_or_else(wrong)?);
        }
        Ok(())
    }

    fn line(&self, record: &[u8]) -> Option<Line> {
        let mut record: HashMap<String, String> = serde_json::from_slice(record).ok()?;
        let at: Timestamp = record.get("_time")?.parse().ok()?;
        let stream = self.stream.as_ref().and_then(|field| record.remove(field));
        let mut lines = self.line.iter().filter_map(|field| record.remove(field));
        let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
        let stream = stream.unwrap_or_default();
        Some(Line::new(at, &stream, line.into_bytes()))
    }

    /// A request with a form, of the tenant.
    fn asked(&self, path: &str) -> RequestBuilder {
        let request = self.client.request(Method::POST, path);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        match self.tenant {
            Some((account, project)) => request
                .header("AccountID", account)
                .header("ProjectID", project),
            None => request,
        }
    }

    fn missing(&self, path: &str) -> Error {
        Error::Missing {
            store: self.name.clone(),
            what: path.to_owned(),
        }
    }

    fn wrong(&self, what: &str) -> Error {
        Error::Unreadable {
            store: self.name.clone(),
            cause: what.to_owned(),
        }
    }
}

impl Source for VictoriaLogs {
    fn limits(&self) -> Limits {
        Limits {
            lines_max: LINES_MAX,
            piece_max: SignedDuration::MAX,
            begin: Timestamp::UNIX_EPOCH,
        }
    }

    async fn ask(&self, query: &Query, want: Want) -> Result<Page, Failed> {
        let path = "/select/logsql/query";
        let request = self.asked(path).body(self.form(query, want));
        let response = self.client.send(request).await.map_err(Failed::of)?;
        if !response.status().is_success() {
            return Err(Failed::Other(self.missing(path)));
        }
        self.page(response, want).await
    }

    fn crowded(&self, at: Timestamp, lines: usize) -> Error {
        Error::Answer {
            store: self.name.clone(),
            cause: format!(
                "{lines} or more lines have the time {at}, lines would be missing: ask for another time"
            ),
        }
    }
}

/// The filters of records that fulfil the conditions, below `from`.
pub fn filters(from: &str, conditions: &[Condition]) -> Vec<String> {
    let from = (!from.is_empty()).then(|| format!("({from})"));
    from.into_iter()
        .chain(conditions.iter().map(filter))
        .collect()
}

fn filter(condition: &Condition) -> String {
    match condition {
        // A field that is absent equals "".
        Condition::Is { field, values } => {
            let field = quoted::text(field);
            let equal = values.iter();
            let equal = equal.map(|value| format!("{field}:={}", quoted::text(value)));
            format!("({})", equal.collect::<Vec<_>>().join(" or "))
        }
        Condition::Contains { field, part } => {
            let expression = quoted::text(&quoted::literally(part));
            format!("{}:~{expression}", quoted::text(field))
        }
        Condition::Present { field } => format!("{}:*", quoted::text(field)),
    }
}

/// `ACCOUNT` or `ACCOUNT:PROJECT`.
pub fn tenant(text: Option<&str>) -> Result<Option<(u32, u32)>, String> {
    let Some(text) = text else {
        return Ok(None);
    };
    let (account, project) = text.split_once(':').unwrap_or((text, "0"));
    match (account.parse(), project.parse()) {
        (Ok(account), Ok(project)) => Ok(Some((account, project))),
        _ => Err(format!(
            "invalid tenant {text:?}: use ACCOUNT or ACCOUNT:PROJECT, two numbers"
        )),
    }
}

#[cfg(test)]
mod tests;
