//! Rows of the table `dead_letters` (`schema/003_dead_letters.sql`): metadata only.

use super::rowbinary as put;
use super::{Encoded, Table};

/// The columns that [`DeadLetterRows`] encodes, in its order.
pub const DEAD_LETTERS: Table = Table {
    name: "dead_letters",
    columns_version: 1,
    columns: &[
        "cluster",
        "id",
        "origin",
        "reason",
        "received_at",
        "position_from",
        "bytes",
        "sha256",
        "raw_kept",
    ],
};

/// One row: a part of a delivery that could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterRow<'a> {
    pub cluster: &'a str,
    pub id: u128,
    pub origin: &'a str,
    pub reason: &'a str,
    /// Microseconds since the epoch.
    pub received_at: i64,
    /// Its position in the delivery, in bytes.
    pub position_from: u64,
    pub bytes: u64,
    pub sha256: [u8; 32],
    pub raw_kept: bool,
}

/// Encoded rows of `dead_letters`.
pub type DeadLetterRows = Encoded<DeadLetterRow<'static>>;

impl DeadLetterRows {
    pub fn push(&mut self, row: &DeadLetterRow) {
        let out = &mut self.bytes;
        put::string(out, row.cluster);
        put::uuid(out, row.id);
        put::string(out, row.origin);
        put::string(out, row.reason);
        put::i64(out, row.received_at);
        put::u64(out, row.position_from);
        put::u64(out, row.bytes);
        out.extend_from_slice(&row.sha256);
        put::u8(out, row.raw_kept.into());
        self.rows += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_as_clickhouse_reads_it() {
        let mut rows = DeadLetterRows::default();
        rows.push(&DeadLetterRow {
            cluster: "c",
            id: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10,
            origin: "webhook",
            reason: "cut off",
            received_at: 1,
            position_from: 2,
            bytes: 3,
            sha256: [0xab; 32],
            raw_kept: true,
        });
        let expected = [
            b"\x01c".as_slice(),
            b"\x08\x07\x06\x05\x04\x03\x02\x01\x10\x0f\x0e\x0d\x0c\x0b\x0a\x09",
            b"\x07webhook\x07cut off",
            b"\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0",
            &[0xab; 32],
            b"\x01",
        ];
        assert_eq!(rows.rows(), 1);
        assert_eq!(rows.bytes(), expected.concat());
    }
}
