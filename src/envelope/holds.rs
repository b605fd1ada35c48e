//! Whether a text may hold an audit event, by names and beginnings alone. All functions here read a text once, from
//! its beginning to its end.

use memchr::{memchr_iter, memmem};

use super::split;

/// What a LogEntry of Google's keeps an audit payload in: in its JSON, in BigQuery's tables, in Log Analytics.
const PAYLOADS: [&[u8]; 3] = [b"protoPayload", b"protopayload_auditlog", b"proto_payload"];

/// How base64 begins of a JSON object or list, of gzip and of zstd.
const PACKED: [&str; 8] = ["eyJ", "eyA", "ewo", "ewA", "W3s", "WyJ", "H4sI", "KLUv/"];

/// Shorter ones hold no event.
const PACKED_BYTES_MIN: usize = 24;

/// Whether it contains `auditID`, or `AuditId` as Azure's tables do. Such a text is an event, or has to be reported:
/// it is not a record of another log.
pub fn names_event(text: &[u8]) -> bool {
    let common = b"uditI";
    memmem::find_iter(text, common).any(|at| {
        let first = at.checked_sub(1).map(|first| text[first]);
        let last = text.get(at + common.len());
        matches!(
            (first, last),
            (Some(b'a'), Some(b'D')) | (Some(b'A'), Some(b'd'))
        )
    })
}

/// Whether it may hold an event in the open, also one in the words of Google's logs.
pub fn may_hold(text: &[u8]) -> bool {
    names_event(text)
        || PAYLOADS
            .iter()
            .any(|name| memmem::find(text, name).is_some())
}

/// Whether JSON holds a string or a list of numbers with something packed: see [`is_base64`], [`is_bytes`].
pub fn holds_packed(json: &str) -> bool {
    let bytes = json.as_bytes();
    memchr_iter(b'"', bytes).any(|quote| is_base64(&json[quote..]))
        || memchr_iter(b'[', bytes).any(|bracket| is_bytes(&json[bracket..]))
}

/// Whether JSON begins with a string that is base64 of JSON, gzip or zstd, by its beginning.
pub fn is_base64(json: &str) -> bool {
    let Some(text) = json.strip_prefix('"') else {
        return false;
    };
    let is_known =
        PACKED.iter().any(|begin| text.starts_with(begin)) || text.starts_with("KLUv\\/");
    // A token of three parts with dots between them begins like JSON, too.
    let end = || text.bytes().position(|byte| !is_base64_byte(byte));
    is_known && end().is_some_and(|end| end >= PACKED_BYTES_MIN && text.as_bytes()[end] == b'"')
}

fn is_base64_byte(byte: u8) -> bool {
    // A slash may be escaped.
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\\' | b'-' | b'_')
}

/// Whether JSON begins with a list of numbers that are the bytes of a JSON object: so journald writes what is no
/// plain text.
pub fn is_bytes(json: &str) -> bool {
    let mut at = 0;
    [&b"["[..], b"123", b"34"].iter().all(|wanted| {
        let Some(start) = split::next_value(json.as_bytes(), at) else {
            return false;
        };
        at = start + wanted.len();
        json.as_bytes()[start..].starts_with(wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for text in [
            "auditID",
            "xauditID",
            "AuditId",
            "uditI auditID",
            r#"{\"auditID\":"#,
        ] {
            assert!(names_event(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "uditID",
            "audit-ID",
            "AuditID",
            "auditId",
            "auditI",
            "protoPayload",
        ] {
            assert!(!names_event(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_packed() {
        let packed = "eyJraW5kIjoiRXZlbnQiLCJhcGlWZXJzaW9u";
        for json in [
            format!(r#""{packed}""#),
            format!(r#"{{"a":[{{"b":"{packed}=="}}]}}"#),
            r#"{"data":"KLUv\/QQAAAAAAAAAAAAAAAAAAAAA"}"#.to_owned(),
            r#"{"MESSAGE" : [ 123, 34, 107 ]}"#.to_owned(),
        ] {
            assert!(holds_packed(&json), "{json}");
        }
        for json in [
            format!(r#""{packed}.{packed}.x""#),
            format!(r#""{packed}"#),
            r#"{"a":"eyJrIn0="}"#.to_owned(),
            "[12,34]".to_owned(),
            "[123".to_owned(),
        ] {
            assert!(!holds_packed(&json), "{json}");
        }
    }
}
