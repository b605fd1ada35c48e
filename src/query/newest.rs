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

    /// The numbers and versions of the rows that count, of such as `life version`, with `-` behind those that are hidden.
    fn newest_of(rows: &str) -> Option<String> {
        let rows = rows.split(", ").filter(|row| !row.is_empty()).map(|row| {
            let parts: Vec<&str> = row.split(' ').collect();
            let number = |text: &str| text.parse::<u64>().unwrap();
            Written(number(parts[0]).into(), number(parts[1]), parts.len() > 2)
        });
        let newest = newest(rows.collect())?;
        let rows = newest.iter().map(|row| format!("{} {}", row.0, row.1));
        Some(rows.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn the_newest_row_counts() {
        for (what, rows, expected) in [
            ("nothing", "", ""),
            ("one of each", "2 9, 1 5", "1 5, 2 9"),
            ("the newest in the middle", "1 5, 1 7, 1 6", "1 7"),
            ("filed elsewhere since", "1 7 -, 1 5", ""),
            ("back since", "1 7 -, 1 8, 2 1 -", "1 8"),
        ] {
            assert_eq!(newest_of(rows).as_deref(), Some(expected), "{what}");
        }
        let many = vec!["1 1"; ROWS_MAX + 1].join(", ");
        assert_eq!(newest_of(&many), None);
    }
}
