//! A client of one member of an etcd.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt};
use hyper::Uri;
use hyper::http::uri::PathAndQuery;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use prost::Message;
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tonic::client::Grpc;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use super::super::objects::failure::{Failure, Next};
use super::super::objects::ledger::History;
use super::address::{self, Address};
use super::failure::{self, Place};
use super::messages::{
    AuthenticateRequest, AuthenticateResponse, Header, MESSAGE_BYTES_MAX, RangeRequest,
    RangeResponse, StatusRequest, StatusResponse, WatchCreate, WatchOrder, WatchProgress,
    WatchRequest, WatchResponse,
};

/// How long a connection may take to come about, with its handshake.
const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// How long a member may take for its status, and for an authentication.
const STATUS_WAIT: Duration = Duration::from_secs(15);

/// How long a member may take for a page.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// A connection is made anew, with its files and a new token, for a turn that begins this long after the last time.
const STALE_AFTER: Duration = Duration::from_secs(60);

/// What keeps a connection known to the firewalls on its way, and shows that its other end is gone.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Requests that wait to be sent on the stream of a watch.
const REQUESTS_MAX: usize = 4;

type Http = HyperClient<HttpsConnector<HttpConnector>, tonic::body::Body>;

/// The calls.
const AUTHENTICATE: &str = "/etcdserverpb.Auth/Authenticate";
const RANGE: &str = "/etcdserverpb.KV/Range";
const STATUS: &str = "/etcdserverpb.Maintenance/Status";
const WATCH: &str = "/etcdserverpb.Watch/Watch";

pub struct Client {
    grpc: Grpc<Http>,
    token: Option<AsciiMetadataValue>,
    place: Place,
    danger: Option<&'static str>,
    stale_at: Instant,
    /// Of the last answer.
    header: Mutex<Header>,
    /// Whether a response to a request for progress comes behind all events.
    has_sound_progress: bool,
}

/// A watch that the member has begun.
pub struct Begun {
    pub responses: Streaming<WatchResponse>,
    requests: mpsc::Sender<WatchRequest>,
    pub place: Place,
    pub has_sound_progress: bool,
}

impl Begun {
    /// Asks for a response.
    pub fn ask(&self) {
        let order = WatchOrder::Progress(WatchProgress {});
        // If it is full, they are on their way.
        _ = self.requests.try_send(WatchRequest { order: Some(order) });
    }
}

impl Client {
    /// Connects to a member and authenticates.
    ///
    /// # Errors
    ///
    /// When there is no connection, the user is rejected, or the member cannot serve.
    pub async fn open(address: &Address, member: &Uri) -> Result<Client, Failure> {
        let place = Place::of(address, member);
        let grpc = Grpc::with_origin(http(address), member.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX);
        let mut client = Client {
            grpc,
            token: None,
            danger: address::is_open(member).then_some("no TLS"),
            stale_at: Instant::now() + STALE_AFTER,
            header: Mutex::default(),
            has_sound_progress: false,
            place,
        };
        if let Some((name, password)) = &address.user {
            let request = AuthenticateRequest {
                name: name.clone(),
                password: password.expose_secret().to_owned(),
            };
            let answer: AuthenticateResponse =
                client.call(AUTHENTICATE, request, STATUS_WAIT).await?;
            let token = answer.token.parse();
            client.token =
                Some(token.map_err(|_| client.place.odd("answered a token that is no text"))?);
        }
        let status: StatusResponse = client.call(STATUS, StatusRequest {}, STATUS_WAIT).await?;
        client.place.check(&status)?;
        client.see(status.header);
        client.has_sound_progress = is_progress_sound(&status.version);
        Ok(client)
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn danger(&self) -> Option<&'static str> {
        self.danger
    }

    pub fn is_stale(&self) -> bool {
        self.stale_at <= Instant::now()
    }

    /// The header of the last answer.
    pub fn header(&self) -> Header {
        let header = self.header.lock().unwrap_or_else(PoisonError::into_inner);
        header.clone()
    }

    /// The history that its revisions are of.
    pub fn history(&self) -> History {
        let header = self.header();
        History {
            id: format!("{:x}", header.cluster_id),
            term: header.raft_term,
        }
    }

    fn see(&self, header: Option<Header>) {
        if let Some(header) = header {
            *self.header.lock().unwrap_or_else(PoisonError::into_inner) = header;
        }
    }

    /// Reads keys, as every member agrees on them.
    ///
    /// # Errors
    ///
    /// Also when the answer is too large: [`Next::Smaller`].
    pub async fn range(&self, request: RangeRequest) -> Result<RangeResponse, Failure> {
        let response: RangeResponse = self.call(RANGE, request, ANSWER_WAIT).await?;
        self.see(response.header.clone());
        Ok(response)
    }

    /// Begins a watch.
    ///
    /// # Errors
    ///
    /// When it is refused. That its revision is compacted comes later.
    pub async fn watch(&self, create: WatchCreate) -> Result<Begun, Failure> {
        let (requests, waiting) = mpsc::channel(REQUESTS_MAX);
        let first = WatchRequest {
            order: Some(WatchOrder::Create(create)),
        };
        let stream = stream::iter([first]).chain(received(waiting));
        let begin = async {
            let mut grpc = self.grpc.clone();
            grpc.ready().await.map_err(unready)?;
            let request = self.request(stream);
            let path = PathAndQuery::from_static(WATCH);
            let response = grpc
                .streaming(request, path, ProstCodec::default())
                .await?
                .into_inner();
            Ok::<Streaming<WatchResponse>, Status>(response)
        };
        let mut responses = self.within(ANSWER_WAIT, begin).await?;
        let created = self
            .within(ANSWER_WAIT, responses.message())
            .await?
            .ok_or_else(|| self.place.broke_off())?;
        if created.canceled {
            return Err(self.place.canceled(&created));
        }
        Ok(Begun {
            responses,
            requests,
            place: self.place.clone(),
            has_sound_progress: self.has_sound_progress,
        })
    }

    async fn call<Q, A>(&self, path: &'static str, message: Q, wait: Duration) -> Result<A, Failure>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let answer = async {
            let mut grpc = self.grpc.clone();
            grpc.ready().await.map_err(unready)?;
            let request = self.request(message);
            let path = PathAndQuery::from_static(path);
            let response = grpc.unary(request, path, ProstCodec::default()).await?;
            Ok(response.into_inner())
        };
        self.within(wait, answer).await
    }

    async fn within<T>(
        &self,
        wait: Duration,
        answer: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Failure> {
        match timeout(wait, answer).await {
            Ok(answer) => answer.map_err(|status| {
                let has_answered = self.header().cluster_id != 0;
                failure::of(&self.place, &status, has_answered)
            }),
            // Others may answer.
            Err(_) => Err(Failure::silent(&self.place.url, wait)),
        }
    }

    fn request<M>(&self, message: M) -> Request<M> {
        let mut metadata = MetadataMap::new();
        // A member that lost the others would otherwise answer what it knew last.
        metadata.insert("hasleader", AsciiMetadataValue::from_static("true"));
        if let Some(token) = &self.token {
            metadata.insert("token", token.clone());
        }
        let mut request = Request::new(message);
        *request.metadata_mut() = metadata;
        request
    }
}

fn unready(error: hyper_util::client::legacy::Error) -> Status {
    Status::from_error(Box::new(error))
}

fn received(requests: mpsc::Receiver<WatchRequest>) -> impl Stream<Item = WatchRequest> {
    stream::unfold(requests, |mut requests| async {
        let request = requests.recv().await?;
        Some((request, requests))
    })
}

fn http(address: &Address) -> Http {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_WAIT));
    tcp.set_keepalive(Some(KEEPALIVE));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(address.tls.clone())
        .https_or_http();
    let name = address.server_name.clone();
    let https = match name.and_then(|name| name.try_into().ok()) {
        Some(name) => https.with_server_name_resolver(FixedServerNameResolver::new(name)),
        None => https,
    };
    HyperClient::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_only(true)
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .build(https.enable_http2().wrap_connector(tcp))
}

/// Before 3.4.25 and 3.5.8, a response to a request for progress could come before events that it counts
/// (etcd's issue 15220).
fn is_progress_sound(version: &str) -> bool {
    let mut numbers = version
        .split(['.', '-'])
        .map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    match (next(), next(), next()) {
        (3, 4, patch) => patch >= 25,
        (3, 5, patch) => patch >= 8,
        (3, minor, _) => minor >= 6,
        (major, _, _) => major > 3,
    }
}

/// A member that is no use.
impl Place {
    fn check(&self, status: &StatusResponse) -> Result<(), Failure> {
        let url = &self.url;
        let line = match status {
            status if status.is_learner => failure::learner(url),
            status if status.leader == 0 => failure::no_leader(url),
            _ => return Ok(()),
        };
        Err(Failure::new(Next::Reconnect, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_sound_since_a_version() {
        for (version, is_sound) in [
            ("3.6.16", true),
            ("3.10.0", true),
            ("3.5.8", true),
            ("3.5.7", false),
            ("3.4.25", true),
            ("3.4.9", false),
            ("3.3.99", false),
            ("4.0.0", true),
            ("3.6.0-rc.1", true),
            ("", false),
        ] {
            assert_eq!(is_progress_sound(version), is_sound, "{version}");
        }
    }
}
