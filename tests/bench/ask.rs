//! What questions cost: ClickHouse's CPU, over made-up lives, beside a bare SELECT of the same rows.
//!
//!     BYGONE_LIVES=5000000 cargo bench --bench ask
//!
//! Pods of 300 days, made by `made`, are written as rows of the tables: those that ended into `ended_*`, the
//! rest into `recent_*`. Once as merges leave it at rest, and once as an ordinary day does: with the last day
//! in sixty parts. Each figure is the median of 20 questions about different instants, with the lowest and the
//! highest, first with ClickHouse's caches dropped before each (cold), then without (warm).
//!
//! Asked as the program asks; a page as all of its statements together. CPU is user and system time of the query as
//! `system.query_log` has it. "bare" reads the same columns of the same rows by the same key, as if each life had one row
//! in one table: less can't be read.

#[allow(dead_code, reason = "another bench uses the rest")]
mod figures;
mod made;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../it/support.rs"]
mod support;

use std::sync::Arc;
use std::time::Instant;

use bygone::clickhouse::Store;
use bygone::query;
use bygone::rows::{ContainerRow, PodRow};

use figures::{Goal, Spread};
use made::{DAY, Plan, Rows};
use support::{new_database, number, on_shared, setting, sql};

/// Pods for each instance, of made-up lives.
const PODS_PER_INSTANCE: f64 = 0.64;

const QUESTIONS: u64 = 20;

/// The goals of the project, in milliseconds of CPU.
const LOOK_UP: Goal = Goal::AtMost(40.0);
const OVERLAP: Goal = Goal::AtMost(80.0);
const OVERLAP_RATIO: Goal = Goal::AtMost(1.5);
const EMPTY: Goal = Goal::AtMost(10.0);
const STATISTICS: Goal = Goal::AtMost(2_500.0);

/// The fields of the tables that people see by default.
const OF_CONTAINERS: &str =
    "namespace,pod,container,restart,node,image,started_at,ended_at,exit_code,reason,ended_why";
const OF_PODS: &str = "namespace,pod,node,pod_uid";

/// The columns of such a table of containers, with those of the order.
const COLUMNS: &str = "namespace, pod, container, restart, node, image, started_at, ended_at, \
                       exit_code, reason, ended_why, began_at, pod_uid, container_id";

fn main() {
    let plan = Plan {
        now: jiff::Timestamp::now().as_second(),
        days: 300,
        pods: (setting("BYGONE_LIVES", 500_000) as f64 * PODS_PER_INSTANCE) as u64,
    };
    let empty = schema();
    println!("on an empty database");
    for question in questions(&plan) {
        let cost = question.cost(&empty, false, 0);
        println!(
            "  {:<38} {:>7.1} ms {}",
            question.name,
            cost.cpu,
            EMPTY.held_by(cost.cpu)
        );
    }
    let database = schema();
    fill(&plan, &database);
    report(&plan, &database, "merged");
    statistics(&database);
    unmerge(&plan, &database);
    report(&plan, &database, "the last day in sixty parts");
    statistics(&database);
}

fn schema() -> String {
    let database = new_database();
    let output = support::run(&mut on_shared(&database, &["schema", "apply"]));
    assert!(output.status.success(), "{}", support::stderr(&output));
    database
}

/// Pods whose rows travel in one INSERT.
const PODS_AT_ONCE: u64 = 50_000;

fn fill(plan: &Plan, database: &str) {
    let begun = Instant::now();
    let (mut instances, mut open) = (0, 0);
    // The last day comes later, in pieces.
    let until = plan.pods - plan.pods / plan.days as u64;
    let mut first = 0;
    while first < until {
        let rows = insert(plan, database, first..(first + PODS_AT_ONCE).min(until));
        instances += rows.instances;
        open += rows.open;
        first += PODS_AT_ONCE;
    }
    println!(
        "\n{instances} instances, {open} open, made in {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    for table in TABLES {
        sql(database, &format!("OPTIMIZE TABLE {table} FINAL"));
    }
    println!("merged after {:.0} s", begun.elapsed().as_secs_f64());
    let mut all = 0.0;
    for table in TABLES {
        let bytes = format!(
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE database = currentDatabase() AND table = '{table}' AND active"
        );
        let bytes = number(database, &bytes) as f64 / instances as f64;
        all += bytes;
        println!("  {table:<20} {bytes:6.1} bytes for each instance");
    }
    println!("  {:<20} {all:6.1} bytes for each instance", "all");
    let largest = format!(
        "SELECT concat('  ', table, '.', column, ' ', toString(round(sum(column_bytes_on_disk) / {instances}, 1))) \
         FROM system.parts_columns WHERE database = currentDatabase() AND table LIKE 'ended_%' AND active \
         GROUP BY table, column HAVING sum(column_bytes_on_disk) > {instances} ORDER BY sum(column_bytes_on_disk) DESC"
    );
    println!(
        "columns of more than a byte for each instance:\n{}",
        sql(database, &largest).trim_end()
    );
    let projections = format!(
        "SELECT concat('  ', table, '.', name, ' ', toString(round(sum(bytes_on_disk) / {instances}, 1))) \
         FROM system.projection_parts WHERE database = currentDatabase() AND active GROUP BY table, name ORDER BY table, name"
    );
    println!("projections:\n{}", sql(database, &projections).trim_end());
}

const TABLES: [&str; 4] = [
    "recent_pods",
    "recent_containers",
    "ended_pods",
    "ended_containers",
];

/// The last day as it comes: in sixty parts of each ended table. The recent ones are small and merge all the
/// time.
fn unmerge(plan: &Plan, database: &str) {
    for table in ["ended_pods", "ended_containers"] {
        sql(database, &format!("SYSTEM STOP MERGES {table}"));
    }
    let first = plan.pods - plan.pods / plan.days as u64;
    let step = ((plan.pods - first) / 60).max(1);
    for part in 0..60 {
        insert(
            plan,
            database,
            first + part * step..first + (part + 1) * step,
        );
    }
}

fn insert(plan: &Plan, database: &str, numbers: std::ops::Range<u64>) -> Rows {
    let mut rows = Rows::default();
    for number in numbers {
        plan.add(number, &mut rows);
    }
    let names = |columns: &[bygone::rows::Column]| {
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        names.join(", ")
    };
    let (pods, containers) = (names(PodRow::COLUMNS), names(ContainerRow::COLUMNS));
    let tables = [
        ("ended_pods", format!("{pods}, moved"), &mut rows.ended_pods),
        (
            "ended_containers",
            format!("{containers}, moved"),
            &mut rows.ended_containers,
        ),
        ("recent_pods", pods.clone(), &mut rows.recent_pods),
        (
            "recent_containers",
            containers.clone(),
            &mut rows.recent_containers,
        ),
    ];
    for (table, columns, bytes) in tables {
        let bytes = std::mem::take(bytes);
        if !bytes.is_empty() {
            post(
                database,
                &format!("INSERT INTO {table} ({columns}) FORMAT RowBinary"),
                bytes,
            );
        }
    }
    rows
}

/// Inserts rows by a statement that names their format.
fn post(database: &str, statement: &str, rows: Vec<u8>) {
    let shared = support::shared();
    let password = std::fs::read_to_string(&shared.password_file).expect("a password");
    let query = [
        ("database", database),
        ("async_insert", "0"),
        ("query", statement),
    ];
    let request = support::client().post(&shared.url).query(&query);
    let request = request.header("X-ClickHouse-User", &shared.user);
    let request = request.header("X-ClickHouse-Key", password).body(rows);
    let answer = support::block_on(request.send()).expect("an answer");
    assert!(
        answer.status().is_success(),
        "{statement}: {}",
        answer.status()
    );
}

/// What is asked, and what less could not be read for it.
struct Question {
    name: String,
    /// By the number of the question.
    asked: Box<dyn Fn(u64) -> Asked>,
    bare: Option<Box<dyn Fn(u64) -> Asked>>,
    goal: Goal,
}

enum Asked {
    Containers(query::Question),
    Pods(query::Question),
    /// A pod, by its uid.
    Page(uuid::Uuid),
    /// Something else than the program asks.
    Sql(String),
}

impl Asked {
    /// Asks, and returns how many rows came; of SQL none.
    async fn ask(self, store: &Arc<Store>) -> usize {
        match self {
            Asked::Containers(question) => all::<query::Container>(store, &question).await,
            Asked::Pods(question) => all::<query::Pod>(store, &question).await,
            Asked::Page(uid) => {
                let page = query::page(store, uid, &query::Question::default()).await;
                page.expect("an answer")
                    .map_or(0, |page| 1 + page.containers.len())
            }
            Asked::Sql(sql) => {
                let mut text = store.answer_as_text(&sql, "RowBinary").expect("a query");
                while text.next().await.expect("an answer").is_some() {}
                0
            }
        }
    }
}

async fn all<L: query::Life>(store: &Arc<Store>, question: &query::Question) -> usize {
    let mut answer = query::answer::<L>(store, question).expect("a question");
    let mut rows = 0;
    while answer.next().await.expect("a row").is_some() {
        rows += 1;
    }
    rows
}

fn fields(names: &str) -> Vec<String> {
    names.split(',').map(str::to_owned).collect()
}

/// Of the one cluster there is.
fn in_cluster() -> query::Question {
    query::Question {
        clusters: vec!["prod".to_owned()],
        fields: fields(OF_CONTAINERS),
        limit: Some(500),
        ..query::Question::default()
    }
}

fn window(since: i64, until: i64) -> query::Window {
    let at = |second| jiff::Timestamp::from_second(second).ok();
    query::Window {
        since: at(since),
        until: at(until),
    }
}

#[derive(Clone, Copy)]
struct Cost {
    cpu: Spread,
    rows: f64,
}

fn time(second: i64) -> String {
    let at = jiff::Timestamp::from_second(second).expect("a time");
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Instants spread over all but the first and the last days.
fn instant(plan: &Plan, number: u64) -> i64 {
    plan.now - plan.days * DAY + DAY * (10 + (number * 13) as i64 % (plan.days - 20)) + 9 * 3_600
}

fn questions(plan: &Plan) -> Vec<Question> {
    let mut all = look_ups(*plan);
    let namespaces = [
        ("ns-0", "busiest"),
        ("ns-25", "middle"),
        ("ns-199", "small"),
    ];
    for (namespace, name) in namespaces {
        let scope = format!("WHERE cluster = 'prod' AND namespace = '{namespace}'");
        let asked = query::Question {
            namespaces: vec![namespace.to_owned()],
            limit: None,
            ..in_cluster()
        };
        for hours in [1, 24] {
            let name = format!("{name} namespace, {hours} h");
            all.push(overlap(
                *plan,
                &name,
                hours * 3_600,
                asked.clone(),
                (scope.clone(), ""),
            ));
        }
    }
    let workload = "WHERE cluster = 'prod' AND namespace = 'ns-0' AND workload = 'web-0'";
    let asked = query::Question {
        namespaces: vec!["ns-0".to_owned()],
        workload: Some("deploy/web-0".parse().expect("a workload")),
        limit: None,
        ..in_cluster()
    };
    let scope = workload.to_owned();
    all.push(overlap(*plan, "workload, 7 d", 7 * DAY, asked, (scope, "")));
    let scope = "WHERE cluster = 'prod'".to_owned();
    let limit =
        " ORDER BY began_at DESC, pod_uid DESC, container DESC, container_id DESC LIMIT 501";
    let name = "all namespaces, 1 h, limit 500";
    all.push(overlap(*plan, name, 3_600, in_cluster(), (scope, limit)));
    all.push(on_node(*plan));
    all
}

fn look_ups(plan: Plan) -> Vec<Question> {
    // Of all ages.
    let number = move |n: u64| (n * 7_919 + 17) * (plan.pods / 160_000).max(1) % plan.pods;
    let pod = move |n: u64| plan.pod(number(n));
    let uid = move |number: u64| uuid::Uuid::from_u128(pod(number).uid);
    let look_up = |name: &str, asked: Box<dyn Fn(u64) -> Asked>| Question {
        name: name.to_owned(),
        asked,
        bare: None,
        goal: LOOK_UP,
    };
    let containers = || query::Question {
        fields: fields(OF_CONTAINERS),
        ..query::Question::default()
    };
    vec![
        look_up("page of a pod", Box::new(move |n| Asked::Page(uid(n)))),
        look_up(
            "pod by uid",
            Box::new(move |n| {
                Asked::Pods(query::Question {
                    uid: Some(uid(n)),
                    ..query::Question::default()
                })
            }),
        ),
        look_up(
            "containers of a pod",
            Box::new(move |n| {
                Asked::Containers(query::Question {
                    uid: Some(uid(n)),
                    ..containers()
                })
            }),
        ),
        look_up(
            "container ID",
            Box::new(move |n| {
                let id = made::container_id(number(n), 0, 0);
                Asked::Containers(query::Question {
                    container_id: Some(id[..12].to_owned()),
                    ..containers()
                })
            }),
        ),
        look_up(
            "IP at an instant",
            Box::new(move |n| {
                let at = pod(n).created + 3;
                Asked::Pods(query::Question {
                    ip: Some(pod(n).ip.to_canonical()),
                    time: window(at, at + 1),
                    fields: fields(OF_PODS),
                    ..in_cluster()
                })
            }),
        ),
    ]
}

fn on_node(plan: Plan) -> Question {
    Question {
        name: "node, 1 h".to_owned(),
        asked: Box::new(move |n| {
            let (since, node) = (instant(&plan, n), n * 7 % 300);
            Asked::Containers(query::Question {
                node: Some(format!("node-{node:03}")),
                time: window(since, since + 3_600),
                limit: None,
                ..in_cluster()
            })
        }),
        bare: None,
        goal: OVERLAP,
    }
}

fn overlap(
    plan: Plan,
    name: &str,
    seconds: i64,
    asked: query::Question,
    (scope, tail): (String, &'static str),
) -> Question {
    Question {
        name: name.to_owned(),
        asked: Box::new(move |n| {
            let since = instant(&plan, n);
            Asked::Containers(query::Question {
                time: window(since, since + seconds),
                ..asked.clone()
            })
        }),
        bare: Some(Box::new(move |n| {
            let since = instant(&plan, n);
            Asked::Sql(bare(since, since + seconds, &scope, tail))
        })),
        goal: OVERLAP,
    }
}

/// The same rows by the key of the table, and nothing else.
fn bare(since: i64, until: i64, scope: &str, tail: &str) -> String {
    let classes = bygone::fold::bucket::BOUNDS.iter().enumerate();
    let classes = classes.map(|(class, bound)| {
        format!(
            "class = {class} AND filed_from >= '{}'",
            time(since - i64::from(*bound))
        )
    });
    let classes: Vec<String> = classes.collect();
    let columns = COLUMNS.replace("container_id", "container_key");
    let tail = tail.replace("container_id", "container_key");
    let (since, until) = (time(since), time(until));
    let time = format!("began_at < '{until}' AND over_at > '{since}'");
    format!(
        "SELECT * FROM (SELECT {columns} FROM ended_containers {scope} AND filed_from < '{until}' \
         AND ({} OR class = 11) AND {time} UNION ALL SELECT {columns} FROM recent_containers {scope} AND {time}){tail}",
        classes.join(" OR ")
    )
}

impl Question {
    /// Of `QUESTIONS` questions, `asked` or bare.
    fn cost(&self, database: &str, cold: bool, first: u64) -> Cost {
        cost(database, &self.asked, cold, first)
    }
}

/// Under a name for the query log.
fn store(database: &str, label: &str) -> Arc<Store> {
    let shared = support::shared();
    let password = std::fs::read_to_string(&shared.password_file).expect("a password");
    let password = secrecy::SecretString::from(password.trim());
    let store = Store::at(&shared.url, &shared.user, Some(&password), database);
    Arc::new(store.expect("a store").with_setting("log_comment", label))
}

fn cost(database: &str, question: &dyn Fn(u64) -> Asked, cold: bool, first: u64) -> Cost {
    let label = uuid::Uuid::new_v4().to_string();
    let mut rows = Vec::new();
    for number in first..first + QUESTIONS {
        if cold {
            for cache in [
                "MARK",
                "UNCOMPRESSED",
                "PRIMARY INDEX",
                "QUERY CONDITION",
                "INDEX MARK",
            ] {
                sql(database, &format!("SYSTEM DROP {cache} CACHE"));
            }
        }
        let store = store(database, &format!("{label} {number}"));
        rows.push(support::block_on(question(number).ask(&store)) as f64);
    }
    let logged = format!(
        "SELECT sum(ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds']) / 1000 \
         FROM system.query_log WHERE startsWith(log_comment, '{label}') AND type = 'QueryFinish' GROUP BY log_comment"
    );
    let lines = support::wait_for("the query log", || {
        sql(database, "SYSTEM FLUSH LOGS query_log");
        let lines = sql(database, &logged);
        (lines.lines().count() as u64 == QUESTIONS).then_some(lines)
    });
    let cpu = lines
        .lines()
        .map(|line| line.parse::<f64>().expect("a number"));
    Cost {
        cpu: Spread::of(cpu),
        rows: Spread::of(rows).median,
    }
}

fn report(plan: &Plan, database: &str, how: &str) {
    println!("\n{how}: CPU of ClickHouse, ms: cold; warm; bare, warm; rows of the answer");
    for question in questions(plan) {
        let cold = question.cost(database, true, 0);
        let warm = question.cost(database, false, 0);
        let bare = question
            .bare
            .as_ref()
            .map(|bare| cost(database, bare, false, 0));
        let beside = bare.map_or(String::new(), |bare| {
            let ratio = warm.cpu.median / bare.cpu.median;
            let of = Spread::of([ratio]);
            format!(
                "; bare {:.1}, {ratio:.2} times {}",
                bare.cpu,
                OVERLAP_RATIO.held_by(of)
            )
        });
        println!(
            "  {:<32} {:.1}; {:.1} {}{beside}; {} rows",
            question.name,
            cold.cpu,
            warm.cpu,
            question.goal.held_by(warm.cpu),
            warm.rows
        );
    }
}

/// Questions over all lives.
const STATISTICS_ASKED: [(&str, &str); 4] = [
    (
        "OOM kills by day",
        "SELECT toDate(ended_at) AS day, count() FROM containers WHERE reason = 'OOMKilled' GROUP BY day ORDER BY day",
    ),
    (
        "restarts by workload",
        "SELECT namespace, workload, countIf(restart > 0) AS restarts FROM containers GROUP BY namespace, workload ORDER BY restarts DESC LIMIT 20",
    ),
    (
        "container-hours by namespace and day",
        "SELECT namespace, toDate(began_at) AS day, sum(dateDiff('second', began_at, coalesce(over_at, now()))) / 3600 AS hours \
         FROM containers GROUP BY namespace, day ORDER BY hours DESC LIMIT 20",
    ),
    (
        "top images",
        "SELECT image, count() AS instances FROM containers GROUP BY image ORDER BY instances DESC LIMIT 20",
    ),
];

fn statistics(database: &str) {
    println!("statistics over all lives: CPU of ClickHouse, ms; memory, MiB");
    for (name, question) in STATISTICS_ASKED {
        let label = uuid::Uuid::new_v4().to_string();
        sql(
            database,
            &format!("{question} SETTINGS log_comment = '{label}'"),
        );
        sql(database, "SYSTEM FLUSH LOGS query_log");
        let logged = |what: &str| {
            let logged = format!(
                "SELECT toUInt64({what}) FROM system.query_log WHERE log_comment = '{label}' AND type = 'QueryFinish'"
            );
            number(database, &logged) as f64
        };
        let cpu = logged(
            "ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds']",
        );
        let cpu = Spread::of([cpu / 1e3]);
        let memory = logged("memory_usage") / f64::from(1 << 20);
        println!(
            "  {name:<38} {cpu:.0} {}; {memory:.0}",
            STATISTICS.held_by(cpu)
        );
    }
}
