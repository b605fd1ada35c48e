//! Under what an ended life is filed: its class, and its start.
//!
//! Whatever of one class overlaps `[t1, t2)` began after `t1 - bound` and before `t2`: one short range, about
//! half of which is answer, whatever the age of the data and however much of it there is.

use crate::rows::NEVER;

/// The longest life of each class, in seconds: powers of four. Class 11 has no bound.
pub const BOUNDS: [u32; 11] = [
    64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
];

/// The class of what has not ended: it is filed nowhere.
pub const OPEN: u8 = 255;

/// Times before 2014, when Kubernetes began, and after 2106 are not valid here.
const FROM_MIN: u32 = 1_388_534_400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub class: u8,
    /// Seconds since the epoch.
    pub from: u32,
}

/// Of a life from `began_at` until `over_at`, in microseconds.
pub fn of(began_at: i64, over_at: i64) -> Bucket {
    let second = |at: i64| u32::try_from(at.div_euclid(1_000_000)).unwrap_or(u32::MAX);
    // A life that ended before it began, by its node's clock, is found at both.
    let from = second(began_at.min(over_at).max(0)).max(FROM_MIN);
    if over_at == NEVER {
        return Bucket { class: OPEN, from };
    }
    let until = second(over_at.max(began_at).saturating_add(999_999));
    let length = until.saturating_sub(from);
    let class = BOUNDS.partition_point(|bound| length > *bound);
    Bucket {
        class: class as u8,
        from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_covers_the_life() {
        const SECOND: i64 = 1_000_000;
        let begin = 1_800_000_000 * SECOND;
        let class = |length: i64| of(begin, begin + length).class;
        assert_eq!(class(64 * SECOND), 0);
        assert_eq!(class(64 * SECOND + 1), 1);
        assert_eq!(class(67_108_864 * SECOND), 10);
        assert_eq!(class(70_000_000 * SECOND), 11);
        assert_eq!(of(begin, NEVER).class, OPEN);
        assert_eq!(of(begin, begin - 100 * SECOND).from, 1_799_999_900);
    }
}
