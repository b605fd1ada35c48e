//! A file's bytes, unpacked: plain, gzip with any number of members, zstd, and UTF-16 as UTF-8.
//!
//! How it is packed is told by its first bytes, never by its name.

use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;
use memchr::memmem;

/// How much is looked at to see what a file is.
const MAGIC_BYTES: usize = 512;

/// zstd may look back so far (2^27 bytes, what `zstd --long` makes).
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// How the bytes of a file became text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
    Utf16 { is_big_endian: bool },
}

/// What can't be read, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    #[error(
        "is packed with {0}, which is not supported: unpack it, like {1} FILE | bygone import -"
    )]
    Packed(&'static str, &'static str),
    #[error("is an archive ({0}): unpack it, and import the files in it")]
    Archive(&'static str),
    #[error("is a binary file, not a log")]
    Binary,
}

/// Beginnings of files that are something else.
const FOREIGN: [(&[u8], Foreign); 6] = [
    (b"\xfd7zXZ\0", Foreign::Packed("xz", "xz -dc")),
    (b"BZh", Foreign::Packed("bzip2", "bzip2 -dc")),
    (b"\x04\x22\x4d\x18", Foreign::Packed("lz4", "lz4 -dc")),
    (b"\x1f\x9d", Foreign::Packed("compress", "zcat")),
    (b"PK\x03\x04", Foreign::Archive("zip")),
    (b"7z\xbc\xaf\x27\x1c", Foreign::Archive("7z")),
];

/// What tar writes into the first block, and where.
const TAR: (usize, &[u8]) = (257, b"ustar");

impl Packing {
    /// Known by how it begins.
    fn of(head: &[u8]) -> Result<Packing, Foreign> {
        if head.starts_with(b"\x1f\x8b\x08") {
            return Ok(Packing::Gzip);
        }
        let is_skippable =
            head.len() >= 4 && head[0] & 0xf0 == 0x50 && head[1..4] == *b"\x2a\x4d\x18";
        if head.starts_with(b"\x28\xb5\x2f\xfd") || is_skippable {
            return Ok(Packing::Zstd);
        }
        if head.starts_with(b"\xff\xfe") || is_ascii_with_zeros(head, 1) {
            return Ok(Packing::Utf16 {
                is_big_endian: false,
            });
        }
        if head.starts_with(b"\xfe\xff") || is_ascii_with_zeros(head, 0) {
            return Ok(Packing::Utf16 {
                is_big_endian: true,
            });
        }
        check_text(head).map(|()| Packing::Plain)
    }
}

/// Whether every second byte from `first` on is 0 and the others are not: UTF-16 without its mark.
fn is_ascii_with_zeros(head: &[u8], first: usize) -> bool {
    let pairs = head.chunks_exact(2);
    pairs.len() >= 4
        && pairs
            .take(8)
            .all(|pair| pair[first] == 0 && pair[1 - first] != 0)
}

/// Zeros may stand before the text: a file that was truncated while its writer went on has a hole there.
fn check_text(head: &[u8]) -> Result<(), Foreign> {
    let known = FOREIGN.iter().find(|(begin, _)| head.starts_with(begin));
    if let Some((_, foreign)) = known {
        return Err(*foreign);
    }
    if head
        .get(TAR.0..)
        .is_some_and(|rest| rest.starts_with(TAR.1))
    {
        return Err(Foreign::Archive("tar"));
    }
    let begin = head
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(head.len());
    let is_text = |byte: &u8| *byte >= b' ' || byte.is_ascii_whitespace() || *byte == 0x1b;
    let text = &head[begin..];
    let end = text.iter().position(|byte| !is_text(byte));
    match end {
        // A log that is damaged behind its first event.
        Some(end) if memmem::find(&text[..end], b"auditID").is_none() => Err(Foreign::Binary),
        _ => Ok(()),
    }
}

/// The unpacked bytes.
pub struct Unpacked<'r> {
    pub packing: Packing,
    text: Box<dyn Read + Send + 'r>,
}

impl<'r> Unpacked<'r> {
    /// Begins to read; the outer error is the disk's.
    pub fn open(mut packed: impl Read + Send + 'r) -> io::Result<Result<Unpacked<'r>, Foreign>> {
        let head = first_bytes(&mut packed)?;
        let packing = match Packing::of(&head) {
            Ok(packing) => packing,
            Err(foreign) => return Ok(Err(foreign)),
        };
        let packed = Cursor::new(head).chain(packed);
        let mut text: Box<dyn Read + Send + 'r> = match packing {
            Packing::Plain => Box::new(packed),
            Packing::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Packing::Zstd => {
                let mut decoder = zstd::Decoder::new(packed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(decoder)
            }
            Packing::Utf16 { is_big_endian } => Box::new(Utf16::new(packed, is_big_endian)),
        };
        if matches!(packing, Packing::Gzip | Packing::Zstd) {
            // An archive may be packed.
            let (head, failure) = first_bytes_of_packed(&mut text);
            if let Err(foreign) = check_text(&head) {
                return Ok(Err(foreign));
            }
            let rest = text;
            text = match failure {
                Some(failure) => Box::new(Cursor::new(head).chain(Failing(Some(failure)))),
                None => Box::new(Cursor::new(head).chain(rest)),
            };
        }
        Ok(Ok(Unpacked { packing, text }))
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.text.read(to) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

fn first_bytes(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    from.take(MAGIC_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// What can be unpacked of the beginning, and the failure that ended it.
fn first_bytes_of_packed(from: &mut (impl Read + ?Sized)) -> (Vec<u8>, Option<io::Error>) {
    let mut head = Vec::new();
    let read = from.take(MAGIC_BYTES as u64).read_to_end(&mut head);
    (head, read.err())
}

/// Fails once, and is at its end then.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// UTF-16 as UTF-8. What is not Unicode becomes the replacement character.
struct Utf16<R> {
    from: R,
    is_big_endian: bool,
    /// Bytes of an unfinished character.
    rest: Vec<u8>,
    ready: Vec<u8>,
    given: usize,
}

impl<R: Read> Utf16<R> {
    fn new(from: R, is_big_endian: bool) -> Utf16<R> {
        Utf16 {
            from,
            is_big_endian,
            rest: Vec::new(),
            ready: Vec::new(),
            given: 0,
        }
    }

    /// Returns how much was read.
    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 8 << 10];
        let read = self.from.read(&mut chunk)?;
        self.rest.extend_from_slice(&chunk[..read]);
        let mut units: Vec<u16> = self
            .rest
            .chunks_exact(2)
            .map(|pair| self.unit(pair))
            .collect();
        let is_open = units
            .last()
            .is_some_and(|last| (0xd800..0xdc00).contains(last));
        if is_open && read > 0 {
            units.pop();
        }
        self.rest.drain(..units.len() * 2);
        let text: String = char::decode_utf16(units.iter().copied().filter(|unit| *unit != 0xfeff))
            .map(|found| found.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        (self.ready, self.given) = (text.into_bytes(), 0);
        Ok(read)
    }

    fn unit(&self, pair: &[u8]) -> u16 {
        match self.is_big_endian {
            true => u16::from_be_bytes([pair[0], pair[1]]),
            false => u16::from_le_bytes([pair[0], pair[1]]),
        }
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() {
            if self.fill()? == 0 && self.ready.is_empty() {
                return Ok(0);
            }
        }
        let read = (&self.ready[self.given..]).read(to)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &str = "{\"auditID\":\"1\"}\n{\"auditID\":\"\u{1d11e}\"}\n";

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(packed: &[u8]) -> Result<(Packing, String), Foreign> {
        let mut unpacked = Unpacked::open(packed).unwrap()?;
        let mut text = String::new();
        unpacked.read_to_string(&mut text).unwrap();
        Ok((unpacked.packing, text))
    }

    #[test]
    fn every_packing_is_known_by_its_first_bytes() {
        let members = [gzip(&TEXT.as_bytes()[..7]), gzip(&TEXT.as_bytes()[7..])].concat();
        let utf16 = |mark: &[u8], bytes: fn(u16) -> [u8; 2]| {
            let units = TEXT.encode_utf16().flat_map(bytes);
            mark.iter().copied().chain(units).collect::<Vec<u8>>()
        };
        let little = Packing::Utf16 {
            is_big_endian: false,
        };
        let big = Packing::Utf16 {
            is_big_endian: true,
        };
        for (packed, packing) in [
            (TEXT.as_bytes().to_vec(), Packing::Plain),
            (members, Packing::Gzip),
            (zstd::encode_all(TEXT.as_bytes(), 1).unwrap(), Packing::Zstd),
            (utf16(b"\xff\xfe", u16::to_le_bytes), little),
            (utf16(b"", u16::to_le_bytes), little),
            (utf16(b"\xfe\xff", u16::to_be_bytes), big),
        ] {
            assert_eq!(read(&packed), Ok((packing, TEXT.to_owned())));
        }
        let damaged = "{\"auditID\":\"1\"}\n\x01\x02\0\n";
        assert_eq!(
            read(damaged.as_bytes()),
            Ok((Packing::Plain, damaged.to_owned()))
        );
        assert_eq!(
            read(b"\0\0\0{}"),
            Ok((Packing::Plain, "\0\0\0{}".to_owned()))
        );
        assert_eq!(read(b""), Ok((Packing::Plain, String::new())));
    }

    #[test]
    fn what_is_no_log_is_named() {
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        for (packed, said) in [
            (
                b"\xfd7zXZ\0\0".to_vec(),
                "is packed with xz, which is not supported: unpack it, like xz -dc FILE | bygone import -",
            ),
            (
                b"PK\x03\x04".to_vec(),
                "is an archive (zip): unpack it, and import the files in it",
            ),
            (
                tar.clone(),
                "is an archive (tar): unpack it, and import the files in it",
            ),
            (
                gzip(&tar),
                "is an archive (tar): unpack it, and import the files in it",
            ),
            (
                b"\x7fELF\x02\x01\x01".to_vec(),
                "is a binary file, not a log",
            ),
        ] {
            assert_eq!(read(&packed).unwrap_err().to_string(), said);
        }
    }

    /// The text before the cut is read.
    #[test]
    fn a_cut_file_fails_at_its_end() {
        let packed = gzip(TEXT.repeat(100).as_bytes());
        let mut unpacked = Unpacked::open(&packed[..packed.len() - 9])
            .unwrap()
            .unwrap();
        let mut text = Vec::new();
        let error = unpacked.read_to_end(&mut text).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(text.starts_with(TEXT.as_bytes()));
    }
}
