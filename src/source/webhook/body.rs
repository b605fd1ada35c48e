//! Reading a request's body, piece by piece if it is large, within the memory budget of all.

use std::error::Error;
use std::io::{self, Read};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use crate::budget::{Budget, Reservation, UNIT_BYTES};
use crate::envelope::{self, Portion, Portions};
use crate::telemetry;

/// zstd may look back so far (2^27 bytes, what `zstd --long` makes). For that its decoder keeps what it
/// unpacked a second time, which is paid for like a body.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// How much of a refused body is read on, and for how long.
const DISCARD_BYTES_MAX: usize = 64 << 20;
const DISCARD_WAIT: Duration = Duration::from_secs(2);

/// A longer body is read in portions of about this many bytes.
const PORTION_BYTES: usize = 16 << 20;

/// How much may be read.
#[derive(Clone)]
pub struct Limits {
    body_bytes_max: usize,
    /// Of an event, of what holds events in another way than as a list, and of a packed body, packed and unpacked.
    event_bytes_max: usize,
    budget: Budget,
}

impl Limits {
    pub fn new(body_bytes_max: usize, event_bytes_max: usize, memory_bytes_max: usize) -> Limits {
        Limits {
            body_bytes_max,
            event_bytes_max: event_bytes_max.min(body_bytes_max),
            budget: Budget::new(memory_bytes_max),
        }
    }

    fn portion_bytes(&self) -> usize {
        PORTION_BYTES.min(self.event_bytes_max)
    }

    /// A reservation of nothing yet, which [`Limits::cover`] makes larger.
    fn reserve(&self) -> Result<Reservation, Refusal> {
        self.budget.reserve(0).ok_or(Refusal::NoMemory)
    }

    /// Whether this many bytes could be held now.
    fn check(&self, bytes: u64) -> Result<(), Refusal> {
        let fits = self.budget.has_room(bytes);
        fits.then_some(()).ok_or(Refusal::NoMemory)
    }

    /// Whether a body may have this many bytes.
    fn check_body(&self, bytes: u64) -> Result<(), Refusal> {
        check_maximum(bytes, self.body_bytes_max)
    }

    /// Whether a packed one may, packed or unpacked.
    fn check_packed(&self, bytes: u64) -> Result<(), Refusal> {
        check_maximum(bytes, self.event_bytes_max)
    }

    /// Makes sure that `reserved` covers `bytes`.
    fn cover(&self, reserved: &mut Reservation, bytes: usize) -> Result<(), Refusal> {
        let covered = self.budget.cover(reserved, bytes);
        covered.then_some(()).ok_or(Refusal::NoMemory)
    }
}

fn check_maximum(bytes: u64, bytes_max: usize) -> Result<(), Refusal> {
    match bytes > bytes_max as u64 {
        true => Err(Refusal::TooLarge { bytes_max }),
        false => Ok(()),
    }
}

/// A part of a body, unpacked: all of it, where it is not large.
pub struct Piece {
    pub portion: Portion,
    /// The memory that it holds until it is dropped.
    pub reserved: Reservation,
}

/// Why a body was not taken, or the rest of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the memory budget for bodies is exhausted")]
    NoMemory,
    #[error("the body is over the maximum of {bytes_max} bytes")]
    TooLarge { bytes_max: usize },
    #[error("the content encoding is neither gzip nor zstd")]
    Encoding,
    #[error("the body does not match its content encoding")]
    Broken,
    #[error("the body ended early")]
    CutOff,
    #[error("the body arrived too slowly")]
    Slow,
    /// Of a large body, a part of which was taken.
    #[error("the body did not arrive in time; its beginning was stored")]
    Late,
}

#[derive(Clone, Copy)]
enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let Some(name) = headers.get(header::CONTENT_ENCODING) else {
        return Ok(Encoding::Identity);
    };
    match name
        .to_str()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
        .as_str()
    {
        "" | "identity" => Ok(Encoding::Identity),
        "gzip" | "x-gzip" => Ok(Encoding::Gzip),
        "zstd" => Ok(Encoding::Zstd),
        _ => Err(Refusal::Encoding),
    }
}

/// The announced length of a body.
pub fn announced(headers: &HeaderMap) -> u64 {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok())
        .unwrap_or(0)
}

/// The pieces of a body that is read concurrently, in order, and at last `None`, or the error that ended it. Reading
/// stops when the receiver is dropped.
pub struct Pieces(mpsc::Receiver<Result<Option<Piece>, Refusal>>);

impl Pieces {
    /// The next piece; `None` behind the last one.
    ///
    /// # Errors
    ///
    /// See [`Refusal`].
    pub async fn next(&mut self) -> Result<Option<Piece>, Refusal> {
        // The reader ended without marking the end of the body.
        self.0.recv().await.unwrap_or(Err(Refusal::CutOff))
    }
}

/// Reads and unpacks a body. What is refused for its announced length is refused unread.
pub fn read(request: Request<Body>, limits: &Limits) -> Pieces {
    let (to, pieces) = mpsc::channel(1);
    let limits = limits.clone();
    tokio::spawn(async move {
        let (head, body) = request.into_parts();
        let mut stream = body.into_data_stream();
        let abandoned = to.clone();
        let read = async {
            match take(&head.headers, &mut stream, &limits, &to).await {
                Ok(()) => _ = to.send(Ok(None)).await,
                // What else would come, comes as slowly.
                Err(Refusal::Slow) => _ = to.send(Err(Refusal::Slow)).await,
                Err(refusal) => {
                    discard(&mut stream).await;
                    _ = to.send(Err(refusal)).await;
                }
            }
        };
        tokio::select! {
            () = read => {}
            () = abandoned.closed() => {}
        }
    });
    Pieces(pieces)
}

/// Reads on for a while without keeping anything: a connection that is closed while the client
/// still sends is reset, and the client may never see why.
async fn discard(stream: &mut BodyDataStream) {
    let mut left = DISCARD_BYTES_MAX;
    let read = async {
        while let Some(Ok(chunk)) = stream.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                break;
            }
        }
    };
    _ = tokio::time::timeout(DISCARD_WAIT, read).await;
}

/// Why a body ended early. The listener reports a slow one by an error of kind `TimedOut`.
fn cut(error: &(dyn Error + 'static)) -> Refusal {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return Refusal::Slow;
        }
        next = error.source();
    }
    Refusal::CutOff
}

type Sender = mpsc::Sender<Result<Option<Piece>, Refusal>>;

async fn take(
    headers: &HeaderMap,
    stream: &mut BodyDataStream,
    limits: &Limits,
    to: &Sender,
) -> Result<(), Refusal> {
    let encoding = encoding(headers)?;
    // What is announced is not yet there: it is only asked whether it would fit.
    let announced = announced(headers);
    match encoding {
        Encoding::Identity => {
            limits.check_body(announced)?;
            limits.check(announced.min(limits.portion_bytes() as u64))?;
        }
        Encoding::Gzip | Encoding::Zstd => {
            limits.check_packed(announced)?;
            limits.check(announced)?;
            return take_packed(encoding, stream, limits, to).await;
        }
    }
    let mut filling = Filling::new(limits)?;
    let mut read = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| cut(&error))?;
        read += chunk.len() as u64;
        limits.check_body(read)?;
        metrics::counter!(telemetry::INGEST_BODY_BYTES).increment(chunk.len() as u64);
        for part in chunk.chunks(UNIT_BYTES) {
            for piece in filling.add(part)? {
                // The receiver is gone, so nothing reads the answer either.
                _ = to.send(Ok(Some(piece))).await;
            }
        }
    }
    for piece in filling.end()? {
        _ = to.send(Ok(Some(piece))).await;
    }
    Ok(())
}

async fn take_packed(
    encoding: Encoding,
    stream: &mut BodyDataStream,
    limits: &Limits,
    to: &Sender,
) -> Result<(), Refusal> {
    let mut reserved = limits.reserve()?;
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| cut(&error))?;
        limits.check_packed((body.len() + chunk.len()) as u64)?;
        limits.cover(&mut reserved, body.len() + chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    metrics::counter!(telemetry::INGEST_BODY_BYTES).increment(body.len() as u64);
    let (limits, to) = (limits.clone(), to.clone());
    let unpack = move || {
        let _reserved = reserved;
        match encoding {
            Encoding::Gzip => unpack(
                flate2::read::MultiGzDecoder::new(&body[..]),
                0,
                &limits,
                &to,
            ),
            _ => {
                let mut decoder =
                    zstd::Decoder::with_buffer(&body[..]).map_err(|_| Refusal::Broken)?;
                decoder
                    .window_log_max(ZSTD_WINDOW_LOG_MAX)
                    .map_err(|_| Refusal::Broken)?;
                unpack(decoder, 1 << ZSTD_WINDOW_LOG_MAX, &limits, &to)
            }
        }
    };
    // Unpacking takes CPU: not on a thread that serves sockets.
    let unpacking = tokio::task::spawn_blocking(unpack);
    unpacking.await.map_err(|_| Refusal::Broken)?
}

/// Unpacks unit by unit, so that no more is ever there than was reserved. The decoder keeps the last
/// `window` bytes, too.
fn unpack(
    mut packed: impl Read,
    window: usize,
    limits: &Limits,
    to: &Sender,
) -> Result<(), Refusal> {
    let mut kept = limits.reserve()?;
    let mut filling = Filling::new(limits)?;
    let (mut unit, mut read) = (vec![0; UNIT_BYTES], 0_usize);
    loop {
        let bytes = match packed.read(&mut unit) {
            Ok(0) => break,
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(Refusal::Broken),
        };
        read = read.saturating_add(bytes);
        limits.check_packed(read as u64)?;
        limits.cover(&mut kept, read.min(window))?;
        for piece in filling.add(&unit[..bytes])? {
            if to.blocking_send(Ok(Some(piece))).is_err() {
                return Ok(());
            }
        }
    }
    for piece in filling.end()? {
        _ = to.blocking_send(Ok(Some(piece)));
    }
    Ok(())
}

/// What came of a body and is not given on yet.
struct Filling<'l> {
    limits: &'l Limits,
    reserved: Reservation,
    /// As long as it is not large.
    whole: Vec<u8>,
    portions: Option<Portions>,
}

impl<'l> Filling<'l> {
    fn new(limits: &'l Limits) -> Result<Filling<'l>, Refusal> {
        Ok(Filling {
            limits,
            reserved: limits.reserve()?,
            whole: Vec::new(),
            portions: None,
        })
    }

    fn add(&mut self, chunk: &[u8]) -> Result<Vec<Piece>, Refusal> {
        let held = self.portions.as_ref().map_or(0, Portions::held) + self.whole.len();
        self.limits.cover(&mut self.reserved, held + chunk.len())?;
        let (wanted, value_bytes_max) = (self.limits.portion_bytes(), self.limits.event_bytes_max);
        // What is packed and does not say so, or is not UTF-8, has no borders.
        let is_packed = envelope::is_one_piece(&self.whole);
        if is_packed {
            self.limits.check_packed((held + chunk.len()) as u64)?;
        }
        if self.portions.is_none() && (is_packed || held + chunk.len() <= wanted) {
            self.whole.extend_from_slice(chunk);
            return Ok(Vec::new());
        }
        let portions = self
            .portions
            .get_or_insert_with(|| Portions::new(wanted, value_bytes_max));
        let mut ready = portions.push(&std::mem::take(&mut self.whole));
        ready.extend(portions.push(chunk));
        self.pieces(ready)
    }

    fn end(mut self) -> Result<Vec<Piece>, Refusal> {
        if let Some(portions) = self.portions.take() {
            return self.pieces(portions.end());
        }
        let bytes = std::mem::take(&mut self.whole);
        self.pieces([Portion::Text { from: 0, bytes }])
    }

    /// What was reserved for them goes with them.
    fn pieces(
        &mut self,
        portions: impl IntoIterator<Item = Portion>,
    ) -> Result<Vec<Piece>, Refusal> {
        let piece = |portion: Portion| {
            let bytes = match &portion {
                Portion::Text { bytes, .. } => bytes.len(),
                Portion::TooLong { .. } => 0,
            };
            self.limits.cover(&mut self.reserved, bytes)?;
            let reserved = self.reserved.split(bytes);
            let reserved = reserved.ok_or(Refusal::NoMemory)?;
            Ok(Piece { portion, reserved })
        };
        portions.into_iter().map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;
    use std::io::Write;

    const MIB: usize = 1 << 20;

    fn gzip(bytes: usize) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&vec![b' '; bytes]).unwrap();
        encoder.finish().unwrap()
    }

    /// The lengths of its pieces; 0 for a part that was too long.
    async fn check(body: Vec<u8>, encoding: &str, limits: &Limits) -> Result<Vec<usize>, Refusal> {
        let request = Request::post("/")
            .header(header::CONTENT_ENCODING, encoding)
            .header(header::CONTENT_LENGTH, body.len())
            .body(Body::from(body))
            .unwrap();
        let mut pieces = read(request, limits);
        let mut lengths = Vec::new();
        while let Some(piece) = pieces.next().await? {
            lengths.push(match piece.portion {
                Portion::Text { bytes, .. } => bytes.len(),
                Portion::TooLong { .. } => 0,
            });
        }
        Ok(lengths)
    }

    #[tokio::test]
    async fn every_encoding_within_its_limits() {
        let limits = Limits::new(2 * MIB, MIB, 4 * MIB);
        let zstd = zstd::encode_all(&vec![b' '; MIB][..], 1).unwrap();
        let whole = Ok(vec![MIB]);
        assert_eq!(check(vec![b' '; MIB], "", &limits).await, whole);
        assert_eq!(check(gzip(MIB), "gzip", &limits).await, whole);
        assert_eq!(check(zstd, "ZSTD", &limits).await, whole);
        let too_long = Ok(vec![0]);
        assert_eq!(check(vec![b' '; MIB + 1], "", &limits).await, too_long);
        let too_large = |bytes_max| Err(Refusal::TooLarge { bytes_max });
        let whole = check(vec![b' '; 2 * MIB + 1], "", &limits).await;
        assert_eq!(whole, too_large(2 * MIB));
        let too_large = too_large(MIB);
        assert_eq!(check(gzip(100 * MIB), "gzip", &limits).await, too_large);
        assert_eq!(check(vec![0; MIB + 1], "gzip", &limits).await, too_large);
        assert_eq!(
            check(vec![1, 2, 3], "gzip", &limits).await,
            Err(Refusal::Broken)
        );
        assert_eq!(check(vec![], "br", &limits).await, Err(Refusal::Encoding));
    }

    #[tokio::test]
    async fn a_large_body_comes_in_pieces_and_holds_memory_for_few_of_them() {
        let limits = Limits::new(100 * MIB, MIB, 4 * MIB);
        let item = format!("\"{}\",", " ".repeat(MIB / 4 - 3));
        let list = format!("[{}7]", item.repeat(40)).into_bytes();
        let pieces = check(list, "", &limits).await.unwrap();
        assert!(pieces.len() >= 8, "{pieces:?}");
        assert!(limits.budget.has_room(4 * MIB as u64));
    }

    #[tokio::test]
    async fn what_a_decoder_keeps_is_reserved() {
        let limits = Limits::new(MIB, MIB, MIB + MIB / 2);
        assert_eq!(check(gzip(MIB), "gzip", &limits).await, Ok(vec![MIB]));
        let zstd = zstd::encode_all(&vec![b' '; MIB][..], 1).unwrap();
        assert_eq!(check(zstd, "zstd", &limits).await, Err(Refusal::NoMemory));
    }

    #[tokio::test]
    async fn memory_is_reserved_and_given_back() {
        let limits = Limits::new(MIB, MIB, MIB);
        let request = Request::new(Body::from(vec![b' '; MIB]));
        let held = read(request, &limits).next().await;
        assert_eq!(
            check(vec![b' '; 1], "", &limits).await,
            Err(Refusal::NoMemory)
        );
        drop(held);
        assert_eq!(check(vec![b' '; MIB], "", &limits).await, Ok(vec![MIB]));
    }
}
