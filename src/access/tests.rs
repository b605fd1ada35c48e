use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::HeaderValue;
use expect_test::{Expect, expect};
use secrecy::SecretString;

use super::*;

const PROD: &str = "prod-token-0123456789";
const NEXT: &str = "prod-token-next-98765";
const TEST: &str = "test-token-0123456789";

fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

fn by_token(clusters: &[&str], file: PathBuf) -> IngestCredential {
    IngestCredential {
        clusters: strings(clusters),
        token_file: Some(file),
        ..Default::default()
    }
}

fn by_name(clusters: &[&str], names: &[&str]) -> IngestCredential {
    IngestCredential {
        clusters: strings(clusters),
        certificate_names: strings(names),
        ..Default::default()
    }
}

fn bearer(token: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("Bearer {token}")).unwrap()
}

fn peer(name: &str) -> Peer {
    let names = CertificateNames {
        common_name: Some(name.to_owned()),
        ..Default::default()
    };
    Peer {
        certificate: Some(Arc::new(names)),
        ..Peer::unknown()
    }
}

#[test]
fn a_token_writes_its_clusters_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let prod = file(dir.path(), "prod", &format!("{PROD}\n\n{NEXT}\n"));
    let test = file(dir.path(), "test", TEST);
    let credentials = [by_token(&["prod", "prod-2"], prod), by_token(&["*"], test)];
    let ingest = Ingest::load(&credentials, false).unwrap();
    let ask = |value: &HeaderValue, cluster: &str| {
        ingest.may_write(&Peer::unknown(), Some(value), cluster)
    };
    for token in [PROD, NEXT] {
        assert_eq!(ask(&bearer(token), "prod"), Ok(()));
        assert_eq!(ask(&bearer(token), "prod-2"), Ok(()));
        assert_eq!(ask(&bearer(token), "test"), Err(Denied::Forbidden));
        assert_eq!(ask(&bearer(token), "prod "), Err(Denied::Forbidden));
    }
    assert_eq!(ask(&bearer(TEST), "anything"), Ok(()));
    assert_eq!(
        ask(
            &HeaderValue::from_static("bEARER  prod-token-0123456789 "),
            "prod"
        ),
        Ok(())
    );
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer prod-token-012345678",
        "Basic cHJvZA==",
        PROD,
    ] {
        let value = HeaderValue::from_static(wrong);
        assert_eq!(ask(&value, "prod"), Err(Denied::Unknown), "{wrong}");
    }
    let none = ingest.may_write(&Peer::unknown(), None, "prod");
    assert_eq!(none, Err(Denied::Unknown));
}

#[test]
fn a_certificate_writes_its_clusters_and_no_others() {
    let credentials = [
        by_name(&["prod"], &["kube-apiserver", "spiffe://prod/api"]),
        by_name(&["lab"], &["*"]),
    ];
    let ingest = Ingest::load(&credentials, true).unwrap();
    let ask = |peer: &Peer, cluster| ingest.may_write(peer, None, cluster);
    assert_eq!(ask(&peer("kube-apiserver"), "prod"), Ok(()));
    assert_eq!(ask(&peer("spiffe://prod/api"), "prod"), Ok(()));
    assert_eq!(
        ask(&peer("kube-apiserver"), "lab"),
        Ok(()),
        "both lines fit"
    );
    assert_eq!(ask(&peer("kubelet"), "prod"), Err(Denied::Forbidden));
    assert_eq!(ask(&peer("kubelet"), "lab"), Ok(()));
    assert_eq!(ask(&Peer::unknown(), "lab"), Err(Denied::Unknown));
}

#[test]
fn without_credentials_everyone_may_and_exposure_stops_that_at_loopback() {
    let ingest = Ingest::load(&[], false).unwrap();
    assert_eq!(ingest.may_write(&Peer::unknown(), None, "prod"), Ok(()));
    assert!(!ingest.has_identity());
    assert_eq!(
        Api::load(&[]).unwrap().who(None),
        Ok(Reader::of_everything())
    );
}

#[test]
fn a_rotated_token_is_taken_and_the_old_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "prod", PROD);
    let tokens = tokens::Tokens::load("test", vec![path.clone()]).unwrap();
    let known = |token| tokens.now().find(Some(&bearer(token)));
    assert_eq!((known(PROD), known(NEXT)), (Some(0), None));
    fs::write(&path, NEXT).unwrap();
    assert!(tokens.look());
    assert_eq!((known(PROD), known(NEXT)), (None, Some(0)));
}

/// A removed credential is gone, whatever replaces it, and does not affect others.
#[test]
fn a_broken_file_lets_nobody_in() {
    for broken in [Some(""), Some("\n\n"), Some("short"), Some(TEST), None] {
        let dir = tempfile::tempdir().unwrap();
        let path = file(dir.path(), "prod", PROD);
        let other = file(dir.path(), "test", TEST);
        let tokens = tokens::Tokens::load("test", vec![path.clone(), other.clone()]).unwrap();
        let known = |token| tokens.now().find(Some(&bearer(token)));
        assert_eq!((known(PROD), known(TEST)), (Some(0), Some(1)));
        match broken {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        assert!(tokens.look());
        // A token in two files is rejected.
        let left = (broken != Some(TEST)).then_some(1);
        assert_eq!((known(PROD), known(TEST)), (None, left), "{broken:?}");
        assert!(!tokens.look());
        fs::write(&other, NEXT).unwrap();
        assert!(tokens.look());
        assert_eq!(known(NEXT), Some(1), "{broken:?}");
        fs::write(&path, PROD).unwrap();
        assert!(tokens.look());
        assert_eq!((known(PROD), known(NEXT)), (Some(0), Some(1)));
    }
}

#[test]
fn a_reader_sees_clusters_and_namespaces_of_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let credential = |name: &str, token: &str, clusters: &[&str], namespaces: &[&str]| {
        let token_file = file(dir.path(), name, token);
        ApiCredential {
            token_file,
            clusters: strings(clusters),
            namespaces: strings(namespaces),
            logs: false,
        }
    };
    let api = Api::load(&[
        credential("all", PROD, &["*"], &["*"]),
        credential("some", TEST, &["prod"], &["shop", "web"]),
    ])
    .unwrap();
    assert_eq!(api.who(None), Err(Denied::Unknown));
    assert_eq!(api.who(Some(&bearer(NEXT))), Err(Denied::Unknown));

    let all = api.who(Some(&bearer(PROD))).unwrap();
    let scope = all.narrow(&[], &[]).unwrap();
    assert_eq!((scope.clusters, scope.namespaces), (None, None));
    let scope = all.narrow(&strings(&["a"]), &strings(&["b"])).unwrap();
    assert_eq!(scope.clusters, Some(strings(&["a"])));
    assert_eq!(scope.namespaces, Some(strings(&["b"])));

    let some = api.who(Some(&bearer(TEST))).unwrap();
    let scope = some.narrow(&[], &[]).unwrap();
    assert_eq!(scope.clusters, Some(strings(&["prod"])));
    assert_eq!(scope.namespaces, Some(strings(&["shop", "web"])));
    let scope = some
        .narrow(&strings(&["prod"]), &strings(&["web"]))
        .unwrap();
    assert_eq!(scope.namespaces, Some(strings(&["web"])));
    for (clusters, namespaces) in [(&["lab"][..], &[][..]), (&[], &["web", "kube-system"])] {
        let denied = some.narrow(&strings(clusters), &strings(namespaces));
        assert_eq!(denied, Err(Denied::Forbidden));
    }
}

/// Checks a slip in a credential: one line that names the place, never a token.
/// What `running.json` holds opens everything of this process, and nothing of another.
#[test]
fn the_token_of_this_process_may_do_everything() {
    let dir = tempfile::tempdir().unwrap();
    let prod = file(dir.path(), "prod", PROD);
    let ingest = Ingest::load(&[by_token(&["prod"], prod.clone())], false).unwrap();
    let credential = ApiCredential {
        token_file: prod,
        clusters: strings(&["prod"]),
        namespaces: strings(&["shop"]),
        logs: false,
    };
    let api = Api::load(&[credential]).unwrap();
    let (own, other) = ("own-token-of-one-process", "own-token-of-another");
    let ingest = ingest.with_own_token(&SecretString::from(own));
    let api = api.with_own_token(&SecretString::from(own));
    let may = |token: &str, cluster: &str| {
        ingest.may_write(&Peer::unknown(), Some(&bearer(token)), cluster)
    };
    assert_eq!(may(own, "anything"), Ok(()));
    assert_eq!(may(other, "prod"), Err(Denied::Unknown));
    assert_eq!(may(PROD, "anything"), Err(Denied::Forbidden));
    assert!(api.who(Some(&bearer(own))).unwrap().sees_everything());
    assert_eq!(api.who(Some(&bearer(other))), Err(Denied::Unknown));
    assert_eq!(api.who(None), Err(Denied::Unknown));
    assert!(!api.who(Some(&bearer(PROD))).unwrap().sees_everything());
}

fn check_slip(credential: &IngestCredential, folder: &Path, expected: Expect) {
    let error = Ingest::load(std::slice::from_ref(credential), false)
        .err()
        .unwrap();
    expected.assert_eq(
        &error
            .to_string()
            .replace(&folder.display().to_string(), "DIR"),
    );
}

#[test]
fn slips_are_told_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let good = file(at, "good", PROD);
    check_slip(
        &by_token(&[], good.clone()),
        at,
        expect![[r#"ingest credential 1: clusters must be exact names, or ["*"] for all"#]],
    );
    check_slip(
        &by_token(&["*", "a"], good.clone()),
        at,
        expect![[r#"ingest credential 1: clusters must be exact names, or ["*"] for all"#]],
    );
    check_slip(
        &by_token(&["prod-*"], good),
        at,
        expect![[r#"ingest credential 1: clusters must be exact names, or ["*"] for all"#]],
    );
    check_slip(
        &by_name(&["a"], &[]),
        at,
        expect!["ingest credential 1: set either token_file or certificate_names"],
    );
    check_slip(
        &by_name(&["a"], &["b"]),
        at,
        expect!["ingest credential 1: certificate_names needs client_ca_file on the listener"],
    );
    check_slip(
        &by_token(&["a"], at.join("none")),
        at,
        expect!["DIR/none: No such file or directory (os error 2)"],
    );
    check_slip(
        &by_token(&["a"], file(at, "empty", "\n \n")),
        at,
        expect!["DIR/empty: contains no token"],
    );
    check_slip(
        &by_token(&["a"], file(at, "short", "\nsecret")),
        at,
        expect!["DIR/short: line 2: is shorter than 16 characters"],
    );
    check_slip(
        &by_token(&["a"], file(at, "spaced", "secret of two words")),
        at,
        expect!["DIR/spaced: line 1: has a character that is not allowed in tokens"],
    );
    check_slip(
        &by_token(&["a"], file(at, "twice", &format!("{PROD}\n{PROD}"))),
        at,
        expect!["DIR/twice: line 2: is a duplicate"],
    );
}

#[test]
fn no_debug_output_has_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "prod", PROD);
    let tokens = tokens::Tokens::load("test", vec![path.clone()]).unwrap();
    assert_eq!(format!("{:?}", tokens.now()), "Tokens(1)");
    let text = format!("{:?}", by_token(&["prod"], path));
    assert!(!text.contains(PROD), "{text}");
}

/// Checks the result for an address, with TLS, identity and `insecure` set or not.
fn check_listen(listen: &str, [tls, identity, insecure]: [bool; 3], expected: Expect) {
    let exposure = Exposure {
        room: "ingest",
        listen: listen.parse().unwrap(),
        tls,
        identity,
        insecure,
    };
    let said = match check_exposure(&exposure) {
        Ok(()) => "may".to_owned(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&said);
}

#[test]
fn only_loopback_may_do_without_identity_and_tls() {
    let nothing = [false; 3];
    check_listen("127.0.0.1:7070", nothing, expect!["may"]);
    check_listen("[::1]:7070", nothing, expect!["may"]);
    check_listen("[::ffff:127.0.0.1]:7070", nothing, expect!["may"]);
    check_listen("0.0.0.0:7070", [true, true, false], expect!["may"]);
    check_listen("0.0.0.0:7070", [false, false, true], expect!["may"]);
    check_listen(
        "0.0.0.0:7070",
        nothing,
        expect![
            "ingest.listen 0.0.0.0:7070 is reachable from other machines without authentication: add [[access.ingest]], listen on 127.0.0.1, or pass --insecure"
        ],
    );
    check_listen(
        "[::]:7070",
        [true, false, false],
        expect![
            "ingest.listen [::]:7070 is reachable from other machines without authentication: add [[access.ingest]], listen on 127.0.0.1, or pass --insecure"
        ],
    );
    check_listen(
        "10.0.0.1:7070",
        [false, true, false],
        expect![
            "ingest.listen 10.0.0.1:7070 is reachable from other machines without TLS, and tokens would be sent in clear text: set ingest.tls_certificate_file and ingest.tls_key_file, listen on 127.0.0.1, or pass --insecure"
        ],
    );
}

#[test]
fn credentials_stand_in_toml_as_documented() {
    #[derive(serde::Deserialize)]
    struct Lists {
        ingest: Vec<IngestCredential>,
        api: Vec<ApiCredential>,
    }
    let text = r#"
        [[ingest]]
        clusters = ["prod"]
        token_file = "/etc/bygone/prod.token"
        [[ingest]]
        clusters = ["*"]
        certificate_names = ["kube-apiserver"]
        [[api]]
        token_file = "/etc/bygone/readers.token"
        clusters = ["*"]
        namespaces = ["*"]
    "#;
    let lists: Lists = toml::from_str(text).unwrap();
    assert_eq!((lists.ingest.len(), lists.api.len()), (2, 1));
    for slip in ["token = \"abc\"", "namespaces = []"] {
        let text = format!("clusters = [\"a\"]\n{slip}");
        assert!(toml::from_str::<IngestCredential>(&text).is_err(), "{slip}");
        assert!(toml::from_str::<ApiCredential>(&text).is_err(), "{slip}");
    }
}
