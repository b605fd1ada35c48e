//! HTTP to a store: its address, our credentials, and what its refusals mean.

mod credentials;

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::credentials::Credentials;
use super::Error;
use super::config::Config;
use crate::tls;

/// How often a store that has no time for us is asked again.
const RETRIES_MAX: u32 = 3;

/// The longest wait in between, whatever the store asks for.
const RETRY_SECONDS_MAX: u64 = 10;

/// How long a connection may take to come about.
const CONNECT_SECONDS_MAX: u64 = 10;

/// What is read of a refusal, and what is shown of it.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
const REFUSAL_CHARACTERS_MAX: usize = 200;

/// A store that is asked by HTTP.
pub struct Client {
    http: reqwest::Client,
    store: String,
    /// Without a `/` at its end.
    base: String,
    credentials: Credentials,
    seconds_max: u64,
}

impl Client {
    /// Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// When the address is invalid, or a file can't be used.
    pub fn open(config: &Config) -> Result<Client, Error> {
        let wrong = |cause: String| Error::Config {
            store: config.name.clone(),
            cause,
        };
        let address = config.address.as_deref();
        let address = address.ok_or_else(|| wrong("an address is needed".to_owned()))?;
        let base = base(address).map_err(wrong)?;
        let credentials = Credentials::read(config).map_err(wrong)?;
        let tls = tls::Client::load(&config.tls).map_err(|error| wrong(format!("tls: {error}")))?;
        let seconds_max = config.timeout_seconds.max(1);
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.config())
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX.min(seconds_max)))
            .read_timeout(Duration::from_secs(seconds_max))
            // A redirect could carry our credentials elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| wrong(root_cause(&error)))?;
        Ok(Client {
            http,
            store: config.name.clone(),
            base,
            credentials,
            seconds_max,
        })
    }

    /// A request for [`Client::send`]. `path` begins with `/`, and is used as it stands.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Sends a request with our credentials. What comes back is a success or a 404, which only the caller can explain.
    ///
    /// # Errors
    ///
    /// As [`Error`] says. A store that is too busy is asked again a few times first.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let mut retries = 0;
        let mut credentials_are_new = false;
        loop {
            let request = request.try_clone();
            let mut request = request.expect("bodies of queries are in memory");
            if let Some(header) = self.credentials.header() {
                request = request.header(AUTHORIZATION, header);
            }
            let response = request.send().await;
            let response = response.map_err(|error| self.failure(error))?;
            match response.status() {
                // A token may have been renewed.
                StatusCode::UNAUTHORIZED
                    if !credentials_are_new && self.credentials.have_changed() =>
                {
                    credentials_are_new = true;
                }
                status if is_busy(status) && retries < RETRIES_MAX => {
                    tokio::time::sleep(wait(&response, retries)).await;
                    retries += 1;
                }
                status if status.is_success() || status == StatusCode::NOT_FOUND => {
                    return match is_html(&response) {
                        true => Err(self.unreadable(status, HTML)),
                        false => Ok(response),
                    };
                }
                _ => return Err(self.refusal(response).await),
            }
        }
    }

    /// The body of a response.
    ///
    /// # Errors
    ///
    /// When it has more than `bytes_max` bytes, breaks off, or is something else than a `T`.
    pub async fn json<T: DeserializeOwned>(
        &self,
        response: Response,
        bytes_max: usize,
    ) -> Result<T, Error> {
        let status = response.status();
        let read = self.json_within(response, bytes_max).await?;
        read.ok_or_else(|| {
            let what = format!("its answer has more than {bytes_max} bytes");
            self.unreadable(status, &what)
        })
    }

    /// The same, but `None` for one that is too large: a smaller one may be asked for.
    pub async fn json_within<T: DeserializeOwned>(
        &self,
        mut response: Response,
        bytes_max: usize,
    ) -> Result<Option<T>, Error> {
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.failure(error))?
        {
            if body.len() + chunk.len() > bytes_max {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        // What serde says of a value would show it.
        let read = serde_json::from_slice(&body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let what = format!("not the JSON that was expected, at line {line} column {column}");
            self.unreadable(status, &what)
        })?;
        Ok(Some(read))
    }

    /// What went wrong with a request, or while its answer was read.
    pub fn failure(&self, error: reqwest::Error) -> Error {
        let store = self.store.clone();
        let error = error.without_url();
        match error.is_timeout() && !error.is_connect() {
            true => Error::Silent {
                store,
                seconds_max: self.seconds_max,
            },
            false => Error::Unreachable {
                store,
                cause: root_cause(&error),
            },
        }
    }

    fn unreadable(&self, status: StatusCode, what: &str) -> Error {
        Error::Unreadable {
            store: self.store.clone(),
            cause: format!("it answered {status}: {what}"),
        }
    }

    async fn refusal(&self, response: Response) -> Error {
        let status = response.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Error::Credentials {
                store: self.store.clone(),
                status: status.to_string(),
            };
        }
        if status.is_redirection() {
            return self.unreadable(status, "it refers to another address: check its address");
        }
        if is_html(&response) {
            return self.unreadable(status, HTML);
        }
        let mut response = response;
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > REFUSAL_BYTES_MAX {
                break;
            }
        }
        Error::Refused {
            store: self.store.clone(),
            status: status.to_string(),
            said: reason(&body),
        }
    }
}

const HTML: &str = "an HTML page: check its address, and what stands in front of it";

/// The address as it is put in front of paths.
fn base(address: &str) -> Result<String, String> {
    let invalid = || format!("invalid address {address:?}: use one like http://127.0.0.1:9200");
    let url: Url = address.parse().map_err(|_| invalid())?;
    // Not repeated: it would show the password.
    if !url.username().is_empty() || url.password().is_some() {
        return Err("its address contains a user: set user and password_file instead".to_owned());
    }
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none();
    match is_plain {
        true => Ok(url.as_str().trim_end_matches('/').to_owned()),
        false => Err(invalid()),
    }
}

fn is_busy(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// How long to wait before the next try.
fn wait(response: &Response, retries: u32) -> Duration {
    let asked = response.headers().get(RETRY_AFTER);
    let seconds: Option<u64> = asked.and_then(|text| text.to_str().ok()?.parse().ok());
    match seconds {
        Some(seconds) => Duration::from_secs(seconds.min(RETRY_SECONDS_MAX)),
        None => Duration::from_millis(200 << retries),
    }
}

fn is_html(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/html"))
}

/// What a refusal says, in one short line: the message of Elasticsearch's and other stores' JSON, or its first line.
fn reason(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(json) => {
            let places = [
                "/error/root_cause/0/reason",
                "/error/reason",
                "/error",
                "/message",
            ];
            let mut found = places.iter().filter_map(|place| json.pointer(place));
            let found = found.find_map(Value::as_str);
            found.unwrap_or("no reason").to_owned()
        }
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let line = line.unwrap_or("no reason");
    let plain = line.chars().filter(|character| !character.is_control());
    plain.take(REFUSAL_CHARACTERS_MAX).collect()
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
