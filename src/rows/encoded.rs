//! Rows of one table, encoded one after the other.

use std::marker::PhantomData;

/// RowBinary of any number of rows. `R` is the table; `push` documents the layout of a row.
#[derive(Clone, Debug)]
pub struct Encoded<R> {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: usize,
    of: PhantomData<R>,
}

impl<R> Default for Encoded<R> {
    fn default() -> Self {
        Encoded {
            bytes: Vec::new(),
            rows: 0,
            of: PhantomData,
        }
    }
}

impl<R> Encoded<R> {
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// RowBinary.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
