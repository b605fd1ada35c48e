//! The attacks. Each is made again and again until the test stops it.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::{Target, head};
use super::{MIB, Met, SENT_BYTES_MAX, SLOW_CONNECTIONS};
use crate::guard;
use crate::support;

/// How many names `start` has, but for the slow ones.
pub const ATTACKS: usize = 18;

const TEN_GB: u64 = 10_000_000_000;

/// HTTP/2 streams that one connection opens and takes back.
const STREAMS: usize = 1_000;

/// Whether an attack may be answered so. `503` always: the budget may be used up.
pub fn expects(attack: &str, answer: &str) -> bool {
    let expected: &[&str] = match attack {
        // What this machine sends too slowly is told so: 408.
        "gzip bomb" | "zstd bomb" | "zstd bomb, wide window" => &["413", "408"],
        "10 GB announced" | "10 GB in chunks" => &["413", "cut"],
        "slow" => &["opened", "ended"],
        "garbage for TLS" | "plain HTTP" | "stranger's certificate" => &["cut"],
        "resets" => &["cut", "opened"],
        "huge header" => &["431", "cut"],
        // One part is rejected and the rest taken: that is an answer of 200.
        _ => &["200", "413", "408"],
    };
    answer == "503" || expected.contains(&answer)
}

pub fn start(target: &Target, met: &Arc<Met>, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
    let bench = Bench {
        target: target.clone(),
        met: Arc::clone(met),
        stop: stop.clone(),
    };
    let mut attackers = Vec::new();
    for (name, encoding, body) in bodies() {
        let body = Bytes::from(body);
        attackers.push(bench.again(name, move |target| {
            let body = body.clone();
            async move { target.post(encoding, &body).await }
        }));
    }
    attackers.push(bench.again("10 GB announced", |target| async move {
        too_large(
            &target,
            &format!("content-length: {TEN_GB}\r\n"),
            &[b' '; 65536],
        )
        .await
    }));
    attackers.push(bench.again("10 GB in chunks", |target| async move {
        let mut chunk = b"10000\r\n".to_vec();
        chunk.resize(chunk.len() + 65536, b' ');
        chunk.extend(b"\r\n");
        too_large(&target, "transfer-encoding: chunked\r\n", &chunk).await
    }));
    for number in 0..SLOW_CONNECTIONS {
        attackers.push(bench.again("slow", move |target| slow(target, number)));
    }
    attackers.push(bench.again("garbage for TLS", |target| async move {
        instead_of_tls(&target, &[0xa5; 4096]).await
    }));
    attackers.push(bench.again("plain HTTP", |target| async move {
        instead_of_tls(&target, head("content-length: 0\r\n").as_bytes()).await
    }));
    let stranger = Arc::new(guard::stranger());
    attackers.push(bench.again("stranger's certificate", move |target| {
        strange(target, Arc::clone(&stranger))
    }));
    attackers.push(bench.again("resets", resets));
    attackers.push(bench.again("huge header", |target| async move {
        let framing = format!("{}: x\r\ncontent-length: 0\r\n", "k".repeat(1 << 20));
        target.endless(&framing, b"", 0).await.0
    }));
    attackers
}

struct Bench {
    target: Target,
    met: Arc<Met>,
    stop: CancellationToken,
}

impl Bench {
    /// Makes an attack until the end, one after the other.
    fn again<F>(
        &self,
        name: &'static str,
        attack: impl Fn(Target) -> F + Send + 'static,
    ) -> JoinHandle<()>
    where
        F: Future<Output = String> + Send,
    {
        let (target, met, stop) = (self.target.clone(), self.met.clone(), self.stop.clone());
        support::spawn(async move {
            while let Some(answer) = stop.run_until_cancelled(attack(target.clone())).await {
                met.count(name, answer);
                // A thousand of these share two processors with the good senders.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    }
}

/// Whole bodies.
fn bodies() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let spaces = vec![b' '; 256 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&spaces).expect("packed");
    let mut wide = zstd::Encoder::new(Vec::new(), 1).expect("zstd");
    wide.window_log(27).expect("a window");
    wide.long_distance_matching(true).expect("a setting");
    wide.write_all(&spaces).expect("packed");
    let zstd = zstd::encode_all(&spaces[..], 1).expect("packed");
    drop(spaces);
    let deep = |open: &str, close: &str| {
        let deep = [&open.repeat(100_000), "1", &close.repeat(100_000)].concat();
        event(&format!(r#""responseObject":{deep}"#))
    };
    let huge_key = event(&format!(r#""{}":1"#, "k".repeat(4 << 20)));
    let list = |item: &str, bytes: u64| {
        let items = vec![item; bytes as usize / (item.len() + 1)].join(",");
        format!("[{items}]")
    };
    let small = r#"{"audit\u0049D":"1","stage":"x","verb":"x","timestamp":"2026-11-23T06:15:04Z"}"#;
    let statuses = format!(
        r#""responseObject":{{"kind":"Pod","metadata":{{"uid":"1"}},"status":{{"containerStatuses":{}}}}}"#,
        list("{}", MIB)
    );
    let labels = vec![r#""a":"b""#; 128 << 10].join(",");
    let labels =
        format!(r#""responseObject":{{"kind":"Pod","metadata":{{"labels":{{{labels}}}}}}}"#);
    let unreadable = event(r#""responseObject":{"kind":"Pod","metadata":{"uid":"no uuid"}}"#);
    vec![
        ("gzip bomb", "gzip", gzip.finish().expect("packed")),
        ("zstd bomb", "zstd", zstd),
        (
            "zstd bomb, wide window",
            "zstd",
            wide.finish().expect("packed"),
        ),
        ("deep arrays", "", deep("[", "]").into()),
        ("deep objects", "", deep(r#"{"a":"#, "}").into()),
        ("huge key", "", huge_key.into()),
        (
            "no UTF-8",
            "",
            event("\"x\":\"y\"")
                .into_bytes()
                .into_iter()
                .chain([0xff; 4096])
                .collect(),
        ),
        ("small events", "", list(small, MIB).into()),
        ("empty statuses", "", event(&statuses).into()),
        ("many labels", "", event(&labels).into()),
        ("unreadable events", "", list(&unreadable, MIB).into()),
    ]
}

fn event(member: &str) -> String {
    format!(
        r#"{{"auditID":"1","stage":"ResponseComplete","verb":"update","objectRef":{{"resource":"pods"}},"stageTimestamp":"2026-11-23T06:15:04Z",{member}}}"#
    )
}

async fn too_large(target: &Target, framing: &str, chunk: &[u8]) -> String {
    let (answer, sent) = target.endless(framing, chunk, TEN_GB).await;
    assert!(sent <= SENT_BYTES_MAX, "{sent} bytes were taken");
    answer
}

/// One of the slow ones, from its beginning until it is cut.
async fn slow(target: Target, number: usize) -> String {
    let body = head("content-length: 1000000\r\n");
    let ended = match number % 4 {
        0 => match target.tcp().await {
            Some(stream) => dribble(stream, &[], &[]).await,
            None => false,
        },
        1 => match target.tcp().await {
            Some(stream) => dribble(stream, &[0x16, 3, 1, 1, 0, 1, 0], &[0]).await,
            None => false,
        },
        2 => match target.tls().await {
            Some(stream) => dribble(stream, b"POST /v1/audit/demo HTTP/1.1\r\n", b"x").await,
            None => false,
        },
        _ => match target.tls().await {
            Some(stream) => dribble(stream, body.as_bytes(), b" ").await,
            None => false,
        },
    };
    if ended { "ended" } else { "opened" }.to_owned()
}

/// Sends the beginning, then a byte a second until the other side ends it.
async fn dribble(
    stream: impl tokio::io::AsyncRead + AsyncWrite,
    beginning: &[u8],
    drop: &[u8],
) -> bool {
    let (mut reader, mut writer) = tokio::io::split(stream);
    _ = writer.write_all(beginning).await;
    let drip = async {
        while writer.write_all(drop).await.is_ok() && writer.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let mut answer = [0; 512];
    tokio::select! {
        () = drip => true,
        read = async {
            while reader.read(&mut answer).await.is_ok_and(|read| read > 0) {}
        } => {
            let () = read;
            true
        }
    }
}

async fn instead_of_tls(target: &Target, bytes: &[u8]) -> String {
    let Some(mut stream) = target.tcp().await else {
        return "cut".to_owned();
    };
    _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    // An alert at most, then the end.
    match tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut answer)).await {
        Ok(_) => "cut".to_owned(),
        Err(_) => "stays open".to_owned(),
    }
}

async fn strange(target: Target, config: Arc<rustls::ClientConfig>) -> String {
    let Ok(mut stream) = target.tls_with(config).await else {
        return "cut".to_owned();
    };
    // In TLS 1.3 the client is through before the server has looked at its certificate.
    _ = stream
        .write_all(head("content-length: 0\r\n").as_bytes())
        .await;
    let mut byte = [0];
    match stream.read(&mut byte).await {
        Ok(1) => "answered".to_owned(),
        _ => "cut".to_owned(),
    }
}

/// Opens streams with a body that never comes, and takes each back at once.
async fn resets(target: Target) -> String {
    let Some(stream) = target.tls_http2().await else {
        return "cut".to_owned();
    };
    let io = TokioIo::new(stream);
    let handshake = hyper::client::conn::http2::handshake::<_, _, Body>(TokioExecutor::new(), io);
    let Ok((mut sender, connection)) = handshake.await else {
        return "cut".to_owned();
    };
    let connection = tokio::spawn(connection);
    let (name, value) = guard::CREDENTIALS[0];
    for _ in 0..STREAMS {
        if sender.ready().await.is_err() {
            break;
        }
        let never = Body::from_stream(futures_util::stream::pending::<std::io::Result<Bytes>>());
        let request = Request::post("https://localhost/v1/audit/demo").header(name, value);
        let answer = sender.send_request(request.body(never).expect("a request"));
        // Long enough to be sent, too short for an answer.
        _ = tokio::time::timeout(Duration::from_micros(50), answer).await;
    }
    drop(sender);
    let ended = tokio::time::timeout(Duration::from_secs(1), connection).await;
    if ended.is_ok() { "cut" } else { "opened" }.to_owned()
}
