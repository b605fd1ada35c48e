//! A server with the certificate that `openssl req -x509` makes: its own CA, and trusted by itself alone.

use std::path::Path;

use crate::support::{BYGONE, Bygone, plain, run, stderr, stdout};

const CONFIG: &str = r#"
[api]
tls_certificate_file = "{dir}/server.crt"
tls_key_file = "{dir}/server.key"
"#;

fn make_certificate(dir: &Path) {
    let output = run(plain("openssl").current_dir(dir).args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=bygone",
        "-addext",
        "subjectAltName=DNS:localhost,DNS:bygone.example",
        "-keyout",
        "server.key",
        "-out",
        "server.crt",
    ]));
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_self_signed_certificate_is_its_own_ca() {
    let folder = tempfile::tempdir().expect("a folder");
    make_certificate(folder.path());
    let ca = folder.path().join("server.crt");
    let bygone = Bygone::start_configured(CONFIG, folder);
    let localhost = bygone.api.replace("127.0.0.1", "localhost");
    let ask = |server: &str, ca: Option<&Path>| {
        let mut command = plain(BYGONE);
        command.args(["get", "pods", "--all", "--server", server]);
        if let Some(ca) = ca {
            command.arg("--ca-file").arg(ca);
        }
        let output = run(&mut command);
        assert_eq!(stdout(&output), "");
        (output.status.code(), stderr(&output))
    };
    let (code, said) = ask(&localhost, Some(&ca));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("no pods found: "), "{said}");

    let (code, said) = ask(&bygone.api, Some(&ca));
    let expected = format!(
        "bygone: the certificate of {} is not for that host, but for localhost, bygone.example: \
         use one of these in --server\n",
        bygone.api
    );
    assert_eq!((code, said), (Some(2), expected));

    let (code, said) = ask(&localhost, None);
    let expected = format!(
        "bygone: the certificate of {localhost} is not trusted: it is self-signed: \
         pass --ca-file with the certificate itself\n"
    );
    assert_eq!((code, said), (Some(2), expected));

    let elsewhere = tempfile::tempdir().expect("a folder");
    make_certificate(elsewhere.path());
    let other = elsewhere.path().join("server.crt");
    let (code, said) = ask(&localhost, Some(&other));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("is not trusted: "), "{said}");
    assert!(!said.contains("is \"bygone serve\" running"), "{said}");
}
