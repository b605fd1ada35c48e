//! Small clients that do what no good one does.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::guard;
use crate::support::Bygone;

/// No attacker waits longer for anything: then it goes on with the next.
const WAIT: Duration = Duration::from_secs(20);

pub type Tls = TlsStream<TcpStream>;

/// Where the webhook is.
#[derive(Clone)]
pub struct Target {
    address: String,
    trusts: Arc<ClientConfig>,
}

impl Target {
    pub fn of(bygone: &Bygone) -> Target {
        let address = bygone.ingest.split("://").nth(1).expect("a URL");
        Target {
            address: address.to_owned(),
            trusts: Arc::new(guard::trusts()),
        }
    }

    pub async fn tcp(&self) -> Option<TcpStream> {
        let connected = tokio::time::timeout(WAIT, TcpStream::connect(&self.address));
        connected.await.ok()?.ok()
    }

    pub async fn tls(&self) -> Option<Tls> {
        self.tls_with(Arc::clone(&self.trusts)).await.ok()
    }

    /// The same with HTTP/2.
    pub async fn tls_http2(&self) -> Option<Tls> {
        let mut config = (*self.trusts).clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        self.tls_with(Arc::new(config)).await.ok()
    }

    pub async fn tls_with(&self, config: Arc<ClientConfig>) -> std::io::Result<Tls> {
        let name = ServerName::try_from("localhost").expect("a name");
        let handshake = async {
            let stream = TcpStream::connect(&self.address).await?;
            TlsConnector::from(config).connect(name, stream).await
        };
        let limited = tokio::time::timeout(WAIT, handshake).await;
        limited.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    }

    /// Posts a whole body and says what was answered.
    pub async fn post(&self, encoding: &str, body: &[u8]) -> String {
        let length = body.len();
        let head = head(&format!(
            "content-encoding: {encoding}\r\ncontent-length: {length}\r\n"
        ));
        let Some(stream) = self.tls().await else {
            return "no connection".to_owned();
        };
        let (reader, mut writer) = tokio::io::split(stream);
        let send = async {
            _ = writer.write_all(head.as_bytes()).await;
            _ = writer.write_all(body).await;
            // The answer comes, whether or not everything was taken.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = status(reader) => answer,
            () = send => unreachable!("it never ends"),
        }
    }

    /// Sends a body without an end; says what was answered, and how much was sent.
    pub async fn endless(&self, framing: &str, chunk: &[u8], bytes: u64) -> (String, u64) {
        let Some(stream) = self.tls().await else {
            return ("no connection".to_owned(), 0);
        };
        let head = head(framing);
        let (reader, mut writer) = tokio::io::split(stream);
        let mut sent = 0;
        let send = async {
            _ = writer.write_all(head.as_bytes()).await;
            while sent < bytes && writer.write_all(chunk).await.is_ok() {
                sent += chunk.len() as u64;
            }
        };
        // It goes on sending after the answer, until the connection is cut.
        let (answer, sending) = tokio::join!(status(reader), tokio::time::timeout(WAIT, send));
        let answer = match sending {
            Ok(()) => answer,
            Err(_) => "never cut".to_owned(),
        };
        (answer, sent)
    }
}

/// The head of a good post, but for how long its body is.
pub fn head(framing: &str) -> String {
    let (name, value) = guard::CREDENTIALS[0];
    format!("POST /v1/audit/demo HTTP/1.1\r\nhost: a\r\n{name}: {value}\r\n{framing}\r\n")
}

/// The status of the answer, or what came instead of one.
async fn status(mut reader: ReadHalf<Tls>) -> String {
    let mut read = [0; 12];
    match tokio::time::timeout(WAIT, reader.read_exact(&mut read)).await {
        Ok(Ok(_)) => String::from_utf8_lossy(&read[9..]).into_owned(),
        Ok(Err(_)) => "cut".to_owned(),
        Err(_) => "no answer".to_owned(),
    }
}
