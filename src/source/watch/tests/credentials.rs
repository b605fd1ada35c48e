//! Client certificates, credential plugins, and proxies that have a certificate or come with the kubeconfig.

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;

use super::*;

/// An API server that asks for client certificates of the stage's CA.
fn demanding(stage: &Stage) -> Shown {
    let (made, key) = stage.pair("127.0.0.1", 2090, true);
    let mut roots = RootCertStore::empty();
    roots.add(stage.ca.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let tls = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(vec![made.der().clone()], secret(&key))
        .unwrap();
    Shown {
        tls: Arc::new(tls),
        pem: made.pem(),
        sha256: String::new(),
    }
}

/// A kubeconfig whose only user has these credentials, and whose cluster has these fields.
fn of_user(stage: &Stage, url: &str, user: &str, cluster: &str) -> Config {
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: it,
           clusters: [{{name: c, cluster: {{server: '{url}', certificate-authority: ca.crt{cluster}}}}}],
           users: [{{name: u, user: {{{user}}}}}],
           contexts: [{{name: it, context: {{cluster: c, user: u}}}}]}}"
    );
    Config {
        cluster: "prod".to_owned(),
        kubeconfig: Some(stage.write("kubeconfig", &text)),
        ..Config::default()
    }
}

/// A plugin that runs these words in a shell.
fn plugin(script: &str) -> String {
    format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh,
           args: ['-c', '{}']}}",
        script.replace('\'', "''")
    )
}

fn credential(status: &str) -> String {
    plugin(&format!(
        "echo '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{status}}}'"
    ))
}

/// A kubeconfig with contexts that work, and others.
fn kubeconfig(url: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Config, current-context: good,
           clusters: [{{name: c, cluster: {{server: '{url}', certificate-authority: ca.crt}}}}],
           users: [{{name: u, user: {{token: secret-token}}}},
             {{name: old, user: {{token: a-token}}}},
             {{name: plugin, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never,
               command: sh, args: ['-c', 'echo a-secret; exit 3']}}}}}}],
           contexts: [{{name: good, context: {{cluster: c, user: u}}}},
             {{name: old, context: {{cluster: c, user: old}}}},
             {{name: plugin, context: {{cluster: c, user: plugin}}}},
             {{name: bad, context: {{cluster: nowhere, user: u}}}}]}}"
    )
}

#[tokio::test]
async fn kubeconfigs() {
    let stage = Stage::new();
    let good = stage.certificate("127.0.0.1", 2090, true);
    let url = format!("https://{}", serve(Some(&good), "200 OK\n{}").await);
    let text = kubeconfig(&url);
    let path = stage.write("kubeconfig", &text);
    let of = |path: &PathBuf, context: Option<&str>| Config {
        cluster: "prod".to_owned(),
        kubeconfig: Some(path.clone()),
        context: context.map(str::to_owned),
        ..Config::default()
    };
    let shown = path.display();
    for (context, expected) in [
        (None, "ok".to_owned()),
        (
            Some("prod"),
            format!("kubeconfig {shown}: has no context \"prod\": it has good, old, plugin, bad"),
        ),
        (
            Some("bad"),
            format!("kubeconfig {shown}: has no cluster \"nowhere\""),
        ),
        (
            Some("old"),
            format!(
                "{url} rejects the credentials, they are expired or revoked (401): renew those of user \"old\" in \
                 kubeconfig {shown}"
            ),
        ),
        (
            Some("plugin"),
            format!(
                "the credential plugin failed with exit status: 3: renew those of user \"plugin\" in kubeconfig {shown}"
            ),
        ),
    ] {
        check(&of(&path, context), &expected).await;
    }
    let none = stage.path("none");
    check(
        &of(&none, None),
        &format!(
            "kubeconfig {}: No such file or directory (os error 2)",
            none.display()
        ),
    )
    .await;
    let broken = stage.write("broken", "token: [secret");
    check(
        &of(&broken, None),
        &format!(
            "kubeconfig {}: is no valid kubeconfig: try \"kubectl config view\"",
            broken.display()
        ),
    )
    .await;
}

#[tokio::test]
async fn client_certificates() {
    let stage = Stage::new();
    for (name, until, by_ca) in [
        ("alice", 2090, true),
        ("late", 2020, true),
        ("strange", 2090, false),
    ] {
        let (made, key) = stage.pair(name, until, by_ca);
        stage.write(&format!("{name}.crt"), &made.pem());
        stage.write(&format!("{name}.key"), &key.serialize_pem());
    }
    let server = demanding(&stage);
    let url = format!("https://{}", serve(Some(&server), "200 OK\n{}").await);
    let pair = |certificate: &str, key: &str| {
        format!("client-certificate: {certificate}, client-key: {key}")
    };
    let shown = stage.path("kubeconfig");
    let renew = format!(
        "renew those of user \"u\" in kubeconfig {}",
        shown.display()
    );
    let rejected = format!("{url} rejects the client certificate: {renew}");
    for (user, expected) in [
        (pair("alice.crt", "alice.key"), "ok".to_owned()),
        (pair("late.crt", "late.key"), rejected.clone()),
        (pair("strange.crt", "strange.key"), rejected.clone()),
        (
            String::new(),
            format!("{url} requires a client certificate: {renew}"),
        ),
        (
            pair("token", "token"),
            format!("the client certificate cannot be used: {renew}"),
        ),
        (
            pair("alice.crt", "late.key"),
            format!("the client certificate cannot be used: {renew}"),
        ),
        (
            pair("none.crt", "alice.key"),
            format!("the client certificate cannot be used: {renew}"),
        ),
    ] {
        check(&of_user(&stage, &url, &user, ""), &expected).await;
    }
}

#[tokio::test]
async fn credential_plugins() {
    let stage = Stage::new();
    let good = stage.certificate("127.0.0.1", 2090, true);
    let url = format!("https://{}", serve(Some(&good), "200 OK\n{}").await);
    let shown = stage.path("kubeconfig");
    let renew = format!(
        "renew those of user \"u\" in kubeconfig {}",
        shown.display()
    );
    let missing = "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: no-such-plugin}";
    for (user, expected) in [
        (credential("{\"token\":\"secret-token\"}"), "ok".to_owned()),
        (
            credential("{\"token\":\"an-old-token\"}"),
            format!("{url} rejects the credentials, they are expired or revoked (401): {renew}"),
        ),
        (
            plugin("echo nonsense"),
            format!("the credential plugin answers no ExecCredential with a status: {renew}"),
        ),
        (
            plugin("exit 7"),
            format!("the credential plugin failed with exit status: 7: {renew}"),
        ),
        (
            missing.to_owned(),
            format!(
                "the credential plugin cannot be run: No such file or directory (os error 2): {renew}"
            ),
        ),
    ] {
        check(&of_user(&stage, &url, &user, ""), &expected).await;
    }
    // One that makes certificates.
    let (made, key) = stage.pair("alice", 2090, true);
    let status = serde_json::json!({"clientCertificateData": made.pem(), "clientKeyData": key.serialize_pem()});
    let user = plugin(&format!(
        "cat {}",
        stage
            .write(
                "credential",
                &serde_json::json!({"apiVersion": "client.authentication.k8s.io/v1",
                    "kind": "ExecCredential", "status": status})
                .to_string()
            )
            .display()
    ));
    let url = format!(
        "https://{}",
        serve(Some(&demanding(&stage)), "200 OK\n{}").await
    );
    check(&of_user(&stage, &url, &user, ""), "ok").await;
}

#[tokio::test]
async fn proxies_of_kubeconfigs_and_behind_tls() {
    let stage = Stage::new();
    let named = stage.certificate("api.example", 2090, true);
    let server = serve(Some(&named), "200 OK\n{}").await;
    let proxy = connect_proxy(server).await;
    let own = format!(", proxy-url: 'http://user:let%20me@{proxy}'");
    let user = "token: secret-token";
    check(&of_user(&stage, "https://api.example", user, &own), "ok").await;
    let own = format!(", proxy-url: 'http://user:wrong@{proxy}'");
    check(
        &of_user(&stage, "https://api.example", user, &own),
        &format!(
            "the proxy http://{proxy} rejects the user or the password: check the kubeconfig's proxy-url"
        ),
    )
    .await;

    // Its certificate is not the API server's.
    let secure = stage.certificate("127.0.0.1", 2090, true);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = TlsAcceptor::from(secure.tls.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                if let Ok(stream) = tls.accept(stream).await {
                    connect(stream, server).await;
                }
            });
        }
    });
    let through = |scheme: &str, address: SocketAddr| Config {
        proxy_url: Some(ProxyUrl(format!("{scheme}://user:let%20me@{address}"))),
        ..stage.config("https://api.example")
    };
    check(
        &through("https", address),
        &format!(
            "the certificate of the proxy https://{address} is not trusted: add its CA to those of this machine \
             (SSL_CERT_FILE), or check proxy_url"
        ),
    )
    .await;
    check(
        &through("https", proxy),
        &format!("the proxy https://{proxy} does not speak TLS: use http:// in proxy_url"),
    )
    .await;
    let no_proxy = serve(None, "404 Not Found").await;
    check(
        &through("http", no_proxy),
        &format!(
            "the proxy http://{no_proxy} does not connect to https://api.example:443: allow it there, or except it \
             from proxy_url"
        ),
    )
    .await;
}
