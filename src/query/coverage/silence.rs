//! Times without a sign of an API server.
//!
//! Each renews a lease of its own every ten seconds, with up to 4 % more (k8s.io/component-helpers, `lease.Controller`), so
//! between two renewals that are [`GAP_SECONDS_MIN`] apart three are missing. The cause is unknown: it was down, or
//! its events were lost.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sql::Hour;

/// Three renewals missed: 31.2 s, and a moment for each to be carried out.
const GAP_SECONDS_MIN: i64 = 35;

/// A silence that has not ended is reported after this time: events arrive up to half a minute late, and a batch may
/// be sent again for longer.
const OPEN_SECONDS_MIN: i64 = 180;

/// Another API server counts as seen during a silence only if it renewed this far from both of its ends: servers that
/// stop and return together do so at different seconds of the ten.
const RENEWAL_SECONDS: i64 = 11;

const DAY_SECONDS: i64 = 24 * 3600;

/// Within one UTC day; a longer silence appears on each of its days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Silence {
    pub api_server: String,
    /// The last renewal before it, or the start of the day.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The next renewal, or the end of the day. If none arrived: the last renewal of the other API servers, if any.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// Whether another API server of the cluster was seen during it, on any of its days. If not, all of them were
    /// down, or their events did not arrive.
    pub others_heard: bool,
}

/// By cluster. An API server is known from its first heartbeat on. `until` is when the time ends that was asked about.
pub fn silences(hours: &[Hour], until: Timestamp) -> Vec<(String, Silence)> {
    let mut clusters: BTreeMap<&str, BTreeMap<&str, Vec<i64>>> = BTreeMap::new();
    for hour in hours.iter().filter(|hour| !hour.api_server.is_empty()) {
        let servers = clusters.entry(&hour.cluster).or_default();
        let seen = servers.entry(&hour.api_server).or_default();
        let seconds = hour.seconds.iter();
        seen.extend(seconds.map(|second| i64::from(hour.hour) + i64::from(*second)));
    }
    let mut found = Vec::new();
    for (cluster, mut servers) in clusters {
        for seen in servers.values_mut() {
            seen.sort_unstable();
            seen.dedup();
        }
        for server in servers.keys() {
            let silences = Heartbeats { servers: &servers }.silences(server, until.as_second());
            found.extend(silences.into_iter().map(|it| (cluster.to_owned(), it)));
        }
    }
    found
}

/// When the API servers of a cluster were seen, in seconds, ascending.
struct Heartbeats<'h> {
    servers: &'h BTreeMap<&'h str, Vec<i64>>,
}

impl Heartbeats<'_> {
    fn silences(&self, server: &str, until: i64) -> Vec<Silence> {
        let seen = &self.servers[server];
        let gaps = seen.windows(2).map(|pair| (pair[0], pair[1]));
        let mut silences = Vec::new();
        for (from, to) in gaps.filter(|(from, to)| to - from >= GAP_SECONDS_MIN) {
            self.add_by_day(server, (from, to), &mut silences);
        }
        let Some(&last) = seen.last() else {
            return silences;
        };
        let end = self.servers.values().filter_map(|seen| seen.last()).max();
        match end {
            Some(&end) if end - last >= OPEN_SECONDS_MIN => {
                self.add_by_day(server, (last, end), &mut silences);
            }
            Some(&end) if until - end >= OPEN_SECONDS_MIN => {
                silences.extend(silence(server, (last, None), false));
            }
            _ => {}
        }
        silences
    }

    /// Day by day.
    fn add_by_day(&self, server: &str, (from, to): (i64, i64), silences: &mut Vec<Silence>) {
        let others_heard = self.others(server, (from + RENEWAL_SECONDS, to - RENEWAL_SECONDS));
        let mut begin = from;
        while begin < to {
            let midnight = (begin.div_euclid(DAY_SECONDS) + 1) * DAY_SECONDS;
            let end = to.min(midnight);
            silences.extend(silence(server, (begin, Some(end)), others_heard));
            begin = end;
        }
    }

    fn others(&self, server: &str, (from, to): (i64, i64)) -> bool {
        let mut others = self.servers.iter().filter(|(name, _)| **name != server);
        others.any(|(_, seen)| {
            let next = seen.partition_point(|second| *second < from);
            seen.get(next).is_some_and(|second| *second <= to)
        })
    }
}

fn silence(server: &str, (from, to): (i64, Option<i64>), others_heard: bool) -> Option<Silence> {
    let at = |second| Timestamp::from_second(second).ok();
    Some(Silence {
        api_server: server.to_owned(),
        from: at(from)?,
        to: to.and_then(at),
        others_heard,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// `server marks`: each mark is for ten seconds, from the full hour; `x` is a renewal. `until` is in seconds.
    fn check(servers: &[(&str, &str)], first_hour: u32, until: i64, expected: Expect) {
        let mut hours = Vec::new();
        for (server, marks) in servers {
            for (number, mark) in marks.bytes().enumerate() {
                if mark == b'x' {
                    let second = first_hour * 3600 + number as u32 * 10;
                    hours.push(Hour {
                        cluster: "c".to_owned(),
                        api_server: (*server).to_owned(),
                        hour: second / 3600 * 3600,
                        seconds: vec![(second % 3600) as u16],
                        ..Hour::default()
                    });
                }
            }
        }
        let until = Timestamp::from_second(i64::from(first_hour) * 3600 + until).unwrap();
        let told = silences(&hours, until).into_iter().map(|(_, silence)| {
            let Silence {
                api_server,
                from,
                to,
                others_heard,
            } = silence;
            let to = to.map_or("?".to_owned(), |to| to.strftime("%T").to_string());
            let others = if others_heard { "others heard" } else { "" };
            format!("{api_server} {} to {to} {others}", from.strftime("%T"))
                .trim_end()
                .to_owned()
                + "\n"
        });
        expected.assert_eq(&told.collect::<String>());
    }

    #[test]
    fn three_missed_are_a_gap() {
        check(&[("a", "xxxxxxxx")], 1, 80, expect![""]);
        check(&[("a", "xxx..xxx")], 1, 80, expect![""]);
        check(
            &[("a", "xxx...xxx")],
            1,
            90,
            expect!["a 01:00:20 to 01:01:00\n"],
        );
        check(
            &[("a", "x......x....x")],
            1,
            90,
            expect!["a 01:00:00 to 01:01:10\na 01:01:10 to 01:02:00\n"],
        );
        // Not known before its first.
        check(&[("a", "......xx")], 1, 80, expect![""]);
    }

    #[test]
    fn others_are_heard_or_not() {
        check(
            &[("a", "xxxxxxxxx"), ("b", "xx.....xx")],
            1,
            90,
            expect!["b 01:00:10 to 01:01:10 others heard\n"],
        );
        // All of them, at different seconds of the ten.
        check(
            &[("a", "xx.....xx"), ("b", "xxx....xx")],
            1,
            90,
            expect!["a 01:00:10 to 01:01:10\nb 01:00:20 to 01:01:10\n"],
        );
    }

    #[test]
    fn a_silence_that_has_not_ended() {
        // It may still be on its way.
        check(&[("a", "xx")], 1, 180, expect![""]);
        check(&[("a", "xx")], 1, 190, expect!["a 01:00:10 to ?\n"]);
        let long = "x".repeat(20);
        let others = &[("a", &*long), ("b", "xx")];
        check(
            others,
            1,
            200,
            expect!["b 01:00:10 to 01:03:10 others heard\n"],
        );
        check(
            others,
            1,
            400,
            expect!["a 01:03:10 to ?\nb 01:00:10 to 01:03:10 others heard\n"],
        );
    }

    #[test]
    fn a_silence_is_told_by_the_day() {
        let marks = "x".repeat(355) + "........" + "xx";
        check(
            &[("a", &*marks)],
            23,
            3700,
            expect!["a 23:59:00 to 00:00:00\na 00:00:00 to 00:00:30\n"],
        );
    }
}
