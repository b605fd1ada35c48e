//! `bygone logs` and `/api/v1/logs`: the lines of the recording's containers, out of real stores.
//!
//! `written` makes lines for every instance of recording-a; each store's file writes them there as an agent would, with
//! more or less of what tells instances apart, and asks for them.

mod check;
mod clickhouse;
mod elastic;
mod follow;
mod grep;
mod kubectl;
mod links;
mod loki;
mod long;
mod otelcol;
mod reasons;
mod relay;
mod search;
mod server;
mod tokens;
mod victorialogs;
mod written;

use serde_json::Value;

use crate::support::{self, Bygone};
use written::{Instance, Line, Told};

/// Values with everything in them that query languages give a meaning.
const HOSTILE: [&str; 6] = [
    r#"a"} or {b=""#,
    r"back\slash",
    "new\nline\n| drop",
    "{}|`'#()*",
    "grün 💥",
    r#"\" or ""#,
];

/// What the API answered.
struct Answer {
    status: u16,
    lines: Vec<Value>,
    end: Value,
}

fn ask(bygone: &Bygone, query: &[(&str, &str)]) -> Answer {
    support::block_on(async {
        let url = format!("{}/api/v1/logs", bygone.api);
        let request = support::client().get(url).query(query);
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let text = support::text_of(response).await;
        let mut lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let end = lines.pop().unwrap_or_default();
        Answer { status, lines, end }
    })
}

/// Asks for every instance that lines were written of, and compares. Where an identity can't tell instances apart, lines
/// at a border may be a neighbour's, if the answer says so; all others must be exactly those of the instance.
fn check_all(bygone: &Bygone, written: &[Line], told: Told) -> Counts {
    check_some(bygone, written::instances(written), written, told)
}

/// The same of some instances.
fn check_some(bygone: &Bygone, asked: Vec<Instance>, written: &[Line], told: Told) -> Counts {
    let mut counts = Counts::default();
    for instance in asked {
        let restart = instance.restart.to_string();
        let query = [
            ("uid", &*instance.uid),
            ("container", &*instance.container),
            ("instance", &*restart),
        ];
        let answer = ask(bygone, &query);
        assert_eq!(answer.status, 200, "{}", answer.end);
        let part = &answer.end["end"]["summary"]["parts"][0];
        assert_eq!(
            part["identity"],
            told.identity(),
            "{instance:?}: {}",
            answer.end
        );
        let expected: Vec<&str> = written
            .iter()
            .filter(|line| line.instance == instance)
            .map(|line| &*line.text)
            .collect();
        let times = answer.lines.iter().map(|line| {
            let at = line["at"].as_str().expect("a time");
            at.parse::<jiff::Timestamp>().expect("a time")
        });
        assert!(times.is_sorted(), "{instance:?}");
        let given = answer.lines.iter();
        let mut given: Vec<&str> = given
            .map(|line| line["line"].as_str().expect("text"))
            .collect();
        // Lines of one instant have no order.
        given.sort_unstable();
        counts.instances += 1;
        counts.lines += given.len();
        if given == expected {
            continue;
        }
        counts.blurred += 1;
        let uncertain = part["uncertain"].to_string();
        assert!(
            uncertain.contains("border"),
            "{instance:?} {given:?} {expected:?} {part}"
        );
        let foreign = given.iter().filter(|line| !expected.contains(line));
        for line in foreign {
            let of = written.iter().find(|other| other.text == **line);
            let of = &of.expect("a line that was written").instance;
            assert_eq!(
                (&of.namespace, &of.pod, &of.container),
                (&instance.namespace, &instance.pod, &instance.container),
                "{line}"
            );
        }
    }
    counts
}

/// What was compared.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    instances: usize,
    lines: usize,
    /// Instances at whose borders lines were not told apart, and the answer said so.
    blurred: usize,
}
