//! What people read when an etcd can't be read: exact lines, by a real one.

use std::path::Path;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::server::Etcd;
use super::{delete_pod, put_pod};
use crate::objects::{state_of, statuses, until, until_watching};
use crate::support::{Bygone, free_address, wait_for};

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca() -> Ca {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// `NAME.crt` and `NAME.key` for 127.0.0.1, until the beginning of a year.
fn certify(ca: &Ca, folder: &Path, name: &str, until: i32) {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let made = params.signed_by(&key, ca).unwrap();
    std::fs::write(folder.join(format!("{name}.crt")), made.pem()).unwrap();
    std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

/// An etcd that also has a port with TLS, which wants certificates of clients; and the address of that.
fn with_tls(until: i32) -> (Etcd, String) {
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let ca = ca();
    std::fs::write(folder.path().join("ca.crt"), ca.pem()).unwrap();
    std::fs::write(folder.path().join("other.crt"), self::ca().pem()).unwrap();
    certify(&ca, folder.path(), "server", until);
    certify(&ca, folder.path(), "client", 2090);
    let (plain, secure) = (free_address(), free_address());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let flags = [
        format!("--listen-client-urls=http://{plain},https://{secure}"),
        format!("--cert-file={}", path("server.crt")),
        format!("--key-file={}", path("server.key")),
        format!("--trusted-ca-file={}", path("ca.crt")),
        "--client-cert-auth".to_owned(),
        // etcd's own gateway would show its members' certificate, and at random sends what the plain port gets to the other.
        format!("--client-cert-file={}", path("client.crt")),
        format!("--client-key-file={}", path("client.key")),
    ];
    let etcd = Etcd::start_at(folder, plain.port(), &flags);
    (etcd, format!("https://{secure}"))
}

fn sha256(file: &str) -> String {
    let certificate = CertificateDer::from_pem_file(file).unwrap();
    hex::encode(Sha256::digest(&certificate))
}

/// Waits until each cluster's line is logged, and nothing else about it.
fn until_said(bygone: &Bygone, lines: &[(&str, String)]) {
    for (cluster, line) in lines {
        let begin = format!("etcd {cluster}: ");
        let said = wait_for(&format!("a line about {cluster}"), || {
            let log = bygone.log();
            let said = log.lines().find_map(|it| it.split_once(&begin));
            said.map(|(_, said)| said.to_owned())
        });
        assert_eq!(&said, line, "{cluster}");
        assert_eq!(bygone.log().matches(&begin).count(), 1, "{cluster}");
    }
}

fn block(cluster: &str, endpoint: &str, more: &str) -> String {
    format!("[[etcd]]\ncluster = \"{cluster}\"\nendpoints = [\"{endpoint}\"]\n{more}\n")
}

/// The endpoints of a test.
struct Urls<'a> {
    secure: &'a str,
    expired: &'a str,
    closed: &'a str,
    /// With http:// where TLS is spoken.
    spoken: &'a str,
    /// With https:// where none is.
    unspoken: &'a str,
}

fn lines_about_addresses(good: &Etcd, urls: &Urls) -> Vec<(&'static str, String)> {
    let Urls {
        secure,
        expired,
        closed,
        spoken,
        unspoken,
    } = urls;
    let (server, other) = (sha256(&good.path("server.crt")), good.path("other.crt"));
    vec![
        (
            "other-ca",
            format!(
                "the certificate of {secure} is not trusted, ca_file {other} has not signed it: set it to the CA \
                     of the cluster; the SHA-256 of the certificate is {server}"
            ),
        ),
        (
            "other-name",
            format!(
                "the certificate of {secure} is for 127.0.0.1, not for etcd.example: use such a name in the \
                     address, or set tls_server_name to it"
            ),
        ),
        (
            "expired",
            format!(
                "the certificate of {expired} has expired: renew it there, like \"kubeadm certs renew etcd-server\" \
                     does"
            ),
        ),
        (
            "no-certificate",
            format!(
                "{secure} ended the connection: it does not accept this client's certificate, or is not the client \
                     port of an etcd: set certificate_file and key_file, signed by etcd's --trusted-ca-file"
            ),
        ),
        (
            "closed",
            format!(
                "{closed} cannot be reached: connection refused: check the address, firewalls, and the member"
            ),
        ),
        (
            "plain",
            format!(
                "{spoken} ended the connection: it needs https://, or is not the client port of an etcd"
            ),
        ),
        (
            "tls",
            format!("{unspoken} does not speak TLS: check the port, or use http:// in the address"),
        ),
        (
            "peers",
            format!(
                "{} ended the connection: it needs https://, or is not the client port of an etcd",
                good.peer_url()
            ),
        ),
        (
            "prefix",
            format!(
                "{secure} has no /other/namespaces/kube-system: set prefix to the --etcd-prefix of the API server"
            ),
        ),
    ]
}

#[test]
fn certificates_and_addresses() {
    let ((good, secure), (old, expired)) = (with_tls(2090), with_tls(2020));
    put_pod(&good, "web-0", 1, 7_200);
    let own = |etcd: &Etcd| {
        format!(
            "certificate_file = {:?}\nkey_file = {:?}\n",
            etcd.path("client.crt"),
            etcd.path("client.key")
        )
    };
    let ca = |etcd: &Etcd, name: &str| format!("ca_file = {:?}\n", etcd.path(name));
    let closed = format!("https://{}", free_address());
    let spoken = secure.replace("https:", "http:");
    let unspoken = good.url().replace("http:", "https:");
    let trusted = own(&good) + &ca(&good, "ca.crt");
    let named = trusted.clone() + "tls_server_name = \"etcd.example\"";
    let elsewhere = trusted.clone() + "prefix = \"/other/\"";
    let config = [
        block("prod", &secure, &trusted),
        block("other-ca", &secure, &(own(&good) + &ca(&good, "other.crt"))),
        block("other-name", &secure, &named),
        block("expired", &expired, &(own(&old) + &ca(&old, "ca.crt"))),
        block("no-certificate", &secure, &ca(&good, "ca.crt")),
        block("closed", &closed, &trusted),
        block("plain", &spoken, ""),
        block("tls", &unspoken, &trusted),
        block("peers", &good.peer_url(), ""),
        block("prefix", &secure, &elsewhere),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let bygone = Bygone::start_configured(&config.concat(), folder);
    let urls = Urls {
        secure: &secure,
        expired: &expired,
        closed: &closed,
        spoken: &spoken,
        unspoken: &unspoken,
    };
    until_said(&bygone, &lines_about_addresses(&good, &urls));
    until(&bygone, "web-0", "node", "node-1");
    let is_read = |row: &serde_json::Value| {
        row["place"]
            .as_str()
            .is_some_and(|place| place.starts_with("prod "))
    };
    wait_for("the good one is watched", || {
        let rows = statuses(&bygone, "etcd");
        let good = rows.iter().filter(|row| is_read(row));
        (good.filter(|row| row["state"] == "watching").count() == 3).then_some(())
    });
}

#[test]
fn users_and_what_they_may_read() {
    let mut etcd = Etcd::start();
    put_pod(&etcd, "web-0", 1, 7_200);
    put_pod(&etcd, "web-1", 2, 7_200);
    let open = Etcd::start();
    etcd.restrict("bygone", "let me in", &["pods", "namespaces"]);
    std::fs::write(etcd.path("password"), "let me in\n").unwrap();
    std::fs::write(etcd.path("wrong"), "canary\n").unwrap();
    let user = |file: &str| format!("user = \"bygone\"\npassword_file = {:?}", etcd.path(file));
    let config = [
        block(
            "prod",
            &etcd.url(),
            &(user("password") + "\nsilence_seconds_max = 3"),
        ),
        block("nobody", &etcd.url(), ""),
        block("wrong", &etcd.url(), &user("wrong")),
        block("open", &open.url(), &user("password")),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let bygone = Bygone::start_configured(&config.concat(), folder);
    until(&bygone, "web-0", "node", "node-1");
    let url = etcd.url();
    until_said(
        &bygone,
        &[
            (
                "nobody",
                format!("{url} requires a user: set user and password_file"),
            ),
            (
                "wrong",
                format!(
                    "{url} rejects the user bygone or the password: check user and password_file"
                ),
            ),
            (
                "open",
                format!(
                    "{} has no authentication: remove user and password_file",
                    open.url()
                ),
            ),
            (
                "prod",
                "nodes: bygone may not read this: run \"etcdctl role grant-permission ROLE read /registry/minions/ \
                 --prefix=true\" for its role; what is permitted is watched"
                    .to_owned(),
            ),
        ],
    );
    wait_for("nodes are not permitted", || {
        let state = state_of(&bygone, "etcd", "prod nodes");
        (state["state"] == "not permitted").then_some(())
    });

    // Tokens end with the member.
    etcd.stop();
    etcd.run();
    etcd.authenticate();
    delete_pod(&etcd, "web-0");
    until(&bygone, "web-0", "over_at IS NOT NULL", "1");

    stands_still(&etcd, &bygone);
    delete_pod(&etcd, "web-1");
    until(&bygone, "web-1", "over_at IS NOT NULL", "1");
    assert!(!bygone.log().contains("canary"));
    assert!(!bygone.log().contains("let me in"));
}

/// A member that answers nothing for a while, and goes on.
fn stands_still(etcd: &Etcd, bygone: &Bygone) {
    let pid = std::fs::read_to_string(etcd.path("pid")).unwrap();
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    wait_for("that it is silent", || {
        let silent = format!("etcd prod: {} did not answer within 3 s", etcd.url());
        bygone.log().contains(&silent).then_some(())
    });
    kill_process(pid, Signal::CONT).unwrap();
}

#[test]
fn a_user_is_not_sent_without_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let password = folder.path().join("password");
    std::fs::write(&password, "secret").unwrap();
    let user = format!("user = \"bygone\"\npassword_file = {password:?}");
    let config = folder.path().join("bygone.toml");
    let check = |text: String, expected: &str| {
        std::fs::write(&config, text).unwrap();
        let mut serve = crate::support::plain(crate::support::BYGONE);
        serve.args(["serve", "--config"]).arg(&config);
        serve.arg("--data-dir").arg(folder.path().join("data"));
        serve.args([
            "--ingest-listen",
            "127.0.0.1:0",
            "--api-listen",
            "127.0.0.1:0",
        ]);
        let output = crate::support::run(&mut serve);
        assert_eq!(crate::support::stderr(&output).trim_end(), expected);
        assert_eq!(output.status.code(), Some(2));
    };
    check(
        block("prod", "http://192.0.2.1", &user),
        "bygone: etcd prod: the password would be sent to http://192.0.2.1:2379 without TLS, to whoever answers: use \
         https:// with ca_file, or set insecure = true if that is acceptable",
    );
    let twice = block("prod", "http://127.0.0.1", "");
    check(
        twice.repeat(2),
        "bygone: etcd prod: is there twice: keep one [[etcd]] of it",
    );
    check(
        block("prod", "10.0.0.1:2379", ""),
        "bygone: etcd prod: endpoint \"10.0.0.1:2379\" is no address: use one like https://10.0.0.1:2379",
    );
    std::fs::write(&password, "\n").unwrap();
    check(
        block("prod", "https://10.0.0.1", &user),
        &format!(
            "bygone: etcd prod: password_file {}: is empty",
            password.display()
        ),
    );
    let half = format!("certificate_file = {password:?}");
    check(
        block("prod", "https://10.0.0.1", &half),
        "bygone: etcd prod: a certificate and its key belong together: certificate_file is set, key_file is not",
    );
}

#[test]
fn all_three_are_watched() {
    let mut etcd = Etcd::start();
    etcd.restrict("bygone", "p", &["pods", "minions", "namespaces"]);
    std::fs::write(etcd.path("password"), "p").unwrap();
    let user = format!(
        "user = \"bygone\"\npassword_file = {:?}",
        etcd.path("password")
    );
    let folder = tempfile::tempdir().expect("a folder");
    let bygone = Bygone::start_configured(&block("prod", &etcd.url(), &user), folder);
    until_watching(&bygone, "etcd");
    assert!(!bygone.log().contains("WARN"), "{}", bygone.log());
}
