//! The samples in `deploy/` are what the program reads.

use std::collections::BTreeSet;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::support::{BYGONE, plain, run, stderr, stdout};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/config.sample.toml");

fn print(file: Option<&str>) -> String {
    let mut command = plain(BYGONE);
    command.args(["config", "print"]);
    if let Some(file) = file {
        command.args(["--config", file]);
    }
    let output = run(&mut command);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn the_sample_says_the_defaults() {
    let defaults = print(None);
    let sample = print(Some(SAMPLE));
    let without_folder = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("data_dir"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_folder(&sample), without_folder(&defaults));
}

#[test]
fn the_kafka_sample_is_read() {
    let printed = print(Some(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/deploy/kafka.toml"
    )));
    for line in [
        "cluster_from = [\"topic\"]",
        "sasl_mechanism = \"SCRAM-SHA-512\"",
        "k8s-audit-prod = \"prod\"",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
}

/// Keys that are commented out, because their default is "not there", are keys all the same.
#[test]
fn every_commented_key_is_one() {
    let text = std::fs::read_to_string(SAMPLE).expect("the sample");
    let lines = text.lines().map(
        |line| match line.strip_prefix("# ").or(line.strip_prefix('#')) {
            Some(key) if is_setting(key) => key,
            _ => line,
        },
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("all.toml");
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).expect("written");
    let printed = print(path.to_str());
    for key in [
        "url",
        "cluster",
        "password_file",
        "library",
        "tls_certificate_file",
        "client_ca_file",
        "ca_file",
    ] {
        assert!(
            printed
                .lines()
                .any(|line| line.starts_with(&format!("{key} = "))),
            "{key}"
        );
    }
}

fn is_setting(text: &str) -> bool {
    if text.starts_with("[[") {
        return true;
    }
    let Some((key, _)) = text.split_once(" = ") else {
        return false;
    };
    key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// The documents of a YAML file, as JSON.
fn documents(name: &str) -> Vec<Value> {
    let path = format!("{}/deploy/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("a sample");
    let documents = serde_saphyr::from_multiple(&text);
    documents.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Reads a document as the type that Kubernetes has for it, and expects to lose nothing: a key that
/// is misspelt or misplaced would be gone.
fn check<T: DeserializeOwned + Serialize>(document: &Value) {
    let typed: T = serde_json::from_value(document.clone()).expect("the type's shape");
    let mut again = serde_json::to_value(typed).expect("JSON");
    for own in ["apiVersion", "kind"] {
        again[own] = document[own].clone();
    }
    assert_eq!(&again, document);
}

#[test]
fn the_permissions_of_watches_are_what_kubernetes_reads() {
    use k8s_openapi::api::{core::v1 as core, rbac::v1 as rbac};
    let documents = documents("watch-rbac.yaml");
    for document in &documents {
        match document["kind"].as_str().expect("a kind") {
            "Namespace" => check::<core::Namespace>(document),
            "ServiceAccount" => check::<core::ServiceAccount>(document),
            "ClusterRole" => check::<rbac::ClusterRole>(document),
            "ClusterRoleBinding" => check::<rbac::ClusterRoleBinding>(document),
            kind => panic!("{kind} is checked by nothing"),
        }
    }
    assert_eq!(documents.len(), 4);
}

#[test]
fn the_manifest_is_what_kubernetes_reads() {
    use k8s_openapi::api::{
        apps::v1 as apps, core::v1 as core, networking::v1 as networking, policy::v1 as policy,
    };
    let documents = documents("kubernetes.yaml");
    for document in &documents {
        match document["kind"].as_str().expect("a kind") {
            "Namespace" => check::<core::Namespace>(document),
            "ServiceAccount" => check::<core::ServiceAccount>(document),
            "ConfigMap" => check::<core::ConfigMap>(document),
            "StatefulSet" => check::<apps::StatefulSet>(document),
            "Service" => check::<core::Service>(document),
            "NetworkPolicy" => check::<networking::NetworkPolicy>(document),
            "PodDisruptionBudget" => check::<policy::PodDisruptionBudget>(document),
            kind => panic!("{kind} is checked by nothing"),
        }
    }
    let config = documents
        .iter()
        .find(|document| document["kind"] == "ConfigMap")
        .expect("one");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bygone.toml");
    std::fs::write(&path, config["data"]["bygone.toml"].as_str().expect("text")).expect("written");
    let printed = print(path.to_str());
    assert!(
        printed.contains("certificate_names = [\"kube-apiserver\"]"),
        "{printed}"
    );
}

#[test]
fn kubeconfigs_name_a_cluster_in_their_path() {
    for name in [
        "webhook-kubeconfig",
        "webhook-kubeconfig-mtls",
        "webhook-kubeconfig-token",
    ] {
        let config = &documents(&format!("{name}.yaml"))[0];
        let server = config["clusters"][0]["cluster"]["server"]
            .as_str()
            .expect("a server");
        assert!(server.contains("/v1/audit/"), "{name}: {server}");
        assert_eq!(
            config["current-context"], config["contexts"][0]["name"],
            "{name}"
        );
        let user = &config["users"][0]["user"];
        let with_user = user.as_object().is_some_and(|user| !user.is_empty());
        assert_eq!(
            server.starts_with("https://"),
            with_user,
            "{name}: credentials go over https"
        );
    }
}

#[test]
fn the_policy_keeps_whole_pods_and_no_reads() {
    let policy = &documents("audit-policy.yaml")[0];
    assert_eq!(policy["kind"], "Policy");
    assert_eq!(policy["omitManagedFields"], true);
    let rules = policy["rules"].as_array().expect("rules");
    let names = |rule: &Value, name: &str| rule.to_string().contains(&format!("\"{name}\""));
    let whole = rules
        .iter()
        .find(|rule| rule["level"] == "RequestResponse")
        .expect("whole objects");
    assert!(names(whole, "pods") && names(whole, "pods/*"), "{whole}");
    assert_eq!(rules.last().expect("one")["level"], "None");
}

/// A manifest as Krew reads it (`krew.googlecontainertools.github.com/v1alpha2`), without what this one does not use.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Manifest {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    version: String,
    homepage: String,
    short_description: String,
    description: String,
    caveats: String,
    platforms: Vec<Platform>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Platform {
    selector: Selector,
    uri: String,
    sha256: String,
    files: Vec<Copied>,
    bin: String,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    match_labels: std::collections::BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Copied {
    from: String,
    to: String,
}

#[test]
fn krew_can_read_its_manifest() {
    let document = documents("krew/bygone.yaml").remove(0);
    let manifest: Manifest = serde_json::from_value(document).expect("a manifest");
    let version = "krew.googlecontainertools.github.com/v1alpha2";
    assert_eq!(
        (&*manifest.api_version, &*manifest.kind),
        (version, "Plugin")
    );
    // The name of the file, too.
    assert_eq!(manifest.metadata.name, "bygone");
    let spec = manifest.spec;
    assert_eq!(spec.version, concat!("v", env!("CARGO_PKG_VERSION")));
    assert!(spec.homepage.starts_with("https://"));
    assert!(spec.short_description.len() <= 50 && !spec.short_description.ends_with('.'));
    assert!(spec.description.contains("kubectl bygone "));
    for platform in &spec.platforms {
        let labels = platform.selector.match_labels.iter();
        let labels: Vec<String> = labels
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(labels, ["arch=amd64", "os=linux"]);
        assert!(platform.uri.starts_with("https://") && platform.uri.ends_with(".tar.gz"));
        assert!(platform.uri.contains(&spec.version), "{}", platform.uri);
        let is_hex = |digit: char| matches!(digit, '0'..='9' | 'a'..='f');
        assert!(platform.sha256.len() == 64 && platform.sha256.chars().all(is_hex));
        let from: Vec<&str> = platform.files.iter().map(|file| &*file.from).collect();
        assert!(
            from.contains(&&*platform.bin) && from.contains(&"LICENSE"),
            "{from:?}"
        );
        assert!(platform.files.iter().all(|file| file.to == "."));
    }
    listed(&spec.caveats);
}

/// The contexts that a text shows are read by the program.
fn listed(text: &str) {
    let (_, block) = text.split_once("[contexts.prod]\n").expect("a context");
    let lines = block.lines().take_while(|line| line.contains(" = "));
    let block: String = lines.map(|line| format!("{}\n", line.trim())).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    std::fs::write(&path, format!("[contexts.prod]\n{block}")).expect("written");
    let output = run(plain(BYGONE)
        .args(["context", "list"])
        .env("BYGONE_CLIENT_CONFIG", &path));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("https://bygone.example:7071"));
}

#[test]
fn contexts_of_the_documents_are_read() {
    listed(include_str!("../../docs/ask.md"));
    let help = run(plain(BYGONE).args(["context", "--help"]));
    listed(&stdout(&help));
}

/// docs/operate.md lists every metric that the program has, and no other.
#[test]
fn every_metric_is_documented() {
    let names = |path: &str| {
        let text = std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR")));
        let text = text.expect("a file of the repository");
        let is_entry =
            |line: &&str| line.starts_with("| `bygone_") || line.starts_with("pub const");
        let names = text.lines().filter(is_entry).filter_map(|line| {
            let name = line.split(['"', '`']).nth(1)?;
            Some(name.to_owned())
        });
        names.collect::<BTreeSet<String>>()
    };
    assert_eq!(names("docs/operate.md"), names("src/telemetry.rs"));
}
