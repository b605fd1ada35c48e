//! Requests to pods that are there: exec, attach, port-forward, ephemeral containers, resizes; who, when, from where,
//! and what became of it.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::get::RECORDED;
use crate::support::{self, BYGONE, Bygone, plain, run, stderr, stdout};

/// What nothing may say: a command, an argument, an environment value.
const SECRET: &str = "CANARY-of-a-session";

const UID: &str = "66666666-0000-4000-8000-000000000006";

/// At so many seconds after 06:00.
fn at(seconds: u32) -> String {
    format!(
        "2026-11-23T06:{:02}:{:02}.100000Z",
        seconds / 60,
        seconds % 60
    )
}

fn event(verb: &str, subresource: &str, (from, to): (u32, u32), more: Value) -> Value {
    let part = match subresource {
        "" => String::new(),
        part => format!("/{part}"),
    };
    let mut event = json!({
        "level": "RequestResponse", "auditID": format!("00000000-0000-4000-8000-{from:012}"),
        "stage": "ResponseComplete", "verb": verb,
        "requestURI": format!("/api/v1/namespaces/shop/pods/target{part}"),
        "user": {"username": "alice"}, "sourceIPs": ["192.0.2.1"],
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "target", "apiVersion": "v1", "subresource": subresource},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": at(from), "stageTimestamp": at(to),
    });
    for (key, value) in more.as_object().expect("an object") {
        event[key] = value.clone();
    }
    event
}

/// Both events of a stream.
fn stream(verb: &str, subresource: &str, times: (u32, u32), more: Value) -> [Value; 2] {
    let uri = format!(
        "/api/v1/namespaces/shop/pods/target/{subresource}?command=login&command={SECRET}&container=main&stdin=true"
    );
    let mut over = event(verb, subresource, times, more);
    over["level"] = json!("Metadata");
    over["requestURI"] = json!(uri);
    if over["responseStatus"]["code"] == 200 {
        over["responseStatus"]["code"] = json!(101);
    }
    let mut begun = over.clone();
    begun["stage"] = json!("ResponseStarted");
    begun["stageTimestamp"] = over["requestReceivedTimestamp"].clone();
    [begun, over]
}

fn pod(version: u32, debuggers: &[&str], reported: &[&str]) -> Value {
    let named = |names: &[&str]| -> Vec<Value> {
        let named = names
            .iter()
            .map(|name| json!({"name": name, "image": "busybox:1.37", "command": [SECRET]}));
        named.collect()
    };
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": "target", "namespace": "shop", "uid": UID, "resourceVersion": version.to_string(),
            "creationTimestamp": "2026-11-23T06:00:00Z"},
        "spec": {"nodeName": "worker-1", "containers": [{"name": "main"}], "ephemeralContainers": named(debuggers)},
        "status": {"phase": "Running", "ephemeralContainerStatuses": named(reported)},
    })
}

/// The life of a pod, with everything that can be asked of it while it is there.
fn events() -> Vec<Value> {
    let answer = |pod: Value| json!({ "responseObject": pod });
    let created = json!({"responseObject": pod(1, &[], &[]), "responseStatus": {"code": 201},
        "user": {"username": "deployer"}});
    let added = json!({"responseObject": pod(2, &["old", "debugger"], &["old"]),
        "requestObject": {"spec": {"ephemeralContainers": [{"name": "debugger", "env": [{"name": "A", "value": SECRET}]}]}}});
    let mut gone = pod(9, &[], &[]);
    gone["metadata"]["deletionTimestamp"] = json!("2026-11-23T06:50:00Z");
    gone["metadata"]["deletionGracePeriodSeconds"] = json!(0);
    let as_bob =
        json!({"impersonatedUser": {"username": "bob"}, "sourceIPs": ["203.0.113.9", "10.0.0.1"]});
    let refused = json!({"responseStatus": {"code": 403, "reason": "Forbidden", "message": SECRET},
        "user": {"username": "mallory"}});
    let dry = json!({"requestURI": "/api/v1/namespaces/shop/pods/target/resize?dryRun=All"});
    let mut events = vec![
        event("create", "", (0, 0), created),
        event("patch", "ephemeralcontainers", (300, 300), added),
        event("patch", "resize", (360, 360), answer(pod(3, &[], &[]))),
        event("patch", "resize", (370, 370), dry),
        event("get", "resize", (380, 380), json!({})),
        event("delete", "", (3000, 3000), answer(gone)),
    ];
    events.extend(stream("get", "exec", (400, 460), json!({})));
    events.extend(stream("create", "attach", (500, 560), as_bob));
    events.extend(stream("get", "exec", (600, 600), refused));
    let [begun, _] = stream("create", "portforward", (700, 700), json!({}));
    events.push(begun);
    // Of a pod of this name that came later.
    events.extend(stream(
        "get",
        "exec",
        (3300, 3310),
        json!({"responseStatus": {"code": 404}}),
    ));
    events
}

/// Each twice, the second time the other way round.
fn posted() -> Bygone {
    let bygone = Bygone::start();
    let lines: Vec<String> = events().iter().map(Value::to_string).collect();
    bygone.post_all(lines.iter().cloned());
    bygone.post_all([lines.iter().rev().cloned().collect::<Vec<_>>().join("\n")]);
    bygone
}

fn table(bygone: &Bygone, args: &[&str], expected: Expect) {
    let output = bygone.get(
        &[
            &[
                "sessions",
                "--zone",
                "UTC",
                "--cluster",
                "demo",
                "-n",
                "shop",
            ],
            args,
        ]
        .concat(),
    );
    assert_eq!(stderr(&output), "", "{args:?}");
    expected.assert_eq(&stdout(&output));
}

#[test]
fn who_did_what_in_a_pod() {
    let bygone = posted();
    let all = expect![[r#"
        POD      KIND                  CONTAINER   BEGAN (UTC)           LASTED      BY             FROM          VIA        CODE   AUDIT-ID
        target   ephemeralcontainers   debugger    2026-11-23 06:05:00   0s          alice          192.0.2.1     <none>     200    00000000-0000-4000-8000-000000000300
        target   resize                <none>      2026-11-23 06:06:00   0s          alice          192.0.2.1     <none>     200    00000000-0000-4000-8000-000000000360
        target   exec                  main        2026-11-23 06:06:40   60s         alice          192.0.2.1     <none>     101    00000000-0000-4000-8000-000000000400
        target   attach                main        2026-11-23 06:08:20   60s         alice as bob   203.0.113.9   10.0.0.1   101    00000000-0000-4000-8000-000000000500
        target   exec                  main        2026-11-23 06:10:00   0s          mallory        192.0.2.1     <none>     403    00000000-0000-4000-8000-000000000600
        target   portforward           <none>      2026-11-23 06:11:40   <unknown>   alice          192.0.2.1     <none>     101    00000000-0000-4000-8000-000000000700
        target   exec                  main        2026-11-23 06:55:00   10s         alice          192.0.2.1     <none>     404    00000000-0000-4000-8000-000000003300
    "#]];
    table(&bygone, &["-o", "wide"], all);
    times_and_accounts(&bygone);
    page(&bygone);
    // Nothing that was said or stored holds what was run.
    let mut said = bygone.metrics().into_bytes();
    for form in ["json", "csv", "yaml"] {
        said.extend(bygone.get(&["sessions", "-o", form]).stdout);
    }
    for what in ["session_events", "sessions", "facts", "recent_pods"] {
        let rows = format!("SELECT * FROM {what} FORMAT JSONEachRow");
        said.extend(support::bytes(&bygone.database, &rows));
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(
        said.contains("debugger") && !said.contains("CANARY"),
        "{said}"
    );
}

/// What was open then, by whom it was asked, and what can't be asked.
fn times_and_accounts(bygone: &Bygone) {
    let began = |args: &[&str]| -> Vec<String> {
        let rows = bygone.rows(&[&["sessions"], args].concat());
        let began = rows
            .iter()
            .map(|row| row["began_at"].as_str().expect("a time")[14..19].to_owned());
        began.collect()
    };
    assert_eq!(began(&["--at", "2026-11-23T06:07:00Z"]), ["06:40"]);
    // Of one nobody knows whether it is over.
    let window = [
        "--from",
        "2026-11-23T06:09:10Z",
        "--to",
        "2026-11-23T06:10:30Z",
    ];
    assert_eq!(began(&window), ["08:20", "10:00"]);
    assert_eq!(began(&["--from", "2026-11-23T06:56:00Z"]), ["11:40"]);
    assert_eq!(began(&["--user", "mallory"]), ["10:00"]);
    assert_eq!(began(&["--user", "bob"]), ["08:20"]);
    assert_eq!(began(&["--user", "alice as bob"]), ["08:20"]);
    let all = began(&["tar*"]);
    assert_eq!(all.len(), 7);
    assert_eq!(began(&["other"]), [""; 0]);
    let first = stdout(&bygone.get(&["sessions", "--limit", "4", "-o", "json"]));
    let first: Value = serde_json::from_str(&first).expect("JSON");
    let cursor = first["cursor"].as_str().expect("a cursor");
    assert_eq!(began(&["--cursor", cursor]), all[..3]);
    for (args, filter) in [
        (
            &["sessions", "-l", "a=b"][..],
            "sessions cannot be filtered by labels",
        ),
        (
            &["sessions", "--uid", UID],
            "sessions cannot be filtered by uid",
        ),
        (
            &["sessions", "--node", "worker-1"],
            "sessions cannot be filtered by node",
        ),
        (
            &["pods", "--user", "alice"],
            "pods cannot be filtered by user",
        ),
    ] {
        let output = bygone.get(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(stderr(&output).contains(filter), "{}", stderr(&output));
    }
    let url = format!("{}/api/v1/sessions?image=x", bygone.api);
    let refused = support::block_on(support::client().get(url).send()).expect("an answer");
    assert_eq!(refused.status(), 400);
}

fn describe(bygone: &Bygone, args: &[&str]) -> String {
    let output = run(plain(BYGONE).arg("describe").args(args).args([
        "--zone",
        "UTC",
        "--server",
        &bygone.api,
    ]));
    assert_eq!(stderr(&output), "", "{args:?}");
    stdout(&output)
}

fn page(bygone: &Bygone) {
    let text = describe(bygone, &["pod", "shop/target"]);
    let (_, line) = text.split_once("Timeline (UTC):\n").expect("a life line");
    let (line, _) = line.split_once("\n\n").expect("its end");
    expect![[r#"
        2026-11-23 06:00:00       created by deployer                                                    metadata.creationTimestamp; account from the create request
        2026-11-23 06:05:00.100   ephemeral container debugger added by alice from 192.0.2.1             a request to its pods/ephemeralcontainers; audit ID 00000000-0000-4000-8000-000000000300
        2026-11-23 06:06:00.100   resize by alice from 192.0.2.1                                         a request to its pods/resize; audit ID 00000000-0000-4000-8000-000000000360
        2026-11-23 06:06:40.100   exec in main by alice from 192.0.2.1 for 60s                           a request to its pods/exec; audit ID 00000000-0000-4000-8000-000000000400
        2026-11-23 06:08:20.100   attach to main by alice as bob from 203.0.113.9 via 10.0.0.1 for 60s   a request to its pods/attach; audit ID 00000000-0000-4000-8000-000000000500
        2026-11-23 06:10:00.100   exec in main by mallory from 192.0.2.1, rejected: 403                  a request to its pods/exec; audit ID 00000000-0000-4000-8000-000000000600
        2026-11-23 06:11:40.100   port-forward by alice from 192.0.2.1, no end reported                  a request to its pods/portforward; audit ID 00000000-0000-4000-8000-000000000700
        2026-11-23 06:50:00.100   deletion requested by alice                                            a DELETE, or a deletecollection that listed it; audit ID 00000000-0000-4000-8000-000000003000
        2026-11-23 06:50:00.100   removed                                                                the event with which the API server removed it
    "#]]
    .assert_eq(&format!("{line}\n").replace("\n  ", "\n")[2..]);
}

/// Many sessions hide no other step, and it is said that there are more.
#[test]
fn a_thousand_sessions() {
    let bygone = Bygone::start();
    let pod = events()
        .into_iter()
        .filter(|event| event["objectRef"]["subresource"] == "");
    let many = (0..1_000).map(|number| {
        let mut event = event(
            "create",
            "portforward",
            (1, 2),
            json!({"auditID": format!("n-{number}")}),
        );
        event["requestReceivedTimestamp"] = json!(format!("2026-11-23T06:02:03.{number:06}Z"));
        event
    });
    let lines: Vec<String> = pod.chain(many).map(|event| event.to_string()).collect();
    bygone.post_all([lines.join("\n")]);
    assert_eq!(bygone.rows(&["sessions"]).len(), 1_000);
    let page: Value =
        serde_json::from_str(&describe(&bygone, &["pod", "target", "-o", "json"])).expect("JSON");
    let steps = page["steps"].as_array().expect("steps");
    let sessions: Vec<&Value> = steps
        .iter()
        .filter(|step| !step["session"].is_null())
        .collect();
    assert_eq!(
        (sessions.len(), &page["more_sessions"]),
        (100, &json!(true))
    );
    assert_eq!(sessions[99]["session"]["audit_id"], "n-999");
    let text = describe(&bygone, &["pod", "target"]);
    assert_eq!(text.matches("port-forward by alice").count(), 20);
    for told in [
        "created by deployer",
        "removed",
        "... older sessions: bygone get sessions target -n shop --cluster demo",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

/// What a real API server said.
#[test]
fn as_recorded() {
    let output = RECORDED.get(&["sessions", "--zone", "UTC", "--cluster", "demo"]);
    expect![[r#"
        NAMESPACE       POD      KIND                  CONTAINER   BEGAN (UTC)           LASTED   BY                 FROM        CODE
        ephemeral-39f   target   ephemeralcontainers   dbg1        2026-11-23 06:15:40   0s       kubernetes-admin   127.0.0.1   200
        ephemeral-39f   target   ephemeralcontainers   dbg2        2026-11-23 06:15:42   0s       kubernetes-admin   127.0.0.1   200
        exec-3a4        shell    exec                  main        2026-11-23 06:15:47   0s       kubernetes-admin   127.0.0.1   101
        exec-3a4        shell    attach                second      2026-11-23 06:15:47   0s       kubernetes-admin   127.0.0.1   101
        exec-3a4        shell    exec                  main        2026-11-23 06:15:47   0s       kubernetes-admin   127.0.0.1   101
        exec-3a4        shell    portforward           <none>      2026-11-23 06:15:47   0s       kubernetes-admin   127.0.0.1   400
        resize-3ab      sized    resize                <none>      2026-11-23 06:16:05   0s       kubernetes-admin   127.0.0.1   200
        resize-3ab      sized    resize                <none>      2026-11-23 06:16:08   0s       kubernetes-admin   127.0.0.1   200
    "#]]
    .assert_eq(&stdout(&output));
    // On the page of an instance: what was in it, or in no container.
    let args = ["container", "exec-3a4/shell/second"];
    let text = describe(&RECORDED, &args);
    let told = text.lines().filter(|line| line.contains("127.0.0.1"));
    let told: Vec<&str> = told
        .map(|line| line.trim().split("   ").nth(1).expect("a step").trim())
        .collect();
    expect![[r#"
        attach to second by kubernetes-admin from 127.0.0.1 for 0s
        port-forward by kubernetes-admin from 127.0.0.1, rejected: 400
    "#]]
    .assert_eq(&format!("{}\n", told.join("\n")));
}
