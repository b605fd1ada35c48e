//! Habits: what becomes of each flag that `kubectl logs` documents.

use std::collections::BTreeSet;

use super::clickhouse;
use crate::kubectl::KUBECTL;
use crate::support::{BYGONE, plain, run, stderr, stdout};

/// What `bygone logs` does with a flag.
enum Does {
    /// Shows the lines with these numbers: every instance has six.
    Shows(&'static [&'static str]),
    /// Is refused with this sentence.
    Refuses(&'static str),
}

use Does::{Refuses, Shows};

const ALL: &[&str] = &["0", "1", "2", "3", "4", "5"];

const BOTH: &[&str] = &["0", "0", "1", "1", "2", "2", "3", "3", "4", "4", "5", "5"];

/// The flag as kubectl's help has it, arguments with it, and what they do.
const HABITS: &[(&str, &str, Does)] = &[
    (
        "--all-containers",
        "web-0 --all-containers=true",
        Shows(BOTH),
    ),
    (
        "--all-pods",
        "sts/web -c db --all-pods --since-time 2026-11-23T06:00:00Z --head 1",
        Shows(&["[pod/web-0/db] 0"]),
    ),
    ("--container", "-c db web-0", Shows(ALL)),
    ("--follow", "web-0 -c db --follow", Shows(ALL)),
    ("--follow", "web-0 -c db -f=false", Shows(ALL)),
    (
        "--ignore-errors",
        "web-0 -f --ignore-errors=true",
        Refuses(
            "--ignore-errors: lines that a store does not give would be missing without a word",
        ),
    ),
    (
        "--insecure-skip-tls-verify-backend",
        "web-0 --insecure-skip-tls-verify-backend",
        Refuses("--insecure-skip-tls-verify-backend: bygone asks no kubelet"),
    ),
    ("--limit-bytes", "web-0 -c db --limit-bytes 0", Shows(ALL)),
    (
        "--max-log-requests",
        "web-0 -c db --max-log-requests=9 -f",
        Shows(ALL),
    ),
    (
        "--pod-running-timeout",
        "web-0 --pod-running-timeout=20s",
        Refuses("--pod-running-timeout: bygone does not wait for pods to start: use --follow"),
    ),
    (
        "--prefix",
        "web-0 -c db --prefix --tail=1",
        Shows(&["[pod/web-0/db] 5"]),
    ),
    ("--previous", "web-0 -c db -p=false", Shows(ALL)),
    ("--previous", "-p -c db web-0", Shows(&[])),
    ("--selector", "-l app=no-such", Shows(&[])),
    ("--since", "web-0 --since=1s", Shows(&[])),
    (
        "--since-time",
        "web-0 --since-time=2026-11-23T06:20:00Z",
        Shows(&[]),
    ),
    ("--tail", "web-0 -c db --tail=2", Shows(&["4", "5"])),
    ("--tail", "web-0 -c db --tail -1", Shows(ALL)),
    ("--timestamps", "web-0 -c db --timestamps=false", Shows(ALL)),
    // The older form, with the container behind the pod.
    ("", "web-0 db", Shows(ALL)),
    ("", "pod/web-0 no-such", Shows(&[])),
    ("", "web-0 db -c db", Refuses("cannot be used with")),
];

/// The flags of its own that a kubectl documents.
fn documented() -> BTreeSet<String> {
    let help = stdout(&run(plain(&KUBECTL).args(["logs", "--help"])));
    let flags = help.lines().map(str::trim_start);
    let flags = flags.filter(|line| line.starts_with('-') && line.ends_with(':'));
    let names = flags.filter_map(|line| {
        let begin = line.find("--")?;
        Some(line[begin..].split(['=', ':']).next()?.to_owned())
    });
    names.collect()
}

#[test]
fn every_flag_of_kubectl_is_understood_or_refused_with_a_sentence() {
    let known: BTreeSet<String> = HABITS.iter().map(|(flag, ..)| (*flag).to_owned()).collect();
    let documented = documented();
    let unknown: Vec<_> = documented.difference(&known).collect();
    assert!(
        documented.len() > 10 && unknown.is_empty(),
        "{unknown:?} of {documented:?}"
    );
}

#[test]
fn what_each_of_them_does() {
    let bygone = &clickhouse::strongest().bygone;
    for (_, args, does) in HABITS {
        let mut command = plain(BYGONE);
        command.args(["logs", "-n", "statefulset-38e", "--server", &bygone.api]);
        let output = run(command.args(args.split(' ')));
        let (code, out, said) = (output.status.code(), stdout(&output), stderr(&output));
        match does {
            Refuses(sentence) => {
                assert_eq!((code, &*out), (Some(64), ""), "{args:?}: {said}");
                assert!(said.contains(sentence), "{args:?}: {said}");
            }
            Shows(expected) => {
                let shown: Vec<String> = out.lines().map(short).collect();
                let mut sorted = shown.clone();
                // Two lines of one instant have no order.
                sorted.sort_unstable();
                assert_eq!(sorted, *expected, "{args:?}: {said}");
                let found = if expected.is_empty() { 1 } else { 0 };
                assert_eq!(code, Some(found), "{args:?}: {said}");
            }
        }
    }
}

/// `web-0/web/0 ID line 3` is `3`, with what stands before it.
fn short(line: &str) -> String {
    let (before, number) = line.rsplit_once(" line ").unwrap_or(("", line));
    match before.split_once("] ") {
        Some((prefix, _)) => format!("{prefix}] {number}"),
        None => number.to_owned(),
    }
}
