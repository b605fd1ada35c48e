//! Batches that travel together, and their rows by table.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::rows;
use crate::spool::{Part, Shape, SpooledBatch};

/// Some consecutive batches of the spool.
pub struct Load {
    batches: Vec<SpooledBatch>,
}

impl Load {
    pub fn new(first: SpooledBatch) -> Load {
        Load {
            batches: vec![first],
        }
    }

    pub fn push(&mut self, batch: SpooledBatch) {
        self.batches.push(batch);
    }

    pub fn rows(&self) -> u64 {
        self.batches.iter().map(SpooledBatch::rows).sum()
    }

    /// The places in the spool, to confirm.
    pub fn sequences(&self) -> impl Iterator<Item = u64> {
        self.batches.iter().map(|batch| batch.sequence)
    }

    /// The rows of each shape, together.
    pub fn into_tables(self) -> Vec<Rows> {
        let (tokens, parts): (Vec<String>, Vec<Vec<Part>>) = self
            .batches
            .into_iter()
            .map(|batch| (batch.token, batch.parts))
            .unzip();
        let mut tables: Vec<Rows> = Vec::new();
        for Part { shape, rows, bytes } in parts.into_iter().flatten() {
            let known = tables.iter_mut().find(|table| *table.shape == *shape);
            if let Some(table) = known {
                table.count += u64::from(rows);
                table.pieces.push(bytes);
            } else {
                tables.push(Rows {
                    token: token(&tokens, &shape),
                    shape,
                    count: u64::from(rows),
                    pieces: vec![bytes],
                });
            }
        }
        tables
    }
}

/// One token for the rows of one shape from several batches. Each batch's token has the checksum of its rows, so this
/// one is unique to these rows too.
fn token(batches: &[String], shape: &Shape) -> String {
    let mut hash = Sha256::new();
    for part in batches.iter().chain([&shape.table]) {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(shape.columns_version.to_le_bytes());
    format!("{:x}", hash.finalize())
}

/// Rows of one INSERT.
#[derive(Clone, Debug)]
pub struct Rows {
    shape: Arc<Shape>,
    count: u64,
    pieces: Vec<Bytes>,
    token: String,
}

impl Rows {
    /// Rows of another shape that were made of others, with their token.
    pub fn new(shape: Arc<Shape>, count: u64, pieces: Vec<Bytes>, token: &str) -> Rows {
        let token = format!("{token}/{}", shape.table);
        Rows {
            shape,
            count,
            pieces,
            token,
        }
    }

    /// Some of these rows, under a token of their own.
    pub fn part(&self, count: u64, pieces: Vec<Bytes>, name: &str) -> Rows {
        Rows {
            shape: self.shape.clone(),
            count,
            pieces,
            token: self.token_of(name),
        }
    }

    /// The token of a part.
    pub fn token_of(&self, name: &str) -> String {
        format!("{}/{name}", self.token)
    }

    pub fn table(&self) -> &str {
        &self.shape.table
    }

    pub fn columns(&self) -> &[String] {
        &self.shape.columns
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// The same rows in memory of their own: those of a load are parts of its frames, which are freed as a whole.
    pub fn apart(mut self) -> Rows {
        for piece in &mut self.pieces {
            *piece = Bytes::copy_from_slice(piece);
        }
        self
    }

    /// Takes the pieces out.
    pub fn take_pieces(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.pieces)
    }

    /// The deduplication token; another one for each INSERT before that was not answered, since
    /// that one may still happen.
    pub fn token(&self, unanswered: u32) -> String {
        match unanswered {
            0 => self.token.clone(),
            n => format!("{}-{n}", self.token),
        }
    }

    /// The INSERT. Names come from the spool's frames, which only we write.
    pub fn statement(&self) -> String {
        let Shape { table, columns, .. } = &*self.shape;
        format!(
            "INSERT INTO {table} ({}) FORMAT RowBinary",
            columns.join(", ")
        )
    }

    /// Both halves; `None` where there is a single row, or where the borders of rows are unknown.
    pub fn halves(&self) -> Option<(Rows, Rows)> {
        if self.count < 2 {
            return None;
        }
        let bytes = Bytes::from(self.pieces.concat());
        let ends = rows::ends(&self.shape.columns, &bytes)?;
        if ends.len() as u64 != self.count {
            return None;
        }
        let middle = ends.len() / 2;
        let border = ends[middle - 1];
        let half =
            |name: &str, count: usize, bytes: Bytes| self.part(count as u64, vec![bytes], name);
        Some((
            half("0", middle, bytes.slice(..border)),
            half("1", ends.len() - middle, bytes.slice(border..)),
        ))
    }
}
