//! ClickHouse, as far as it decides what is seen: parts appear whole and in the order of their numbers, a
//! replica may see them later, rows are refused by their constraint when their INSERT begins.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::{Row, RowId, Rows};

/// Seconds that an INSERT may take.
pub const INSERT_SECONDS: u32 = 60;
/// Seconds that a row of lives may be older than what it was made of.
pub const FENCE_SECONDS: u32 = 120;
pub const SLOT_SECONDS: u32 = 600;

/// Each replica has a bit.
pub type Replicas = u8;
pub const ALL: Replicas = 3;

/// A row of `facts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Logged {
    pub block: u32,
    pub slot: u32,
    pub fact: u8,
    pub late: bool,
    pub writer: u8,
    pub load: u8,
    pub seen: Replicas,
    pub stored_at: u32,
}

/// A row of a recent table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    pub row: RowId,
    pub seen: Replicas,
    pub stored_at: u32,
}

/// A row of an ended table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Filed {
    pub row: RowId,
    pub version: u64,
    pub moved: bool,
    pub filed_at: u32,
    pub seen: Replicas,
}

/// All tables and the clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Store {
    pub now: u32,
    pub blocks: u32,
    pub facts: Vec<Logged>,
    /// Facts that say something of a name, as each replica sees them: one bit each.
    said: [u32; 2],
    /// Pods and containers, in the order of their INSERTs.
    pub recent: Vec<Part>,
    pub ended: Vec<Filed>,
    /// One bit for each load of each process.
    loads: u64,
    /// Slots that were checked, with their block number then.
    pub checked: BTreeSet<(u32, u32)>,
    /// What the log ever had, and whether it came late. For the checks alone.
    ever: u64,
}

/// Rows of an INSERT that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Insert {
    Facts(Vec<Logged>),
    Lives(Vec<RowId>),
}

impl Store {
    pub fn slot(&self) -> u32 {
        self.now / SLOT_SECONDS * SLOT_SECONDS
    }

    /// Whether a constraint refuses the rows.
    pub fn refuses(&self, rows: &[RowId], known: &Rows) -> bool {
        let mut read_at = rows.iter().map(|id| known.row(*id).read_at);
        read_at.any(|read_at| read_at + FENCE_SECONDS < self.now)
    }

    /// The rows of an INSERT are there.
    pub fn commit(&mut self, insert: &Insert, seen: Replicas) {
        match insert {
            Insert::Facts(rows) => {
                self.blocks += 1;
                for row in rows {
                    self.ever |= 1 << (2 * row.fact + u8::from(row.late));
                    self.facts.push(Logged {
                        block: self.blocks,
                        stored_at: self.now,
                        seen,
                        ..*row
                    });
                }
            }
            Insert::Lives(rows) => self.recent.extend(rows.iter().map(|row| Part {
                row: *row,
                seen,
                stored_at: self.now,
            })),
        }
    }

    /// Recent rows that others have replaced go.
    pub fn merge(&mut self, known: &Rows) {
        let newest = self.recent_final(ALL, known);
        self.recent
            .retain(|part| newest.get(&known.row(part.row).key) == Some(&part.row));
    }

    /// A replica gets what the others have.
    pub fn sync(&mut self, replica: Replicas) {
        self.facts.iter_mut().for_each(|row| row.seen |= replica);
        for fact in self.said(ALL) {
            self.say(fact, replica);
        }
        self.sync_lives(replica);
    }

    /// The same of the lives alone.
    pub fn sync_lives(&mut self, replica: Replicas) {
        self.recent.iter_mut().for_each(|row| row.seen |= replica);
        self.ended.iter_mut().for_each(|row| row.seen |= replica);
    }

    /// Something is said of a name.
    pub fn say(&mut self, fact: u8, seen: Replicas) {
        for (replica, said) in self.said.iter_mut().enumerate() {
            if seen & (1 << replica) != 0 {
                *said |= 1 << fact;
            }
        }
    }

    /// What was said of names.
    pub fn said(&self, replica: Replicas) -> Vec<u8> {
        let seen = |fact: &u8| {
            let mut all = self.said.iter().enumerate();
            all.any(|(number, said)| replica & (1 << number) != 0 && said & (1 << fact) != 0)
        };
        (0..32).filter(seen).collect()
    }

    /// A load has become part of the lives.
    pub fn note(&mut self, writer: u8, load: u8) {
        self.loads |= 1 << (4 * writer + load);
    }

    pub fn is_noted(&self, writer: u8, load: u8) -> bool {
        self.loads & (1 << (4 * writer + load)) != 0
    }

    /// What the log ever had, and whether it came late.
    pub fn ever(&self) -> Vec<(u8, bool)> {
        let facts = (0..32).flat_map(|fact| [(fact, false), (fact, true)]);
        let had = facts.filter(|(fact, late)| self.ever & (1 << (2 * fact + u8::from(*late))) != 0);
        had.collect()
    }

    /// For how long the replica has not seen something, in seconds.
    pub fn lag(&self, replica: Replicas) -> Option<u32> {
        let facts = self.facts.iter().map(|row| (row.seen, row.stored_at));
        let recent = self.recent.iter().map(|row| (row.seen, row.stored_at));
        let ended = self.ended.iter().map(|row| (row.seen, row.filed_at));
        let unseen = facts.chain(recent).chain(ended);
        let unseen = unseen.filter(|(seen, _)| seen & replica == 0);
        let oldest = unseen.map(|(_, at)| at).min();
        oldest.map(|at| self.now.saturating_sub(at))
    }

    /// Recent rows by their key, as FINAL shows them: the highest version, of equal ones the last.
    pub fn recent_final(&self, replica: Replicas, known: &Rows) -> BTreeMap<u8, RowId> {
        let mut newest: BTreeMap<u8, RowId> = BTreeMap::new();
        for part in self.recent.iter().filter(|part| part.seen & replica != 0) {
            let row = known.row(part.row);
            let kept = newest.entry(row.key).or_insert(part.row);
            if row.version >= known.row(*kept).version {
                *kept = part.row;
            }
        }
        newest
    }

    /// Filed rows by their place and key, as FINAL shows them.
    pub fn ended_final(&self, replica: Replicas, known: &Rows) -> BTreeMap<(u8, u32, u8), Filed> {
        let mut newest: BTreeMap<(u8, u32, u8), Filed> = BTreeMap::new();
        for filed in self.ended.iter().filter(|row| row.seen & replica != 0) {
            let Row {
                class, from, key, ..
            } = *known.row(filed.row);
            let kept = newest.entry((class, from, key)).or_insert(*filed);
            if filed.version >= kept.version {
                *kept = *filed;
            }
        }
        newest
    }

    /// The version of each life that a reader gets.
    pub fn versions(&self, known: &Rows) -> BTreeMap<u8, u64> {
        let mut versions = BTreeMap::new();
        for filed in self.ended.iter().filter(|filed| !filed.moved) {
            let version = versions.entry(known.row(filed.row).key).or_insert(0);
            *version = filed.version.max(*version);
        }
        let recent = self.recent_final(ALL, known);
        let recent = recent.into_iter();
        versions.extend(recent.map(|(key, row)| (key, known.row(row).version)));
        versions
    }

    /// Slots of the log with what tells their content apart, as `schema/reconcile/slots.sql`: the highest block,
    /// and where blocks may come in another order how many they are, too.
    pub fn slots(&self, replica: Replicas, replicated: bool) -> BTreeMap<u32, u32> {
        let mut blocks: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for row in self.facts.iter().filter(|row| row.seen & replica != 0) {
            blocks.entry(row.slot).or_default().insert(row.block);
        }
        let slots = blocks.into_iter().map(|(slot, blocks)| {
            let count = if replicated { blocks.len() as u32 } else { 0 };
            (slot, blocks.last().copied().unwrap_or(0) + count)
        });
        slots.collect()
    }
}
