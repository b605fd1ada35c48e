//! Marks around and between the documents of a delivery, and their encodings.

use std::borrow::Cow;

/// The mark that some editors and relays put before UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The five bytes before a record of Kafka that was made with Confluent's schema registry: a zero, and the number of
/// the schema.
const FRAME_BYTES: usize = 5;

/// How much of the text after a frame is checked.
const HEAD_BYTES_MAX: usize = 64;

/// Where the next document begins: behind white space, commas, the marks of UTF-8, the zeros of a file that was cut
/// while it was written to, the separators of JSON texts (RFC 7464), and Confluent's frames.
pub fn next_document(body: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match body.get(at)? {
            // It begins with the first of several zeros.
            0 if !body[..at].ends_with(&[0]) && is_frame(&body[at..]) => at += FRAME_BYTES,
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0 | 0x1e => at += 1,
            0xef if body[at..].starts_with(BOM) => at += BOM.len(),
            _ => return Some(at),
        }
    }
}

/// Whether JSON follows Confluent's five bytes.
fn is_frame(text: &[u8]) -> bool {
    let is_numbered = text.get(1..FRAME_BYTES).is_some_and(|id| id != [0; 4]);
    is_numbered && text[1] == 0 && matches!(text.get(FRAME_BYTES), Some(b'{' | b'['))
}

/// Whether a record has Confluent's frame and the rest is not text: Avro, or Protobuf.
pub fn is_avro_or_protobuf(body: &[u8]) -> bool {
    let zeros = body.iter().take_while(|byte| **byte == 0).count();
    let Some(rest) = body
        .get(FRAME_BYTES..)
        .filter(|_| (2..FRAME_BYTES).contains(&zeros))
    else {
        return false;
    };
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let is_json = next_document(body, 0).is_some_and(|at| matches!(body[at], b'{' | b'['));
    let head = &rest[..rest.len().min(HEAD_BYTES_MAX)];
    !is_json && !head.is_empty() && !head.iter().all(is_text)
}

/// UTF-16, as Windows PowerShell writes: the order of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Utf16 {
    Little,
    Big,
}

impl Utf16 {
    /// Known by its mark, or by how an object begins in it.
    pub fn of(body: &[u8]) -> Option<Utf16> {
        if body.starts_with(b"\xff\xfe") || body.starts_with(b"{\0\"\0") {
            Some(Utf16::Little)
        } else if body.starts_with(b"\xfe\xff") || body.starts_with(b"\0{\0\"") {
            Some(Utf16::Big)
        } else {
            None
        }
    }

    /// The most bytes that its text has in UTF-8.
    pub fn utf8_bytes_max(body: &[u8]) -> usize {
        body.len() / 2 * 3
    }

    /// Its text in UTF-8. Invalid units become U+FFFD; half a unit at the end is dropped.
    pub fn text(self, body: &[u8]) -> Cow<'static, [u8]> {
        let units = body.chunks_exact(2).map(|unit| match self {
            Utf16::Little => u16::from_le_bytes([unit[0], unit[1]]),
            Utf16::Big => u16::from_be_bytes([unit[0], unit[1]]),
        });
        let mut text = String::with_capacity(Utf16::utf8_bytes_max(body));
        let chars = char::decode_utf16(units);
        text.extend(chars.map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)));
        Cow::Owned(text.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_document() {
        for (before, rest) in [
            (&b""[..], &b"{}"[..]),
            (b"\xef\xbb\xbf", b"{}"),
            (b" \r\n,\xef\xbb\xbf\0\0\0\0\0\0\x1e", b"[]"),
            (b"\0\0\0\0\x07", b"{}"),
            (b"\0\0\x01\x2c\x0a", b"[]"),
            (b"\n\0\0\0\0\x41", b"{}"),
            (b"\0\0\0", b"\x07x"),
            (b"\0\0\0\0\0", b"{}"),
        ] {
            let body = [before, rest].concat();
            assert_eq!(next_document(&body, 0), Some(before.len()), "{body:?}");
        }
        assert_eq!(next_document(b"\0 \xef\xbb\xbf", 0), None);
        assert_eq!(next_document(b"\xef\xbb", 0), Some(0));
    }

    #[test]
    fn schemas() {
        for is in [
            &b"\0\0\0\0\x07\x02\x48"[..],
            b"\0\0\0\x01\x2c\0\x0a\x05Event",
            b"\0\0\x01\x2c\x2c\xff",
        ] {
            assert!(is_avro_or_protobuf(is), "{is:?}");
        }
        for other in [
            &b""[..],
            b"\0\0\0\0\x07{}",
            b"\0\0\0{\"a\":\x01}",
            b"\0\0\0\0\0\0\x01",
            b"\0\0\0\0\x07",
            b"\0\0\0I1128 text",
        ] {
            assert!(!is_avro_or_protobuf(other), "{other:?}");
        }
    }

    #[test]
    fn utf16() {
        let little =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let big =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
        let text = "{\"a\":\"ä😀\"}";
        for marked in ["\u{feff}", ""] {
            let marked = format!("{marked}{text}");
            for (body, order) in [(little(&marked), Utf16::Little), (big(&marked), Utf16::Big)] {
                assert_eq!(Utf16::of(&body), Some(order));
                assert_eq!(&*order.text(&body), marked.as_bytes());
                assert!(marked.len() <= Utf16::utf8_bytes_max(&body));
            }
        }
        assert_eq!(Utf16::of(b"{\"a\":1}"), None);
        assert_eq!(&*Utf16::Little.text(b"a\0\xd8"), b"a");
        assert_eq!(&*Utf16::Little.text(b"\0\xd8a\0"), "\u{fffd}a".as_bytes());
    }
}
