//! Lines of a file: mark, JSON, check. The room's face documents them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::letter::Summary;

/// The marks.
pub const HEAD: u8 = b'=';
pub const LETTER: u8 = b'+';
pub const REMOVED: u8 = b'-';

/// The longest line. Two names have at most 512 bytes each, which JSON may make 6 times as long; the
/// rest is short.
pub const LINE_BYTES_MAX: usize = 8 << 10;

const FORMAT: &str = "bygone dead letters";
const VERSION: u32 = 1;
/// Hex digits of a line's check.
const CHECK_DIGITS: usize = 16;

#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Head {
    format: String,
    version: u32,
    pub letters: u64,
    pub table_bytes: u64,
    pub raw_bytes: u64,
}

impl Head {
    pub fn new(letters: u64, table_bytes: u64, raw_bytes: u64) -> Head {
        Head {
            format: FORMAT.to_owned(),
            version: VERSION,
            letters,
            table_bytes,
            raw_bytes,
        }
    }

    /// Why this build can't read the file.
    pub fn refusal(&self) -> Option<&'static str> {
        if self.format != FORMAT {
            Some("it is not a dead-letter file")
        } else if self.version != VERSION {
            Some("it is of another version: use the bygone that wrote it")
        } else {
            None
        }
    }
}

/// One line of the table.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Line {
    #[serde(flatten)]
    pub summary: Summary,
    /// Where its bytes begin behind the table.
    pub at: u64,
}

pub fn write(mark: u8, value: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(value).expect("numbers and texts are always JSON");
    let mut line = vec![mark];
    line.extend_from_slice(&json);
    line.push(b' ');
    line.extend_from_slice(check(&json).as_bytes());
    line.push(b'\n');
    line
}

/// The mark and the value of a line; nothing where it is damaged.
pub fn read<T: DeserializeOwned>(line: &[u8]) -> Option<(u8, T)> {
    let (&mark, rest) = line.split_first()?;
    let rest = rest.strip_suffix(b"\n")?;
    let (json, told) = rest.split_at_checked(rest.len().checked_sub(CHECK_DIGITS)?)?;
    let json = json.strip_suffix(b" ")?;
    if told != check(json).as_bytes() {
        return None;
    }
    Some((mark, serde_json::from_slice(json).ok()?))
}

fn check(json: &[u8]) -> String {
    let hash: [u8; 32] = Sha256::digest(json).into();
    let digits = super::Digest(hash).to_string();
    digits[..CHECK_DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_but_the_marks_is_seen() {
        let line = write(HEAD, &Head::new(2, 300, 400));
        assert_eq!(read(&line), Some((HEAD, Head::new(2, 300, 400))));
        for at in 1..line.len() {
            for bit in 0..8 {
                let mut damaged = line.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(read::<Head>(&damaged), None, "byte {at} bit {bit}");
            }
        }
        for cut in 0..line.len() {
            assert_eq!(read::<Head>(&line[..cut]), None, "cut at {cut}");
        }
    }
}
