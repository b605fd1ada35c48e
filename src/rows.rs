//! The tables' rows and how they are encoded.
//!
//! In: facts as Rust values. Out: their bytes in ClickHouse's RowBinary, in the order of the
//! columns that [`Table`] names. The tables themselves are defined in `schema/`.
//!
//! This room is a leaf: no I/O, no other room, nothing that can fail. Values that a column
//! cannot hold are the callers' to leave out (see [`seconds`] and [`microseconds`]).

mod column;
mod dead_letter;
mod encoded;
mod event_counts;
mod fact;
mod life;
mod position;
mod rowbinary;
mod said;
mod session;
mod walk;

pub use column::{Blob, Column, Micros, Millis, Seconds, Uid, Value};
pub use dead_letter::{DEAD_LETTERS, DeadLetterRow, DeadLetterRows};
pub use encoded::Encoded;
pub use event_counts::{About, EVENT_COUNTS, EventCount, EventCountRows};
pub use fact::{
    BODY_VERSION, Basis, ContainerKind, Ended, FACTS, Fact, FactRow, Facts, Image, InstancePiece,
    Owner, Phase, Piece, PodPiece, Said, UnreadableBody, container_key, fact_rows, microseconds,
    pieces, seconds,
};
pub use life::{ContainerRow, NEVER, PodRow};
pub use position::{POSITIONS, PositionRow, PositionRows};
pub use said::{SAID, SaidRows};
pub use session::{SESSION_EVENTS, Session, SessionRows};

pub use walk::ends;

/// A table as an INSERT names it.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    /// Goes up with every change of `columns`.
    pub columns_version: u32,
    pub columns: &'static [&'static str],
}
