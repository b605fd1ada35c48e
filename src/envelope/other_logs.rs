//! Logs that share a topic with audit events: known well enough not to be taken for broken ones.
//!
//! Text that names an event, or looks like a part of one, is never classified so: it has to be reported.

use memchr::memmem;

use super::encodings::next_document;
use super::fields::Fields;
use super::holds::{may_hold, names_event};
use super::split_lines::is_tail;

/// Months as syslog writes them.
const MONTHS: [&[u8]; 12] = [
    b"Jan ", b"Feb ", b"Mar ", b"Apr ", b"May ", b"Jun ", b"Jul ", b"Aug ", b"Sep ", b"Oct ",
    b"Nov ", b"Dec ",
];

/// Whether a line of text is plainly of another log: klog (components of Kubernetes), auditd,
/// logfmt (the authenticator of EKS), or a line that begins with its time (OVN, syslog).
///
/// A possible part of an audit event, or one in the legacy form, is not another log: it has to be reported.
pub fn is_other_line(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    if names_event(line) || memmem::find(line, b" AUDIT: ").is_some() || is_tail(line) {
        return false;
    }
    let is_auditd = (line.starts_with(b"type=") || line.starts_with(b"node="))
        && memmem::find(line, b" msg=audit(").is_some();
    is_auditd
        || matches!(line.first(), Some(b'I' | b'W' | b'E' | b'F'))
            && is_like(&line[1..], "0000 00:00:00")
        || [&b"time=\""[..], b"level=", b"ts=2"]
            .iter()
            .any(|start| line.starts_with(start))
        || is_like(line, "0000-00-00T00:00:0")
        || is_like(line, "0000-00-00 00:00:0")
        || is_like(line, "0000/00/00 00:00:0")
        || MONTHS.iter().any(|month| line.starts_with(month))
            && line
                .get(6..)
                .is_some_and(|rest| is_like(rest, " 00:00:00 "))
}

/// Whether the output of a container is plain text, which is no event in any form.
pub fn is_text(line: &[u8]) -> bool {
    let is_packed = |line: &[u8]| line.starts_with(b"H4sI");
    let begin = next_document(line, 0).map(|at| &line[at..]);
    let is_other = |begin: &[u8]| !matches!(begin[0], b'{' | b'[' | b'"') && !is_packed(begin);
    !may_hold(line) && begin.is_none_or(is_other)
}

/// Whether `line` begins like `pattern`, in which 0 matches any digit.
fn is_like(line: &[u8], pattern: &str) -> bool {
    line.len() >= pattern.len()
        && pattern
            .bytes()
            .zip(line)
            .all(|(wanted, byte)| match wanted {
                b'0' => byte.is_ascii_digit(),
                wanted => wanted == *byte,
            })
}

/// Whether an object that holds no audit event is plainly a record of another log: an Event of the
/// core group or of `events.k8s.io`, what OpenShift forwards of other sources, a log entry of
/// Google's without an audit payload, or a structured line of a component (zap, klog, logrus).
///
/// Nothing in it may name an event.
pub fn is_other_record(fields: &Fields) -> bool {
    let api_version = fields.text("apiVersion").unwrap_or_default();
    let is_core_event = fields.text("kind").is_some_and(|kind| kind == "Event")
        && (api_version == "v1" || api_version.starts_with("events.k8s.io/"));
    let source = fields.text("log_source").unwrap_or_default();
    let is_forwarded = fields.text("log_type").is_some_and(|kind| kind != "audit")
        || matches!(&*source, "auditd" | "ovn");
    let is_google =
        fields.has("logName") && (fields.has("textPayload") || fields.has("jsonPayload"));
    let is_line = fields.has("msg")
        && ["ts", "caller", "time", "level"]
            .iter()
            .any(|name| fields.has(name));
    is_core_event || is_forwarded || is_google || is_line
}

/// Whether the record names another component: Azure's category, CloudWatch's stream, and the first message of a
/// subscription, which is a test. Nothing in it may name an event.
pub fn is_other_source(fields: &Fields) -> bool {
    let is_azure = fields.has("properties") || fields.has("log_s");
    let category = fields.any_text(&["category", "Category"]);
    let is_other = |text: &str, own: &str| !text.starts_with(own);
    is_azure && category.is_some_and(|category| is_other(&category, "kube-audit"))
        || fields
            .text("logStreamName")
            .is_some_and(|stream| is_other(&stream, "kube-apiserver-audit"))
        || fields
            .text("messageType")
            .is_some_and(|kind| kind == "CONTROL_MESSAGE")
}

#[cfg(test)]
mod tests {
    use super::is_other_line;

    #[test]
    fn lines() {
        for other in [
            "I0424 12:00:00.123456       1 controller.go:611] quota admission added evaluator",
            "type=SYSCALL msg=audit(1611152521.123:456): arch=c000003e syscall=59",
            "node=m0 type=EXECVE msg=audit(1611152521.123:457): argc=3",
            "time=\"2024-05-01T12:00:00Z\" level=info msg=\"access granted\"",
            "2024-05-01T12:00:00.123Z|00004|acl_log(ovn_pinctrl0)|INFO|name=x",
            "2024/05/01 12:00:00 http: TLS handshake error",
            "May  1 12:00:00 m0 sshd[1]: Accepted publickey",
        ] {
            assert!(is_other_line(other.as_bytes()), "{other}");
        }
        for ours in [
            "",
            "I",
            "May",
            "May x",
            "klog text",
            "name\":\"web\",\"auditID\":\"1\"",
            "2017-11-23T06:15:04.239741Z AUDIT: id=\"1\" ip=\"10.0.0.1\" method=\"DELETE\"",
            "ports\":[{\"containerPort\":80}]}}",
            "2026-11-28T09:00:00.004000001Z stdout F },\"spec\":{\"containers\":[]}}",
            "May  1 12:00:00 m0 audit: ps\",\"ready\":true}}",
            "I0424 12:00:00.123456       1 x.go:1] \"Timeout\" auditID=\"1\"",
        ] {
            assert!(!is_other_line(ours.as_bytes()), "{ours}");
        }
    }
}
