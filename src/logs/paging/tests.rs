use std::sync::Mutex;

use super::*;
use crate::logs::store::Store;

/// Lines in memory, one a time of its list, in seconds.
struct Memory {
    times: Vec<i64>,
    /// What it says it allows, and what it does.
    limits: Limits,
    lines_max: usize,
    seconds_max: i64,
    /// Requests that break before one is answered.
    breaks: Mutex<u32>,
    asked: Mutex<usize>,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

impl Memory {
    fn new(times: impl IntoIterator<Item = i64>) -> Memory {
        Memory {
            times: times.into_iter().collect(),
            limits: Limits {
                lines_max: 5_000,
                piece_max: SignedDuration::MAX,
                begin: Timestamp::UNIX_EPOCH,
            },
            lines_max: 5_000,
            seconds_max: i64::MAX,
            breaks: Mutex::new(0),
            asked: Mutex::new(0),
        }
    }
}

impl Source for Memory {
    fn limits(&self) -> Limits {
        self.limits
    }

    async fn ask(&self, query: &Query, want: Want) -> Result<Page, Failed> {
        *self.asked.lock().unwrap() += 1;
        if want.lines_max > self.lines_max {
            return Err(Failed::LinesMax(self.lines_max, self.crowded(at(0), 0)));
        }
        if want.span.until.as_second() - want.span.from.as_second() > self.seconds_max {
            return Err(Failed::TooLong(self.crowded(at(0), 0)));
        }
        let mut breaks = self.breaks.lock().unwrap();
        if *breaks > 0 {
            *breaks -= 1;
            return Err(Failed::Broke(self.crowded(at(0), 0)));
        }
        let mut found: Vec<Line> = (0..)
            .zip(&self.times)
            .filter(|(_, time)| (want.span.from..want.span.until).contains(&at(**time)))
            .map(|(number, time): (usize, _)| {
                Line::new(at(*time), "", number.to_string().into_bytes())
            })
            .collect();
        if query.newest_first {
            found.reverse();
        }
        let more = found.len() >= want.lines_max;
        found.truncate(want.lines_max);
        Ok(Page { lines: found, more })
    }

    fn crowded(&self, at: Timestamp, lines: usize) -> Error {
        Error::Answer {
            store: "memory".to_owned(),
            cause: format!("{lines} lines at {at}"),
        }
    }
}

/// Reads all of it in both directions, and returns how many requests that took.
fn read(memory: Memory, breaks: u32) -> Result<usize, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let memory = Arc::new(memory);
    for newest_first in [false, true] {
        *memory.breaks.lock().unwrap() = breaks;
        let query = Query {
            conditions: Vec::new(),
            names: Vec::new(),
            span: Span {
                from: Timestamp::MIN,
                until: at(1_000_000_000),
            },
            newest_first,
            grep: None,
            lines_max: None,
            sent: Default::default(),
        };
        let mut pages = Pages::new(&memory, query);
        let mut lines = Vec::new();
        loop {
            let page = runtime.block_on(pages.next());
            let page = page.map_err(|error| error.to_string())?;
            assert!(page.len() <= PAGE_LINES);
            if page.is_empty() {
                break;
            }
            lines.extend(page);
        }
        let ordered = |one: &Line, other: &Line| match newest_first {
            false => one.at <= other.at,
            true => one.at >= other.at,
        };
        assert!(lines.is_sorted_by(ordered), "{newest_first}");
        let mut numbers: Vec<usize> = lines
            .iter()
            .map(|line| str::from_utf8(&line.text).unwrap().parse().unwrap())
            .collect();
        numbers.sort_unstable();
        let all: Vec<usize> = (0..memory.times.len()).collect();
        assert!(numbers == all, "{newest_first}: {} lines", numbers.len());
    }
    let asked = *memory.asked.lock().unwrap();
    Ok(asked)
}

#[test]
fn all_lines_come_once() {
    for memory in [
        Memory::new([]),
        Memory::new([5]),
        Memory::new(0..999),
        Memory::new(0..1_000),
        Memory::new(0..12_345),
        // Many of one instant, at the edge of pages and over them.
        Memory::new((0..9_000).map(|number| number / 1_500)),
        Memory::new((0..9_000).map(|number| (number + 400) / 700)),
        Memory::new((0..4_000).map(|number| if number < 3_500 { 7 } else { number })),
        // Long silence in between.
        Memory::new((0..4_000).map(|number| number + (number / 1_300) * 100_000_000)),
    ] {
        let lines = memory.times.len();
        let asked = read(memory, 0).unwrap();
        assert!(asked <= 20 + lines / 100, "{lines} lines: {asked} requests");
    }
}

#[test]
fn a_store_allows_less_than_it_was_asked_for() {
    let mut few = Memory::new((0..3_000).map(|number| number / 50));
    few.lines_max = 70;
    read(few, 0).unwrap();
    let mut short = Memory::new((0..3_000).map(|number| number * 300_000));
    short.seconds_max = 3_000_000;
    read(short, 0).unwrap();
}

#[test]
fn an_instant_with_too_many_lines_is_an_error() {
    let error = read(Memory::new((0..6_000).map(|_| 7)), 0).unwrap_err();
    assert_eq!(
        error,
        "logs store memory: 5000 lines at 1970-01-01T00:00:07Z"
    );
    let mut few = Memory::new((0..200).map(|_| 7));
    few.lines_max = 150;
    let error = read(few, 0).unwrap_err();
    assert_eq!(
        error,
        "logs store memory: 150 lines at 1970-01-01T00:00:07Z"
    );
}

#[test]
fn an_answer_that_breaks_is_asked_for_again() {
    read(Memory::new(0..10), 3).unwrap();
    read(Memory::new(0..10), 4).unwrap_err();
}

/// The first answer of a store ends in its middle.
#[tokio::test]
async fn a_connection_that_breaks_is_not_the_end() {
    let line = |second: u8| {
        format!("{{\"_time\":\"2026-11-23T06:15:0{second}Z\",\"_msg\":\"line {second}\"}}\n")
    };
    let lines = broken("/select/logsql/query", line(1), line(2));
    let stream = |second: u8| format!("[\"179541450{second}000000000\",\"line {second}\"]");
    let before = "{\"data\":{\"result\":[{\"stream\":{},\"values\":[".to_owned() + &stream(1);
    let streams = broken(
        "/loki/api/v1/query_range",
        before,
        format!(",{}]}}]}}}}", stream(2)),
    );
    for (kind, router) in [("victorialogs", lines), ("loki", streams)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = format!(
            "name = \"s\"\nkind = \"{kind}\"\naddress = \"http://{}\"\nfrom = '{{job=\"x\"}}'",
            listener.local_addr().unwrap()
        );
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let store = Store::open(&toml::from_str(&config).unwrap(), None).unwrap();
        let mut pages = store.pages(Query {
            conditions: Vec::new(),
            names: Vec::new(),
            span: Span {
                from: at(1_795_414_500),
                until: at(1_795_414_600),
            },
            newest_first: false,
            grep: None,
            lines_max: None,
            sent: Default::default(),
        });
        let page = pages.next().await.unwrap();
        let texts: Vec<_> = page.iter().map(|line| &*line.text).collect();
        assert_eq!(texts, [b"line 1", b"line 2"], "{kind}");
        assert!(pages.next().await.unwrap().is_empty());
    }
}

/// Answers these two parts, but the first time only one of them.
fn broken(path: &str, one: String, other: String) -> axum::Router {
    let asked = Arc::new(Mutex::new(0));
    axum::Router::new().route(
        path,
        axum::routing::any(move || {
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            let end = match *asked {
                1 => Err(std::io::Error::other("broken off")),
                _ => Ok(other.clone()),
            };
            let parts = futures_util::stream::iter([Ok(one.clone()), end]);
            std::future::ready(axum::body::Body::from_stream(parts))
        }),
    )
}
