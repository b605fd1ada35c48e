//! The page about mTLS: `deploy/certificates.sh`, the configuration of `docs/mtls.md`, an event, an answer; and what is
//! told where something is wrong.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bygone::tls::{Client, ClientFiles};
use tempfile::TempDir;

use crate::listener::pki::{Authority, Pair};
use crate::support::{self, BYGONE, Bygone, block_on, plain, run, stderr, stdout};

const PAGE: &str = include_str!("../../docs/mtls.md");

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/certificates.sh");

const EVENT: &str = r#"{"auditID":"1","stage":"ResponseComplete","verb":"create","objectRef":{"resource":"pods","namespace":"shop"},"responseStatus":{"code":201},"responseObject":{"kind":"Pod","metadata":{"name":"cart","namespace":"shop","uid":"11111111-2222-4333-8444-555555555555","resourceVersion":"1","creationTimestamp":"2026-11-23T06:15:04Z"}},"stageTimestamp":"2026-11-23T06:15:04.2Z"}"#;

/// The one block of TOML of the page, with its folder replaced.
fn config() -> String {
    let (_, block) = PAGE.split_once("```toml\n").expect("a configuration");
    let (block, rest) = block.split_once("```").expect("its end");
    assert!(!rest.contains("```toml"), "two of them");
    // A token, so that the command line has to know one.
    let access = "[[access.api]]\ntoken_file = \"{dir}/token\"\nclusters = [\"*\"]\n\
                  namespaces = [\"*\"]\n";
    block.replace("/etc/bygone/tls", "{dir}") + access
}

fn script(args: &[&str]) -> Output {
    run(Command::new(SCRIPT).args(args))
}

/// What the script makes, with more arguments.
fn made(dir: &Path, args: &[&str]) {
    let dir = dir.to_str().expect("UTF-8");
    let output = script(&[&["--dir", dir], args].concat());
    assert!(output.status.success(), "{}", stderr(&output));
}

fn pair(dir: &Path, name: &str) -> Pair {
    Pair {
        certificate: dir.join(format!("{name}.crt")),
        key: dir.join(format!("{name}.key")),
    }
}

struct House {
    bygone: Bygone,
    dir: PathBuf,
}

fn house() -> House {
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let dir = folder.path().to_owned();
    made(&dir, &["192.0.2.10", "bygone.example"]);
    std::fs::write(dir.join("token"), "everything-0123456789").expect("written");
    let bygone = Bygone::start_configured(&config(), folder);
    House { bygone, dir }
}

impl House {
    /// Posts over TLS, trusting this CA. `host` is how the server is called.
    fn post(&self, ca: &Path, pair: Option<&Pair>, host: &str, path: &str) -> Result<u16, String> {
        let files = ClientFiles {
            ca_file: Some(ca.to_owned()),
            certificate_file: pair.map(|pair| pair.certificate.clone()),
            key_file: pair.map(|pair| pair.key.clone()),
        };
        let config = Client::load(&files).expect("TLS").config();
        let (_, address) = self.bygone.ingest.split_once("://").expect("a URL");
        let address: std::net::SocketAddr = address.parse().expect("an address");
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .resolve(host, address)
            .build()
            .expect("a client");
        let url = format!("https://{host}:{}{path}", address.port());
        let answer = block_on(client.post(url).body(EVENT).send());
        answer
            .map(|answer| answer.status().as_u16())
            .map_err(|error| format!("{error:?}"))
    }

    /// The command line with nothing but the data folder.
    fn ask(&self, args: &[&str]) -> Output {
        let data_dir = self.bygone.data_dir();
        run(plain(BYGONE).args(args).arg("--data-dir").arg(data_dir))
    }

    fn refused(&self, why: &str) -> u64 {
        let client = Client::load(&ClientFiles {
            ca_file: Some(self.dir.join("ca.crt")),
            ..ClientFiles::default()
        });
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(client.expect("TLS").config())
            .build()
            .expect("a client");
        let url = format!("{}/metrics", self.bygone.api);
        let text = block_on(async {
            let mut answer = client.get(url).send().await.expect("an answer");
            let mut text = Vec::new();
            while let Some(chunk) = answer.chunk().await.expect("a body") {
                text.extend_from_slice(&chunk);
            }
            String::from_utf8(text).expect("text")
        });
        let series = format!("bygone_listener_refused_total{{listener=\"ingest\",why=\"{why}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&*series));
        value.map_or(0, |value| value.parse().expect("a number"))
    }

    /// Waits for the line of the log and for the count.
    fn told(&self, why: &str, words: &str, count: u64) {
        let line = support::wait_for(why, || {
            let log = self.bygone.log();
            let mut lines = log.lines().filter(|line| line.contains("ingest rejected"));
            lines
                .find(|line| line.contains(&format!("\"{why}\"")))
                .map(str::to_owned)
        });
        assert!(line.contains("127.0.0.1"), "{line}");
        assert!(line.contains(words), "{line}");
        support::wait_for("the count", || (self.refused(why) == count).then_some(()));
    }
}

#[test]
fn from_the_script_to_the_first_event() {
    let house = house();
    let ca = house.dir.join("ca.crt");
    let apiserver = pair(&house.dir, "kube-apiserver");
    let path = "/v1/audit/prod";
    for host in ["localhost", "bygone.example"] {
        assert_eq!(house.post(&ca, Some(&apiserver), host, path), Ok(200));
    }
    support::wait_for("the answer", || {
        let asked = house.ask(&["get", "pods", "-o", "name", "--since", "390d"]);
        assert_ne!(asked.status.code(), Some(2), "{}", stderr(&asked));
        (stdout(&asked) == "shop/cart\n").then_some(())
    });
    let asked = house.ask(&["sources", "status", "-o", "ndjson"]);
    assert!(asked.status.success(), "{}", stderr(&asked));
    let running = house.bygone.data_dir().join("running.json");
    let mode = std::fs::metadata(&running).expect("there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let token = std::fs::read_to_string(running).expect("text");
    let token: serde_json::Value = serde_json::from_str(&token).expect("JSON");
    let token = token["token"].as_str().expect("a token");
    assert!(token.len() >= 32 && !house.bygone.log().contains(token));
    // Whoever shows another certificate is not asked, and not told the token.
    std::fs::copy(&apiserver.certificate, house.dir.join("server.crt")).expect("copied");
    let asked = house.ask(&["get", "pods"]);
    assert_eq!(asked.status.code(), Some(2));
    let said = stderr(&asked);
    assert!(said.contains("presents another certificate than"), "{said}");
}

#[test]
fn what_is_wrong_is_told() {
    let house = house();
    let ca = house.dir.join("ca.crt");
    let apiserver = pair(&house.dir, "kube-apiserver");
    let path = "/v1/audit/prod";
    let elsewhere = tempfile::tempdir().expect("a folder");
    made(elsewhere.path(), &["--client", "kube-apiserver"]);

    // A name that the certificate has not; then one that the client has no CA for.
    let refused = house.post(&ca, Some(&apiserver), "other.example", path);
    assert!(refused.unwrap_err().contains("NotValidForName"));
    house.told("tls_not_accepted", "rejects our certificate", 1);
    let other = elsewhere.path().join("ca.crt");
    house
        .post(&other, Some(&apiserver), "localhost", path)
        .unwrap_err();
    house.told("tls_ca_not_trusted", "does not trust the CA", 1);
    // A client of another CA with the same name, and one with a certificate for servers.
    let stranger = pair(elsewhere.path(), "kube-apiserver");
    for _ in 0..3 {
        house
            .post(&ca, Some(&stranger), "localhost", path)
            .unwrap_err();
    }
    house.told("tls_unknown_ca", "client_ca_file", 3);
    let server = pair(&house.dir, "server");
    house
        .post(&ca, Some(&server), "localhost", path)
        .unwrap_err();
    house.told("tls_purpose", "clientAuth", 1);

    // Nobody, somebody else, another cluster, another path.
    assert_eq!(house.post(&ca, None, "localhost", path), Ok(401));
    house.told("unauthorized", "401 to POST /v1/audit/prod: ", 1);
    made(&house.dir, &["--client", "kube-apiserver-2"]);
    let second = pair(&house.dir, "kube-apiserver-2");
    assert_eq!(house.post(&ca, Some(&second), "localhost", path), Ok(401));
    let other = "/v1/audit/elsewhere";
    assert_eq!(
        house.post(&ca, Some(&apiserver), "localhost", other),
        Ok(403)
    );
    let words = "403 to POST /v1/audit/elsewhere with the certificate \"kube-apiserver\": ";
    house.told("forbidden", words, 1);
    let nowhere = "/v1/audit?token=never";
    assert_eq!(
        house.post(&ca, Some(&apiserver), "localhost", nowhere),
        Ok(404)
    );
    house.told("not_found", "404 to POST /v1/audit ", 1);
    let plain = house.bygone.ingest.replace("https://", "http://");
    let answer = block_on(support::client().post(plain).body(EVENT).send());
    assert_eq!(answer.expect("an answer").status(), 400);
    house.told("tls_plain_http", "use https", 1);

    // One line a minute for each kind, whoever it was.
    let log = house.bygone.log();
    let lines = log.matches("ingest rejected").count();
    assert_eq!(lines, 8, "{log}");
    assert!(!log.contains("never"), "{log}");
}

/// Expired, and for the time before it is valid: the script makes no such certificates.
#[test]
fn certificates_out_of_time_are_told() {
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let dir = folder.path().to_owned();
    let ca = Authority::new(&dir, "ca");
    ca.issue(&dir, "server", None);
    let old = ca.issue_until(&dir, "kube-apiserver", 2020);
    std::fs::write(dir.join("token"), "everything-0123456789").expect("written");
    let bygone = Bygone::start_configured(&config(), folder);
    let house = House { bygone, dir };
    house
        .post(&ca.file, Some(&old), "localhost", "/v1/audit/prod")
        .unwrap_err();
    house.told("tls_expired", "expired", 1);
}

#[test]
fn the_script_overwrites_nothing_and_leaves_nothing_half_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("made");
    let at = dir.to_str().expect("UTF-8");
    let listed = || {
        let mut names: Vec<String> = std::fs::read_dir(&dir)
            .map(|files| {
                files
                    .map(|file| file.unwrap().file_name().into_string().unwrap())
                    .collect()
            })
            .unwrap_or_default();
        names.sort();
        names.join(" ")
    };
    let fails = |args: &[&str], code: i32, words: &str| {
        let output = script(&[&["--dir", at], args].concat());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    };
    fails(&[], 64, "name the addresses");
    fails(&["https://192.0.2.10"], 64, "no scheme and no port");
    fails(&["a,IP:192.0.2.1"], 64, "neither an IP address nor");
    fails(&["--client", "a/b", "x"], 64, "invalid client name");
    fails(&["--client", "server", "x"], 64, "can't be called server");
    fails(&["--days", "4000", "x"], 64, "up to 3650");
    fails(&["--nodays"], 64, "unknown flag");
    assert_eq!(listed(), "", "before anything was made");
    fails(&["999.0.0.1"], 2, "bad ip address");
    assert_eq!(listed(), "");

    made(&dir, &["192.0.2.10"]);
    let all = "ca.crt ca.key kube-apiserver.crt kube-apiserver.key server.crt server.key";
    assert_eq!(listed(), all);
    for name in ["ca", "server", "kube-apiserver"] {
        let mode = |kind: &str| {
            let file = std::fs::metadata(dir.join(format!("{name}.{kind}")));
            file.expect("there").permissions().mode() & 0o777
        };
        assert_eq!((mode("key"), mode("crt")), (0o600, 0o644), "{name}");
    }
    let before = std::fs::read(dir.join("server.key")).expect("a key");
    fails(&["192.0.2.11"], 2, "is there already and stays");
    fails(
        &["--client", "kube-apiserver"],
        2,
        "is there already and stays",
    );
    assert_eq!(
        std::fs::read(dir.join("server.key")).expect("a key"),
        before
    );
    std::fs::remove_file(dir.join("ca.key")).expect("removed");
    fails(&["--client", "b"], 2, "no ca.key");
    assert!(stdout(&script(&["--help"])).contains("Usage: deploy/certificates.sh"));
}
