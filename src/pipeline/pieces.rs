//! Rows on their way to the spool, in pieces: the batches of each table.

use std::sync::{Arc, LazyLock};

use tokio::sync::mpsc;

use crate::audit::Event;
use crate::coverage::Seen;
use crate::rows::{
    DEAD_LETTERS, DeadLetterRows, EVENT_COUNTS, Encoded, EventCountRows, FACTS, Fact, Facts,
    SESSION_EVENTS, Session, SessionRows, Table,
};
use crate::spool::{Batch, Part, Shape};

/// A delivery's rows go to the spool in pieces of about this many bytes. One is built while one waits and one is
/// written: no delivery holds more, however many rows it has.
const PIECE_BYTES: usize = 1 << 20;

/// Rows on their way to the spool.
pub(super) struct Pieces {
    piece: Facts,
    sessions: SessionRows,
    seen: Seen,
    to: mpsc::Sender<Batch>,
}

impl Pieces {
    pub(super) fn new(to: mpsc::Sender<Batch>) -> Pieces {
        Pieces {
            piece: Facts::default(),
            sessions: SessionRows::default(),
            seen: Seen::default(),
            to,
        }
    }

    pub(super) fn push(&mut self, fact: &Fact) {
        self.piece.push(fact);
        if self.piece.bytes_len() >= PIECE_BYTES {
            self.send();
        }
    }

    pub(super) fn push_session(&mut self, session: &Session) {
        self.sessions.push(session);
        if self.sessions.bytes().len() >= PIECE_BYTES {
            self.send();
        }
    }

    pub(super) fn see(&mut self, cluster: &str, event: &Event) {
        self.seen.add(cluster, event);
        if self.seen.is_full() {
            self.send();
        }
    }

    /// Sends what there is, together.
    pub(super) fn send(&mut self) {
        let facts = std::mem::take(&mut self.piece);
        let sessions = std::mem::take(&mut self.sessions);
        let counts = self.seen.take();
        let facts = (!facts.is_empty()).then(|| part_of_facts(facts));
        let sessions = (!sessions.is_empty()).then(|| part_of_sessions(sessions));
        let counts = (!counts.is_empty()).then(|| part_of_event_counts(counts));
        let parts = facts.into_iter().chain(sessions).chain(counts);
        let parts: Vec<Part> = parts.collect();
        if parts.is_empty() {
            return;
        }
        // Nobody takes it when the spool refused a piece before, or the sender is gone: the delivery
        // is not acknowledged then.
        _ = self.to.blocking_send(Batch { parts });
    }
}

fn shape(table: &Table) -> Arc<Shape> {
    Arc::new(Shape {
        table: table.name.to_owned(),
        columns: table
            .columns
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        columns_version: table.columns_version,
    })
}

fn part_of_facts(facts: Facts) -> Part {
    static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(&FACTS));
    part(&SHAPE, facts.finish())
}

fn part_of_event_counts(counts: EventCountRows) -> Part {
    static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(&EVENT_COUNTS));
    part(&SHAPE, counts)
}

fn part_of_sessions(sessions: SessionRows) -> Part {
    static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(&SESSION_EVENTS));
    part(&SHAPE, sessions)
}

pub(super) fn batch_of_letters(letters: DeadLetterRows) -> Batch {
    static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(&DEAD_LETTERS));
    let parts = vec![part(&SHAPE, letters)];
    Batch { parts }
}

fn part<R>(shape: &Arc<Shape>, rows: Encoded<R>) -> Part {
    Part {
        shape: shape.clone(),
        rows: rows.rows() as u32,
        bytes: rows.into_bytes().into(),
    }
}
