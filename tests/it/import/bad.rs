//! Files that are no logs, or half of one: exact lines, and the exit code.

use std::os::unix::fs::symlink;
use std::path::Path;

use expect_test::{Expect, expect};

use super::{gzip, import, path, plain, text};
use crate::support::{BYGONE, Bygone, recording_a, run, stderr, stdout};

const EVENT: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"ID","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/a/pods/p","verb":"get","user":{"username":"u"},"objectRef":{"resource":"pods","namespace":"a","name":"p","apiVersion":"v1"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z","stageTimestamp":"2026-01-01T00:00:00.000000Z"}"#;

fn event(id: &str) -> String {
    EVENT.replace("\"ID\"", &format!("\"{id}\""))
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), content).unwrap();
}

/// Everything that can be wrong, beside files that are right.
fn make(folder: &Path) {
    write(folder, "good.log", event("1") + "\n");
    write(folder, "binary", b"\x7fELF\x02\x01\x01\0\0\0\x03");
    write(folder, "empty.log", "");
    write(folder, "packed.log.xz", b"\xfd7zXZ\0\0\x04");
    let cut = gzip((event("2") + "\n" + &event("3") + "\n").as_bytes());
    write(folder, "cut.log.gz", &cut[..cut.len() - 8]);
    let broken = "{\"auditID\":\"5\",\"verb\":oops}";
    write(
        folder,
        "broken.log",
        format!("{}\n{broken}\n{}\n", event("4"), event("6")),
    );
    let half = event("8");
    write(
        folder,
        "half.log",
        format!("{}\n{}", event("7"), &half[..100]),
    );
    write(
        folder,
        "hole.log",
        [&[0; 3_000][..], event("9").as_bytes(), b"\n"].concat(),
    );
    let long = event("11").replace("\"u\"", &format!("\"{}\"", "u".repeat(10 << 20)));
    write(
        folder,
        "long.log",
        format!("{}\n{long}\n{}\n", event("10"), event("12")),
    );
    write(
        folder,
        "damaged.log",
        [
            event("15").as_bytes(),
            b"\n\x01\xff\0\0\x02\n",
            event("16").as_bytes(),
            b"\n",
        ]
        .concat(),
    );
    let of = |id: &str, cluster: &str| {
        let relayed = format!("{{\"openshift\":{{\"cluster_id\":\"{cluster}\"}},");
        event(id).replacen('{', &relayed, 1)
    };
    write(
        folder,
        "mixed.log",
        format!("{}\n{}\n", of("17", "east"), of("18", "west")),
    );
    std::fs::create_dir(folder.join("deeper")).unwrap();
    write(
        folder,
        "deeper/list.json",
        format!("[\n{},\n{}\n]\n", event("13"), event("14")),
    );
    symlink("..", folder.join("deeper/loop")).unwrap();
    symlink("nowhere", folder.join("vanished.log")).unwrap();
}

/// What a command says about this folder, without its path, with its lines in order.
fn said(folder: &Path, output: &std::process::Output) -> String {
    let all = format!("{}{}", stderr(output), stdout(output));
    let all = all.replace(&format!("{}/", folder.display()), "");
    let mut lines: Vec<&str> = all.lines().collect();
    lines.sort_unstable();
    format!(
        "{}\nexit {}\n",
        lines.join("\n"),
        output.status.code().unwrap()
    )
}

fn check(args: &[&str], expected: Expect) {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let bygone = Bygone::start();
    let paths: Vec<String> = args
        .iter()
        .map(|arg| arg.replace("DIR", text(folder.path())))
        .collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let output = import(&bygone, &paths);
    expected.assert_eq(&said(folder.path(), &output));
}

#[test]
fn a_folder_with_everything() {
    check(
        &["DIR"],
        expect![[r#"
            binary: skipped: is a binary file, not a log
            broken.log: 2 events, 1 rejected
            broken.log:2: rejected 27 bytes: not json
            bygone: vanished.log is a link to nothing
            cut.log.gz: 2 events, 0 rejected
            cut.log.gz: breaks off or is damaged: what is before that was imported
            damaged.log: 2 events, 1 rejected
            damaged.log:2: rejected 6 bytes: not json
            deeper/list.json: 2 events, 0 rejected
            empty.log: empty
            good.log: 1 event, 0 rejected
            half.log: 1 event, 0 rejected
            half.log: the last line is incomplete (100 bytes): import the file again when it is whole
            hole.log: 1 event, 0 rejected
            imported 16 events of 0 pods from 9 files; 0 files had nothing new, 2 parts rejected, 1 file failed
            long.log: 3 events, 0 rejected
            mixed.log: 2 events, 0 rejected
            packed.log.xz: skipped: is packed with xz, which is not supported: unpack it, like xz -dc FILE | bygone import -
            the events name several clusters (east, west): all of them are stored as demo; next time split the files by cluster
            exit 2
        "#]],
    );
}

#[test]
fn each_by_its_name() {
    check(
        &[
            "DIR/binary",
            "DIR/packed.log.xz",
            "DIR/absent.log",
            "DIR/empty.log",
            "/dev/null",
            "/proc/self/mem",
        ],
        expect![[r#"
            bygone: /dev/null is a device, not a file: read it by "bygone import - < FILE"
            bygone: /proc/self/mem cannot be read: Input/output error (os error 5)
            bygone: absent.log does not exist
            bygone: binary is a binary file, not a log
            bygone: packed.log.xz is packed with xz, which is not supported: unpack it, like xz -dc FILE | bygone import -
            empty.log: empty
            imported 0 events of 0 pods from 0 files; 0 files had nothing new, 0 parts rejected, 5 files failed
            exit 2
        "#]],
    );
}

#[test]
fn what_is_missing_is_told_before_anything_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let output = run(plain(BYGONE).args(["import", "--dry-run", text(folder.path())]));
    expect![[r#"
          events arrived, but no write to a pod was among them
          no event identifies its API server, so an outage of one looks like a quiet period
        16 events would be imported, from 2026-01-01T00:00:00Z to 2026-01-01T00:00:00Z: 0 facts about 0 pods; 2 parts would be rejected, 0 records of other logs ignored
        binary: skipped: is a binary file, not a log
        broken.log: 2 events
        broken.log:2: would reject 27 bytes: not json
        bygone: vanished.log is a link to nothing
        cut.log.gz: 2 events
        cut.log.gz: breaks off or is damaged: what is before that can be imported
        damaged.log: 2 events
        damaged.log:2: would reject 6 bytes: not json
        deeper/list.json: 2 events
        empty.log: 0 events
        good.log: 1 event
        half.log: 1 event
        half.log: the last line is incomplete (100 bytes)
        hole.log: 1 event
        long.log: 3 events
        missing ("What is not known" in schema/README.md has what follows from it):
        mixed.log: 2 events
        packed.log.xz: skipped: is packed with xz, which is not supported: unpack it, like xz -dc FILE | bygone import -
        the events name several clusters: east, west; an import stores all of them as one: split the files by cluster
        exit 2
    "#]].assert_eq(&said(folder.path(), &output));
    let log = path(&folder, "audit.log");
    std::fs::write(&log, crate::support::read(&recording_a(), "audit.log")).unwrap();
    let output = run(plain(BYGONE).args(["import", "--dry-run", text(&log)]));
    expect![[r#"
        6597 events would be imported, from 2026-11-23T06:15:02Z to 2026-11-23T06:19:16Z: 2776 facts about 157 pods; 0 parts would be rejected, 0 records of other logs ignored
        audit.log: 6597 events
        exit 0
    "#]].assert_eq(&said(folder.path(), &output));
}

#[test]
fn wrong_usage() {
    for (args, expected) in [
        (
            vec!["import", "audit.log"],
            "bygone: the cluster of the events is not known: name it, like bygone import --cluster prod FILE\n",
        ),
        (
            vec!["import", "--cluster", "a b", "audit.log"],
            "bygone: invalid cluster name \"a b\": use letters, digits, '-', '_', '.' and '/'\n",
        ),
        (
            vec!["import", "--cluster", "a", "-", "x"],
            "bygone: - stands for standard input, and cannot be combined with files or --follow\n",
        ),
    ] {
        let output = run(plain(BYGONE).args(&args));
        assert_eq!(
            (stderr(&output), output.status.code()),
            (expected.to_owned(), Some(64))
        );
    }
}
