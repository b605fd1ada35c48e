//! Rows on their way in and out, and how a frame's payload holds them.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Buf, BufMut, Bytes, TryGetError};

/// Parts of one batch. Times the length of the queue it is less than a frame can count.
const PARTS_MAX: usize = 32;

/// How rows are encoded. The bytes of two row sets of one shape may simply follow each other, which is
/// what lets batches share a frame.
const ROW_BINARY: u8 = 1;

/// What encoded rows are rows of. It travels with them, so that a build with other columns still
/// knows how to insert them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    pub table: String,
    pub columns: Vec<String>,
    pub columns_version: u32,
}

/// Encoded rows of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Made once by the encoder, and shared.
    pub shape: Arc<Shape>,
    pub rows: u32,
    pub bytes: Bytes,
}

/// Rows that are kept together: all of them in one frame, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub parts: Vec<Part>,
}

/// A batch as the spool hands it out: one frame.
#[derive(Clone, Debug)]
pub struct SpooledBatch {
    /// Its place in the spool; what `confirm` wants.
    pub sequence: u64,
    /// The deduplication token: the same after every restart, another after a replay. It has the checksum of the
    /// rows, so it is unique to them.
    pub token: String,
    pub spooled_at: SystemTime,
    /// One part for each shape.
    pub parts: Vec<Part>,
}

impl SpooledBatch {
    /// The rows of all parts.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.rows)).sum()
    }
}

impl Batch {
    pub(super) fn rows(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.rows)).sum()
    }

    /// The length of its payload if it is alone in a frame; with others it needs no more than this.
    pub(super) fn payload_bytes(&self) -> u64 {
        let parts: u64 = self.parts.iter().map(part_bytes).sum();
        2 + parts
    }

    /// Whether the lengths and counts fit the fields of the format.
    pub(super) fn fits_format(&self) -> bool {
        let short = |text: &String| u16::try_from(text.len()).is_ok();
        self.parts.len() <= PARTS_MAX
            && self.parts.iter().all(|Part { shape, bytes, .. }| {
                short(&shape.table)
                    && u16::try_from(shape.columns.len()).is_ok()
                    && shape.columns.iter().all(short)
                    && u32::try_from(bytes.len()).is_ok()
            })
    }
}

fn part_bytes(part: &Part) -> u64 {
    let columns: usize = part.shape.columns.iter().map(|name| 2 + name.len()).sum();
    (1 + 4 + 2 + part.shape.table.len() + 2 + columns + 4 + 4 + part.bytes.len()) as u64
}

/// Batches that share a frame: rows of the same shape come together, in the order they came.
#[derive(Default)]
pub(super) struct Merged {
    shapes: Vec<(Arc<Shape>, u32, Vec<Bytes>)>,
}

impl Merged {
    pub fn push(&mut self, batch: Batch) {
        for Part { shape, rows, bytes } in batch.parts {
            let same = |known: &&mut (Arc<Shape>, u32, Vec<Bytes>)| {
                Arc::ptr_eq(&known.0, &shape) || known.0 == shape
            };
            if let Some(known) = self.shapes.iter_mut().find(same) {
                // The limits of a group keep this far from the end of a u32.
                known.1 = known.1.saturating_add(rows);
                known.2.push(bytes);
            } else {
                self.shapes.push((shape, rows, vec![bytes]));
            }
        }
    }

    /// Writes the payload. Lengths were checked by `Batch::fits_format` and the limits of a group.
    pub fn encode(&self, to: &mut Vec<u8>) {
        to.put_u16_le(self.shapes.len() as u16);
        for (shape, rows, pieces) in &self.shapes {
            to.put_u8(ROW_BINARY);
            to.put_u32_le(shape.columns_version);
            put_text(to, &shape.table);
            to.put_u16_le(shape.columns.len() as u16);
            for column in &shape.columns {
                put_text(to, column);
            }
            to.put_u32_le(*rows);
            to.put_u32_le(pieces.iter().map(|piece| piece.len() as u32).sum());
            for piece in pieces {
                to.put_slice(piece);
            }
        }
    }
}

fn put_text(to: &mut Vec<u8>, text: &str) {
    to.put_u16_le(text.len() as u16);
    to.put_slice(text.as_bytes());
}

/// The parts of a payload; `None` if it is not one. The rows are slices of it.
pub(super) fn decode(mut payload: Bytes) -> Option<Vec<Part>> {
    let count = payload.try_get_u16_le().ok()?;
    let mut parts = Vec::new();
    for _ in 0..count {
        parts.push(decode_part(&mut payload).ok()??);
    }
    payload.is_empty().then_some(parts)
}

fn decode_part(from: &mut Bytes) -> Result<Option<Part>, TryGetError> {
    if from.try_get_u8()? != ROW_BINARY {
        return Ok(None);
    }
    let columns_version = from.try_get_u32_le()?;
    let Some(table) = text(from)? else {
        return Ok(None);
    };
    let mut columns = Vec::new();
    for _ in 0..from.try_get_u16_le()? {
        let Some(column) = text(from)? else {
            return Ok(None);
        };
        columns.push(column);
    }
    let rows = from.try_get_u32_le()?;
    let length = from.try_get_u32_le()? as usize;
    if length > from.len() {
        return Ok(None);
    }
    let bytes = from.split_to(length);
    let shape = Arc::new(Shape {
        table,
        columns,
        columns_version,
    });
    Ok(Some(Part { shape, rows, bytes }))
}

fn text(from: &mut Bytes) -> Result<Option<String>, TryGetError> {
    let length = usize::from(from.try_get_u16_le()?);
    if length > from.len() {
        return Ok(None);
    }
    Ok(String::from_utf8(from.split_to(length).into()).ok())
}
