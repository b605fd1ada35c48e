//! From the first byte of a request to the rows that people read: what an event costs bygone and ClickHouse
//! together.
//!
//! The events of `recording-load` are posted over and over, each time for another cluster, so that every pass
//! makes lives of its own. Live: as if they happened now, at `EVENTS_PER_SECOND`. Backfilled: as they are, as fast as
//! they are taken, in their order and shuffled.

use std::time::{Duration, Instant};

use crate::figures::{Goal, Spread};
use crate::process::{self, Cpu};
use crate::support::{self, Bygone, Random, block_on, setting};

const EVENTS_PER_SECOND: f64 = 4_000.0;

/// The goals of the project, in events per second of CPU.
const LIVE: Goal = Goal::AtLeast(10_000.0);
const BACKFILL: Goal = Goal::AtLeast(20_000.0);
/// What the engine may take.
const ENGINE_MIB: Goal = Goal::AtMost(1_024.0);

/// Passes of the recording when it is live; of a backfill `BYGONE_BENCH_PASSES`: 500 make a million pods.
const LIVE_PASSES: usize = 4;
const BACKFILL_PASSES: u64 = 20;

/// Events in one request of a backfill.
const EVENTS_AT_ONCE: usize = 400;

pub fn measure(bodies: &[bytes::Bytes]) {
    println!("\nevents per CPU-second of bygone and ClickHouse together");
    let events: Vec<Vec<String>> = bodies.iter().map(|body| items(body)).collect();
    live(&events);
    let events: Vec<String> = events.concat();
    let passes = setting("BYGONE_BENCH_PASSES", BACKFILL_PASSES);
    backfill("backfilled in order", &events, passes, None);
    backfill("backfilled, shuffled", &events, passes, Some(Random(1)));
}

/// The events of a body, each as its own JSON.
fn items(body: &[u8]) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        items: Vec<&'a serde_json::value::RawValue>,
    }
    let list: List = serde_json::from_slice(body).expect("an EventList");
    list.items
        .iter()
        .map(|item| item.get().to_owned())
        .collect()
}

fn list(events: &[String]) -> String {
    format!(
        r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{}]}}"#,
        events.join(",")
    )
}

/// The hour of the recording, in every time that its events hold.
const HOUR: &str = "2026-11-23T06:";

/// Moves all times of the recording by so many seconds.
fn moved(event: &str, seconds: i64) -> String {
    let mut moved = String::with_capacity(event.len());
    let mut rest = event;
    while let Some(at) = rest.find(HOUR) {
        let (before, time) = rest.split_at(at);
        moved.push_str(before);
        let (time, after) = time.split_at(HOUR.len() + 5);
        let at: jiff::Timestamp = format!("{time}Z").parse().expect("a time");
        let at = jiff::Timestamp::from_second(at.as_second() + seconds).expect("a time");
        moved.push_str(&at.strftime("%Y-%m-%dT%H:%M:%S").to_string());
        rest = after;
    }
    moved.push_str(rest);
    moved
}

/// What a run took.
struct Run {
    bygone: Bygone,
    bygone_before: Cpu,
    engine_before: Cpu,
    begun: Instant,
}

impl Run {
    fn start() -> Run {
        // The tests' servers flush sooner.
        let bygone = Bygone::start_set(&[("BYGONE_SINK_FLUSH_WAIT_MS", "250")]);
        let engine = support::shared().pid();
        process::forget_peak(engine);
        Run {
            bygone_before: Cpu::of(bygone.pid()),
            engine_before: Cpu::of(engine),
            begun: Instant::now(),
            bygone,
        }
    }

    fn post(&self, cluster: usize, body: String) {
        let url = format!("{}/v1/audit/load-{cluster}", self.bygone.ingest);
        let request = support::client()
            .post(url)
            .header("content-type", "application/json")
            .body(body);
        let answer = block_on(request.send()).expect("an answer");
        assert_eq!(answer.status(), 200);
    }

    fn report(self, how: &str, events: usize, goal: Goal) {
        self.bygone.drained_within(Duration::from_secs(600));
        let took = self.begun.elapsed();
        let engine = support::shared().pid();
        let own = (Cpu::of(self.bygone.pid()) - self.bygone_before).total();
        let of_engine = (Cpu::of(engine) - self.engine_before).total();
        let speed = Spread::of([events as f64 / (own + of_engine).as_secs_f64()]);
        println!(
            "  {how}: {events} events in {:.1} s: {speed:.0} {}",
            took.as_secs_f64(),
            goal.held_by(speed)
        );
        let peak = Spread::of([process::peak_rss_bytes(engine) as f64 / f64::from(1 << 20)]);
        println!(
            "    bygone {:.2} s, engine {:.2} s; the engine at most {peak:.0} MiB {}",
            own.as_secs_f64(),
            of_engine.as_secs_f64(),
            ENGINE_MIB.held_by(peak)
        );
        let metric = |name: &str| self.bygone.metric(name).unwrap_or_default();
        println!(
            "    {} rows of lives for {} rows of facts",
            metric("bygone_sink_lives_rows_total"),
            metric("bygone_pipeline_events_total")
        );
        self.statements(of_engine);
        let drop = format!("DROP DATABASE {} SYNC", self.bygone.database);
        support::sql("default", &drop);
    }

    /// What the engine's time went into.
    fn statements(&self, of_engine: Duration) {
        let statement = format!(
            "SELECT round(sum(ProfileEvents['OSCPUVirtualTimeMicroseconds']) / 1e6, 2) AS seconds, count(),
                 extract(query, '(INTO [a-z_]+|FROM [a-z_]+)') AS about
             FROM system.query_log WHERE current_database = '{}' GROUP BY about ORDER BY seconds DESC LIMIT 8",
            self.bygone.database
        );
        // The log is written once a second.
        std::thread::park_timeout(Duration::from_secs(2));
        let answer = support::sql(&self.bygone.database, &statement);
        let mut rest = of_engine.as_secs_f64();
        for line in answer.lines() {
            let [seconds, count, about] = line.split('\t').collect::<Vec<_>>()[..] else {
                continue;
            };
            rest -= seconds.parse::<f64>().expect("seconds");
            println!("      {seconds} s: {count} times {about}");
        }
        println!("      {rest:.2} s: merges and the rest");
    }
}

fn live(events: &[Vec<String>]) {
    let run = Run::start();
    let last: jiff::Timestamp = "2026-11-23T06:22:31Z".parse().expect("a time");
    let mut posted = 0;
    for pass in 0..LIVE_PASSES {
        let seconds = jiff::Timestamp::now().as_second() - last.as_second();
        for body in events {
            let moved: Vec<String> = body.iter().map(|event| moved(event, seconds)).collect();
            run.post(pass, list(&moved));
            posted += body.len();
            let due = Duration::from_secs_f64(posted as f64 / EVENTS_PER_SECOND);
            if let Some(early) = due.checked_sub(run.begun.elapsed()) {
                block_on(async move { tokio::time::sleep(early).await });
            }
        }
    }
    run.report(&format!("live, {EVENTS_PER_SECOND} a second"), posted, LIVE);
}

fn backfill(how: &str, events: &[String], passes: u64, random: Option<Random>) {
    let mut order: Vec<(u64, usize)> = (0..passes)
        .flat_map(|pass| (0..events.len()).map(move |event| (pass, event)))
        .collect();
    if let Some(mut random) = random {
        for last in (1..order.len()).rev() {
            order.swap(last, random.below(last as u64 + 1) as usize);
        }
    }
    // A request is for one cluster: events of the same one travel together, as they come.
    let mut waiting: Vec<Vec<String>> = vec![Vec::new(); passes as usize];
    let run = Run::start();
    for (pass, event) in &order {
        let cluster = &mut waiting[*pass as usize];
        cluster.push(events[*event].clone());
        if cluster.len() == EVENTS_AT_ONCE {
            run.post(*pass as usize, list(&std::mem::take(cluster)));
        }
    }
    for (pass, rest) in waiting
        .iter()
        .enumerate()
        .filter(|(_, rest)| !rest.is_empty())
    {
        run.post(pass, list(rest));
    }
    run.report(how, order.len(), BACKFILL);
}
