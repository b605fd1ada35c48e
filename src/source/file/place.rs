//! A place in a file: where reading continues, and whether what was read before it is still the same.

use serde::{Deserialize, Serialize};

use crate::positions::Position;

/// So many bytes before a place are compared.
pub const TAIL_BYTES: usize = 1 << 10;

/// Between two documents, or behind some portions of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Place {
    /// Unpacked bytes before it; about, in the midst of a document.
    #[serde(skip)]
    pub position: u64,
    /// Where the document under way begins: `position` itself, where lines are read.
    #[serde(rename = "d")]
    pub document: u64,
    /// Line breaks before `document`.
    #[serde(rename = "l")]
    pub lines: u64,
    /// Portions of the document that were read.
    #[serde(rename = "p")]
    pub portions: u64,
    /// CRC-32 of the bytes before `document`, `TAIL_BYTES` at most.
    #[serde(rename = "t")]
    pub tail: u32,
    /// CRC-32 of the portions that were read.
    #[serde(rename = "c")]
    pub crc: u32,
}

/// A file on the disk that was read to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Whole {
    /// Its size, as it lies on the disk.
    #[serde(rename = "s")]
    pub size: u64,
    /// CRC-32 of its last bytes there, `TAIL_BYTES` at most.
    #[serde(rename = "e")]
    pub end: u32,
}

/// How far a file was read, as the table `positions` keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub place: Place,
    /// What the file was on the disk when nothing of it was left.
    pub whole: Option<Whole>,
}

#[derive(Deserialize, Serialize)]
struct State {
    #[serde(flatten)]
    place: Place,
    #[serde(flatten)]
    whole: Option<Whole>,
}

impl Progress {
    /// The row of a file.
    pub fn row(&self, fingerprint: &str, path: &str) -> Position {
        let state = State {
            place: self.place,
            whole: self.whole,
        };
        Position {
            key: fingerprint.to_owned(),
            position: self.place.position,
            state: serde_json::to_string(&state).expect("numbers are JSON"),
            place: path.to_owned(),
        }
    }

    /// What a row says; `None` where another build wrote something else: then the file is read again.
    pub fn of(row: &Position) -> Option<Progress> {
        let State { place, whole } = serde_json::from_str(&row.state).ok()?;
        let position = row.position;
        let is_place = place.document <= position;
        is_place.then_some(Progress {
            place: Place { position, ..place },
            whole,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_everything() {
        let place = Place {
            position: 90,
            document: 80,
            lines: 7,
            portions: 2,
            tail: 3,
            crc: 4,
        };
        for whole in [None, Some(Whole { size: 9, end: 1 })] {
            let progress = Progress { place, whole };
            let row = progress.row("f", "audit.log");
            assert_eq!(
                (&*row.key, row.position, &*row.place),
                ("f", 90, "audit.log")
            );
            assert_eq!(Progress::of(&row), Some(progress));
        }
        let foreign = Position {
            state: "elsewhere".to_owned(),
            ..Position::default()
        };
        assert_eq!(Progress::of(&foreign), None);
    }
}
