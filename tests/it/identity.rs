//! Who may send and who may ask: TLS, tokens and certificates, on the running program.

use std::path::Path;

use bygone::tls::{Client, ClientFiles};
use reqwest::StatusCode;
use tempfile::TempDir;

use crate::listener::pki::{Authority, Pair};
use crate::support::{BYGONE, Bygone, block_on, plain, run, stderr, stdout};

const CONFIG: &str = r#"
[ingest]
tls_certificate_file = "{dir}/server.crt"
tls_key_file = "{dir}/server.key"
client_ca_file = "{dir}/clients.crt"
[api]
tls_certificate_file = "{dir}/server.crt"
tls_key_file = "{dir}/server.key"

[[access.ingest]]
token_file = "{dir}/prod.token"
clusters = ["prod"]
[[access.ingest]]
certificate_names = ["kube-apiserver"]
clusters = ["mtls"]

[[access.api]]
token_file = "{dir}/everything.token"
clusters = ["*"]
namespaces = ["*"]
[[access.api]]
token_file = "{dir}/shop.token"
clusters = ["prod"]
namespaces = ["shop"]
"#;

struct House {
    bygone: Bygone,
    ca: Authority,
    apiserver: Pair,
    stranger: Pair,
}

fn house() -> House {
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let ca = Authority::new(dir, "ca");
    let clients = Authority::new(dir, "clients");
    ca.issue(dir, "server", None);
    let apiserver = clients.issue(dir, "kube-apiserver", None);
    let stranger = clients.issue(dir, "somebody", None);
    for (name, token) in [
        ("prod", "prod-secret-0123456789"),
        ("everything", "all-secret-0123456789"),
        ("shop", "shop-secret-0123456789"),
    ] {
        std::fs::write(dir.join(format!("{name}.token")), format!("{token}\n")).expect("written");
    }
    House {
        bygone: Bygone::start_configured(CONFIG, folder),
        ca,
        apiserver,
        stranger,
    }
}

impl House {
    fn client(&self, pair: Option<&Pair>) -> reqwest::Client {
        let files = ClientFiles {
            ca_file: Some(self.ca.file.clone()),
            certificate_file: pair.map(|pair| pair.certificate.clone()),
            key_file: pair.map(|pair| pair.key.clone()),
        };
        let config = Client::load(&files).expect("TLS").config();
        reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .build()
            .expect("a client")
    }

    fn post(&self, cluster: &str, token: Option<&str>, pair: Option<&Pair>) -> StatusCode {
        let url = self.bygone.webhook.replace("/demo", &format!("/{cluster}"));
        assert!(url.starts_with("https://"), "{url}");
        let body = format!("{}\n{}", created(cluster), execs(cluster));
        let mut request = self.client(pair).post(url).body(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        block_on(request.send()).expect("an answer").status()
    }

    fn get(&self, token: Option<&str>, args: &[&str]) -> (i32, String, String) {
        self.run(
            token,
            &[&["get", "pods", "--all", "-o", "name"], args].concat(),
        )
    }

    fn run(&self, token: Option<&str>, args: &[&str]) -> (i32, String, String) {
        let mut command = plain(BYGONE);
        command.args(args).args(["--server", &self.bygone.api]);
        command.arg("--ca-file").arg(&self.ca.file);
        if let Some(token) = token {
            command
                .arg("--token-file")
                .arg(self.bygone.folder.path().join(format!("{token}.token")));
        }
        let output = run(&mut command);
        (
            output.status.code().expect("a code"),
            stdout(&output),
            stderr(&output),
        )
    }
}

/// Two pods of a cluster, in the namespaces `shop` and `bank`.
fn created(cluster: &str) -> String {
    let event = |namespace: &str| {
        let uid = uuid::Uuid::new_v4();
        format!(
            r#"{{"auditID":"1","stage":"ResponseComplete","verb":"create","objectRef":{{"resource":"pods","namespace":"{namespace}"}},"responseStatus":{{"code":201}},"responseObject":{{"kind":"Pod","metadata":{{"name":"{cluster}","namespace":"{namespace}","uid":"{uid}","resourceVersion":"1","creationTimestamp":"2026-11-23T06:15:04Z"}}}},"stageTimestamp":"2026-11-23T06:15:04.2Z"}}"#
        )
    };
    format!("{}\n{}", event("shop"), event("bank"))
}

/// A session in each of these pods.
fn execs(cluster: &str) -> String {
    let event = |namespace: &str| {
        format!(
            r#"{{"auditID":"2","stage":"ResponseComplete","verb":"get","user":{{"username":"alice"}},"objectRef":{{"resource":"pods","namespace":"{namespace}","name":"{cluster}","subresource":"exec"}},"responseStatus":{{"code":101}},"stageTimestamp":"2026-11-23T06:15:05.2Z"}}"#
        )
    };
    format!("{}\n{}", event("shop"), event("bank"))
}

#[test]
fn who_may_send_and_who_may_ask() {
    let house = house();
    assert_eq!(
        house.post("prod", Some("prod-secret-0123456789"), None),
        200
    );
    assert_eq!(house.post("mtls", None, Some(&house.apiserver)), 200);
    // Nobody, somebody else, and somebody for another cluster.
    assert_eq!(house.post("prod", None, None), 401);
    assert_eq!(
        house.post("prod", Some("wrong-secret-0123456789"), None),
        401
    );
    assert_eq!(house.post("prod", None, Some(&house.stranger)), 401);
    assert_eq!(
        house.post("mtls", Some("prod-secret-0123456789"), None),
        403
    );
    assert_eq!(house.post("prod", None, Some(&house.apiserver)), 403);

    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let all = crate::support::wait_for("both clusters", || {
        let (_, out, _) = house.get(Some("everything"), &[]);
        (out.lines().count() == 4).then_some(out)
    });
    assert_eq!(
        sorted(&all),
        ["bank/mtls", "bank/prod", "shop/mtls", "shop/prod"]
    );
    assert_eq!(
        house.get(Some("shop"), &[]).1,
        "shop/prod\n",
        "only what it may see"
    );
    let (code, out, err) = house.get(Some("shop"), &["-n", "bank"]);
    assert_eq!((code, &*out), (2, ""), "{err}");
    assert!(err.contains("these credentials do not allow this"), "{err}");
    let (code, out, err) = house.get(None, &[]);
    assert_eq!((code, &*out), (2, ""), "{err}");
    assert!(err.contains("--token-file"), "{err}");
    pages_are_narrowed(&house);
    sessions_are_narrowed(&house);
    hints_are_narrowed(&house);
    summaries_are_narrowed(&house);
    // Probes need no token.
    let livez = format!("{}/livez", house.bygone.api);
    assert_eq!(
        block_on(house.client(None).get(livez).send())
            .expect("an answer")
            .status(),
        200
    );
    let log = house.bygone.log();
    for secret in [
        "prod-secret-0123456789",
        "all-secret-0123456789",
        "shop-secret-0123456789",
        "wrong-secret-0123456789",
    ] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// A page is as much a part of the history as a row, and its uid opens nothing.
fn pages_are_narrowed(house: &House) {
    let describe =
        |token: &str, args: &[&str]| house.run(Some(token), &[&["describe", "pod"], args].concat());
    let (code, out, err) = describe("everything", &["bank/prod", "-o", "json"]);
    assert_eq!(code, 0, "{err}");
    let page: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let uid = page["pod"]["pod_uid"].as_str().expect("a uid");
    let (code, out, err) = describe("shop", &["bank/prod"]);
    assert_eq!((code, &*out), (2, ""), "{err}");
    assert!(err.contains("these credentials do not allow this"), "{err}");
    let (code, out, _) = describe("shop", &["prod"]);
    assert_eq!(code, 0);
    assert!(out.contains("Namespace:       shop"), "{out}");
    assert_eq!(describe("shop", &["--uid", uid]).0, 1);
    let status = |token: &str| {
        let url = format!("{}/api/v1/pods/{uid}", house.bygone.api);
        let token = format!("{token}-secret-0123456789");
        let request = house.client(None).get(url).bearer_auth(token);
        block_on(request.send()).expect("an answer").status()
    };
    assert_eq!(status("shop"), 404);
    assert_eq!(status("all"), 200);
    assert_eq!(status("nobody"), 401);
    let url = format!("{}/api/v1/pods", house.bygone.api);
    let refused = block_on(house.client(None).get(url).send()).expect("an answer");
    let header = |name: &str| refused.headers().get(name).expect("a header");
    assert_eq!(header("content-type"), "application/problem+json");
    assert_eq!(header("www-authenticate"), "Bearer");
    // What an answer cost, and how sources are, would tell of what this reader may not see.
    for path in ["pods?explain=true", "containers?explain=true", "sources"] {
        let status = |token: &str| {
            let url = format!("{}/api/v1/{path}", house.bygone.api);
            let token = format!("{token}-secret-0123456789");
            let request = house.client(None).get(url).bearer_auth(token);
            block_on(request.send()).expect("an answer").status()
        };
        assert_eq!(status("shop"), 403, "{path}");
        assert_eq!(status("all"), 200, "{path}");
    }
}

/// Who was in a pod is for those alone who may ask about the pod.
fn sessions_are_narrowed(house: &House) {
    let get = |token: &str, args: &[&str]| {
        let all = ["get", "sessions", "--all", "-o", "name"];
        house.run(Some(token), &[&all, args].concat())
    };
    let (code, out, err) = get("everything", &[]);
    assert_eq!((code, out.lines().count()), (0, 4), "{out}{err}");
    assert_eq!(get("shop", &[]).1, "shop/prod\n");
    assert_eq!(get("shop", &["--user", "alice"]).1, "shop/prod\n");
    for args in [["-n", "bank"], ["--cluster", "mtls"]] {
        let (code, out, err) = get("shop", &args);
        assert_eq!((code, &*out), (2, ""), "{err}");
    }
    let (_, page, err) = house.run(Some("shop"), &["describe", "pod", "shop/prod"]);
    assert!(page.contains("exec by alice"), "{page}{err}");
}

/// What is near a wrong name is named to those alone who may ask about it.
fn hints_are_narrowed(house: &House) {
    let hints = |token: &str, args: &[&str]| {
        let (code, out, err) = house.get(Some(token), args);
        assert_eq!((code, &*out), (1, ""), "{args:?}: {err}");
        let (_, hints) = err.split_once('\n').expect("what was searched");
        hints.to_owned()
    };
    assert_eq!(
        hints("everything", &["--cluster", "porduction"]),
        "no cluster \"porduction\"; known: mtls, prod\n"
    );
    assert_eq!(
        hints("everything", &["-n", "bakn"]),
        "no namespace \"bakn\" in this scope; similar: bank\n"
    );
    assert_eq!(
        hints("everything", &["mtl"]),
        "no pod \"mtl\" in this scope; similar: mtls\n"
    );
    // Neither the other cluster, nor the other namespace.
    assert_eq!(
        hints("shop", &["mtls"]),
        "no pod \"mtls\" in this scope; known: prod\n"
    );
    assert_eq!(
        hints(
            "shop",
            &["-n", "shop", "--cluster", "prod", "--node", "worker-1"]
        ),
        "no node \"worker-1\" in this scope; no others are known\n"
    );
    assert_eq!(
        hints("shop", &["mtls", "--created-by", "nobody", "-l", "x=y"])
            .matches("bank")
            .count(),
        0
    );
    // Wildcards stand for the namespaces that a reader may see.
    for args in [&["-n", "*"] as &[&str], &["-n", "s?op"], &["*/prod"]] {
        let names = ["get", "pods", "--all", "-o", "name"];
        let (code, out, err) = house.run(Some("shop"), &[&names, args].concat());
        assert_eq!((code, &*out), (0, "shop/prod\n"), "{args:?}: {err}");
    }
    let (code, out, err) = house.get(Some("shop"), &["-n", "ba*"]);
    assert_eq!((code, &*out), (2, ""), "{err}");
    // A namespace in front of a name is asked for as any other.
    let (code, out, err) = house.get(Some("shop"), &["bank/prod"]);
    assert_eq!((code, &*out), (2, ""), "{err}");
    assert!(err.contains("these credentials do not allow this"), "{err}");
}

/// Summaries count what the lists show to this reader.
fn summaries_are_narrowed(house: &House) {
    let names = |token: &str, what: &str| {
        let (code, out, err) = house.run(Some(token), &["get", what, "--all", "-o", "name"]);
        assert_eq!(code, 0, "{what}: {err}");
        out.lines().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("everything", "clusters"), "mtls prod");
    assert_eq!(names("shop", "clusters"), "prod");
    assert_eq!(names("shop", "namespaces"), "shop");
    let (code, out, err) = house.run(Some("shop"), &["get", "nodes", "--all", "-n", "bank"]);
    assert_eq!((code, &*out), (2, ""), "{err}");
}

/// Who may send for one cluster may invent a pod of a uid that another cluster has.
#[test]
fn a_uid_in_two_clusters() {
    let bygone = Bygone::start();
    let event = |cluster: &str| {
        let event = created(cluster).replace("2026-11-23T06:15:04", "2026-11-23T06:15:05");
        let event = event.lines().next().expect("a line").to_owned();
        let (before, rest) = event.split_once("\"uid\":\"").expect("a uid");
        let uid = "11111111-2222-4333-8444-555555555555";
        let event = format!("{before}\"uid\":\"{uid}{}", &rest[uid.len()..]);
        let status = format!(
            r#","status":{{"containerStatuses":[{{"name":"{cluster}-main","containerID":"containerd://{:064x}","restartCount":0}}]}}}},"stageTimestamp""#,
            cluster.len()
        );
        event.replace("},\"stageTimestamp\"", &status)
    };
    for cluster in ["demo", "other"] {
        let url = bygone.webhook.replace("/demo", &format!("/{cluster}"));
        let request = crate::support::client().post(url).body(event(cluster));
        assert_eq!(block_on(request.send()).expect("an answer").status(), 200);
    }
    bygone.drained();
    let uid = "11111111-2222-4333-8444-555555555555";
    for (cluster, other) in [("demo", "other"), ("other", "demo")] {
        let output = run(plain(BYGONE).args([
            "describe",
            "pod",
            "--uid",
            uid,
            "--cluster",
            cluster,
            "-o",
            "json",
            "--server",
            &bygone.api,
        ]));
        let page = stdout(&output);
        assert!(
            page.contains(&format!("{cluster}-main")),
            "{page} {}",
            stderr(&output)
        );
        assert!(!page.contains(&format!("{other}-main")), "{page}");
    }
    let url = format!("{}/api/v1/pods/{uid}", bygone.api);
    let both = block_on(crate::support::client().get(&url).send());
    let mut both = both.expect("an answer");
    assert_eq!(both.status(), 409);
    let text = block_on(both.chunk()).expect("text").unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("demo, other"), "{text}");
}

/// A web page may make a browser on this machine send what it likes to loopback.
#[test]
fn web_pages_get_nothing() {
    let bygone = Bygone::start();
    let created = created("demo");
    for (headers, expected) in [
        (&[("origin", "http://evil.example")][..], 403),
        (
            &[
                ("sec-fetch-site", "cross-site"),
                ("content-type", "text/plain"),
            ],
            403,
        ),
        (&[("host", "evil.example:7070")], 421),
        (
            &[
                ("user-agent", "Mozilla/5.0"),
                ("content-type", "text/plain"),
            ],
            415,
        ),
        (&[], 200),
    ] {
        let send = |request: reqwest::RequestBuilder| {
            let request = headers
                .iter()
                .fold(request, |it, (name, value)| it.header(*name, *value));
            let answer = block_on(request.send()).expect("an answer");
            assert!(
                answer
                    .headers()
                    .get("access-control-allow-origin")
                    .is_none()
            );
            answer.status().as_u16()
        };
        let client = crate::support::client();
        assert_eq!(
            send(client.post(&bygone.webhook).body(created.clone())),
            expected,
            "{headers:?}"
        );
        for path in ["/api/v1/pods?cluster=demo", "/metrics", "/readyz", "/livez"] {
            let url = format!("{}{path}", bygone.api);
            assert_eq!(send(client.get(url)), expected, "{path} {headers:?}");
        }
    }
    bygone.drained();
    assert_eq!(bygone.rows(&["pods"]).len(), 2);
}

/// Beyond loopback nobody is let in unasked, unless an operator says so.
#[test]
fn exposure_is_refused() {
    let serve = |args: &[&str]| {
        let folder = tempfile::tempdir().expect("a folder");
        let output = run(plain(BYGONE)
            .arg("serve")
            .args(args)
            .arg("--data-dir")
            .arg(folder.path()));
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        stderr(&output)
    };
    let said = serve(&[
        "--ingest-listen",
        "0.0.0.0:0",
        "--api-listen",
        "127.0.0.1:0",
    ]);
    assert!(
        said.contains("[[access.ingest]]") && said.contains("--insecure"),
        "{said}"
    );
    let said = serve(&[
        "--api-listen",
        "0.0.0.0:0",
        "--ingest-listen",
        "127.0.0.1:0",
    ]);
    assert!(
        said.contains("[[access.api]]") && said.contains("--insecure"),
        "{said}"
    );
    // With --insecure it goes on, to the next thing that is wrong.
    let wrong = ["--insecure", "--clickhouse-url", "clickhouse"];
    let open = ["--ingest-listen", "0.0.0.0:0", "--api-listen", "0.0.0.0:0"];
    let said = serve(&[&wrong[..], &open].concat());
    assert!(said.contains("clickhouse url"), "{said}");
}

/// One line that names the file.
#[test]
fn files_that_are_no_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |config: &str, word: &str| {
        let file = folder.path().join("c.toml");
        std::fs::write(&file, config).expect("written");
        let listen = [
            "--ingest-listen",
            "127.0.0.1:0",
            "--api-listen",
            "127.0.0.1:0",
        ];
        let mut command = plain(BYGONE);
        command
            .arg("serve")
            .args(listen)
            .arg("--data-dir")
            .arg(folder.path().join("data"));
        let output = run(command.arg("--config").arg(&file));
        let said = stderr(&output);
        assert_eq!(
            (output.status.code(), said.lines().count()),
            (Some(2), 1),
            "{said}"
        );
        assert!(said.contains(word), "{said}");
    };
    let nowhere = Path::new("/nonexistent").display();
    check(
        &format!("[ingest]\ntls_certificate_file = \"{nowhere}\"\n"),
        "tls_key_file",
    );
    check(
        &format!("[ingest]\ntls_certificate_file = \"{nowhere}\"\ntls_key_file = \"{nowhere}\"\n"),
        "/nonexistent",
    );
    check(
        &format!("[[access.ingest]]\ntoken_file = \"{nowhere}\"\nclusters = [\"a\"]\n"),
        "/nonexistent",
    );
    check("[[access.ingest]]\nclusters = [\"a\"]\n", "token_file");
}
