//! Heads before the events, events that are torn, and lines that are split.

use serde_json::json;

use super::Expected::{Life, Rejected};
use super::{Form, Source, expect, life};

const TIME: &str = "2026-11-28T09:00:00.004000000Z";
const KLOG: &str =
    "I1128 09:00:00.123456       1 controller.go:611] quota admission added evaluator";

pub fn forms(source: &Source) -> Vec<Form> {
    let mut forms = heads(source);
    forms.extend(between(source));
    forms.extend(of_the_cri(source));
    forms.extend(of_docker(source));
    forms
}

fn heads(source: &Source) -> Vec<Form> {
    let heads = [
        ("oc adm node-logs", "control-plane-0.ocp.example "),
        ("a time", "2026-11-28T09:00:00.004Z "),
        ("a time in brackets", "[2026-11-28 09:00:00,004] "),
        ("a tag", "kube-audit\t"),
        ("a tag and a colon", "audit: "),
        (
            "a time, a zone and a tag",
            "2026-11-28 09:00:00.004 +0000 kube.audit: ",
        ),
        ("fluentd's files", "2026-11-28T09:00:00+00:00\tkube.audit\t"),
        (
            "syslog of BSD",
            "<133>Nov 28 09:00:00 cp-1.example k8s-audit: ",
        ),
        (
            "syslog of BSD, of a process",
            "Nov  8 09:00:00 cp-1 kube-apiserver[1234]: ",
        ),
        (
            "syslog of RFC 5424",
            "<165>1 2026-11-28T09:00:00.003Z cp-1.example audit 123 ID47 - ",
        ),
        (
            "syslog of RFC 5424 with data",
            "<165>1 2026-11-28T09:00:00.003Z cp-1 audit - - [a@32473 iut=\"3\" by=\"x y\"][b@1 c=\"\"] ",
        ),
        (
            "syslog with a count of bytes and a mark",
            "9999 <165>1 2026-11-28T09:00:00Z cp-1 audit - - - \u{feff}",
        ),
        (
            "kubectl logs --prefix",
            "[pod/kube-apiserver-cp-1/kube-apiserver] ",
        ),
        (
            "kubectl logs --prefix --timestamps",
            "[pod/kube-apiserver-cp-1/kube-apiserver] 2026-11-28T09:00:00Z ",
        ),
        ("stern", "kube-apiserver-cp-1 kube-apiserver "),
        ("docker compose", "kube-apiserver-1  | "),
        ("logcli", "2026-11-28T09:00:00Z {job=\"audit\", pod=\"x\"} "),
        (
            "a node, a file and what grep says",
            "cp-1:/var/log/audit.log:12:",
        ),
    ];
    let with = |(name, head): (&'static str, &str)| {
        life(name, source.lines(|event| format!("{head}{event}")))
    };
    let mut forms: Vec<Form> = heads.map(with).into();
    let syslog = "<133>Nov 28 09:00:00 cp-1.example k8s-audit: ";
    forms.push(life(
        "a head in a member",
        source.lines(|event| json!({"date": 1.5, "log": format!("{syslog}{event}")}).to_string()),
    ));
    forms.push(life(
        "a head before a wrapper",
        source.lines(|event| format!("{syslog}{}", json!({"log": event}))),
    ));
    forms
}

/// What stands between events, or does not.
fn between(source: &Source) -> Vec<Form> {
    let (events, bare) = (&source.events, source.lines(str::to_owned));
    let torn = &events[1][..events[1].len() / 2];
    let torn_lines = |head: &str| {
        source.lines(|event| match event == events[2] {
            true => format!("{head}{torn}{event}"),
            false => format!("{head}{event}"),
        })
    };
    vec![
        life("a byte order mark before", format!("\u{feff}{bare}")),
        life(
            "a byte order mark before each",
            source.lines(|event| format!("\u{feff}{event}")),
        ),
        life("zeros before", [&[0; 4096], bare.as_bytes()].concat()),
        life(
            "zeros between",
            source.lines(|event| format!("\0\0\0{event}\0")),
        ),
        life(
            "separators of RFC 7464",
            source.lines(|event| format!("\u{1e}{event}")),
        ),
        expect(
            "half an event before a whole one",
            torn_lines(""),
            Rejected(1, "cut off"),
        ),
        expect(
            "the same behind heads",
            torn_lines("cp-1 "),
            Rejected(1, "cut off"),
        ),
        expect(
            "the second half of a line",
            format!("{}\n{bare}", &events[0][1000..]),
            Rejected(1, "half of a split line"),
        ),
    ]
}

/// Pieces of a text, and whether each is the last.
fn pieces(text: &str, bytes: usize) -> Vec<(String, bool)> {
    let pieces = text.as_bytes().chunks(bytes);
    let last = pieces.len() - 1;
    let piece = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("ASCII");
    pieces
        .enumerate()
        .map(|(number, bytes)| (piece(bytes), number == last))
        .collect()
}

fn cri(event: &str, stream: &str, bytes: usize) -> Vec<String> {
    let line = |(text, is_last): (String, bool)| {
        format!("{TIME} {stream} {} {text}", if is_last { "F" } else { "P" })
    };
    pieces(event, bytes).into_iter().map(line).collect()
}

fn of_the_cri(source: &Source) -> Vec<Form> {
    let split = |stream, bytes| move |event: &str| cri(event, stream, bytes).join("\n");
    let klog = format!("\n{TIME} stderr F {KLOG}\n");
    let lines: Vec<String> = source
        .events
        .iter()
        .flat_map(|event| cri(event, "stdout", 700))
        .collect();
    let without_first = lines[1..].join("\n");
    let without_last = lines[..lines.len() - 1].join("\n");
    vec![
        life("lines of the CRI", source.lines(split("stdout", 1 << 20))),
        life(
            "a line of the CRI in a member",
            source.lines(|event| json!({"log": cri(event, "stdout", 1 << 20)[0]}).to_string()),
        ),
        life("split lines of the CRI", source.lines(split("stdout", 700))),
        life(
            "lines of the CRI in many pieces",
            source.lines(split("stdout", 7)),
        ),
        expect(
            "split lines of the CRI among others",
            source.lines(|event| cri(event, "stdout", 700).join(&klog)),
            Life(lines.len() - 5),
        ),
        expect(
            "the first piece is missing",
            without_first,
            Rejected(1, "half of a split line"),
        ),
        expect(
            "the last piece is missing",
            without_last,
            Rejected(1, "half of a split line"),
        ),
    ]
}

fn of_docker(source: &Source) -> Vec<Form> {
    let record = |text: &str| json!({"log": text, "stream": "stdout", "time": TIME}).to_string();
    let split = |event: &str| -> Vec<String> {
        let texts = pieces(event, 700).into_iter();
        texts
            .map(|(text, is_last)| record(&(text + if is_last { "\n" } else { "" })))
            .collect()
    };
    let tagged = |event: &str| -> Vec<String> {
        let record = |(text, is_last): (String, bool)| {
            let tag = if is_last { "F" } else { "P" };
            json!({"time": TIME, "stream": "stdout", "logtag": tag, "log": text}).to_string()
        };
        pieces(event, 700).into_iter().map(record).collect()
    };
    let partial = |event: &str| -> Vec<String> {
        let record = |(text, is_last): (String, bool)| {
            let last = is_last.to_string();
            json!({"date": 1.5, "stream": "stdout", "container_id": "c", "partial_message": "true",
                "partial_last": last, "log": text})
            .to_string()
        };
        pieces(event, 700).into_iter().map(record).collect()
    };
    let lines: Vec<String> = source
        .events
        .iter()
        .flat_map(|event| split(event))
        .collect();
    let first = split(source.events[0]).len();
    let two = |event: &str| {
        let other = KLOG.to_owned() + "\n";
        let other = json!({"log": other, "stream": "stderr", "time": TIME}).to_string();
        split(event).join(&format!("\n{other}\n"))
    };
    vec![
        life(
            "docker's files",
            source.lines(|event| record(&format!("{event}\n"))),
        ),
        life("docker's files without ends of lines", source.lines(record)),
        life("docker's split lines", lines.join("\n")),
        life(
            "docker's split lines in an array",
            format!("[{}]", lines.join(",")),
        ),
        life(
            "Fluent Bit's pieces",
            source.lines(|event| tagged(event).join("\n")),
        ),
        life(
            "Fluentd's pieces of docker",
            source.lines(|event| partial(event).join("\n")),
        ),
        expect(
            "docker's split lines among others",
            source.lines(two),
            Life(lines.len() - 5),
        ),
        expect(
            "docker's first piece is missing",
            lines[1..].join("\n"),
            Rejected(first - 1, "half of a split line"),
        ),
        expect(
            "docker's last piece is missing",
            lines[..lines.len() - 1].join("\n"),
            Rejected(1, "half of a split line"),
        ),
    ]
}
