//! When an API server was not heard of while another of its cluster was.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::sql::Hour;

/// Shorter silences are not told: API servers tell of themselves every ten seconds, but what they
/// send arrives up to half a minute late, and a batch may be sent again for longer.
const MINUTES_MIN: usize = 3;

const DAY_MINUTES: u32 = 24 * 60;

/// From the last that was heard of an API server to the next, or to the last of the others; within
/// one day of UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub api_server: String,
    /// The first minute in which another was heard, and this one was not.
    pub from: Timestamp,
    /// The end of the last such minute.
    pub to: Timestamp,
    /// How many such minutes there are.
    pub minutes: u64,
}

/// By cluster. An API server is known from its first heartbeat on; one that came to its end is
/// silent from there on.
pub fn silences(hours: &[Hour]) -> Vec<(String, Silence)> {
    let mut clusters: BTreeMap<&str, BTreeMap<&str, BTreeSet<u32>>> = BTreeMap::new();
    for hour in hours.iter().filter(|hour| !hour.api_server.is_empty()) {
        let servers = clusters.entry(&hour.cluster).or_default();
        let heard = servers.entry(&hour.api_server).or_default();
        // Counted from the epoch.
        let first = hour.hour / 60;
        heard.extend(
            (0..60)
                .filter(|n| hour.minutes >> n & 1 == 1)
                .map(|n| first + n),
        );
    }
    let mut found = Vec::new();
    for (cluster, servers) in clusters {
        let spoken: BTreeSet<u32> = servers.values().flatten().copied().collect();
        for (server, heard) in &servers {
            let silences = of_server(server, heard, &spoken);
            found.extend(silences.map(|silence| (cluster.to_owned(), silence)));
        }
    }
    found
}

fn of_server(
    server: &str,
    heard: &BTreeSet<u32>,
    spoken: &BTreeSet<u32>,
) -> impl Iterator<Item = Silence> {
    let starts = heard.iter().copied();
    let ends = heard.iter().copied().skip(1).chain([u32::MAX]);
    let gaps = starts
        .zip(ends)
        .map(|(last, next)| spoken.range(last + 1..next).copied().collect::<Vec<u32>>())
        .filter(|others| others.len() >= MINUTES_MIN);
    let by_day = gaps.flat_map(|others| {
        let days = others.chunk_by(|a, b| a / DAY_MINUTES == b / DAY_MINUTES);
        days.map(<[u32]>::to_vec).collect::<Vec<_>>()
    });
    by_day.filter_map(move |others| {
        let (from, to) = (others.first()?, others.last()?);
        let at = |minute: u32| Timestamp::from_second(i64::from(minute) * 60).ok();
        Some(Silence {
            api_server: server.to_owned(),
            from: at(*from)?,
            to: at(to + 1)?,
            minutes: others.len() as u64,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[test]
    fn a_silence_is_told_by_the_day() {
        let hour = |server: &str, hour: u32, minutes: u64| Hour {
            cluster: "c".to_owned(),
            api_server: server.to_owned(),
            hour: hour * 3600,
            minutes,
            ..Hour::default()
        };
        let told = silences(&[
            hour("a", 23, 0b11 << 58),
            hour("a", 24, 0b11),
            hour("b", 23, 1 << 57),
        ]);
        let told: Vec<(i64, u64)> = told
            .iter()
            .map(|(_, silence)| (silence.from.as_second() / 60, silence.minutes))
            .collect();
        assert_eq!(told, [(23 * 60 + 58, 2), (24 * 60, 2)]);
    }

    /// `server minutes`: an `x` for each minute from midnight on in which it was heard.
    fn check(servers: &[(&str, &str)], expected: Expect) {
        let hour = |(server, heard): &(&str, &str)| Hour {
            cluster: "c".to_owned(),
            api_server: (*server).to_owned(),
            minutes: heard
                .bytes()
                .enumerate()
                .filter(|(_, mark)| *mark == b'x')
                .fold(0, |bits, (minute, _)| bits | 1 << minute),
            ..Hour::default()
        };
        let hours: Vec<Hour> = servers.iter().map(hour).collect();
        let told = silences(&hours).into_iter().map(|(_, silence)| {
            let Silence {
                api_server,
                from,
                to,
                minutes,
            } = silence;
            let minute = |at: Timestamp| at.as_second() / 60;
            format!(
                "{api_server} {} to {}: {minutes}\n",
                minute(from),
                minute(to)
            )
        });
        expected.assert_eq(&told.collect::<String>());
    }

    #[test]
    fn one_is_silent_while_another_speaks() {
        check(&[("a", "xxxxxxxx"), ("b", "xxxxxxxx")], expect![""]);
        check(
            &[("a", "xxxxxxxx"), ("b", "x...x..x")],
            expect!["b 1 to 4: 3\n"],
        );
        // To the end.
        check(
            &[("a", "xxxxxxxx"), ("b", "xx......")],
            expect!["b 2 to 8: 6\n"],
        );
        // It was not there yet, or nobody knew it.
        check(&[("a", "xxxxxxxx"), ("b", "....xxxx")], expect![""]);
        // Nobody spoke: a quiet cluster, or nothing came.
        check(&[("a", "x.....x"), ("b", "x.....x")], expect![""]);
        check(&[("a", "x.......x")], expect![""]);
        // Of three, each by itself; the minutes in between are not all heard.
        check(
            &[
                ("a", "xxxx..xxxx"),
                ("b", "x........x"),
                ("c", "x.xxxxxxxx"),
            ],
            expect!["b 1 to 9: 8\n"],
        );
    }
}
