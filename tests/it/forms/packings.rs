//! Encodings and packings of the whole.

use std::io::Write;

use super::Expected::{Life, Rejected};
use super::{Form, Source, expect, life};

pub fn forms(source: &Source) -> Vec<Form> {
    let bare = source.lines(str::to_owned);
    let half = bare.len() / 2;
    let marked = format!("\u{feff}{bare}");
    let (zipped, packed) = (gzip(bare.as_bytes()), zstd(bare.as_bytes()));
    let cut = |packed: &[u8]| packed[..packed.len() - 300].to_vec();
    let list = format!("[{}]", source.events.join(","));
    vec![
        life("UTF-16, low bytes first", utf16(&marked, u16::to_le_bytes)),
        life("UTF-16, high bytes first", utf16(&marked, u16::to_be_bytes)),
        life("UTF-16 without a mark", utf16(&bare, u16::to_le_bytes)),
        life("gzip", &*zipped),
        life(
            "gzip, two members",
            [
                gzip(&bare.as_bytes()[..half]),
                gzip(&bare.as_bytes()[half..]),
            ]
            .concat(),
        ),
        life("zstd", &*packed),
        life("UTF-16 in zstd", zstd(&utf16(&marked, u16::to_le_bytes))),
        expect(
            "gzip that was cut off",
            cut(&zipped),
            Rejected(1, "cut off"),
        ),
        expect(
            "gzip of a list that was cut off",
            cut(&gzip(list.as_bytes())),
            Rejected(1, "cut off"),
        ),
        expect(
            "zstd that was cut off",
            &packed[..packed.len() - 3],
            Rejected(1, "cut off"),
        ),
        life(
            "Confluent's frame",
            source.lines(|event| format!("\0\0\0\u{1}\u{2}{event}")),
        ),
        expect(
            "Confluent's frame and Avro",
            [b"\0\0\0\0\x07\x02\x48", source.events[0].as_bytes()].concat(),
            Rejected(1, "avro or protobuf, not json"),
        ),
        expect(
            "nothing but other logs",
            "2026-11-28T09:00:00.004Z stdout F hello\n2026-11-28T09:00:00Z INFO x {\"a\": \"b\"}\n",
            Life(2),
        ),
    ]
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("in memory")
}
