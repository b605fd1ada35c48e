//! The facts of a load: which names they touch, and their rows as each shard gets them.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use crate::lives::{Name, Scope};
use crate::rows::{FACTS, FactRow, Piece, SAID, SaidRows, fact_rows, pieces};
use crate::spool::Shape;

use super::load::Rows;

/// What a load has for one shard.
#[derive(Debug, Default)]
pub struct Share {
    /// Rows of `said` are inserted before rows of `facts`: a reader that sees a fact sees the events about its name.
    pub said: Option<Rows>,
    pub facts: Option<Rows>,
    pub touched: Touched,
}

/// The names that a load touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Of facts that came in time.
    pub timely: BTreeSet<Name>,
    /// Of facts that came late, by the clock of this process: it only decides how long they are gathered.
    pub late: BTreeSet<Name>,
    pub scopes: BTreeSet<Scope>,
    pub rows: u64,
}

/// Facts that are older than this are gathered, in microseconds: as in the column `late`.
const LATE_AFTER: i64 = 300 * 1_000_000;

/// Identifies the process that stores a load.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    pub writer: u64,
    pub load: u64,
    /// Microseconds, by the clock of this process.
    pub now: i64,
}

/// Rows are sent in pieces of about this many bytes: each is compressed at once.
const PIECE_BYTES: usize = 1 << 20;

#[derive(Default)]
struct Encoding {
    facts: Vec<Bytes>,
    piece: Vec<u8>,
    count: u64,
    said: SaidRows,
    touched: Touched,
}

/// Shares the rows of `facts` out among the shards. What is encoded is freed on the way. Rows that can't be read are
/// returned as they are.
pub fn share(mut rows: Rows, shards: usize, by: Writer) -> (Vec<Share>, Option<Rows>) {
    let mut encodings: Vec<Encoding> = (0..shards).map(|_| Encoding::default()).collect();
    let mut unreadable = Vec::new();
    let mut unreadable_count = rows.count();
    for piece in rows.take_pieces() {
        let mut begin = 0;
        for (row, end) in fact_rows(&piece) {
            unreadable_count -= 1;
            let bytes = &piece[begin..end];
            begin = end;
            for shard in shards_of(&row, shards) {
                encodings[shard].push(&row, bytes, by);
            }
        }
        if begin < piece.len() {
            unreadable.push(piece.slice(begin..));
        }
    }
    let shares = encodings
        .into_iter()
        .enumerate()
        .map(|(shard, encoding)| encoding.share(&rows.token_of(&format!("{shard}"))));
    let shares = shares.collect();
    let unreadable =
        (!unreadable.is_empty()).then(|| rows.part(unreadable_count, unreadable, "unreadable"));
    (shares, unreadable)
}

/// The shard of a name; events about a scope go to all of them.
fn shards_of(row: &FactRow, shards: usize) -> std::ops::Range<usize> {
    if shards < 2 || row.pod.is_empty() || row.namespace.is_empty() {
        return 0..shards;
    }
    let mut hash = DefaultHasher::new();
    (row.cluster, row.namespace, row.pod).hash(&mut hash);
    let shard = (hash.finish() % shards as u64) as usize;
    shard..shard + 1
}

impl Touched {
    pub fn merge(&mut self, other: Touched) {
        self.timely.extend(other.timely);
        self.late.extend(other.late);
        self.scopes.extend(other.scopes);
        self.rows += other.rows;
    }

    /// Whether there is nothing to fold.
    pub fn is_empty(&self) -> bool {
        self.timely.is_empty() && self.late.is_empty() && self.scopes.is_empty()
    }

    /// Whether all of it can be gathered.
    pub fn is_late(&self) -> bool {
        self.timely.is_empty() && self.scopes.iter().all(|scope| scope.late)
    }
}

impl Encoding {
    fn push(&mut self, row: &FactRow, bytes: &[u8], by: Writer) {
        self.piece.extend_from_slice(bytes);
        self.piece.extend_from_slice(&by.writer.to_le_bytes());
        self.piece.extend_from_slice(&by.load.to_le_bytes());
        if self.piece.len() >= PIECE_BYTES {
            self.end_piece();
        }
        self.count += 1;
        self.touched.rows += 1;
        let late = by.now - row.event_at > LATE_AFTER;
        let name = Name {
            cluster: row.cluster.to_owned(),
            namespace: row.namespace.to_owned(),
            pod: row.pod.to_owned(),
        };
        if row.pod_uid == 0 {
            self.say(row, &name, late);
        }
        if name.pod.is_empty() || name.namespace.is_empty() {
            return;
        }
        let names = match late {
            true => &mut self.touched.late,
            false => &mut self.touched.timely,
        };
        names.insert(name);
    }

    fn say(&mut self, row: &FactRow, name: &Name, late: bool) {
        // A body of a newer build is looked at when its name is folded.
        for piece in pieces(row.body).unwrap_or_default() {
            let Piece::Said(said) = piece else { continue };
            self.said.push(row, &said);
            if said.what.is_of_scope() {
                self.touched.scopes.insert(Scope {
                    name: name.clone(),
                    at: said.at,
                    late,
                });
            }
        }
    }

    fn end_piece(&mut self) {
        if !self.piece.is_empty() {
            self.facts.push(std::mem::take(&mut self.piece).into());
        }
    }

    fn share(mut self, token: &str) -> Share {
        self.end_piece();
        let facts =
            (self.count > 0).then(|| Rows::new(facts_shape(), self.count, self.facts, token));
        let said = (!self.said.is_empty()).then(|| {
            let (count, bytes) = (self.said.rows() as u64, Bytes::from(self.said.into_bytes()));
            Rows::new(said_shape(), count, vec![bytes], token)
        });
        Share {
            said,
            facts,
            touched: self.touched,
        }
    }
}

/// The columns of `facts` as they are inserted: those of the spool, and the identity of the writer.
fn facts_shape() -> Arc<Shape> {
    static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| {
        let columns = FACTS.columns.iter().chain(&["writer", "load"]);
        shape(FACTS.name, columns.copied())
    });
    SHAPE.clone()
}

fn said_shape() -> Arc<Shape> {
    static SHAPE: LazyLock<Arc<Shape>> =
        LazyLock::new(|| shape(SAID.name, SAID.columns.iter().copied()));
    SHAPE.clone()
}

fn shape<'c>(table: &str, columns: impl Iterator<Item = &'c str>) -> Arc<Shape> {
    Arc::new(Shape {
        table: table.to_owned(),
        columns: columns.map(str::to_owned).collect(),
        columns_version: FACTS.columns_version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::words::NameEvent;
    use crate::rows::{Fact, Facts, Said};

    fn rows(facts: &[Fact]) -> Rows {
        let mut encoded = Facts::default();
        for fact in facts {
            encoded.push(fact);
        }
        let encoded = encoded.finish();
        let columns = FACTS.columns.iter().copied();
        let count = encoded.rows() as u64;
        let bytes = vec![encoded.into_bytes().into()];
        Rows::new(shape("facts", columns), count, bytes, "t")
    }

    #[test]
    fn names_go_to_one_shard_and_scopes_to_all() {
        let pod = |pod: &'static str, event_at: i64| Fact {
            cluster: "c",
            namespace: "n",
            pod,
            pod_uid: 1,
            event_at,
            ..Fact::default()
        };
        let finalize = Fact {
            pod: "",
            pod_uid: 0,
            said: Some(Said {
                what: NameEvent::Finalize,
                at: 5,
                user: "",
                acting_as: "",
                selector: "",
                uid: 0,
                audit_id: "",
            }),
            ..pod("", LATE_AFTER)
        };
        let by = Writer {
            writer: 7,
            load: 8,
            now: 2 * LATE_AFTER,
        };
        let facts = rows(&[pod("late", 1), pod("timely", LATE_AFTER), finalize]);
        let (shares, unreadable) = share(facts, 2, by);
        assert!(unreadable.is_none());
        let of = |names: fn(&Touched) -> &BTreeSet<Name>| -> Vec<&str> {
            let all = shares.iter().flat_map(|it| names(&it.touched));
            all.map(|name| &*name.pod).collect()
        };
        assert_eq!(of(|it| &it.late), ["late"]);
        assert_eq!(of(|it| &it.timely), ["timely"]);
        for share in &shares {
            assert_eq!(share.touched.scopes.len(), 1);
            assert_eq!(share.said.as_ref().map(Rows::count), Some(1));
        }
        let stored: u64 = shares
            .iter()
            .flat_map(|it| &it.facts)
            .map(Rows::count)
            .sum();
        assert_eq!(stored, 4);
    }
}
