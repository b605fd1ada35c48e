//! Rows of the table `event_counts` (`schema/004_coverage.sql`): which events arrived, counted by the hour.

use super::rowbinary as put;
use super::{Encoded, Table};

/// The columns that [`EventCountRows`] encodes, in its order.
pub const EVENT_COUNTS: Table = Table {
    name: "event_counts",
    columns_version: 2,
    columns: &[
        "cluster",
        "hour",
        "about",
        "api_server",
        "level",
        "stage",
        "minutes",
        "seconds",
        "ids",
    ],
};

/// What an event is about, by the numbers of the column `about`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum About {
    #[default]
    Other = 0,
    /// A write to a pod or a part of one.
    Pods = 1,
    /// An API server renews its own lease: the only kind of event that identifies its API server.
    Heartbeat = 2,
}

/// One row: events of one hour that have all else in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventCount<'a> {
    pub cluster: &'a str,
    /// Its beginning, in seconds since the epoch.
    pub hour: u32,
    pub about: About,
    /// Of a heartbeat; else empty.
    pub api_server: &'a str,
    /// By the numbers of the columns.
    pub level: u8,
    pub stage: u8,
    /// Bit n is set where there was an event in minute n.
    pub minutes: u64,
    /// Of heartbeats: the seconds of the hour.
    pub seconds: &'a [u16],
    /// A number made from each event, the same whenever and wherever it comes.
    pub ids: &'a [u64],
}

/// Encoded rows of `event_counts`.
pub type EventCountRows = Encoded<EventCount<'static>>;

impl EventCountRows {
    pub fn push(&mut self, row: &EventCount) {
        let out = &mut self.bytes;
        put::string(out, row.cluster);
        put::u32(out, row.hour);
        put::u8(out, row.about as u8);
        put::string(out, row.api_server);
        put::u8(out, row.level);
        put::u8(out, row.stage);
        put::u64(out, row.minutes);
        put::varint(out, row.seconds.len());
        for second in row.seconds {
            put::u16(out, *second);
        }
        put::varint(out, row.ids.len());
        for id in row.ids {
            put::u64(out, *id);
        }
        self.rows += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_as_clickhouse_reads_it() {
        let mut rows = EventCountRows::default();
        rows.push(&EventCount {
            cluster: "c",
            hour: 3600,
            about: About::Heartbeat,
            api_server: "a",
            level: 1,
            stage: 3,
            minutes: 5,
            seconds: &[0, 130],
            ids: &[7, 8],
        });
        let expected = [
            b"\x01c\x10\x0e\0\0\x02\x01a\x01\x03".as_slice(),
            b"\x05\0\0\0\0\0\0\0\x02\0\0\x82\0\x02\x07\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0",
        ];
        assert_eq!(rows.rows(), 1);
        assert_eq!(rows.bytes(), expected.concat());
        let columns: Vec<String> = EVENT_COUNTS
            .columns
            .iter()
            .map(|it| (*it).to_owned())
            .collect();
        let ends = crate::rows::ends(&columns, rows.bytes());
        assert_eq!(ends, Some(vec![rows.bytes().len()]));
    }
}
