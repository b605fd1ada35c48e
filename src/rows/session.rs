//! Rows of the table `session_events` (`schema/006_sessions.sql`): requests to pods that are there.

use std::net::IpAddr;

use super::rowbinary as put;
use super::{Encoded, Table};
use crate::audit::words::SessionKind;

/// The columns that [`SessionRows`] encodes, in its order.
pub const SESSION_EVENTS: Table = Table {
    name: "session_events",
    columns_version: 1,
    columns: &[
        "cluster",
        "namespace",
        "pod",
        "kind",
        "began_at",
        "over_at",
        "container",
        "user",
        "acting_as",
        "source",
        "via",
        "code",
        "audit_id",
    ],
};

/// One row: what one event proves about one request. Empty texts and 0 are absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session<'a> {
    pub cluster: &'a str,
    pub namespace: &'a str,
    pub pod: &'a str,
    pub kind: SessionKind,
    /// When the request came, in microseconds since the epoch.
    pub began_at: i64,
    /// When it was over, in microseconds since the epoch. Only the event of its end has that.
    pub over_at: i64,
    /// Several, separated by commas, where several were added.
    pub container: &'a str,
    pub user: &'a str,
    /// The account that this impersonated.
    pub acting_as: &'a str,
    pub source: Option<IpAddr>,
    /// The address that connected, where the request came by way of others.
    pub via: Option<IpAddr>,
    /// The HTTP status.
    pub code: u16,
    pub audit_id: &'a str,
}

/// Encoded rows of `session_events`.
pub type SessionRows = Encoded<Session<'static>>;

impl SessionRows {
    pub fn push(&mut self, row: &Session) {
        let address = |address: Option<IpAddr>| address.map_or(String::new(), |it| it.to_string());
        let out = &mut self.bytes;
        put::string(out, row.cluster);
        put::string(out, row.namespace);
        put::string(out, row.pod);
        put::string(out, row.kind.word());
        put::i64(out, row.began_at);
        put::i64(out, row.over_at);
        put::string(out, row.container);
        put::string(out, row.user);
        put::string(out, row.acting_as);
        put::string(out, &address(row.source));
        put::string(out, &address(row.via));
        put::u16(out, row.code);
        put::string(out, row.audit_id);
        self.rows += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_as_clickhouse_reads_it() {
        let mut rows = SessionRows::default();
        rows.push(&Session {
            cluster: "c",
            namespace: "n",
            pod: "p",
            kind: SessionKind::Exec,
            began_at: 1,
            over_at: 2,
            container: "main",
            user: "u",
            acting_as: "",
            source: Some([10, 0, 0, 1].into()),
            via: None,
            code: 101,
            audit_id: "a",
        });
        let expected = [
            b"\x01c\x01n\x01p\x04exec".as_slice(),
            b"\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0",
            b"\x04main\x01u\0\x0810.0.0.1\0\x65\0\x01a",
        ];
        assert_eq!(rows.rows(), 1);
        assert_eq!(rows.bytes(), expected.concat());
        let columns = SESSION_EVENTS.columns.iter();
        let columns: Vec<String> = columns.map(|it| (*it).to_owned()).collect();
        let ends = crate::rows::ends(&columns, rows.bytes());
        assert_eq!(ends, Some(vec![rows.bytes().len()]));
    }
}
