//! Rows of the table `positions` (`schema/007_positions.sql`): where pull sources continue.

use super::rowbinary as put;
use super::{Encoded, Table};

/// The columns that [`PositionRows`] encodes, in its order.
pub const POSITIONS: Table = Table {
    name: "positions",
    columns_version: 1,
    columns: &["source", "cluster", "key", "position", "state", "place"],
};

/// One row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PositionRow<'a> {
    /// The kind of source.
    pub source: &'a str,
    pub cluster: &'a str,
    /// What is read.
    pub key: &'a str,
    pub position: u64,
    /// Whatever else the source needs to continue.
    pub state: &'a str,
    /// For people.
    pub place: &'a str,
}

/// Encoded rows of `positions`.
pub type PositionRows = Encoded<PositionRow<'static>>;

impl PositionRows {
    pub fn push(&mut self, row: &PositionRow) {
        let out = &mut self.bytes;
        put::string(out, row.source);
        put::string(out, row.cluster);
        put::string(out, row.key);
        put::u64(out, row.position);
        put::string(out, row.state);
        put::string(out, row.place);
        self.rows += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_as_clickhouse_reads_it() {
        let mut rows = PositionRows::default();
        rows.push(&PositionRow {
            source: "file",
            cluster: "c",
            key: "k",
            position: 258,
            state: "s",
            place: "p",
        });
        assert_eq!(rows.rows(), 1);
        assert_eq!(
            rows.bytes(),
            b"\x04file\x01c\x01k\x02\x01\0\0\0\0\0\0\x01s\x01p"
        );
    }
}
