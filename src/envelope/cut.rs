//! The head of an audit event whose end was cut off.
//!
//! AKS cuts `properties.log` at 16 KiB, CloudWatch a message at 256 KiB. What is complete before
//! the cut is kept and the rest dropped: whole members of the event, of its `responseObject`, and of
//! that one's `status`. Nothing else is kept in part: labels, owners or finalizers that were cut off
//! would read as if there were none.

use super::split;

/// What CloudWatch writes where it cut.
const CUT_MARK: &[u8] = b"[Truncated...]";

/// Members that may be kept in part, one inside of the other.
const PATH: &[&[u8]] = &[b"\"responseObject\"", b"\"status\""];

/// Closes an event that breaks off. Its last member is the time of the stage, so a cut event has
/// none; `time`, when the wrapper was made, takes its place.
///
/// `None` where the text is not an object, or is not cut off.
pub fn close(text: &[u8], time: Option<&str>) -> Option<Vec<u8>> {
    let text = text.trim_ascii_end();
    let text = text.strip_suffix(CUT_MARK).unwrap_or(text);
    let start = split::next_value(text, 0).filter(|start| text[*start] == b'{')?;
    let mut closed = Vec::new();
    let mut keys = Vec::new();
    if !close_object(text, start, PATH, &mut keys, &mut closed) {
        return None;
    }
    let has_time = keys.iter().any(|key| *key == b"\"stageTimestamp\"");
    if let Some(time) = time.filter(|_| !has_time) {
        closed.pop();
        if !keys.is_empty() {
            closed.push(b',');
        }
        closed.extend_from_slice(format!("\"stageTimestamp\":\"{time}\"}}").as_bytes());
    }
    Some(closed)
}

/// Writes the object at `start` with those of its members that are whole, and collects their keys.
/// Returns whether it breaks off.
fn close_object<'a>(
    text: &'a [u8],
    start: usize,
    path: &[&[u8]],
    keys: &mut Vec<&'a [u8]>,
    closed: &mut Vec<u8>,
) -> bool {
    closed.push(b'{');
    let mut at = start + 1;
    while let Some(member) = Member::at(text, at) {
        let Some(end) = member.end else {
            let part = path.split_first().filter(|(name, _)| **name == member.key);
            if let Some((_, path)) = part.filter(|_| text[member.value] == b'{') {
                begin_member(closed, member.key);
                close_object(text, member.value, path, &mut Vec::new(), closed);
            }
            closed.push(b'}');
            return true;
        };
        begin_member(closed, member.key);
        closed.extend_from_slice(&text[member.value..end]);
        keys.push(member.key);
        at = end;
    }
    closed.push(b'}');
    // The object is whole if its bracket follows.
    split::next_value(text, at).is_none_or(|next| text[next] != b'}')
}

fn begin_member(closed: &mut Vec<u8>, key: &[u8]) {
    if closed.last() != Some(&b'{') {
        closed.push(b',');
    }
    closed.extend_from_slice(key);
    closed.push(b':');
}

struct Member<'a> {
    /// With its quotes.
    key: &'a [u8],
    value: usize,
    /// Where the value ends, unless it breaks off.
    end: Option<usize>,
}

impl<'a> Member<'a> {
    fn at(text: &'a [u8], at: usize) -> Option<Member<'a>> {
        let start = split::next_value(text, at).filter(|start| text[*start] == b'"')?;
        let end = split::end_of(text, start)?;
        let colon = split::next_value(text, end).filter(|colon| text[*colon] == b':')?;
        let value = split::next_value(text, colon + 1)?;
        // A number at the very end may lack digits.
        let is_closed = matches!(text[value], b'{' | b'[' | b'"');
        let value_end = split::end_of(text, value).filter(|end| is_closed || *end < text.len());
        Some(Member {
            key: &text[start..end],
            value,
            end: value_end,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::close;

    const WHOLE: &str = r#"{"auditID":"1","verb":"patch","responseStatus":{"metadata":{},"code":200},"requestObject":{"a":[1,2]},"n":123,"responseObject":{"kind":"Pod","metadata":{"name":"web","uid":"7"},"spec":{"nodeName":"n"},"status":{"phase":"Running","conditions":[{}],"podIP":"10.0.0.1","observedGeneration":17}},"stageTimestamp":"t"}"#;

    /// Wherever it is cut, what is kept is JSON, and no member has another value than before.
    #[test]
    fn every_cut() {
        let whole: serde_json::Value = serde_json::from_str(WHOLE).unwrap();
        for cut in 1..WHOLE.len() {
            for mark in ["", "[Truncated...]"] {
                let text = format!("{}{mark}", &WHOLE[..cut]);
                let closed = close(text.as_bytes(), None).unwrap();
                let closed: serde_json::Value = serde_json::from_slice(&closed).unwrap();
                is_part(&closed, &whole, &["responseObject", "status"]);
            }
        }
        assert_eq!(close(WHOLE.as_bytes(), None), None);
        assert_eq!(close(b"[1", None), None);
    }

    fn is_part(part: &serde_json::Value, whole: &serde_json::Value, path: &[&str]) {
        for (key, value) in part.as_object().unwrap() {
            match path
                .split_first()
                .filter(|(name, _)| **name == key.as_str())
            {
                Some((_, path)) => is_part(value, &whole[key], path),
                None => assert_eq!(value, &whole[key], "{key}"),
            }
        }
    }

    #[test]
    fn what_is_kept() {
        let cut = WHOLE.find("podIP").unwrap();
        let closed = close(&WHOLE.as_bytes()[..cut], Some("T")).unwrap();
        let status = r#""status":{"phase":"Running","conditions":[{}]}},"stageTimestamp":"T"}"#;
        let closed = String::from_utf8(closed).unwrap();
        assert!(closed.ends_with(status), "{closed}");
        let cut = WHOLE.find(r#"code":200"#).unwrap() + 8;
        let closed = close(&WHOLE.as_bytes()[..cut], Some("T")).unwrap();
        assert_eq!(
            String::from_utf8(closed).unwrap(),
            r#"{"auditID":"1","verb":"patch","stageTimestamp":"T"}"#
        );
    }
}
