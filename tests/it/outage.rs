//! ClickHouse goes away, is cut off, or refuses: nothing that was answered 200 is lost, no answer
//! changes, and bygone recovers by itself.
//!
//! Longer than in every run: `BYGONE_OUTAGE_SECONDS=300 cargo test --release --test it outage:: --
//! --nocapture`. The memory that an outage may cost is `BYGONE_OUTAGE_RSS_BYTES_MAX`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::guard;
use crate::load::{Load, Plan, Tally, percentile};
use crate::proxy::Proxy;
use crate::support::{Bygone, alone, setting, shared, sql, wait_for, wait_longer_for};

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

const FULL_LOAD: Plan = Plan {
    senders: 8,
    seed: 3,
    give_up_one_in: 0,
    pause: Duration::ZERO,
};

const GENTLE_LOAD: Plan = Plan {
    senders: 2,
    seed: 4,
    give_up_one_in: 0,
    pause: Duration::from_millis(50),
};

/// A bygone whose ClickHouse is behind the proxy.
fn start(proxy: &Proxy) -> Bygone {
    let url = ("BYGONE_CLICKHOUSE_URL", &*proxy.url());
    Bygone::start_args(&[url], &guard::arguments())
}

/// Answers since `before`.
fn since(before: &Tally, now: &Tally) -> BTreeMap<String, u64> {
    let count = |answer: &String| before.answers.get(answer).copied().unwrap_or(0);
    now.answers
        .iter()
        .map(|(answer, total)| (answer.clone(), total - count(answer)))
        .filter(|(_, new)| *new > 0)
        .collect()
}

/// Lets time pass, looking at bygone's memory. Returns the most that it had.
fn pass(bygone: &Bygone, time: Duration) -> u64 {
    let (end, mut most) = (Instant::now() + time, 0);
    while Instant::now() < end {
        most = most.max(bygone.rss_bytes());
        std::thread::park_timeout(LOOK_EVERY);
    }
    most
}

#[test]
fn connections_cut_before_during_and_after_the_commit() {
    let _alone = alone();
    let seconds = setting("BYGONE_OUTAGE_SECONDS", 5);
    let proxy = Proxy::start(&shared().url, setting("BYGONE_SEED", 1));
    let bygone = start(&proxy);
    let plan = Plan {
        give_up_one_in: 8,
        pause: Duration::from_millis(20),
        ..FULL_LOAD
    };
    let mut load = Load::start(&bygone, plan);
    proxy.cut_one_in(10);
    // Every kind of cut was made, however slow the machine is.
    let end = Instant::now() + Duration::from_secs(seconds);
    wait_longer_for("cuts of every kind", Duration::from_secs(120), || {
        let enough = proxy.cuts().counts().iter().all(|count| *count >= 3);
        (enough && Instant::now() >= end).then_some(())
    });
    // The last ones are brought in over a proxy that still cuts.
    load.finish();
    proxy.cut_one_in(0);
    load.check(&bygone);
    println!("{:?}; {:?}", proxy.cuts(), load.tally());
}

#[test]
fn clickhouse_is_away_for_a_while_under_load() {
    let _alone = alone();
    let time = Duration::from_secs(setting("BYGONE_OUTAGE_SECONDS", 5));
    let rss_growth_bytes_max = setting("BYGONE_OUTAGE_RSS_BYTES_MAX", 64 << 20);
    let mut proxy = Proxy::start(&shared().url, 1);
    let bygone = start(&proxy);
    let mut load = Load::start(&bygone, FULL_LOAD);

    let before_rss = pass(&bygone, time / 2);
    let before = load.tally();
    proxy.close();
    let away = Instant::now();
    let away_rss = pass(&bygone, time);
    let gone = load.tally();
    let mut away_acks = load.ack_times(away);
    proxy.open();
    let back = Instant::now();
    wait_for("an acknowledgement after the return", || {
        load.ack_times(back).first().copied()
    });
    let recovered = back.elapsed();
    let after_rss = pass(&bygone, time / 2);
    let after = load.tally();
    load.finish();
    load.check(&bygone);

    let away_answers = since(&before, &gone);
    println!(
        "before: {:?}, {} MiB; away {time:?}: {away_answers:?}, p99 {:?}, {} MiB; \
         after: {:?}, {} MiB, first 200 after {recovered:?}; drained: {} MiB, all after {:?}",
        before.answers,
        before_rss >> 20,
        percentile(&mut away_acks, 99),
        away_rss >> 20,
        since(&gone, &after),
        after_rss >> 20,
        bygone.rss_bytes() >> 20,
        back.elapsed(),
    );
    let most = away_rss.max(after_rss);
    assert!(
        most <= before_rss + rss_growth_bytes_max,
        "{} MiB before, {} MiB in the outage or after it",
        before_rss >> 20,
        most >> 20
    );
    let answers: Vec<&String> = away_answers.keys().collect();
    assert_eq!(answers, ["200"], "{away_answers:?}");
}

#[test]
fn killed_while_clickhouse_is_away() {
    let _alone = alone();
    let mut proxy = Proxy::start(&shared().url, 1);
    let mut bygone = start(&proxy);
    let mut load = Load::start(&bygone, GENTLE_LOAD);
    wait_for("some acknowledged batches", || {
        (load.tally().acknowledged >= 5).then_some(())
    });
    proxy.close();
    pass(&bygone, Duration::from_millis(500));
    bygone.kill();
    bygone.spawn_again();
    wait_for("bygone to serve", || bygone.serves().then_some(()));
    let acknowledged = load.tally().acknowledged;
    wait_for("acknowledged batches without ClickHouse", || {
        (load.tally().acknowledged >= acknowledged + 5).then_some(())
    });
    proxy.open();
    load.finish();
    load.check(&bygone);
}

/// How ClickHouse is brought to refuse INSERTs.
#[derive(Clone, Copy)]
enum Way {
    /// Statements that begin it and end it. `{database}` is the test's own.
    Sql(&'static [&'static str], &'static [&'static str]),
    /// The proxy replaces texts in the head of each request.
    Replaced(&'static [(&'static str, &'static str)]),
}

struct Refusal {
    name: &'static str,
    way: Way,
    /// What bygone's log says of it.
    told: &'static str,
}

const REFUSALS: [Refusal; 9] = [
    Refusal {
        name: "table missing",
        way: Way::Sql(
            &["RENAME TABLE {database}.facts TO {database}.elsewhere"],
            &["RENAME TABLE {database}.elsewhere TO {database}.facts"],
        ),
        told: "code 60:",
    },
    Refusal {
        name: "table of lives missing",
        way: Way::Sql(
            &["RENAME TABLE {database}.recent_pods TO {database}.elsewhere"],
            &["RENAME TABLE {database}.elsewhere TO {database}.recent_pods"],
        ),
        told: "Unknown table expression identifier 'recent_pods'",
    },
    Refusal {
        name: "too many parts of lives",
        way: Way::Sql(
            &[
                "SYSTEM STOP MERGES {database}.recent_containers",
                "ALTER TABLE {database}.recent_containers MODIFY SETTING parts_to_throw_insert = 1",
            ],
            &[
                "ALTER TABLE {database}.recent_containers RESET SETTING parts_to_throw_insert",
                "SYSTEM START MERGES {database}.recent_containers",
            ],
        ),
        told: "code 252:",
    },
    Refusal {
        name: "read-only",
        way: Way::Replaced(&[("POST /?", "POST /?readonly=1&")]),
        told: "code 164:",
    },
    Refusal {
        name: "memory",
        way: Way::Replaced(&[("POST /?", "POST /?max_memory_usage=1&")]),
        told: "code 241:",
    },
    Refusal {
        name: "disk full",
        way: Way::Sql(
            &["ALTER TABLE {database}.facts MODIFY SETTING \
               min_free_disk_bytes_to_perform_insert = 1000000000000000000"],
            &["ALTER TABLE {database}.facts RESET SETTING \
               min_free_disk_bytes_to_perform_insert"],
        ),
        told: "code 243:",
    },
    Refusal {
        name: "too many parts",
        way: Way::Sql(
            &[
                "SYSTEM STOP MERGES {database}.facts",
                "ALTER TABLE {database}.facts MODIFY SETTING parts_to_throw_insert = 1",
            ],
            &[
                "ALTER TABLE {database}.facts RESET SETTING parts_to_throw_insert",
                "SYSTEM START MERGES {database}.facts",
            ],
        ),
        told: "code 252:",
    },
    Refusal {
        name: "quota",
        way: Way::Replaced(&[
            ("x-clickhouse-user: tester", "x-clickhouse-user: spent"),
            ("x-clickhouse-key: ", "x-not-the-key: "),
        ]),
        told: "code 201:",
    },
    Refusal {
        name: "password",
        way: Way::Replaced(&[("x-clickhouse-key: ", "x-clickhouse-key: not ")]),
        told: "rejected the password of user",
    },
];

fn run(statements: &[&str], database: &str) {
    for statement in statements {
        sql(database, &statement.replace("{database}", database));
    }
}

#[test]
fn clickhouse_refuses_for_a_while() {
    let _alone = alone();
    let proxy = Proxy::start(&shared().url, 1);
    let bygone = start(&proxy);
    let mut load = Load::start(&bygone, GENTLE_LOAD);
    for Refusal { name, way, told } in REFUSALS {
        let acknowledged = |more: u64| {
            let aim = load.tally().acknowledged + more;
            wait_for(&format!("{more} batches: {name}"), || {
                (load.tally().acknowledged >= aim).then_some(())
            });
        };
        acknowledged(5);
        match way {
            Way::Sql(begin, _) => run(begin, &bygone.database),
            Way::Replaced(texts) => proxy.replace(texts),
        }
        let before = load.tally();
        wait_for(&format!("{told:?} in the log: {name}"), || {
            bygone.log().contains(told).then_some(())
        });
        pass(&bygone, Duration::from_millis(500));
        let during = since(&before, &load.tally());
        match way {
            Way::Sql(_, end) => run(end, &bygone.database),
            Way::Replaced(_) => proxy.replace(&[]),
        }
        let ended = Instant::now();
        acknowledged(5);
        bygone.drained();
        let recovered = ended.elapsed();
        println!("{name}: {during:?}; all stored after {recovered:?}");
        assert!(during.keys().all(|answer| answer == "200"), "{during:?}");
        // Once; twice where an INSERT that was under way still went through after another failed.
        let count = bygone.log().matches(told).count();
        assert!((1..=2).contains(&count), "told {count} times");
    }
    load.finish();
    load.check(&bygone);
    println!("{:?}", load.tally());
}

/// The account gets another password first, and the file has it later, as rotations do it.
#[test]
fn the_password_is_rotated() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    let first = std::fs::read_to_string(&shared().password_file).expect("a password");
    std::fs::write(&file, &first).expect("a password file");
    let proxy = Proxy::start(&shared().url, 1);
    let set = [
        ("BYGONE_CLICKHOUSE_URL", &*proxy.url()),
        (
            "BYGONE_CLICKHOUSE_PASSWORD_FILE",
            file.to_str().expect("UTF-8"),
        ),
    ];
    let bygone = Bygone::start_args(&set, &guard::arguments());
    let mut load = Load::start(&bygone, GENTLE_LOAD);
    wait_for("some acknowledged batches", || {
        (load.tally().acknowledged >= 5).then_some(())
    });
    // From here on ClickHouse lets "second" in and not what it was before.
    let key = |password: &str| format!("x-clickhouse-key: {password}\r\n");
    let (old, new) = (key(&first), key("second"));
    proxy.replace(&[(&old, &key("wrong")), (&new, &old)]);
    let told = "rejected the password of user";
    wait_for("a word in the log", || {
        bygone.log().contains(told).then_some(())
    });
    std::fs::write(&file, "second").expect("a password file");
    let acknowledged = load.tally().acknowledged;
    wait_for("more acknowledged batches", || {
        (load.tally().acknowledged >= acknowledged + 5).then_some(())
    });
    load.finish();
    load.check(&bygone);
}
