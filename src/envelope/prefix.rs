//! The head of a line: what writers put before the event that they log. Syslog's two forms, a time, the name of a
//! node, a tag, the pod and container of `kubectl logs --prefix`, the labels of `logcli` are all of one kind, so one
//! rule knows them.
//!
//! The text behind a head is taken for an event, so the rule guards against texts that only quote one: a line of
//! another log ends with what a user has sent. A head
//!
//! - is at most 512 bytes and 12 words, on the line of the object;
//! - has no quote and no brace, unless in a group that closes (`[...]`, `{name="..."}`) or as the value of a word
//!   (`name="..."`): otherwise the object may be inside JSON, or in a string;
//! - ends with the first word that ends in a colon, which is syslog's tag: the text after it is a message;
//! - is one word, or one of its words has a digit, a bracket or a brace, as times, names of machines and numbers of
//!   processes have: `user said: ` is not a head;
//!
//! and the object behind it begins with a quote and runs to the end of the line.

use memchr::memchr;

const HEAD_BYTES_MAX: usize = 512;

/// RFC 5424 has seven words; its data may have blanks.
const WORDS_MAX: usize = 12;

/// The position of the object on a line with a head; `None` without a valid head.
pub fn end_of_head(line: &[u8]) -> Option<usize> {
    let mut head = Head::default();
    let mut at = 0;
    while at < line.len().min(HEAD_BYTES_MAX) {
        match line[at] {
            b'{' if is_object(&line[at..]) => return head.is_one().then_some(at),
            b'{' | b'[' => at = end_of_group(line, at)?,
            b'"' => return None,
            b'}' | b']' | b'\\' => return None,
            b'=' if line.get(at + 1) == Some(&b'"') => at = end_of_quotes(line, at + 1)?,
            b' ' | b'\t' => {
                head.word(&line[..at]);
                at += 1;
                continue;
            }
            byte => {
                head.has_mark |= byte.is_ascii_digit();
                at += 1;
                head.begin()?;
                continue;
            }
        }
        head.has_mark = true;
        head.begin()?;
    }
    None
}

/// What was seen of a head.
#[derive(Default)]
struct Head {
    words: usize,
    is_in_word: bool,
    /// A word ended in a colon.
    has_tag: bool,
    has_mark: bool,
}

impl Head {
    /// A byte of a word. Nothing where there can be none.
    fn begin(&mut self) -> Option<()> {
        self.words += usize::from(!self.is_in_word);
        self.is_in_word = true;
        (!self.has_tag && self.words <= WORDS_MAX).then_some(())
    }

    /// A word ended, if there was one.
    fn word(&mut self, before: &[u8]) {
        self.has_tag |= std::mem::take(&mut self.is_in_word) && before.ends_with(b":");
    }

    fn is_one(&self) -> bool {
        self.words == 1 || (self.words > 1 && self.has_mark)
    }
}

/// Whether an object begins here, and not a group of labels.
fn is_object(line: &[u8]) -> bool {
    let rest = line[1..].trim_ascii_start();
    rest.starts_with(b"\"")
}

/// Behind the bracket or brace that closes the group at `start`. Groups have no groups in them.
fn end_of_group(line: &[u8], start: usize) -> Option<usize> {
    let close = if line[start] == b'[' { b']' } else { b'}' };
    let mut at = start + 1;
    loop {
        match *line.get(at).filter(|_| at < HEAD_BYTES_MAX)? {
            byte if byte == close => return Some(at + 1),
            b'{' | b'}' | b'[' | b']' | b'\\' => return None,
            b'"' if line[at - 1] == b'=' => at = end_of_quotes(line, at)?,
            b'"' => return None,
            _ => at += 1,
        }
    }
}

/// Behind the string whose opening quote is at `start`. Nothing escaped is in it.
fn end_of_quotes(line: &[u8], start: usize) -> Option<usize> {
    let rest = &line[start + 1..line.len().min(HEAD_BYTES_MAX)];
    let end = memchr(b'"', rest)?;
    let is_plain = !rest[..end]
        .iter()
        .any(|byte| matches!(byte, b'\\' | b'{' | b'}'));
    is_plain.then_some(start + 1 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        for head in [
            "",
            "control-plane-0.ocp.example ",
            "audit ",
            "audit:",
            "kube-audit\t",
            "2026-11-28T09:00:00.004000Z ",
            "2026-11-28 09:00:00.004 +0000 kube.audit: ",
            "[2026-11-28 09:00:00] ",
            "[pod/kube-apiserver-cp-1/kube-apiserver] ",
            "[pod/kube-apiserver-cp-1/kube-apiserver] 2026-11-28T09:00:00Z ",
            "kube-apiserver-cp-1 kube-apiserver ",
            "kube-apiserver-1  | ",
            "2026-11-28T09:00:00.004Z stdout F ",
            "<133>Nov 28 09:00:00 cp-1.example k8s-audit: ",
            "<133>Nov  8 09:00:00 cp-1.example kube-apiserver[12]: ",
            "Nov 28 09:00:00 cp audit:",
            "<165>1 2026-11-28T09:00:00.003Z cp-1 audit 12 ID47 - ",
            "<165>1 2026-11-28T09:00:00.003Z cp-1 audit - - [x@32473 iut=\"3\" by=\"a b\"][y@1 a=\"\"] ",
            "<165>1 2026-11-28T09:00:00.003Z cp-1 audit 12 ID47 - \u{feff}",
            "2026-11-28T09:00:00Z {job=\"audit\", pod=\"x\"} ",
            "time=\"2026-11-28T09:00:00Z\" stream=stdout ",
        ] {
            let line = format!("{head}{{\"a\":1}}");
            let expected = Some(head.len()).filter(|_| !head.is_empty());
            assert_eq!(end_of_head(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn texts_that_quote_an_object_are_none() {
        for head in [
            "user said: ",
            "a b ",
            "x: said ",
            "May  1 12:00:00 m0 sshd[1]: Invalid user ",
            "E1128 09:00:00.123456       1 x.go:1] bad ",
            "2026/11/28 09:00:00 http: panic ",
            "time=\"2026-11-28T09:00:00Z\" msg=\"user ",
            "\"log\": ",
            "{\"log\": ",
            "},\"a\":",
            "ps\",\"a\":",
            "1 [a, {x} ",
            "1 [",
            "1 \\",
            "1 2 3 4 5 6 7 8 9 10 11 12 13 ",
            &"x".repeat(513),
        ] {
            let line = format!("{head}{{\"auditID\":\"1\"}}");
            assert_eq!(end_of_head(line.as_bytes()), None, "{line}");
        }
        for line in [
            "",
            "no object",
            "1 {",
            "1 {a}",
            "1 {\\\"auditID\\\":1}",
            "1 [",
            "1 x=\"y",
        ] {
            assert_eq!(end_of_head(line.as_bytes()), None, "{line}");
        }
    }
}
