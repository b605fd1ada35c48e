//! Rows of the table `said` (`schema/001_facts.sql`): events about names.

use super::rowbinary as put;
use super::{Encoded, FactRow, Said, Table};
use crate::audit::words::NameEvent;

/// The columns that [`SaidRows`] encodes, in its order.
pub const SAID: Table = Table {
    name: "said",
    columns_version: 1,
    columns: &[
        "cluster",
        "namespace",
        "name",
        "what",
        "by",
        "selector",
        "uid",
        "second",
        "first",
        "last",
    ],
};

const SECOND: i64 = 1_000_000;

/// Encoded rows of `said`.
pub type SaidRows = Encoded<Said<'static>>;

impl SaidRows {
    /// `row` has the name.
    pub fn push(&mut self, row: &FactRow, said: &Said) {
        let out = &mut self.bytes;
        put::string(out, row.cluster);
        put::string(out, row.namespace);
        put::string(out, row.pod);
        put::u8(out, said.what.number());
        put::string(out, by(said));
        put::string(out, said.selector);
        put::uuid(out, said.uid);
        put::u32(out, second(said));
        for _ in ["first", "last"] {
            put::i64(out, said.at);
            put::string(out, said.audit_id);
            put::string(out, said.user);
            put::string(out, said.acting_as);
        }
        self.rows += 1;
    }
}

/// Kubelets only know their own pods, so their 404s are kept apart from those of other clients.
fn by<'a>(said: &Said<'a>) -> &'a str {
    let is_of_kubelet = said.what == NameEvent::Gone && said.user.starts_with("system:node:");
    if is_of_kubelet { said.user } else { "" }
}

/// The first and the last of each second are kept. Frequent events about one name are kept by the minute. (The others
/// must not be: a name may be used several times within a minute, and each pod has its own end.)
fn second(said: &Said) -> u32 {
    let second = said.at.div_euclid(SECOND);
    let kept_by = if said.what.is_frequent() { 60 } else { 1 };
    u32::try_from(second - second.rem_euclid(kept_by)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second_of(what: NameEvent, at: i64) -> u32 {
        second(&Said {
            what,
            at,
            user: "",
            acting_as: "",
            selector: "",
            uid: 0,
            audit_id: "",
        })
    }

    #[test]
    fn every_deletion_within_a_minute_is_kept() {
        assert_eq!(second_of(NameEvent::Force, 61_999_999), 61);
        assert_eq!(second_of(NameEvent::Force, 62_000_000), 62);
        assert_eq!(second_of(NameEvent::Status, 119_999_999), 60);
    }
}
