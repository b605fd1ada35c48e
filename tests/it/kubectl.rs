//! `kubectl bygone`, run by a real kubectl (`tests/kubectl.sh`).

use std::os::unix::fs::symlink;
use std::sync::LazyLock;

use expect_test::expect;
use tempfile::TempDir;

use crate::get::RECORDED;
use crate::support::{self, BYGONE, plain, run, stderr, stdout};

const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kubectl.sh");

const ONE: &str = "statefulset-38e";

/// As many names of pods the recording has.
const NAMES: usize = 146;

/// Where kubectl is.
pub static KUBECTL: LazyLock<String> = LazyLock::new(|| {
    let output = run(plain(INSTALL).arg("install"));
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output).trim().to_owned()
});

/// A folder of programs, a kubeconfig with two contexts, and a configuration for one of them.
struct Desk(TempDir);

impl Desk {
    fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().expect("a folder"));
        for name in ["kubectl-bygone", "kubectl_complete-bygone"] {
            symlink(BYGONE, desk.0.path().join(name)).expect("a link");
        }
        desk.write(
            "kubeconfig",
            &format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: recorded\ncontexts:\n\
                 - name: recorded\n  context: {{cluster: c, user: u, namespace: {ONE}}}\n\
                 - name: bare\n  context: {{cluster: c, user: u}}\n\
                 clusters: []\nusers: []\n"
            ),
        );
        desk.write(
            "config.toml",
            &format!(
                "[contexts.demo]\nserver = \"{}\"\ncluster = \"demo\"\nkube_contexts = [\"recorded\", \"bare\"]\n\
                 [contexts.nowhere]\nserver = \"http://127.0.0.1:1\"\n",
                RECORDED.api
            ),
        );
        desk
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).expect("written");
    }

    fn kubectl(&self, args: &[&str]) -> (i32, String, String) {
        let here = self.0.path();
        let output = run(plain(&KUBECTL)
            .args(args)
            .env("PATH", here)
            .env("KUBECONFIG", here.join("kubeconfig"))
            .env("BYGONE_CLIENT_CONFIG", here.join("config.toml")));
        let code = output.status.code().expect("a code");
        (code, stdout(&output), stderr(&output))
    }

    /// The pods that are found, one a line.
    fn pods(&self, args: &str) -> String {
        let args = format!("bygone {args} --all -o name");
        let (code, out, err) = self.kubectl(&args.split(' ').collect::<Vec<_>>());
        assert_eq!((code, &*err), (0, ""), "{args}");
        let mut lines: Vec<&str> = out.lines().collect();
        lines.sort_unstable();
        // A name is used again.
        lines.dedup();
        lines.join(" ")
    }

    fn completed(&self, args: &[&str]) -> String {
        let (code, out, _) = self.kubectl(&[&["__complete", "bygone"], args].concat());
        assert_eq!(code, 0, "{args:?}");
        out
    }
}

#[test]
fn flags_of_kubectl_before_and_after_the_verb() {
    let desk = Desk::new();
    let web = format!("{ONE}/web-0 {ONE}/web-1 {ONE}/web-2");
    assert_eq!(desk.pods("get pods"), web);
    assert_eq!(desk.pods(&format!("get pods -n {ONE}")), web);
    assert_eq!(desk.pods(&format!("-n {ONE} get pods --context bare")), web);
    assert_eq!(
        desk.pods(&format!("--context=bare --namespace={ONE} get po")),
        web
    );
    assert_eq!(desk.pods("get pods -A").split(' ').count(), NAMES);
    assert_eq!(desk.pods("-A get pods").split(' ').count(), NAMES);
    assert_eq!(desk.pods("-n kube-system get pods").split(' ').count(), 1);
    let (code, out, err) = desk.kubectl(&["bygone", "describe", "pod", "web-0"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("web-0"), "{out}");
}

#[test]
fn the_namespace_is_that_of_kubectl() {
    let desk = Desk::new();
    let (code, _, err) = desk.kubectl(&["bygone", "get", "pods", "--all", "--context", "bare"]);
    assert_eq!(code, 1);
    expect![[r#"
        no pods found: searched cluster demo, namespace default, any time
        no namespace "default" in this scope
        context "demo" is in use: server http://127.0.0.1:PORT, cluster demo
        without -n, the namespace is that of the kubeconfig's context "bare": use -n NAME or -A
    "#]]
    .assert_eq(&err.replace(&RECORDED.api, "http://127.0.0.1:PORT"));
    let (code, _, err) = desk.kubectl(&["bygone", "describe", "pod", "web0", "--context", "bare"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("context \"bare\": use -n NAME or -A"), "{err}");
    // One of ours that is none of the kubeconfig; one of neither; and the kubeconfig of a flag.
    let (code, _, err) = desk.kubectl(&["bygone", "get", "pods", "--context", "nowhere"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("no bygone is reachable at http://127.0.0.1:1"),
        "{err}"
    );
    let (code, _, err) = desk.kubectl(&["bygone", "--context", "prod", "get", "pods"]);
    assert_eq!(code, 64);
    assert!(
        err.contains("--context \"prod\": no such context in "),
        "{err}"
    );
    let (code, _, err) = desk.kubectl(&["bygone", "get", "pods", "--kubeconfig", "/nonexistent"]);
    assert_eq!(code, 2);
    assert!(err.contains("kubeconfig /nonexistent: "), "{err}");
    let (code, _, err) = desk.kubectl(&["bygone", "gett", "pods"]);
    assert_eq!(code, 64);
    assert!(err.contains("see \"kubectl bygone help\""), "{err}");
}

#[test]
fn kubectl_completes_what_follows() {
    let desk = Desk::new();
    expect![[r#"
        describe	Show everything about one pod or container, with its timeline
        demo	Replay a recording into a separate engine and show what no longer exists
        dead-letters	Inspect events that could not be decoded, and retry them
        :4
    "#]]
    .assert_eq(&desk.completed(&["de"]));
    expect![[r#"
        pods
        :4
    "#]]
    .assert_eq(&desk.completed(&["get", "po"]));
    expect![[r#"
        :4
    "#]]
    .assert_eq(&desk.completed(&["get", "po", ""]));
    expect![[r#"
        --all-namespaces	All namespaces (default without a context)
        --all	All of the history
        :4
    "#]]
    .assert_eq(&desk.completed(&["-n", ONE, "get", "po", "--since", "1d", "--all"]));
    expect![[r#"
        demo
        nowhere
        :4
    "#]]
    .assert_eq(&desk.completed(&["get", "po", "--context", ""]));
}

/// Names come from the server that the line names, if it answers soon.
#[test]
fn kubectl_completes_names() {
    let desk = Desk::new();
    let completed = |line: &str, expected: &str| {
        support::wait_for(line, || {
            let out = desk.completed(&line.split(' ').collect::<Vec<_>>());
            let mut lines: Vec<&str> = out.lines().collect();
            lines.sort_unstable();
            (lines.join(" ") == expected).then_some(())
        });
    };
    completed("get po --all web", ":4 web-0 web-1 web-2");
    completed("describe pod web", ":4 web-0 web-1 web-2");
    completed("-n kube-system get po --all web", ":4");
    completed("get po --all -n kube", ":4 kube-system");
    completed("get nodes --all worker-0", ":4 worker-0");
    completed(
        "get po --cluster d --all",
        "--all\tAll of the history --all-namespaces\tAll namespaces (default without a context) :4",
    );
    completed("get po --context nowhere web", ":4");
}
