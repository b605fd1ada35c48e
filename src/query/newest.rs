//! Of several rows of the same life the newest counts.

use std::cmp::Reverse;

/// Look-ups with more rows than this are left to ClickHouse.
pub(super) const ROWS_MAX: usize = 2_000;

/// Cluster, uid; of a container also its name and its key.
pub type Identity<'a> = (&'a str, uuid::Uuid, &'a str, &'a [u8]);

/// A row that may be one of several of the same life.
pub trait Stored {
    fn identity(&self) -> Identity<'_>;
    /// The highest counts.
    fn version(&self) -> u64;
    /// Whether the life is elsewhere, or another one.
    fn is_hidden(&self) -> bool;
}

/// The newest row of each life, without those that stand for nothing; nothing where there may be more rows.
pub(super) fn newest<R: Stored>(mut rows: Vec<R>) -> Option<Vec<R>> {
    if rows.len() > ROWS_MAX {
        return None;
    }
    rows.sort_by(|a, b| {
        let place = |row: &R| Reverse(row.version());
        a.identity()
            .cmp(&b.identity())
            .then_with(|| place(a).cmp(&place(b)))
    });
    rows.dedup_by(|next, kept| next.identity() == kept.identity());
    rows.retain(|row| !row.is_hidden());
    Some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number of the life, version, whether it stands for nothing.
    struct Written(u128, u64, bool);

    impl Stored for Written {
        fn identity(&self) -> Identity<'_> {
            ("prod", uuid::Uuid::from_u128(self.0), "", &[])
        }

        fn version(&self) -> u64 {
            self.1
        }

        fn is_hidden(&self) -> bool {
            self.2
        }
    }

    #[test]
    fn the_newest_row_counts() {
        let cases: [(&str, Vec<(u128, u64, bool)>, &[(u128, u64)]); 5] = [
            ("nothing", vec![], &[]),
            (
                "one of each",
                vec![(2, 9, false), (1, 5, false)],
                &[(1, 5), (2, 9)],
            ),
            (
                "the newest last",
                vec![(1, 5, false), (1, 7, false), (1, 6, false)],
                &[(1, 7)],
            ),
            (
                "filed elsewhere since",
                vec![(1, 7, true), (1, 5, false)],
                &[],
            ),
            (
                "back since",
                vec![(1, 7, true), (1, 8, false), (2, 1, true)],
                &[(1, 8)],
            ),
        ];
        for (what, rows, expected) in cases {
            let rows = rows
                .into_iter()
                .map(|(of, version, hidden)| Written(of, version, hidden));
            let newest = newest(rows.collect()).unwrap();
            let newest: Vec<_> = newest.iter().map(|row| (row.0, row.1)).collect();
            assert_eq!(newest, expected, "{what}");
        }
        let many = (0..=ROWS_MAX as u64).map(|version| Written(1, version, false));
        assert!(newest(many.collect()).is_none());
    }
}
