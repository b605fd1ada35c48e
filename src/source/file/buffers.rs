//! Buffers for the pieces of files, used again and again.
//!
//! Fresh memory costs a page fault for every 4 KiB, and large buffers go back to the system when they are freed. That took
//! a third of the CPU of reading a log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// A piece has about so many bytes.
pub const PIECE_BYTES: usize = 2 << 20;

/// How much is read at a time.
pub const CHUNK_BYTES: usize = 256 << 10;

/// As large as a piece becomes, mostly.
const BUFFER_BYTES: usize = PIECE_BYTES + CHUNK_BYTES;

/// Buffers that wait to be used again. One is filled, one is sent, and two are decoded.
const FREE_MAX: usize = 4;

/// Clones share the buffers.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// An empty one.
    pub fn take(&self) -> Vec<u8> {
        let free = self.free().pop();
        free.unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
    }

    /// Gives one back. One that is much too large is freed.
    pub fn put(&self, mut buffer: Vec<u8>) {
        let mut free = self.free();
        let fits = (BUFFER_BYTES..=2 * BUFFER_BYTES).contains(&buffer.capacity());
        if fits && free.len() < FREE_MAX {
            buffer.clear();
            free.push(buffer);
        }
    }

    /// Bytes that are given back when nobody has them any more.
    pub fn lend(&self, bytes: Vec<u8>) -> Bytes {
        let to = self.clone();
        Bytes::from_owner(Lent { bytes, to })
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lent {
    bytes: Vec<u8>,
    to: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.to.put(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lent_comes_back_once_and_not_for_ever() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take();
        buffer.extend_from_slice(b"abc");
        let address = buffer.as_ptr();
        let lent = buffers.lend(buffer);
        let other = lent.clone();
        drop(lent);
        assert_eq!((&other[..], buffers.free().len()), (&b"abc"[..], 0));
        drop(other);
        let again = buffers.take();
        assert_eq!((again.as_ptr(), again.len()), (address, 0));
        buffers.put(Vec::with_capacity(3 * BUFFER_BYTES));
        buffers.put(Vec::new());
        assert_eq!(buffers.free().len(), 0);
        for _ in 0..=FREE_MAX {
            buffers.put(Vec::with_capacity(BUFFER_BYTES));
        }
        assert_eq!(buffers.free().len(), FREE_MAX);
    }
}
