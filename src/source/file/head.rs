//! What a file is, whatever its name: the hash of its beginning.
//!
//! Audit files begin alike, up to the first event's `auditID`, which no other event has. So the unpacked bytes up to its
//! end are known again after the file was renamed, copied or compressed, and differ from those of every other file.

use memchr::memmem;
use sha2::{Digest, Sha256};

/// How much of a file is searched for an audit ID.
pub const HEAD_BYTES_MAX: usize = 64 << 10;

/// Of the hash, so many bytes are kept.
const HASH_BYTES: usize = 16;

const NAME: &[u8] = b"auditID";

/// The fingerprint of a file that begins like this; `None` if there is no audit ID yet and the file may grow. A file that
/// has none in [`HEAD_BYTES_MAX`], or has ended (`is_all`), is known by all of its head.
pub fn fingerprint(head: &[u8], is_all: bool) -> Option<String> {
    let end = match end_of_first_id(head) {
        Some(end) => end,
        None if head.len() >= HEAD_BYTES_MAX || (is_all && !head.is_empty()) => head.len(),
        None => return None,
    };
    let hash = Sha256::digest(&head[..end]);
    Some(hex::encode(&hash[..HASH_BYTES]))
}

/// Where the value of the first `auditID` ends. In a wrapper its quotes may be escaped.
fn end_of_first_id(head: &[u8]) -> Option<usize> {
    let is_quote = |byte: u8| matches!(byte, b'"' | b'\\');
    let mut from = 0;
    loop {
        let value = from + memmem::find(&head[from..], NAME)? + NAME.len();
        let rest = &head[value..];
        let between = rest
            .iter()
            .position(|byte| !is_quote(*byte) && !matches!(byte, b':' | b' '))?;
        let id = &rest[between..];
        let length = id.iter().position(|byte| is_quote(*byte))?;
        if rest[..between].contains(&b':') && length > 0 {
            return Some(value + between + length);
        }
        from = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_first_id_ends() {
        // (head, what is hashed)
        let table = [
            (
                r#"{"level":"x","auditID":"a-1","b":1}"#,
                Some(r#"{"level":"x","auditID":"a-1"#),
            ),
            (
                r#"{"log":"{\"auditID\":\"a-1\",\"b"#,
                Some(r#"{"log":"{\"auditID\":\"a-1"#),
            ),
            (r#"{"auditID" : "a-1"}"#, Some(r#"{"auditID" : "a-1"#)),
            // A word in a text, and then a member.
            (
                r#"auditID {"auditID":"a"}"#,
                Some(r#"auditID {"auditID":"a"#),
            ),
            (r#"{"auditID":"a-"#, None),
            (r#"{"auditID"#, None),
            ("", None),
        ];
        for (head, hashed) in table {
            let end = end_of_first_id(head.as_bytes());
            assert_eq!(end.map(|end| &head[..end]), hashed, "{head}");
        }
    }

    #[test]
    fn a_file_without_an_id_is_known_when_it_is_whole_or_long() {
        assert_eq!(fingerprint(b"text", false), None);
        assert_eq!(fingerprint(b"", true), None);
        assert_eq!(fingerprint(b"text", true).map(|it| it.len()), Some(32));
        assert!(fingerprint(&[b' '; HEAD_BYTES_MAX], false).is_some());
    }
}
