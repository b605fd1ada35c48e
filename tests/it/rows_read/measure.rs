//! Questions, and what `system.query_log` says was read for them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::made::{BEGIN, Made, NOW};
use crate::oracle::Window;
use crate::oracle::views::{between, time};
use crate::support::{self, number, sql};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Rows of a granule, of all tables.
const GRANULE: u64 = 256;

/// What an overlap may read of history beyond twice its answer.
const OVERLAP_ROWS_MORE: u64 = 16 * GRANULE;

/// What a look-up by ID, uid or address may read at the median: of history, and of all.
const LOOK_UP_HISTORY_ROWS_MAX: u64 = 4 * GRANULE;
const LOOK_UP_ROWS_MAX: u64 = 1_100;

/// Of a question: rows of the answer, rows read of history, rows read of facts.
struct Cost {
    answer: u64,
    history: u64,
    facts: u64,
}

fn costs(made: &Made, questions: &[String]) -> Vec<Cost> {
    let everything = answers(&made.database, questions);
    let facts = answers(&made.without_history, questions);
    let both = everything.into_iter().zip(facts);
    both.map(|((answer, all), (_, facts))| Cost {
        answer,
        history: all.saturating_sub(facts),
        facts,
    })
    .collect()
}

/// Of each question: rows of the answer, and rows that were read for it.
fn answers(database: &str, questions: &[String]) -> Vec<(u64, u64)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let first = NUMBER.fetch_add(questions.len() as u64, Ordering::Relaxed);
    let answers = (first..).zip(questions).map(|(number, from)| {
        let question = format!("SELECT count(), any(pod), {number} FROM {from}");
        let answer = sql(database, &question);
        let count = answer.split('\t').next();
        count.and_then(|count| count.parse().ok()).expect("a count")
    });
    let answers: Vec<u64> = answers.collect();
    let logged = format!(
        "WITH toUInt64OrZero(extract(query, '^SELECT count.., any.pod., ([0-9]+) FROM')) AS number
         SELECT read_rows FROM system.query_log
         WHERE type = 'QueryFinish' AND current_database = currentDatabase() AND query LIKE 'SELECT count(), any(pod), %' AND number >= {first}
         ORDER BY number"
    );
    let read: Vec<u64> = support::wait_for("the query log", || {
        sql(database, "SYSTEM FLUSH LOGS query_log");
        let logged = sql(database, &logged);
        let rows = logged.lines().map(|rows| rows.parse().expect("a number"));
        let rows: Vec<u64> = rows.collect();
        (rows.len() == questions.len()).then_some(rows)
    });
    answers.into_iter().zip(read).collect()
}

pub fn overlaps(made: &Made) {
    let all = ["ns-0", "ns-25", "ns-199"];
    overlaps_of(made, "containers_between", &all, &[1, 24, 168]);
    overlaps_of(made, "pods_between", &all[..2], &[1, 168]);
}

fn overlaps_of(made: &Made, view: &str, namespaces: &[&str], hours: &[i64]) {
    println!("| {view}: namespace | window | answer | history | goal | facts | at most |");
    println!("|---|---|---|---|---|---|---|");
    for namespace in namespaces {
        let facts_max = overlap_facts_max(made, namespace);
        for (month, since) in [
            ("February", BEGIN + 40 * DAY),
            ("August", BEGIN + 231 * DAY),
        ] {
            let question = |hours: &i64| {
                let between = between(window(since + 9 * HOUR, hours * HOUR));
                format!("{view}({between}) WHERE cluster = 'prod' AND namespace = '{namespace}'")
            };
            let questions: Vec<String> = hours.iter().map(question).collect();
            for (hours, cost) in hours.iter().zip(costs(made, &questions)) {
                let Cost {
                    answer,
                    history,
                    facts,
                } = cost;
                let goal = 2 * answer + OVERLAP_ROWS_MORE;
                let row = format!(
                    "| {namespace} | {hours} h, {month} | {answer} | {history} | {goal} | {facts} | {facts_max} |"
                );
                println!("{row}");
                assert!(history <= goal, "too much history in {view}: {row}");
                assert!(facts <= facts_max, "too many facts in {view}: {row}");
            }
        }
    }
}

/// What an overlap may read of facts. Those since the checkpoint are sorted by namespace, so of each part
/// the index finds one range of granules, of which the first and the last alone may hold other namespaces
/// too; and it is never more than all. The newest checkpoint is sought among all of them.
fn overlap_facts_max(made: &Made, namespace: &str) -> u64 {
    let most = format!(
        "SELECT least(count(), countIf(cluster = 'prod' AND namespace = '{namespace}') + {} * uniqExact(_part)) + (SELECT count() FROM checkpoints)
         FROM facts WHERE slot >= (SELECT slot FROM checkpoint)",
        2 * GRANULE
    );
    number(&made.without_history, &most)
}

fn window(since: i64, seconds: i64) -> Window {
    Window {
        since: since * SECOND,
        until: (since + seconds) * SECOND,
    }
}

/// An instance to look for: ID, uid, address, node, namespace, workload, and its start.
type Probe = (String, String, String, String, String, String, i64);

/// For each look-up its name, and the rows of history that it reads at the median.
pub type Medians = [(&'static str, u64); 4];

/// What of history a look-up reads does not grow with history. (Less than a granule is read where a part has no more.)
pub fn is_flat(tenth: &Medians, medians: &Medians) {
    for ((name, before), (_, after)) in tenth.iter().zip(medians) {
        assert!(
            *after <= 2 * GRANULE.max(*before),
            "{name}: {after} rows of history, {before} in a tenth of it"
        );
    }
}

pub fn look_ups(made: &Made, count: usize) -> Medians {
    for table in ["pod_history", "container_history"] {
        let rows = number(&made.database, &format!("SELECT count() FROM {table}"));
        let enough = rows >= 4 * LOOK_UP_ROWS_MAX;
        assert!(
            enough,
            "{table} has {rows} rows: what may be read is not far less"
        );
    }
    let probes = probes(made, count);
    println!("| question | answer | history: median, most | facts: median, most |");
    println!("|---|---|---|---|");
    let medians = LOOK_UPS.map(|question| {
        let name = question.0;
        let (history, all) = look_up(made, &probes, question);
        assert!(
            history <= LOOK_UP_HISTORY_ROWS_MAX,
            "{name}: {history} rows of history at the median, {LOOK_UP_HISTORY_ROWS_MAX} are allowed"
        );
        assert!(
            all <= LOOK_UP_ROWS_MAX,
            "{name}: {all} rows of history and facts at the median, {LOOK_UP_ROWS_MAX} are allowed"
        );
        (name, history)
    });
    for question in SEARCHES {
        look_up(made, &probes, question);
    }
    medians
}

fn probes(made: &Made, count: usize) -> Vec<Probe> {
    let day = Window {
        since: (NOW - 90 * DAY) * SECOND,
        until: (NOW - 89 * DAY) * SECOND,
    };
    let probes = format!(
        "SELECT container_id, toString(pod_uid), pod_ips[1], node, namespace, workload, toUnixTimestamp(started_at)
         FROM containers_between({}) WHERE cluster = 'prod' AND NOT host_network
         ORDER BY sipHash64(container_id) LIMIT {count} FORMAT JSONCompactEachRow",
        between(day)
    );
    let probes = sql(&made.database, &probes);
    let probes = probes.lines();
    probes
        .map(|line| serde_json::from_str(line).expect("a probe"))
        .collect()
}

/// Asks for each probe, prints a line, and returns medians of the rows that were read: of history, and of all.
fn look_up(made: &Made, probes: &[Probe], (name, from): Question) -> (u64, u64) {
    let questions: Vec<String> = probes.iter().map(from).collect();
    let costs = costs(made, &questions);
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
    let (all, _) = sorted(|cost| cost.history + cost.facts);
    (history.0, all)
}

type Question = (&'static str, fn(&Probe) -> String);

/// Each has an order of its own in history.
const LOOK_UPS: [Question; 4] = [
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
];

/// What these read grows with their answers, and with the namespace.
const SEARCHES: [Question; 2] = [
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

/// What a container instance may take on disk, in bytes.
const BYTES_MAX: f64 = 150.0;

/// With fewer lives than that, what every part and column takes by itself is much of the whole.
const LIVES_TO_WEIGH: u64 = 1_000_000;

/// Bytes of each container instance: by table and column, and in all.
pub fn sizes(made: &Made) {
    let settled = "SELECT uniqExact(pod_uid, container, container_id) FROM container_history";
    let open = "SELECT uniqExact(pod_uid, container, container_id) FROM facts WHERE container != '' AND slot >= (SELECT slot FROM checkpoint)";
    let settled = number(&made.database, settled);
    let open = number(&made.database, open);
    // All bytes by all instances, however they are shared out: those of history are of settled lives, those of
    // facts of open ones; what a pod takes is its instances'.
    let lives = settled + open;
    println!("{settled} instances in history, {open} are open; bytes for each of both:");
    let by_table = format!(
        "SELECT table, round(sum(bytes_on_disk) / {lives}, 1), sum(rows) FROM system.parts
         WHERE database = currentDatabase() AND active GROUP BY table ORDER BY 2 DESC"
    );
    // No fact waits to be settled. Open lives stand in the slot of the newest checkpoint, and for questions that began earlier in that of
    // the one before.
    let by_slot = format!(
        "SELECT concat('facts of ', partition), round(sum(bytes_on_disk) / {lives}, 2), sum(rows) FROM system.parts
         WHERE database = currentDatabase() AND active AND table = 'facts' GROUP BY partition ORDER BY partition"
    );
    let by_column = format!(
        "SELECT table, column, round(sum(column_data_compressed_bytes) / {lives}, 2) AS each FROM system.parts_columns
         WHERE database = currentDatabase() AND active AND table LIKE '%history' GROUP BY table, column HAVING each >= 0.1 ORDER BY table, each DESC"
    );
    let by_projection = format!(
        "SELECT table, name, round(sum(bytes_on_disk) / {lives}, 2) FROM system.projection_parts
         WHERE database = currentDatabase() AND active GROUP BY table, name ORDER BY table, name"
    );
    for statement in [by_table, by_slot, by_column, by_projection] {
        print!("{}", sql(&made.database, &statement));
    }
    let bytes = "SELECT sum(bytes_on_disk) FROM system.parts
         WHERE database = currentDatabase() AND active AND table IN ('pod_history', 'container_history', 'facts')";
    let each = number(&made.database, bytes) as f64 / lives as f64;
    println!("history and facts: {each:.1} bytes");
    assert!(
        made.lives < LIVES_TO_WEIGH || each <= BYTES_MAX,
        "{each:.1} bytes for each container instance, {BYTES_MAX} are allowed"
    );
}
