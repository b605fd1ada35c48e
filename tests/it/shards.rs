//! Two engines as the shards of a cluster: the answers are those of one.

use std::path::Path;
use std::process::Output;

use bygone::engine::{Config, Engine, Options};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    self, BYGONE, Bygone, block_on, free_address, kill_at_once, library, new_database, on_shared,
    plain, run, sql, sql_at, stderr, stdout,
};
use crate::truth;

/// The account that the test and the shards use.
const USER: (&str, &str) = ("tester", "secret of a test");

const DATABASE: &str = "bygone";

/// Tables of facts, lives, sessions, deliveries, dead letters and positions.
const TABLES: usize = 12;

/// A cluster of two shards with one replica each, called `two`.
struct Cluster {
    engines: [Engine; 2],
    folder: TempDir,
}

impl Cluster {
    fn start() -> Cluster {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("password"), USER.1).expect("written");
        let ports = [free_address().port(), free_address().port()];
        let engines = [0, 1].map(|shard| {
            let data_dir = folder.path().join(shard.to_string());
            configure(&data_dir.join("clickhouse"), ports);
            let engine = Engine::start(Options {
                config: Config {
                    library: Some(library()),
                    memory_bytes_max: 2 << 30,
                    ..Config::default()
                },
                data_dir,
                program: Some(BYGONE.into()),
                tcp_port: Some(ports[shard]),
                readable: None,
            });
            block_on(engine).expect("the engine starts")
        });
        Cluster { engines, folder }
    }

    fn urls(&self) -> [String; 2] {
        [0, 1].map(|shard: usize| self.engines[shard].url().to_owned())
    }

    /// Where to find it, without a word of shards.
    fn account(&self) -> Vec<(&'static str, String)> {
        let password_file = self.folder.path().join("password");
        vec![
            ("BYGONE_CLICKHOUSE_URL", self.urls()[0].clone()),
            ("BYGONE_CLICKHOUSE_USER", USER.0.to_owned()),
            (
                "BYGONE_CLICKHOUSE_PASSWORD_FILE",
                password_file.display().to_string(),
            ),
            ("BYGONE_CLICKHOUSE_DATABASE", DATABASE.to_owned()),
        ]
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.account();
        environment.push(("BYGONE_CLICKHOUSE_CLUSTER", "two".to_owned()));
        environment.push(("BYGONE_CLICKHOUSE_SHARD_URLS", self.urls().join(",")));
        environment
    }

    fn apply(&self) {
        let urls = self.urls();
        let output = self.run(&[
            "schema",
            "apply",
            "--cluster",
            "two",
            "--shard-url",
            &urls[0],
            "--shard-url",
            &urls[1],
        ]);
        assert!(output.status.success(), "{}", stderr(&output));
    }

    /// The program, told where the cluster is by its arguments alone.
    fn run(&self, args: &[&str]) -> Output {
        run(plain(BYGONE).args(args).envs(self.account()))
    }

    fn bygone(&self) -> Bygone {
        Bygone::start_with(DATABASE.to_owned(), &self.environment(), &[])
    }

    /// What each shard answers.
    fn sql(&self, statement: &str) -> [String; 2] {
        self.urls().map(|url| sql_at(&url, USER, statement))
    }
}

/// The engine reads `config.d` beside its own configuration, as any ClickHouse does.
fn configure(folder: &Path, ports: [u16; 2]) {
    let shards: Vec<String> = ports
        .iter()
        .map(|port| {
            format!(
                "<shard><internal_replication>true</internal_replication><replica>\
                 <host>127.0.0.1</host><port>{port}</port></replica></shard>"
            )
        })
        .collect();
    let (user, password) = USER;
    let text = format!(
        "<clickhouse>
           <remote_servers><two><secret>of the shards</secret>{}</two></remote_servers>
           <users><{user}>
             <password>{password}</password><networks><ip>127.0.0.1</ip></networks>
             <profile>default</profile><quota>default</quota>
           </{user}></users>
           <http_handlers><rule_{user}>
             <headers><X-ClickHouse-User>{user}</X-ClickHouse-User></headers>
             <handler><type>dynamic_query_handler</type><query_param_name>query</query_param_name></handler>
           </rule_{user}></http_handlers>
         </clickhouse>",
        shards.join("")
    );
    let folder = folder.join("config.d");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("cluster.xml"), text).expect("written");
}

/// The rows of both, in the order of their text.
fn same((one, two): (&Bygone, &Bygone), args: &[&str]) {
    let sorted = |bygone: &Bygone| {
        let rows = bygone.rows(args);
        let mut rows: Vec<String> = rows.iter().map(Value::to_string).collect();
        rows.sort();
        rows
    };
    let (one, two) = (sorted(one), sorted(two));
    assert!(!one.is_empty(), "{args:?} proves nothing");
    assert_eq!(one, two, "{args:?}");
}

/// Every kind of question.
fn same_answers(both: (&Bygone, &Bygone)) {
    let (one, _) = both;
    let all = one.rows(&["containers", "-A"]);
    let some = &all[all.len() / 2];
    let text = |field: &str| some[field].as_str().expect("text").to_owned();
    let begun = all
        .iter()
        .filter_map(|row| row["started_at"].as_str())
        .collect::<Vec<_>>();
    let (early, late) = (begun[begun.len() / 4], begun[begun.len() / 2]);
    let (namespace, uid, id) = (text("namespace"), text("pod_uid"), text("container_id"));
    let (node, ip) = (
        text("node"),
        some["pod_ips"][0].as_str().expect("an address"),
    );
    for what in ["containers", "pods"] {
        same(both, &[what, "-A"]);
        same(both, &[what, "-n", &namespace]);
        same(both, &[what, "--from", early, "--to", late]);
        same(both, &[what, "-n", &namespace, "--from", early]);
        same(both, &[what, "--to", late]);
        same(both, &[what, "--at", late]);
        same(both, &[what, "--uid", &uid]);
        same(both, &[what, "--ip", ip]);
        same(both, &[what, "--node", &node]);
    }
    let when = [
        "--from",
        "2026-11-23T06:15:47Z",
        "--to",
        "2026-11-23T06:15:48Z",
    ];
    same(both, &["sessions", "-A"]);
    same(
        both,
        &["sessions", "-n", "exec-3a4", "--user", "kubernetes-admin"],
    );
    same(both, &[&["sessions", "shell"][..], &when].concat());
    for what in ["containers", "pods"] {
        same(both, &[what, "--container-id", &id[..12]]);
        same(
            both,
            &[what, "--image", "registry.example.com", "--from", early],
        );
        same(both, &[what, "--ip", ip, "--from", early]);
    }
}

/// What is said of names that are not known, by every look-up.
fn same_hints((one, two): (&Bygone, &Bygone)) {
    for question in [
        "pods -l app=wbe",
        "pods -l ap",
        "pods --ip 192.0.2.77",
        "pods --uid 11111111-2222-4333-8444-555555555555",
        "containers --container-id ffffffffffff",
        "containers --container-id fff-fff",
        "pods --by kubernetes-adnim",
        "pods --created-by kubernetes-adnim",
        "pods --service-account defualt",
        "sessions --user kubernetes-adnim",
        "containers --reason OOMKiled",
        "pods --node worker-33",
        "pods --workload deploy/wbe",
        "pods --image ngnix",
        "containers */web-0/mian",
        "workloads wbe",
        "images ngnix",
        "nodes worker-33",
        "namespaces kube-sytem",
    ] {
        let args: Vec<&str> = question.split(' ').collect();
        let said = [one, two].map(|bygone| support::stderr(&bygone.get(&args)));
        assert_eq!(said[0], said[1], "{question}");
        let hint = said[0].lines().nth(1).unwrap_or_default();
        assert!(hint.starts_with("no "), "{question}: {}", said[0]);
    }
}

/// Also when a shard dies while the rows come in.
#[test]
fn the_recording_on_two_shards() {
    let cluster = Cluster::start();
    cluster.apply();
    let comments = format!(
        "SELECT groupArrayIf((table, name), comment = ''), countIf(comment != '') > 100 FROM system.columns \
         WHERE database = '{DATABASE}' AND table != 'schema_versions'"
    );
    assert_eq!(cluster.sql(&comments), ["[]\t1", "[]\t1"]);
    let (one, two) = (Bygone::start(), cluster.bygone());
    let folder = support::recording_a();
    let bodies = support::read(&folder, "bodies.jsonl");
    let bodies: Vec<String> = bodies.lines().map(str::to_owned).collect();
    one.post_all(bodies.clone());
    let (first, second) = bodies.split_at(bodies.len() / 2);
    two.post_all(first.to_vec());
    kill_at_once(cluster.engines[1].pid().expect("it runs"));
    two.post_all(second.to_vec());

    let missed = truth::RECORDING_A_REMOVALS_MISSED;
    truth::answers_equal(&folder, &two, "on two shards", missed);
    same_answers((&one, &two));
    same_hints((&one, &two));
    let pods = "SELECT uniqExact(pod_uid) FROM bygone_local.facts";
    let counts = cluster
        .sql(pods)
        .map(|count| count.parse::<u64>().expect("a number"));
    assert!(counts.iter().all(|count| *count > 20), "{counts:?}");

    // What came of one cluster lies on one shard, where different events are counted.
    let count = "SELECT groupArray((about, level, stage, toUInt64(events))) FROM \
                 (SELECT about, level, stage, sum(events) AS events FROM {}coverage GROUP BY ALL ORDER BY ALL)";
    let came = cluster.sql(&count.replace("{}", &format!("{DATABASE}.")));
    let alone = sql(&one.database, &count.replace("{}", ""));
    assert_eq!(came, [alone.trim(), alone.trim()]);

    one.reconciled();
    two.reconciled();
    truth::answers_equal(&folder, &two, "on two shards, filed", missed);
    same_answers((&one, &two));
    let filed = cluster.sql("SELECT count() FROM bygone_local.ended_containers");
    assert!(filed.iter().all(|count| count != "0"), "{filed:?}");
}

/// Events of the whole life of a pod, or of its beginning.
fn life(uid: &str, created: &str, removed: Option<&str>) -> String {
    let event = |verb: &str, code: u16, at: &str, metadata: Value| {
        let mut metadata = metadata;
        metadata["name"] = "web-0".into();
        metadata["namespace"] = "shop".into();
        metadata["uid"] = uid.into();
        metadata["creationTimestamp"] = created.into();
        json!({
            "auditID": format!("{uid}-{verb}"),
            "stage": "ResponseComplete",
            "verb": verb,
            "user": {"username": "someone"},
            "objectRef": {"resource": "pods", "namespace": "shop", "name": "web-0", "uid": uid},
            "responseStatus": {"code": code},
            "responseObject": {"kind": "Pod", "apiVersion": "v1", "metadata": metadata},
            "stageTimestamp": at,
        })
    };
    let mut events = vec![event(
        "create",
        201,
        created,
        json!({"resourceVersion": "1"}),
    )];
    events.extend(removed.map(|at| {
        let gone = json!({"resourceVersion": "2", "deletionTimestamp": at, "deletionGracePeriodSeconds": 0});
        event("delete", 200, at, gone)
    }));
    let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// One of the events of a session of that pod.
fn exec(stage: &str, second: u32) -> String {
    let event = json!({
        "auditID": "an-exec", "stage": stage, "verb": "get", "user": {"username": "alice"},
        "requestURI": "/api/v1/namespaces/shop/pods/web-0/exec?container=main&command=ls",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web-0", "subresource": "exec"},
        "responseStatus": {"code": 101}, "requestReceivedTimestamp": "2026-11-23T09:30:00Z",
        "stageTimestamp": format!("2026-11-23T09:30:{second:02}Z"),
    });
    event.to_string()
}

/// A pod whose removal nobody saw, and whose name another one has got since: what one says of the other meets on one shard.
#[test]
fn a_name_that_is_used_again_lies_on_one_shard() {
    let cluster = Cluster::start();
    cluster.apply();
    let two = cluster.bygone();
    let uid = |number: u32| format!("00000000-0000-4000-8000-{number:012}");
    let lives = [
        ("2026-11-23T06:00:00Z", None),
        ("2026-11-23T07:00:00Z", None),
        ("2026-11-23T08:00:00Z", None),
        ("2026-11-23T09:00:00Z", Some("2026-11-23T10:00:00Z")),
    ];
    for (number, (created, removed)) in (0..).zip(lives) {
        two.post_all([life(&uid(number), created, removed)]);
    }
    let mut counts = cluster.sql("SELECT uniqExact(pod_uid) FROM bygone_local.facts");
    counts.sort();
    assert_eq!(counts, ["0", "4"]);
    // So does what was asked of it, whoever is asked for that.
    two.post_all([exec("ResponseStarted", 0), exec("ResponseComplete", 5)]);
    let mut counts = cluster.sql("SELECT count() FROM bygone_local.sessions");
    counts.sort();
    assert_eq!(counts, ["0", "1"]);
    for args in [&[][..], &["-n", "shop"], &["--at", "2026-11-23T09:30:04Z"]] {
        let args = [&["sessions"], args].concat();
        let rows = two.rows(&args);
        assert_eq!(rows.len(), 1, "{args:?}");
        assert_eq!(rows[0]["over_at"], "2026-11-23T09:30:05.000Z");
    }
    let page = ["describe", "pod", "shop/web-0", "--server", &two.api];
    let page = stdout(&run(plain(BYGONE).args(page)));
    assert!(page.contains("exec in main by alice for 5s"), "{page}");
    let unknown = |number| two.rows(&["pods", "--uid", &uid(number)])[0]["unknown"].to_string();
    for _ in ["recent", "filed"] {
        for replaced in 0..3 {
            let unknown = unknown(replaced);
            assert!(unknown.contains("removal unseen"), "{unknown}");
        }
        assert!(!unknown(3).contains("removal unseen"));
        two.reconciled();
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let cluster = Cluster::start();
    let urls = cluster.urls();
    let refused = |args: &[&str], because: &str| {
        let output = cluster.run(args);
        let said = stderr(&output);
        assert!(!output.status.success(), "{args:?}: {}", stdout(&output));
        assert!(said.contains(because), "{args:?}: {said}");
    };
    let apply = ["schema", "apply"];
    let on = |name: &'static str, urls: &[&str]| {
        let mut args: Vec<String> = apply.iter().map(|&arg| arg.to_owned()).collect();
        args.extend(["--cluster".to_owned(), name.to_owned()]);
        args.extend(urls.iter().map(|url| format!("--shard-url={url}")));
        args
    };
    let refused_on = |name, urls: &[&str], because| {
        let args = on(name, urls);
        refused(
            &args.iter().map(String::as_str).collect::<Vec<_>>(),
            because,
        );
    };
    refused_on("two", &[&urls[0]], "has 2 shards, but 1 are given");
    refused_on("two", &[], "set clickhouse.shard_urls");
    refused_on("three", &[&urls[0], &urls[1]], "has no cluster three");
    refused_on("it's", &[&urls[0]], "invalid cluster name");

    // What has tables of its own is not replaced by what spans shards, and the other way round.
    assert!(cluster.run(&apply).status.success());
    refused_on("two", &[&urls[0], &urls[1]], "has tables of its own");
    let kept = sql_at(
        &urls[0],
        USER,
        "SELECT engine FROM system.tables WHERE database = 'bygone' AND name = 'facts'",
    );
    assert_eq!(kept, "MergeTree");
    sql_at(&urls[0], USER, "DROP DATABASE bygone");
    cluster.apply();
    cluster.apply();
    refused(&apply, "spans the shards of a cluster");
    refused(&["get", "pods"], "spans the shards of a cluster");
    let status = run(plain(BYGONE)
        .args(["schema", "status"])
        .envs(cluster.environment()));
    assert!(status.status.success(), "{}", stderr(&status));
    assert_eq!(stdout(&status).lines().count(), 3, "{}", stdout(&status));
}

/// Replicas can't run in the embedded engine; at least it reads what would make their tables.
#[test]
fn replicated_tables_parse() {
    let database = new_database();
    let output = run(&mut on_shared(
        &database,
        &["schema", "print", "--replicated"],
    ));
    let printed = stdout(&output);
    assert!(!printed.contains("non_replicated"), "{printed}");
    let statements = printed.split(";\n").map(str::trim);
    let mut tables = 0;
    for statement in statements.filter(|statement| !statement.is_empty()) {
        sql("default", &format!("EXPLAIN AST {statement}"));
        if statement.contains("CREATE TABLE") {
            let path = format!("('/clickhouse/tables/{{shard}}/{database}/");
            assert!(statement.contains("\nENGINE = Replicated"), "{statement}");
            assert!(statement.contains(&path), "{statement}");
            tables += 1;
        }
    }
    assert_eq!(tables, TABLES);
}
