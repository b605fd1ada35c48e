//! Budget: memory that many share, counted before it is used.
//!
//! In: the number of bytes wanted. Out: a reservation, returned on drop, or a refusal if there is no room now;
//! nothing waits.
//!
//! Limits: bytes are counted in units of [`UNIT_BYTES`], each begun one as a whole.
//!
//! Never here: what the memory is for.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit in which memory is reserved.
pub const UNIT_BYTES: usize = 64 << 10;

/// Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Semaphore>);

/// Bytes that are reserved until this is dropped.
#[derive(Debug)]
pub struct Reservation(OwnedSemaphorePermit);

impl Budget {
    pub fn new(bytes_max: usize) -> Budget {
        let units = units(bytes_max).min(Semaphore::MAX_PERMITS);
        Budget(Arc::new(Semaphore::new(units)))
    }

    pub fn reserve(&self, bytes: usize) -> Option<Reservation> {
        self.reserve_units(units(bytes))
    }

    fn reserve_units(&self, units: usize) -> Option<Reservation> {
        let units = u32::try_from(units).ok()?;
        let permit = Arc::clone(&self.0).try_acquire_many_owned(units).ok()?;
        Some(Reservation(permit))
    }

    /// Whether this many bytes could be reserved now.
    pub fn has_room(&self, bytes: u64) -> bool {
        bytes.div_ceil(UNIT_BYTES as u64) <= self.0.available_permits() as u64
    }

    /// Makes a reservation cover `bytes`. Whether it does.
    #[must_use]
    pub fn cover(&self, reserved: &mut Reservation, bytes: usize) -> bool {
        let missing = units(bytes).saturating_sub(reserved.0.num_permits());
        let more = self.reserve_units(missing);
        more.map(|more| reserved.0.merge(more.0)).is_some()
    }
}

impl Reservation {
    /// Splits a reservation for `bytes` off this one, if it is large enough.
    pub fn split(&mut self, bytes: usize) -> Option<Reservation> {
        self.0.split(units(bytes)).map(Reservation)
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: usize = 4 * UNIT_BYTES;

    #[test]
    fn what_is_reserved_is_gone_until_it_is_dropped() {
        let budget = Budget::new(FOUR);
        assert!(budget.has_room(FOUR as u64) && !budget.has_room(FOUR as u64 + 1));
        let one = budget.reserve(1).unwrap();
        assert!(budget.reserve(FOUR - UNIT_BYTES + 1).is_none());
        let three = budget.reserve(FOUR - UNIT_BYTES).unwrap();
        assert!(budget.reserve(1).is_none() && budget.reserve(0).is_some());
        drop((one, three));
        assert!(budget.reserve(FOUR).is_some());
    }

    #[test]
    fn a_reservation_grows_and_is_split() {
        let budget = Budget::new(FOUR);
        let mut reserved = budget.reserve(0).unwrap();
        assert!(budget.cover(&mut reserved, UNIT_BYTES + 1));
        assert!(budget.cover(&mut reserved, 1), "it covers two units");
        assert!(!budget.cover(&mut reserved, FOUR + 1));
        let part = reserved.split(UNIT_BYTES).unwrap();
        assert!(reserved.split(2 * UNIT_BYTES).is_none());
        drop(reserved);
        assert!(budget.has_room(3 * UNIT_BYTES as u64));
        drop(part);
        assert!(budget.has_room(FOUR as u64));
    }
}
