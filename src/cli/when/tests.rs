use super::*;
use expect_test::{Expect, expect};

const NOW: &str = "2026-11-23T12:00:00Z";

/// The window that flags mean, or the error.
fn read(flags: &[(&str, &str)], zone_text: &str) -> String {
    let mut args = Args::default();
    for (flag, text) in flags {
        let slot = match *flag {
            "since" => &mut args.since,
            "from" => &mut args.from,
            "to" => &mut args.to,
            _ => &mut args.at,
        };
        *slot = Some(*text);
    }
    let show = |instant: Option<Timestamp>| instant.map_or("..".to_owned(), |i| i.to_string());
    match window(args, &zone(zone_text).unwrap(), NOW.parse().unwrap()) {
        Ok(Window { since, until }) => format!("{} {}", show(since), show(until)),
        Err(BadTime(text)) => text,
    }
}

fn check(flag: &str, zone: &str, texts: &[&str], expected: Expect) {
    let lines = texts
        .iter()
        .map(|text| format!("{}\n", read(&[(flag, text)], zone)));
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn times_with_an_offset() {
    let texts = [
        "now",
        " now ",
        "2026-11-23T06:15:00Z",
        "2026-11-23 06:15Z",
        "2026-11-23T06:15:00.123+05:30",
        "1970-01-01T00:00:00Z",
    ];
    check(
        "from",
        "America/New_York",
        &texts,
        expect![[r#"
            2026-11-23T12:00:00Z ..
            2026-11-23T12:00:00Z ..
            2026-11-23T06:15:00Z ..
            2026-11-23T06:15:00Z ..
            2026-11-23T00:45:00.123Z ..
            1970-01-01T00:00:00Z ..
        "#]],
    );
}

#[test]
fn times_of_the_zone() {
    let texts = [
        "2026-11-23",
        "2026-07-23",
        "2026-11-23 06:15",
        "2026-11-23T06:15:05",
        "2026-11-23 06:15:05.123",
        "06:15",
        "06:15:05",
    ];
    check(
        "from",
        "Europe/Berlin",
        &texts,
        expect![[r#"
        2026-11-22T23:00:00Z ..
        2026-07-22T22:00:00Z ..
        2026-11-23T05:15:00Z ..
        2026-11-23T05:15:05Z ..
        2026-11-23T05:15:05.123Z ..
        2026-11-23T05:15:00Z ..
        2026-11-23T05:15:05Z ..
    "#]],
    );
    check(
        "from",
        "Pacific/Auckland",
        &["06:15", "2026-11-23"],
        expect![[r#"
            2026-11-23T17:15:00Z ..
            2026-11-22T11:00:00Z ..
        "#]],
    );
    check(
        "from",
        "-03:30",
        &["06:15"],
        expect![[r#"
        2026-11-23T09:45:00Z ..
    "#]],
    );
}

#[test]
fn no_times() {
    let texts = [
        "yesterdayish",
        "",
        "2026",
        "20261123",
        "06",
        "0615",
        "25:00",
        "2026-02-30",
        "2026-W12",
        "2026-11-23T06:15:00+99:00",
        "2026-11-23T06:15[America/New_York]",
        "2026-11-23T06:15:00+01:00[America/New_York]",
        "-002026-11-23",
        "\u{1b}[31m",
        "0999-01-01",
        "9999-12-31 23:59",
        "2300-01-01T00:00:00Z",
    ];
    check(
        "to",
        "UTC",
        &texts,
        expect![[r#"
        --to "yesterdayish" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "2026" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "20261123" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "06" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "0615" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "25:00" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "2026-02-30" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "2026-W12" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "2026-11-23T06:15:00+99:00" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "2026-11-23T06:15[America/New_York]" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "2026-11-23T06:15:00+01:00[America/New_York]" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "-002026-11-23" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "\u{1b}[31m" is no time: write 2026-11-23T06:15:00Z, "2026-11-23 06:15" or 06:15
        --to "0999-01-01" is out of range: write a year from 1901 to 2298
        --to "9999-12-31 23:59" is out of range: write a year from 1901 to 2298
        --to "2300-01-01T00:00:00Z" is out of range: write a year from 1901 to 2298
    "#]],
    );
}

#[test]
fn clocks_that_change() {
    let spring = [
        "2026-03-29 01:59:59",
        "2026-03-29 02:30",
        "2026-03-29 03:00",
    ];
    check(
        "from",
        "Europe/Berlin",
        &spring,
        expect![[r#"
        2026-03-29T00:59:59Z ..
        --from "2026-03-29 02:30" does not exist in Europe/Berlin, whose clocks skip it: write 2026-03-29T01:30:00+01:00 or 2026-03-29T03:30:00+02:00
        2026-03-29T01:00:00Z ..
    "#]],
    );
    let autumn = [
        "2026-10-25 01:59:59",
        "2026-10-25 02:30",
        "2026-10-25 03:00",
        "2026-10-25T02:30:00+01:00",
    ];
    check(
        "from",
        "Europe/Berlin",
        &autumn,
        expect![[r#"
        2026-10-24T23:59:59Z ..
        --from "2026-10-25 02:30" comes twice in Europe/Berlin, whose clocks go back: write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00
        2026-10-25T02:00:00Z ..
        2026-10-25T01:30:00Z ..
    "#]],
    );
    check(
        "at",
        "Africa/Cairo",
        &["2026-04-24"],
        expect![[r#"
        --at "2026-04-24" does not exist in Africa/Cairo, whose clocks skip it: write 2026-04-23T23:00:00+02:00 or 2026-04-24T01:00:00+03:00
    "#]],
    );
}

#[test]
fn durations() {
    let texts = ["90s", "15m", "2h", "1d", "1w", "1h30m", "3650d"];
    check(
        "since",
        "UTC",
        &texts,
        expect![[r#"
        2026-11-23T11:58:30Z ..
        2026-11-23T11:45:00Z ..
        2026-11-23T10:00:00Z ..
        2026-11-22T12:00:00Z ..
        2026-11-16T12:00:00Z ..
        2026-11-23T10:30:00Z ..
        2016-11-25T12:00:00Z ..
    "#]],
    );
    let texts = [
        "",
        "0s",
        "2",
        "h",
        "-2h",
        "1.5h",
        "2 hours",
        "1y",
        "2é",
        "3651d",
        "99999999999999999999w",
    ];
    check(
        "since",
        "UTC",
        &texts,
        expect![[r#"
        --since "" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
        --since "0s" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
        --since "2" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
        --since "h" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
        --since "-2h" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
        --since "1.5h" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
        --since "2 hours" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
        --since "1y" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
        --since "2é" is no duration: write 90s, 15m, 2h, 1d, 1w or 1h30m
        --since "3651d" is too long: write at most 3650d
        --since "99999999999999999999w" is too long: write at most 3650d
    "#]],
    );
}

#[test]
fn windows() {
    let check = |flags: &[(&str, &str)], expected: Expect| {
        expected.assert_eq(&read(flags, "UTC"));
    };
    check(&[], expect![".. .."]);
    check(
        &[("at", "06:15")],
        expect!["2026-11-23T06:15:00Z 2026-11-23T06:15:00.000001Z"],
    );
    check(
        &[("from", "06:15"), ("to", "07:00")],
        expect!["2026-11-23T06:15:00Z 2026-11-23T07:00:00Z"],
    );
    check(
        &[("since", "2h"), ("to", "now")],
        expect!["2026-11-23T10:00:00Z 2026-11-23T12:00:00Z"],
    );
    check(&[("to", "06:15")], expect![".. 2026-11-23T06:15:00Z"]);
    check(
        &[("from", "07:00"), ("to", "06:15")],
        expect![[r#"--from "07:00" is not before --to "06:15": write a later --to"#]],
    );
    check(
        &[("from", "07:00"), ("to", "07:00")],
        expect![[r#"--from "07:00" is not before --to "07:00": write a later --to"#]],
    );
    check(
        &[("since", "2h"), ("to", "06:15")],
        expect![[r#"--since "2h" is not before --to "06:15": write a later --to"#]],
    );
    check(
        &[("at", "now"), ("to", "06:15")],
        expect!["--at and --to exclude each other: write one of them"],
    );
    check(
        &[("at", "now"), ("since", "2h")],
        expect!["--at and --since exclude each other: write one of them"],
    );
    check(
        &[("since", "2h"), ("from", "06:15")],
        expect!["--since and --from exclude each other: write one of them"],
    );
}

#[test]
fn zones() {
    let texts = [
        "UTC",
        "utc",
        "Europe/Berlin",
        "europe/berlin",
        "+02:00",
        "-0330",
        "+00:00",
        "+05:00:01",
        "Mars/Olympus",
        "",
        "../../etc/passwd",
        "+99",
        "Etc/Unknown",
        "EST5EDT,M3.2.0,M11.1.0",
    ];
    let lines = texts.iter().map(|text| match zone(text) {
        Ok(zone) => format!("{text}: {}\n", zone_name(&zone)),
        Err(BadTime(text)) => format!("{text}\n"),
    });
    expect![[r#"
        UTC: UTC
        utc: UTC
        Europe/Berlin: Europe/Berlin
        europe/berlin: Europe/Berlin
        +02:00: +02:00
        -0330: -03:30
        +00:00: UTC
        +05:00:01: +05:00:01
        --zone "Mars/Olympus" is no time zone: write a name like Europe/Berlin, UTC, local, or an offset like +02:00
        --zone "" is no time zone: write a name like Europe/Berlin, UTC, local, or an offset like +02:00
        --zone "../../etc/passwd" is no time zone: write a name like Europe/Berlin, UTC, local, or an offset like +02:00
        --zone "+99" is no time zone: write a name like Europe/Berlin, UTC, local, or an offset like +02:00
        --zone "Etc/Unknown" is no time zone: write a name like Europe/Berlin, UTC, local, or an offset like +02:00
        --zone "EST5EDT,M3.2.0,M11.1.0" is no time zone: write a name like Europe/Berlin, UTC, local, or an offset like +02:00
    "#]].assert_eq(&lines.collect::<String>());
    assert_eq!(
        zone_name(&TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()),
        "local"
    );
    zone("local").expect("there is always a zone");
}
