//! Who may read which lines.

use serde_json::Value;

use super::clickhouse;
use crate::support::{self, Bygone};

const CONFIG: &str = r#"
[[logs]]
name = "otel"
preset = "otel-clickhouse"

[[access.api]]
token_file = "{dir}/all.token"
clusters = ["*"]
namespaces = ["*"]
logs = true

[[access.api]]
token_file = "{dir}/web.token"
clusters = ["demo"]
namespaces = ["statefulset-38e"]
logs = true

[[access.api]]
token_file = "{dir}/quiet.token"
clusters = ["demo"]
namespaces = ["statefulset-38e"]
"#;

/// Status, and the text of the whole answer.
fn ask(bygone: &Bygone, token: Option<&str>, query: &[(&str, &str)]) -> (u16, String) {
    support::block_on(async {
        let mut request = support::client().get(format!("{}/api/v1/logs", bygone.api));
        if let Some(token) = token {
            request = request.bearer_auth(format!("{token}-secret-0123456789"));
        }
        let response = request.query(query).send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, support::text_of(response).await)
    })
}

/// Nothing of another namespace: no line, no count, no name, not even that there is something.
#[test]
fn a_token_reads_the_lines_of_its_namespaces() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["all", "web", "quiet"] {
        let token = format!("{name}-secret-0123456789\n");
        let path = folder.path().join(format!("{name}.token"));
        std::fs::write(&path, token).expect("written");
    }
    let database = clickhouse::strongest().bygone.database.clone();
    let bygone = Bygone::start_beside(database, CONFIG, folder, &[]);

    let oom = clickhouse::strongest().instance("crash-3a2", "oom");
    let web = clickhouse::strongest().instance("statefulset-38e", "web-0");
    let by_name: &[_] = &[("name", "oom"), ("instance", "1")];
    let by_id: &[_] = &[("container_id", &*oom.container_id)];
    let by_uid: &[_] = &[("uid", &*oom.uid), ("all_containers", "true")];
    for query in [by_name, by_id, by_uid] {
        let (status, text) = ask(&bygone, Some("all"), query);
        assert_eq!((status, text.contains(" line 0")), (200, true), "{text}");
        let (status, text) = ask(&bygone, Some("web"), query);
        assert_eq!(status, 200, "{text}");
        let end: Value = serde_json::from_str(text.trim()).expect("the end alone");
        let summary = &end["end"]["summary"];
        assert_eq!(
            (&summary["lines"], &end["end"]["instances"]),
            (&0.into(), &0.into()),
            "{text}"
        );
        assert!(
            !text.contains("crash-3a2") && !text.contains("worker"),
            "{text}"
        );
        assert_eq!(ask(&bygone, Some("quiet"), query).0, 403);
        assert_eq!(ask(&bygone, None, query).0, 401);
    }
    // What is named outright is refused, whether it exists or not.
    for namespace in ["crash-3a2", "no-such"] {
        let query = [("namespace", namespace), ("name", "oom")];
        assert_eq!(ask(&bygone, Some("web"), &query).0, 403, "{namespace}");
    }
    let own: &[_] = &[("container_id", &*web.container_id)];
    let (status, text) = ask(&bygone, Some("web"), own);
    assert_eq!((status, text.contains(" line 0")), (200, true), "{text}");
    let (status, text) = ask(
        &bygone,
        Some("web"),
        &[("name", "*"), ("from", "2026-11-23T06:00:00Z")],
    );
    assert_eq!(status, 200, "{text}");
    let foreign = text
        .lines()
        .filter(|line| !line.contains("\"statefulset-38e\""));
    assert_eq!(foreign.count(), 0, "{text}");
    // How long a store took for it says something about what others have there.
    let explained = [own, &[("explain", "true")]].concat();
    let (status, text) = ask(&bygone, Some("web"), &explained);
    assert_eq!(status, 403, "{text}");
    assert!(text.contains("explain needs a token for all"), "{text}");
    let (status, text) = ask(&bygone, Some("all"), &explained);
    assert_eq!(
        (status, text.contains("\"attempts\"")),
        (200, true),
        "{text}"
    );
    // The same of a reader without logs: nothing at all.
    assert_eq!(ask(&bygone, Some("quiet"), own).0, 403);
}
