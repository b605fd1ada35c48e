use super::*;
use expect_test::{Expect, expect};

const NOW: &str = "2026-11-23T12:00:00Z";

/// The window that flags mean, or the error.
fn read(flags: &[(&str, &str)], zone_text: &str) -> String {
    read_at(flags, zone_text, NOW)
}

fn read_at(flags: &[(&str, &str)], zone_text: &str, now: &str) -> String {
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
    match window(args, &zone(zone_text).unwrap(), now.parse().unwrap()) {
        Ok(Window { since, until }) => format!("{} {}", show(since), show(until)),
        Err(error) => error.as_flags(),
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
            2026-11-22T17:15:00Z ..
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
            --to: invalid time "yesterdayish": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: invalid time "": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: invalid time "2026": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: invalid time "20261123": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: invalid time "06": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: invalid time "0615": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: invalid time "25:00": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: invalid time "2026-02-30": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: invalid time "2026-W12": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: invalid time "2026-11-23T06:15:00+99:00": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: invalid time "2026-11-23T06:15[America/New_York]": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: invalid time "2026-11-23T06:15:00+01:00[America/New_York]": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: invalid time "-002026-11-23": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: invalid time "\u{1b}[31m": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
            --to: time "0999-01-01" is out of range: use a year from 1901 to 2298
            --to: time "9999-12-31 23:59" is out of range: use a year from 1901 to 2298
            --to: time "2300-01-01T00:00:00Z" is out of range: use a year from 1901 to 2298
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
            --from: "2026-03-29 02:30" does not exist in Europe/Berlin, whose clocks skip it: use 2026-03-29T01:30:00+01:00 or 2026-03-29T03:30:00+02:00
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
            --from: "2026-10-25 02:30" is ambiguous in Europe/Berlin, whose clocks go back then: use 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00
            2026-10-25T02:00:00Z ..
            2026-10-25T01:30:00Z ..
        "#]],
    );
    check(
        "at",
        "Africa/Cairo",
        &["2026-04-24"],
        expect![[r#"
            --at: "2026-04-24" does not exist in Africa/Cairo, whose clocks skip it: use 2026-04-23T23:00:00+02:00 or 2026-04-24T01:00:00+03:00
        "#]],
    );
}

#[test]
fn durations() {
    let texts = [
        "90s", "15m", "2h", "1d", "1w", "1h30m", "1d12h", "1.5h", "0.5d", "3650d",
    ];
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
            2026-11-22T00:00:00Z ..
            2026-11-23T10:30:00Z ..
            2026-11-23T00:00:00Z ..
            2016-11-25T12:00:00Z ..
        "#]],
    );
    let texts = [
        "",
        "0s",
        "2",
        "h",
        "-2h",
        "1.5.5h",
        "7 days",
        "1 hour 30 minutes",
        "PT2H",
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
            --since: invalid duration "": use 90s, 15m, 2h, 1d or 1d12h
            --since: invalid duration "0s": use 90s, 15m, 2h, 1d or 1d12h
            --since: invalid duration "2": use 90s, 15m, 2h, 1d or 1d12h
            --since: invalid duration "h": use 90s, 15m, 2h, 1d or 1d12h
            --since: invalid duration "-2h": use 2h
            --since: invalid duration "1.5.5h": use 90s, 15m, 2h, 1d or 1d12h
            --since: invalid duration "7 days": use 7d
            --since: invalid duration "1 hour 30 minutes": use 1h30m
            --since: invalid duration "PT2H": use 2h
            --since: invalid duration "1y": use 90s, 15m, 2h, 1d or 1d12h
            --since: invalid duration "2é": use 90s, 15m, 2h, 1d or 1d12h
            --since: duration "3651d" is too long: use at most 3650d
            --since: duration "99999999999999999999w" is too long: use at most 3650d
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
        &[("from", "2026-11-23 07:00"), ("to", "06:15")],
        expect!["--to: the end 2026-11-23T06:15:00Z is not after the start 2026-11-23T07:00:00Z"],
    );
    check(
        &[("since", "2h"), ("to", "06:15")],
        expect!["--to: the end 2026-11-23T06:15:00Z is not after the start 2026-11-23T10:00:00Z"],
    );
    check(
        &[("at", "now"), ("to", "06:15")],
        expect!["--at and --to cannot be combined"],
    );
    check(
        &[("at", "now"), ("since", "2h")],
        expect!["--at and --since cannot be combined"],
    );
    check(
        &[("since", "2h"), ("from", "06:15")],
        expect!["--since and --from cannot be combined"],
    );
}

/// Now it is Monday noon.
#[test]
fn words_and_numbers() {
    let texts = [
        "now",
        "today",
        "Today 06:15",
        "yesterday",
        "yesterday 14:00",
        "monday",
        "monday 06:15",
        "Monday 13:00",
        "mon 06:15",
        "tuesday 06:15",
        "sunday",
        "1763878500",
        "1763878500.25",
        "1763878500250",
    ];
    check(
        "from",
        "Europe/Berlin",
        &texts,
        expect![[r#"
        2026-11-23T12:00:00Z ..
        2026-11-22T23:00:00Z ..
        2026-11-23T05:15:00Z ..
        2026-11-21T23:00:00Z ..
        2026-11-22T13:00:00Z ..
        2026-11-22T23:00:00Z ..
        2026-11-23T05:15:00Z ..
        2026-11-23T12:00:00Z ..
        2026-11-23T05:15:00Z ..
        2026-11-17T05:15:00Z ..
        2026-11-21T23:00:00Z ..
        2025-11-23T06:15:00Z ..
        2025-11-23T06:15:00.25Z ..
        2025-11-23T06:15:00.25Z ..
    "#]],
    );
    let texts = [
        "today 13:30",
        "tomorrow",
        "monday 25:00",
        "mo 06:15",
        "yesterday 14",
        "noon",
        "176387850",
        "17638785002",
        "1763878500.x",
        "2026-12-01",
    ];
    check(
        "at",
        "Europe/Berlin",
        &texts,
        expect![[r#"
        --at: "today 13:30" is in the future: it is 2026-11-23T12:00:00Z now
        --at: invalid time "tomorrow": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
        --at: invalid time "monday 25:00": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
        --at: invalid time "mo 06:15": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
        --at: invalid time "yesterday 14": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
        --at: invalid time "noon": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
        1975-08-04T12:37:30Z 1975-08-04T12:37:30.000001Z
        --at: invalid time "17638785002": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
        --at: invalid time "1763878500.x": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970
        --at: "2026-12-01" is in the future: it is 2026-11-23T12:00:00Z now
    "#]],
    );
}

/// A time of the day is the latest that is not in the future; of a range the latest that has begun.
#[test]
fn times_of_the_day() {
    let mut lines = String::new();
    for (now, from, to) in [
        ("2026-11-23T12:00:00Z", "23:00", "01:00"),
        ("2026-11-23T00:30:00Z", "23:00", "01:00"),
        ("2026-11-23T23:30:00Z", "23:00", "01:00"),
        ("2026-11-23T12:00:00Z", "06:00", "07:00"),
        ("2026-11-23T12:00:00Z", "06:00", "13:00"),
        ("2026-11-23T12:00:00Z", "13:00", "14:00"),
        ("2026-11-23T12:00:00Z", "13:00", "now"),
        ("2026-11-23T12:00:00Z", "yesterday 23:00", "01:00"),
        ("2026-11-23T12:00:00Z", "06:00", "06:00"),
    ] {
        let flags = [("from", from), ("to", to)];
        lines += &format!("{now} {from} {to}: {}\n", read_at(&flags, "UTC", now));
    }
    expect![[r#"
        2026-11-23T12:00:00Z 23:00 01:00: 2026-11-22T23:00:00Z 2026-11-23T01:00:00Z
        2026-11-23T00:30:00Z 23:00 01:00: 2026-11-22T23:00:00Z 2026-11-23T01:00:00Z
        2026-11-23T23:30:00Z 23:00 01:00: 2026-11-23T23:00:00Z 2026-11-24T01:00:00Z
        2026-11-23T12:00:00Z 06:00 07:00: 2026-11-23T06:00:00Z 2026-11-23T07:00:00Z
        2026-11-23T12:00:00Z 06:00 13:00: 2026-11-23T06:00:00Z 2026-11-23T13:00:00Z
        2026-11-23T12:00:00Z 13:00 14:00: 2026-11-22T13:00:00Z 2026-11-22T14:00:00Z
        2026-11-23T12:00:00Z 13:00 now: 2026-11-22T13:00:00Z 2026-11-23T12:00:00Z
        2026-11-23T12:00:00Z yesterday 23:00 01:00: 2026-11-22T23:00:00Z 2026-11-23T01:00:00Z
        2026-11-23T12:00:00Z 06:00 06:00: --to: the end 2026-11-23T06:00:00Z is not after the start 2026-11-23T06:00:00Z
    "#]].assert_eq(&lines);
    check(
        "at",
        "UTC",
        &["23:00", "11:59", "12:00"],
        expect![[r#"
        2026-11-22T23:00:00Z 2026-11-22T23:00:00.000001Z
        2026-11-23T11:59:00Z 2026-11-23T11:59:00.000001Z
        2026-11-23T12:00:00Z 2026-11-23T12:00:00.000001Z
    "#]],
    );
}

#[test]
fn what_is_in_the_future() {
    let check = |flag: &str, texts: &[&str], expected: Expect| check(flag, "UTC", texts, expected);
    // Another machine's clock may be ahead by less than a minute.
    let texts = ["2026-11-23T12:00:59Z", "2026-11-23T12:01:01Z", "2027-01-01"];
    check(
        "at",
        &texts,
        expect![[r#"
        2026-11-23T12:00:59Z 2026-11-23T12:00:59.000001Z
        --at: "2026-11-23T12:01:01Z" is in the future: it is 2026-11-23T12:00:00Z now
        --at: "2027-01-01" is in the future: it is 2026-11-23T12:00:00Z now
    "#]],
    );
    check(
        "from",
        &texts,
        expect![[r#"
        2026-11-23T12:00:59Z ..
        --from: "2026-11-23T12:01:01Z" is in the future: it is 2026-11-23T12:00:00Z now
        --from: "2027-01-01" is in the future: it is 2026-11-23T12:00:00Z now
    "#]],
    );
    check(
        "to",
        &texts,
        expect![[r#"
        .. 2026-11-23T12:00:59Z
        .. 2026-11-23T12:01:01Z
        .. 2027-01-01T00:00:00Z
    "#]],
    );
    let now: Timestamp = NOW.parse().unwrap();
    assert!(!is_future("2026-11-23T12:00:59Z".parse().unwrap(), now));
    assert!(is_future("2026-11-23T12:01:01Z".parse().unwrap(), now));
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
        Err(error) => format!("{}\n", error.as_flags()),
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
        --zone: invalid time zone "Mars/Olympus": use a name like Europe/Berlin, UTC, local, or an offset like +02:00
        --zone: invalid time zone "": use a name like Europe/Berlin, UTC, local, or an offset like +02:00
        --zone: invalid time zone "../../etc/passwd": use a name like Europe/Berlin, UTC, local, or an offset like +02:00
        --zone: invalid time zone "+99": use a name like Europe/Berlin, UTC, local, or an offset like +02:00
        --zone: invalid time zone "Etc/Unknown": use a name like Europe/Berlin, UTC, local, or an offset like +02:00
        --zone: invalid time zone "EST5EDT,M3.2.0,M11.1.0": use a name like Europe/Berlin, UTC, local, or an offset like +02:00
    "#]].assert_eq(&lines.collect::<String>());
    assert_eq!(
        zone_name(&TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()),
        "local"
    );
    zone("local").expect("there is always a zone");
}
