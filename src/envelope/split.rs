//! Finds the borders of JSON values by brackets and quotes alone, without judging the rest.

use memchr::{memchr, memchr2, memmem};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// How many bytes of an item's beginning the next one is looked for by.
const LIKENESS_BYTES: usize = 9;

/// What an escape in a string reads behind its backslash and letter.
const ESCAPE_BYTES_MAX: usize = 4;

/// The first byte at or behind `at` that is neither white space nor a comma.
pub fn next_value(body: &[u8], at: usize) -> Option<usize> {
    let rest = body.get(at..)?;
    let skipped = rest
        .iter()
        .position(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b','))?;
    Some(at + skipped)
}

/// The end of the value at `start`; `None` when its brackets or quotes do not close.
pub fn end_of(body: &[u8], start: usize) -> Option<usize> {
    let mut open: Vec<u8> = Vec::new();
    let mut at = start;
    while let Some(&byte) = body.get(at) {
        match byte {
            b'"' => at = end_of_string(body, at)? - 1,
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            b'}' | b']' if open.last() == Some(&byte) => {
                open.pop();
            }
            b'}' | b']' if open.is_empty() => return (at > start).then_some(at),
            b'}' | b']' => return None,
            b',' | b' ' | b'\t' | b'\r' | b'\n' if open.is_empty() => return Some(at),
            _ => {}
        }
        at += 1;
        if open.is_empty() && matches!(byte, b'"' | b'}' | b']') {
            return Some(at);
        }
    }
    (open.is_empty() && at > start).then_some(at)
}

/// The byte behind the string whose opening quote is at `start`.
fn end_of_string(body: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr2(b'"', b'\\', body.get(at..)?)?;
        if body[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Behind the `[` of the member `items` of the object at `start`, where it has one.
pub fn items_of(body: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at = next_value(body, at)?;
        if body[at] != b'"' {
            return None;
        }
        let key = at..end_of_string(body, at)?;
        at = next_value(body, key.end)?;
        if body[at] != b':' {
            return None;
        }
        at = next_value(body, at + 1)?;
        if &body[key] == b"\"items\"" {
            return (body[at] == b'[').then_some(at + 1);
        }
        at = end_of(body, at)?;
    }
}

/// Behind the rest of the object whose member ended at `at`.
pub fn behind_document(body: &[u8], mut at: usize) -> usize {
    while let Some(next) = next_value(body, at) {
        match body[next] {
            b'}' => return next + 1,
            // The next document: this one was an array by itself.
            b'{' | b'[' => return next,
            // A member after the list: its value is not a document of its own.
            b':' => match next_value(body, next + 1).and_then(|value| end_of(body, value)) {
                Some(end) => at = end,
                None => break,
            },
            _ => match end_of(body, next) {
                Some(end) => at = end,
                None => break,
            },
        }
    }
    body.len()
}

/// Whether the text that ends at `end` was a member or an item of an unfinished value: then it is not a document.
pub fn goes_on(body: &[u8], end: usize) -> bool {
    let rest = body[end..].trim_ascii_start();
    match rest.first() {
        Some(b',') => rest[1..].trim_ascii_start().starts_with(b"\""),
        next => matches!(next, Some(b'}' | b']' | b':')),
    }
}

/// Where the document at the beginning of `text` ends and another begins in its midst, as if its writer had died
/// while it wrote a line and another went on behind it.
///
/// Text where a value is allowed is a part of the document, whatever it looks like: the author of an object may put
/// an event into it. A torn document shows by a violation of JSON's grammar, which a text of a user's, once it was
/// written as JSON, can't make: it lies where the other begins, or, if the text broke off in a string, behind the quote
/// of that one's first key, which closes the string.
pub fn torn(text: &[u8]) -> Option<usize> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let error = IgnoredAny::deserialize(&mut json).err()?;
    let violation = json.into_iter::<IgnoredAny>().byte_offset();
    let is_text = text.get(violation).is_some_and(|byte| *byte >= b' ');
    if !error.is_syntax() || !is_text {
        return None;
    }
    (violation.saturating_sub(ESCAPE_BYTES_MAX).max(1)..=violation)
        .rev()
        .find(|at| text[*at..].starts_with(b"{\""))
}

/// The beginning of the next line.
pub fn next_line(body: &[u8], at: usize) -> Option<usize> {
    memchr(b'\n', &body[at..]).map(|found| at + found + 1)
}

/// The next place behind `at` that reads, after a comma, like the value at `first`.
pub fn next_like(body: &[u8], first: usize, at: usize) -> Option<usize> {
    let mut needle = vec![b','];
    needle.extend(body[first..].iter().take(LIKENESS_BYTES));
    memmem::find(&body[at + 1..], &needle).map(|found| at + 1 + found + 1)
}

#[cfg(test)]
mod tests {
    use super::torn;

    /// Wherever an event breaks off, another one behind it is found, unless it may be a part of the first.
    #[test]
    fn torn_anywhere() {
        let event = r#"{"auditID":"1\n\u00e4","code":200,"a":{"b":[true,null,-1.5e3]},"c":""}"#;
        for cut in 1..event.len() {
            let text = format!("{}{event}", &event[..cut]);
            let may_be_a_value = event[..cut].ends_with([':', '['])
                || event[..cut].ends_with(r#"[true,"#)
                || event[..cut].ends_with("null,");
            let expected = (!may_be_a_value).then_some(cut);
            assert_eq!(torn(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_may_be_a_part_is_not_torn() {
        for text in [
            r#"{"a":{"auditID":"1"}}"#,
            r#"{"a":{"auditID":"1"}"#,
            r#"{"a":"{\"auditID\":\"1\"}","b":"#,
            r#"{"a":[{"auditID":"1"}"#,
            "{\"a\":\"b{\"\n",
            "{\"a\":{\"\n",
        ] {
            assert_eq!(torn(text.as_bytes()), None, "{text}");
        }
    }
}
