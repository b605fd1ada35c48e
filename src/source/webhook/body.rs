//! Reading a request's body within its maximum and the memory budget of all.

use std::error::Error;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::telemetry;

/// The unit in which memory is reserved, and in which a packed body is unpacked.
const UNIT_BYTES: usize = 64 << 10;

/// zstd may look back so far (2^27 bytes, what `zstd --long` makes). For that its decoder keeps what it
/// unpacked a second time, which is paid for like a body.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// How much of a refused body is read on, and for how long.
const DISCARD_BYTES_MAX: usize = 64 << 20;
const DISCARD_WAIT: Duration = Duration::from_secs(2);

/// How much may be read.
#[derive(Clone)]
pub struct Limits {
    body_bytes_max: usize,
    /// One permit for each unit of memory.
    budget: Arc<Semaphore>,
}

impl Limits {
    pub fn new(body_bytes_max: usize, memory_bytes_max: usize) -> Limits {
        let units = units(memory_bytes_max).min(Semaphore::MAX_PERMITS);
        Limits {
            body_bytes_max,
            budget: Arc::new(Semaphore::new(units)),
        }
    }

    fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let units = u32::try_from(units(bytes)).map_err(|_| Refusal::NoMemory)?;
        self.budget
            .clone()
            .try_acquire_many_owned(units)
            .map_err(|_| Refusal::NoMemory)
    }

    /// Whether a body of so many bytes would be taken now.
    fn check(&self, bytes: usize) -> Result<(), Refusal> {
        if bytes > self.body_bytes_max {
            return Err(Refusal::TooLarge {
                bytes_max: self.body_bytes_max,
            });
        }
        let fits = units(bytes) <= self.budget.available_permits();
        if fits { Ok(()) } else { Err(Refusal::NoMemory) }
    }

    /// Makes sure that `reserved` covers `bytes`, which must not be over the maximum.
    fn cover(&self, reserved: &mut OwnedSemaphorePermit, bytes: usize) -> Result<(), Refusal> {
        if bytes > self.body_bytes_max {
            return Err(Refusal::TooLarge {
                bytes_max: self.body_bytes_max,
            });
        }
        let missing = units(bytes).saturating_sub(reserved.num_permits());
        if missing > 0 {
            reserved.merge(self.reserve(missing * UNIT_BYTES)?);
        }
        Ok(())
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES)
}

/// A body, unpacked, and the memory that it holds until it is dropped.
pub struct Unpacked {
    pub bytes: Bytes,
    pub reserved: OwnedSemaphorePermit,
}

/// Why a body was not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the memory budget of all bodies is used up")]
    NoMemory,
    #[error("the body is over the maximum of {bytes_max} bytes")]
    TooLarge { bytes_max: usize },
    #[error("the content encoding is neither gzip nor zstd")]
    Encoding,
    #[error("the body broke off, or is not what its content encoding says")]
    Broken,
    #[error("the body came too slowly")]
    Slow,
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

/// Reads and unpacks a body. What is refused for its announced length is refused unread.
///
/// # Errors
///
/// As [`Refusal`] says.
pub async fn read(request: Request<Body>, limits: &Limits) -> Result<Unpacked, Refusal> {
    let (head, body) = request.into_parts();
    let mut stream = body.into_data_stream();
    match take(&head.headers, &mut stream, limits).await {
        Ok(body) => Ok(body),
        // What else would come, comes as slowly.
        Err(Refusal::Slow) => Err(Refusal::Slow),
        Err(refusal) => {
            discard(&mut stream).await;
            Err(refusal)
        }
    }
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

/// Why a body ended early. The listener tells a slow one by an error of kind `TimedOut`.
fn cut(error: &(dyn Error + 'static)) -> Refusal {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return Refusal::Slow;
        }
        next = error.source();
    }
    Refusal::Broken
}

async fn take(
    headers: &HeaderMap,
    stream: &mut BodyDataStream,
    limits: &Limits,
) -> Result<Unpacked, Refusal> {
    let encoding = encoding(headers)?;
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    let mut reserved = limits.reserve(0)?;
    // What is announced is not yet there: it is only asked whether it would fit.
    limits.check(announced)?;
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| cut(&error))?;
        limits.cover(&mut reserved, body.len() + chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    metrics::counter!(telemetry::INGEST_BODY_BYTES).increment(body.len() as u64);
    let limits = limits.clone();
    let unpack = move || match encoding {
        Encoding::Identity => Ok(Unpacked {
            bytes: body.into(),
            reserved,
        }),
        Encoding::Gzip => unpack(flate2::read::MultiGzDecoder::new(&body[..]), 0, &limits),
        Encoding::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(&body[..]).map_err(|_| Refusal::Broken)?;
            decoder
                .window_log_max(ZSTD_WINDOW_LOG_MAX)
                .map_err(|_| Refusal::Broken)?;
            unpack(decoder, 1 << ZSTD_WINDOW_LOG_MAX, &limits)
        }
    };
    match encoding {
        Encoding::Identity => unpack(),
        // Unpacking takes CPU: not on a thread that serves sockets.
        _ => tokio::task::spawn_blocking(unpack)
            .await
            .map_err(|_| Refusal::Broken)?,
    }
}

/// Unpacks unit by unit, so that no more is ever there than was reserved. The decoder keeps the last
/// `window` bytes, too.
fn unpack(mut packed: impl Read, window: usize, limits: &Limits) -> Result<Unpacked, Refusal> {
    let mut reserved = limits.reserve(0)?;
    let mut kept = limits.reserve(0)?;
    let mut body = Vec::new();
    loop {
        let filled = body.len();
        let room = (limits.body_bytes_max + 1)
            .saturating_sub(filled)
            .min(UNIT_BYTES);
        body.try_reserve(room).map_err(|_| Refusal::NoMemory)?;
        let read = packed
            .by_ref()
            .take(room as u64)
            .read_to_end(&mut body)
            .map_err(|_| Refusal::Broken)?;
        limits.cover(&mut reserved, filled + read)?;
        limits.cover(&mut kept, (filled + read).min(window))?;
        if read == 0 {
            return Ok(Unpacked {
                bytes: body.into(),
                reserved,
            });
        }
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

    async fn check(body: Vec<u8>, encoding: &str, limits: &Limits) -> Result<usize, Refusal> {
        let request = Request::post("/")
            .header(header::CONTENT_ENCODING, encoding)
            .header(header::CONTENT_LENGTH, body.len())
            .body(Body::from(body))
            .unwrap();
        read(request, limits).await.map(|body| body.bytes.len())
    }

    #[tokio::test]
    async fn every_encoding_within_its_limits() {
        let limits = Limits::new(MIB, 4 * MIB);
        let zstd = zstd::encode_all(&vec![b' '; MIB][..], 1).unwrap();
        assert_eq!(check(vec![b' '; MIB], "", &limits).await, Ok(MIB));
        assert_eq!(check(gzip(MIB), "gzip", &limits).await, Ok(MIB));
        assert_eq!(check(zstd, "ZSTD", &limits).await, Ok(MIB));
        let too_large = Err(Refusal::TooLarge { bytes_max: MIB });
        assert_eq!(check(vec![b' '; MIB + 1], "", &limits).await, too_large);
        assert_eq!(check(gzip(100 * MIB), "gzip", &limits).await, too_large);
        assert_eq!(
            check(vec![1, 2, 3], "gzip", &limits).await,
            Err(Refusal::Broken)
        );
        assert_eq!(check(vec![], "br", &limits).await, Err(Refusal::Encoding));
    }

    #[tokio::test]
    async fn what_a_decoder_keeps_is_reserved() {
        let limits = Limits::new(MIB, MIB + MIB / 2);
        assert_eq!(check(gzip(MIB), "gzip", &limits).await, Ok(MIB));
        let zstd = zstd::encode_all(&vec![b' '; MIB][..], 1).unwrap();
        assert_eq!(check(zstd, "zstd", &limits).await, Err(Refusal::NoMemory));
    }

    #[tokio::test]
    async fn memory_is_reserved_and_given_back() {
        let limits = Limits::new(MIB, MIB);
        let held = read(Request::new(Body::from(vec![b' '; MIB])), &limits)
            .await
            .unwrap();
        assert_eq!(
            check(vec![b' '; 1], "", &limits).await,
            Err(Refusal::NoMemory)
        );
        drop(held);
        assert_eq!(check(vec![b' '; MIB], "", &limits).await, Ok(MIB));
    }
}
