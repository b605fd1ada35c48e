//! Questions, and what `system.query_log` says was read for them.

use std::sync::atomic::{AtomicU32, Ordering};

use super::made::{BEGIN, Made, NOW};
use crate::oracle::Window;
use crate::oracle::views::{between, time};
use crate::support::{self, sql};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Of a question: rows of the answer, rows read of history, rows read of facts.
struct Cost {
    answer: u64,
    history: u64,
    facts: u64,
}

fn cost(made: &Made, from: &str) -> Cost {
    let read = |database: &str| {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let question = format!("SELECT count(), any(pod), {number} FROM {from}");
        let answer = sql(database, &question);
        let logged = format!(
            "SELECT read_rows FROM system.query_log WHERE type = 'QueryFinish' \
             AND startsWith(query, 'SELECT count(), any(pod), {number} FROM')"
        );
        let rows = support::wait_for("the query log", || {
            sql(database, "SYSTEM FLUSH LOGS query_log");
            sql(database, &logged).trim().parse().ok()
        });
        let answer = answer.split('\t').next();
        let answer = answer.and_then(|count| count.parse().ok());
        (answer.expect("a count"), rows)
    };
    let (answer, all): (u64, u64) = read(&made.database);
    let (_, facts): (u64, u64) = read(&made.without_history);
    Cost {
        answer,
        history: all.saturating_sub(facts),
        facts,
    }
}

/// Rows of 16 granules.
const GRANULES: u64 = 16 * 256;

pub fn overlaps(made: &Made) {
    println!("| namespace | window | answer | history | goal | facts |");
    println!("|---|---|---|---|---|---|");
    for namespace in ["ns-0", "ns-25", "ns-199"] {
        for (name, since) in [
            ("February", BEGIN + 40 * DAY),
            ("August", BEGIN + 231 * DAY),
        ] {
            for hours in [1, 24, 168] {
                let window = window(since + 9 * HOUR, hours * HOUR);
                let from = format!(
                    "containers_between({}) WHERE cluster = 'prod' AND namespace = '{namespace}'",
                    between(window)
                );
                let Cost {
                    answer,
                    history,
                    facts,
                } = cost(made, &from);
                let goal = 2 * answer + GRANULES;
                println!(
                    "| {namespace} | {hours} h, {name} | {answer} | {history} | {goal} | {facts} |"
                );
            }
        }
    }
}

fn window(since: i64, seconds: i64) -> Window {
    Window {
        since: since * SECOND,
        until: (since + seconds) * SECOND,
    }
}

/// An instance to look for: ID, uid, address, node, namespace, workload, and its start.
type Probe = (String, String, String, String, String, String, i64);

const PROBES: usize = 20;

pub fn look_ups(made: &Made) {
    let probes = format!(
        "SELECT container_id, toString(pod_uid), pod_ips[1], node, namespace, workload, toUnixTimestamp(started_at)
         FROM containers_between({}) WHERE cluster = 'prod' AND NOT host_network
         ORDER BY sipHash64(container_id) LIMIT {PROBES} FORMAT JSONCompactEachRow",
        between(Window { since: (NOW - 90 * DAY) * SECOND, until: (NOW - 89 * DAY) * SECOND })
    );
    let probes: Vec<Probe> = sql(&made.database, &probes)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a probe"))
        .collect();
    println!("| question | answer | history: median, most | facts: median, most |");
    println!("|---|---|---|---|");
    for (name, from) in QUESTIONS {
        let costs: Vec<Cost> = probes
            .iter()
            .map(|probe| cost(made, &from(probe)))
            .collect();
        let sorted = |of: fn(&Cost) -> u64| {
            let mut all: Vec<u64> = costs.iter().map(of).collect();
            all.sort_unstable();
            (all[all.len() / 2], all[all.len() - 1])
        };
        let (answer, _) = sorted(|cost| cost.answer);
        let (history, facts) = (sorted(|cost| cost.history), sorted(|cost| cost.facts));
        println!(
            "| {name} | {answer} | {}, {} | {}, {} |",
            history.0, history.1, facts.0, facts.1
        );
    }
}

type Question = (&'static str, fn(&Probe) -> String);

const QUESTIONS: [Question; 6] = [
    ("container ID, 12 digits", |(id, ..)| {
        format!("containers_by_id(prefix = '{}')", &id[..12])
    }),
    ("containers of a uid", |(_, uid, ..)| {
        format!("containers_of_pod(uid = '{uid}')")
    }),
    ("pod of a uid", |(_, uid, ..)| {
        format!("pod_by_uid(uid = '{uid}')")
    }),
    ("address at a time", |(_, _, ip, _, _, _, at)| {
        let (since, until) = (time((at + 3) * SECOND), time((at + 4) * SECOND));
        format!("pods_with_ip(cluster = 'prod', ip = '{ip}', since = '{since}', until = '{until}')")
    }),
    ("node, 1 h", |(_, _, _, node, _, _, at)| {
        let window = between(window(*at, HOUR));
        format!("containers_on_node(cluster = 'prod', node = '{node}', {window})")
    }),
    ("workload, 7 d", |(_, _, _, _, namespace, workload, at)| {
        let window = between(window(at - 7 * DAY, 7 * DAY));
        format!(
            "containers_between({window}) WHERE cluster = 'prod' AND namespace = '{namespace}' AND workload = '{workload}'"
        )
    }),
];

/// Bytes of each container instance, by table and column.
pub fn sizes(made: &Made) {
    let lives = "SELECT uniqExact(pod_uid, container, container_id) FROM container_history";
    let lives: u64 = sql(&made.database, lives).trim().parse().expect("a count");
    println!("{lives} instances in history; bytes for each:");
    let by_table = format!(
        "SELECT table, round(sum(bytes_on_disk) / {lives}, 1), sum(rows) FROM system.parts
         WHERE database = currentDatabase() AND active GROUP BY table ORDER BY 2 DESC"
    );
    let by_column = format!(
        "SELECT table, column, round(sum(column_data_compressed_bytes) / {lives}, 2) AS each FROM system.parts_columns
         WHERE database = currentDatabase() AND active AND table LIKE '%history' GROUP BY table, column HAVING each >= 0.1 ORDER BY table, each DESC"
    );
    let by_projection = format!(
        "SELECT table, name, round(sum(bytes_on_disk) / {lives}, 2) FROM system.projection_parts
         WHERE database = currentDatabase() AND active GROUP BY table, name ORDER BY table, name"
    );
    for statement in [by_table, by_column, by_projection] {
        print!("{}", sql(&made.database, &statement));
    }
}
