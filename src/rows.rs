//! The tables' rows and how they are encoded.
//!
//! In: facts as Rust values. Out: their bytes in ClickHouse's RowBinary, in the order of the
//! columns that [`Table`] names. The tables themselves stand in `schema/`.
//!
//! This room is a leaf: no I/O, no other room, nothing that can fail. Values that a column
//! cannot hold are the callers' to leave out (see [`seconds`] and [`microseconds`]).

mod dead_letter;
mod encoded;
mod fact;
mod received;
mod rowbinary;
mod walk;

pub use dead_letter::{DEAD_LETTERS, DeadLetterRow, DeadLetterRows};
pub use encoded::Encoded;
pub use fact::{
    ContainerKind, Ended, FACTS, Fact, Facts, Image, Named, Owner, Phase, microseconds, seconds,
};
pub use received::{About, RECEIVED, Received, ReceivedRows};

pub use walk::ends;

/// A table as an INSERT names it.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    /// Goes up with every change of `columns`.
    pub columns_version: u32,
    pub columns: &'static [&'static str],
}
