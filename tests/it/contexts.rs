//! The client's own configuration: which context is in use, and what beats it.

use std::path::{Path, PathBuf};

use expect_test::expect;
use tempfile::TempDir;

use crate::get::RECORDED;
use crate::support::{self, BYGONE, Bygone, plain, run, stderr, stdout};

/// As many pods the recording has in all, and in one of its namespaces.
const ALL: usize = 157;
const OF_ONE: usize = 8;
const ONE: &str = "statefulset-38e";

/// A folder with a configuration and a kubeconfig.
struct Home(TempDir);

impl Home {
    fn new() -> Home {
        let home = Home(tempfile::tempdir().expect("a folder"));
        home.write(
            "config.toml",
            &format!(
                "# Ours.\n\n[contexts.demo]  # recorded\nserver = \"{}\"\ncluster = \"demo\"\nnamespace = \"{ONE}\"\n\
                 zone = \"Europe/Berlin\"\nkube_contexts = [\"admin@demo\"]\n\n[contexts.nowhere]\n\
                 server = \"http://127.0.0.1:1\"\n",
                RECORDED.api
            ),
        );
        home.write(
            "kubeconfig",
            "current-context: admin@demo\ncontexts: [{name: admin@demo, context: {namespace: other}}]\n",
        );
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    fn run(&self, args: &[&str], set: &[(&str, &str)]) -> (i32, String, String) {
        let mut command = plain(BYGONE);
        command
            .args(args)
            .env("BYGONE_CLIENT_CONFIG", self.path("config.toml"))
            .envs(set.iter().copied());
        let output = run(&mut command);
        let code = output.status.code().expect("a code");
        (code, stdout(&output), stderr(&output))
    }

    /// How many pods are found.
    fn pods(&self, args: &[&str], set: &[(&str, &str)]) -> usize {
        let question = ["get", "pods", "--all", "-o", "name"];
        let (code, out, err) = self.run(&[&question, args].concat(), set);
        assert!(matches!(code, 0 | 1), "{args:?} {set:?}: {err}");
        out.lines().count()
    }

    fn refused(&self, args: &[&str], set: &[(&str, &str)], code: i32, words: &str) {
        let (exit, _, err) = self.run(&[&["get", "pods", "--all"], args].concat(), set);
        assert_eq!(exit, code, "{args:?} {set:?}: {err}");
        assert!(err.contains(words), "{args:?} {set:?}: {err}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn which_context_is_in_use() {
    let home = Home::new();
    let kubeconfig = home.path("kubeconfig");
    // None: no one names one.
    home.refused(
        &[],
        &[],
        2,
        "no ClickHouse is configured and no bygone is running in",
    );
    let (code, out, err) = home.run(&["context", "current"], &[]);
    assert_eq!((code, &*out), (1, ""), "{err}");
    // The kubeconfig's, by the list.
    let follow = [("KUBECONFIG", text(&kubeconfig))];
    assert_eq!(home.pods(&[], &follow), OF_ONE);
    assert_eq!(home.pods(&["--kubeconfig", text(&kubeconfig)], &[]), OF_ONE);
    let (_, out, _) = home.run(&["context", "current"], &follow);
    assert_eq!(out, "demo\n");
    // The current one comes before it.
    let (code, out, err) = home.run(&["context", "use", "nowhere"], &[]);
    assert_eq!(
        (code, &*out),
        (0, "context \"nowhere\" is the current one\n"),
        "{err}"
    );
    home.refused(
        &[],
        &follow,
        2,
        "no bygone is reachable at http://127.0.0.1:1",
    );
    // A flag comes before both, by either name.
    assert_eq!(home.pods(&["--kubeconfig", text(&kubeconfig)], &[]), OF_ONE);
    assert_eq!(home.pods(&["--context", "demo"], &[]), OF_ONE);
    assert_eq!(home.pods(&["--context", "admin@demo"], &[]), OF_ONE);
    let (code, _, err) = home.run(&["context", "use", "demo"], &[]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(home.pods(&[], &[]), OF_ONE);
    let written = std::fs::read_to_string(home.path("config.toml")).expect("text");
    assert!(
        written.contains("# Ours.") && written.contains("# recorded"),
        "{written}"
    );
    assert!(written.contains("current = \"demo\""), "{written}");
}

/// Flags beat the environment, which beats the context; where a server is named, its namespace counts for nothing.
#[test]
fn what_beats_a_context() {
    let home = Home::new();
    let (code, _, err) = home.run(&["context", "use", "demo"], &[]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(home.pods(&["-A"], &[]), ALL);
    assert_eq!(home.pods(&["-n", "kube-system"], &[]), 2);
    // A name with its namespace, and a namespace that is summed up.
    assert_eq!(
        home.pods(&[&format!("{ONE}/web-0"), "kube-system/*"], &[]),
        6
    );
    let (code, _, err) = home.run(&["get", "namespaces", "kube-system", "--all"], &[]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(home.pods(&["--server", &RECORDED.api], &[]), ALL);
    let set = [("BYGONE_SERVER", &*RECORDED.api)];
    assert_eq!(home.pods(&[], &set), ALL);
    assert_eq!(home.pods(&[], &[("BYGONE_SERVER", "")]), OF_ONE);
    let nowhere = [("BYGONE_SERVER", "http://127.0.0.1:1")];
    home.refused(&[], &nowhere, 2, "no bygone is reachable");
    assert_eq!(home.pods(&["--context", "demo"], &nowhere), OF_ONE);
    let data = RECORDED.data_dir();
    assert_eq!(home.pods(&["--data-dir", text(&data)], &[]), ALL);
    // The zone.
    let hour = |args: &[&str]| {
        let question = ["get", "pods", "web-0", "--all"];
        home.run(&[&question, args].concat(), &[]).1
    };
    assert!(hour(&[]).contains("(Europe/Berlin)"), "{}", hour(&[]));
    assert!(hour(&["--zone", "UTC"]).contains("(UTC)"));
}

#[test]
fn what_is_said_of_contexts() {
    let home = Home::new();
    home.refused(&["--context", "dmeo"], &[], 64, "did you mean demo?");
    let (code, _, err) = home.run(&["context", "use", "dmeo"], &[]);
    assert_eq!(code, 64, "{err}");
    let (_, out, _) = home.run(&["context", "list", "--output", "table"], &[]);
    let out = out.replace(&RECORDED.api, "http://127.0.0.1:PORT");
    expect![[r#"
        IN USE   NAME      SERVER                   CLUSTER   NAMESPACE         ZONE            KUBE CONTEXTS
        no       demo      http://127.0.0.1:PORT   demo      statefulset-38e   Europe/Berlin   admin@demo
        no       nowhere   http://127.0.0.1:1       <none>    <none>            <none>          <none>
    "#]]
    .assert_eq(
        &out.lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect::<String>(),
    );
    let question = ["get", "pods", "wbe-0", "--all", "--context", "demo"];
    let (code, _, err) = home.run(&question, &[]);
    assert_eq!(code, 1);
    let err = err.replace(&RECORDED.api, "http://127.0.0.1:PORT");
    expect![[r#"
        no pods found: searched cluster demo, namespace statefulset-38e, any time
        no pod "wbe-0" in this scope; similar: web-0, web-1, web-2
        context "demo" is in use: server http://127.0.0.1:PORT, cluster demo, namespace statefulset-38e, zone Europe/Berlin
    "#]]
    .assert_eq(&err);
    let (_, _, err) = home.run(
        &["get", "pods", "--all", "--context", "demo", "--explain"],
        &[],
    );
    assert!(err.contains("context \"demo\" is in use: "), "{err}");
    home.write("config.toml", "[contexts.demo]\nsevrer = 'x'\n");
    let key = "contexts.demo.sevrer: no such key: did you mean server?";
    home.refused(&[], &[], 2, key);
    // One that is named has to be there; the usual one does not.
    std::fs::remove_file(home.path("config.toml")).expect("removed");
    home.refused(&[], &[], 2, "config.toml: No such file");
}

const GUARDED: &str = r#"
[[access.api]]
token_file = "{dir}/reader.token"
clusters = ["*"]
namespaces = ["*"]
"#;

/// A token comes from the environment or from a context's file, goes to that context's server alone, and is shown by
/// nobody.
#[test]
fn tokens() {
    const TOKEN: &str = "all-secret-0123456789";
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("reader.token"), TOKEN).expect("written");
    let bygone = Bygone::start_configured(GUARDED, folder);
    let home = Home::new();
    let server = ["--server", &*bygone.api];
    let denied = "requires authentication: pass --token-file";
    home.refused(&server, &[], 2, denied);
    assert_eq!(home.pods(&server, &[("BYGONE_TOKEN", TOKEN)]), 0);
    home.refused(
        &server,
        &[("BYGONE_TOKEN", "wrong-secret-0123456789")],
        2,
        denied,
    );
    // A file of the command line beats it, and it beats one of the environment.
    home.write("wrong.token", "wrong-secret-0123456789");
    let wrong = home.path("wrong.token");
    let both = [("BYGONE_TOKEN", TOKEN), ("BYGONE_TOKEN_FILE", text(&wrong))];
    assert_eq!(home.pods(&server, &both), 0);
    let flag = [&server[..], &["--token-file", text(&wrong)]].concat();
    home.refused(&flag, &both[..1], 2, denied);
    let broken = [("BYGONE_TOKEN", "two secret words")];
    let (code, _, err) = home.run(&[&["get", "pods"], &server[..]].concat(), &broken);
    assert_eq!(
        (code, &*err),
        (2, "bygone: BYGONE_TOKEN: not a bearer token\n")
    );

    home.write(
        "config.toml",
        &format!(
            "[contexts.guarded]\nserver = \"{}\"\ntoken_file = \"reader.token\"\n",
            bygone.api
        ),
    );
    home.write("reader.token", TOKEN);
    let context = ["--context", "guarded"];
    assert_eq!(home.pods(&context, &[]), 0);
    home.refused(&[&context[..], &server[..]].concat(), &[], 2, denied);
    let (_, out, err) = home.run(&["context", "list", "-o", "json"], &[]);
    assert!(
        out.contains("reader.token") && !out.contains(TOKEN),
        "{out} {err}"
    );
    assert!(
        support::wait_for("the log", || Some(bygone.log()))
            .find(TOKEN)
            .is_none()
    );
}
