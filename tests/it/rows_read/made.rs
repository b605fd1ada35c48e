//! Pods and container instances, made from numbers by SQL, and settled.

use std::process::Command;

use crate::lives::encode::SLOT_SECONDS;
use crate::support::{self, on_shared, sql};

/// 2026-01-01, and the months of 30 days that follow.
pub const BEGIN: i64 = 1_767_225_600;
pub const MONTHS: i64 = 10;
const DAY: i64 = 86_400;
/// When the newest fact came.
pub const NOW: i64 = BEGIN + MONTHS * 30 * DAY;

/// Instances of a pod, on average: 1 to 3 containers, and restarts.
const INSTANCES_OF_TEN_PODS: u64 = 16;
/// Rows that are made at a time.
const PODS_AT_ONCE: u64 = 50_000;

/// A database with lives, and one with what of them is still in facts.
pub struct Made {
    /// How many container instances were asked for. There are a few less: some begin after `NOW`.
    pub lives: u64,
    pub database: String,
    pub without_history: String,
}

impl Made {
    pub fn new(lives: u64) -> Made {
        let made = Made {
            lives,
            database: schema(),
            without_history: schema(),
        };
        let pods = lives * 10 / INSTANCES_OF_TEN_PODS;
        for month in 0..MONTHS {
            made.month(month, pods / MONTHS as u64);
        }
        // The last month's facts stand beside what the settling has carried on, until the next one.
        made.settle(NOW + i64::from(SLOT_SECONDS));
        let oldest = sql(
            &made.database,
            "SELECT toUnixTimestamp(min(slot)) FROM facts",
        );
        assert_eq!(oldest.trim(), NOW.to_string(), "all older slots are gone");
        let facts = columns(&made.database, "facts");
        for (table, columns) in [("facts", &*facts), ("checkpoints", "slot, read, ready_at")] {
            let from = &made.database;
            sql(
                &made.without_history,
                &format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM {from}.{table}"),
            );
        }
        for database in [&made.database, &made.without_history] {
            for table in ["facts", "pod_history", "container_history"] {
                sql(database, &format!("OPTIMIZE TABLE {table} FINAL"));
            }
        }
        made
    }

    /// The lives that began in a month, heard at its end and then settled.
    fn month(&self, month: i64, pods: u64) {
        let heard = BEGIN + (month + 1) * 30 * DAY - 2 * i64::from(SLOT_SECONDS);
        let first = month as u64 * pods;
        for from in (first..first + pods).step_by(PODS_AT_ONCE as usize) {
            let count = PODS_AT_ONCE.min(first + pods - from);
            let of = format!("{} FROM numbers({from}, {count})", pod_columns(month));
            sql(&self.database, &insert_pods(&of, heard));
            sql(&self.database, &insert_instances(&of, heard));
        }
        let until = BEGIN + (month + 1) * 30 * DAY;
        println!("month {month}: {}", self.settle(until));
    }

    /// Settles what was heard before, clears old slots away, and returns what it said.
    fn settle(&self, until: i64) -> String {
        let until = jiff::Timestamp::from_second(until).expect("a time");
        let mut command: Command =
            on_shared(&self.database, &["settle", "--until", &until.to_string()]);
        // A month is far more than a slot holds else: the default pieces need more memory than they may.
        let settings = [
            ("RETENTION_DAYS", "0"),
            ("CHANGEOVER_SECONDS", "0"),
            ("PIECE_ROWS_MAX", "50000"),
        ];
        command.envs(settings.map(|(name, value)| (format!("BYGONE_SETTLE_{name}"), value)));
        let output = support::run(&mut command);
        assert!(output.status.success(), "{}", support::stderr(&output));
        support::stdout(&output).trim().to_owned()
    }
}

fn schema() -> String {
    let database = support::new_database();
    let output = support::run(&mut on_shared(&database, &["schema", "apply"]));
    assert!(output.status.success(), "{}", support::stderr(&output));
    database
}

fn columns(database: &str, table: &str) -> String {
    let columns = format!(
        "SELECT arrayStringConcat(groupArray(name), ', ') FROM system.columns \
         WHERE database = currentDatabase() AND table = '{table}' AND default_kind NOT IN ('EPHEMERAL', 'MATERIALIZED')"
    );
    sql(database, &columns).trim().to_owned()
}

/// From 0 to 1, by the number of the pod.
fn unit(salt: &str) -> String {
    format!("((sipHash64(number, '{salt}') + 0.5) / 18446744073709551616.0)")
}

/// What a pod is, by its number: seven of ten are jobs of minutes, the rest services of days; a
/// sixth of all are in one namespace of two hundred.
fn pod_columns(month: i64) -> String {
    let month_begins = BEGIN + month * 30 * DAY;
    format!(
        "SELECT number, toUInt16(200 * pow({namespace}, 3)) AS nsi, concat('ns-', toString(nsi)) AS ns,
            {job} < 0.7 AS job, sqrt(-2 * log({z1})) * cos(6.283185307 * {z2}) AS z,
            toInt64(least(if(job, 300 * exp(1.6 * z), 86400 * exp(1.8 * z)), 17280000.0)) + 4 AS run,
            toInt64({month_begins} + {begun} * 30 * 86400) AS created, created + run AS stopped,
            stopped + if(job, toInt64(5 + 1800 * {kept}), 2) AS gone,
            toUInt32(floor({workload} * {workload} * (5 + nsi % 35))) AS wli,
            concat(['web', 'api', 'sync', 'index', 'cache'][1 + nsi % 5], '-', toString(wli)) AS app,
            concat(app, '-', lower(hex(reinterpretAsFixedString(toUInt32(sipHash64(nsi, wli, intDiv(created, 604800), if(job, number, 0)))))),
                '-', substring(lower(hex(sipHash64(number, 'name'))), 1, 5)) AS pod_name,
            toUUID(reinterpretAsUUID(sipHash128(number, 'uid'))) AS uid,
            toUInt32(300 * {node}) AS nodei, concat('node-', leftPad(toString(nodei), 3, '0')) AS node_name,
            toIPv6(concat('::ffff:', IPv4NumToString(toUInt32(167772160 + nodei * 256 + 2 + toUInt32(250 * {ip}))))) AS address,
            {host} < 0.03 AS hosted, {forced} < 0.05 AS forced,
            1 + ({more} > 0.6) + ({more} > 0.9) AS containers,
            toUInt32(if(NOT job AND {restarts} < 0.1, 1 + floor(4 * {times}), 0)) AS times",
        namespace = unit("namespace"),
        job = unit("job"),
        z1 = unit("z1"),
        z2 = unit("z2"),
        begun = unit("begun"),
        kept = unit("kept"),
        workload = unit("workload"),
        node = unit("node"),
        ip = unit("ip"),
        host = unit("host"),
        forced = unit("forced"),
        more = unit("more"),
        restarts = unit("restarts"),
        times = unit("times"),
    )
}

fn insert_pods(pods: &str, heard: i64) -> String {
    let never = "toDateTime64('2200-01-01 00:00:00', 3, 'UTC')";
    format!(
        "INSERT INTO facts (slot, heard_at, late, timely, cluster, namespace, pod_uid, first_seen, last_seen, pod, node, host_network,
            service_account, metadata, phase, pod_ips, restarts, created_at, created_by, scheduled_at, pod_started_at, terminal_at, delete_asked, removed_at, asked_event)
        SELECT toDateTime({slot}, 'UTC'), toDateTime({heard}, 'UTC'), 0, 1, 'prod', ns, uid,
            toDateTime64(created, 6, 'UTC'), toDateTime64(least(gone, {NOW}), 6, 'UTC'), pod_name, node_name, hosted, 'default',
            (bitOr(bitShiftLeft(toUInt64(1), 63), toUInt64(created)),
                arrayConcat([('app', app)], if(job, [('job-name', app)], [('pod-template-hash', splitByChar('-', pod_name)[3])]), [('tier', if(job, 'batch', 'service'))]),
                if(job, 'Job', 'ReplicaSet'), app, if(job, 'Job', 'Deployment'), app, toUInt8(NOT job)),
            if(stopped >= {NOW}, 'Running', if(job, 'Succeeded', 'Running')),
            map(address, toUInt64((created + 2) * 16000)), map('main', times),
            toDateTime(created, 'UTC'), (if(job, 'system:serviceaccount:kube-system:job-controller', 'system:serviceaccount:kube-system:replicaset-controller'), ''),
            toDateTime64(created + {scheduled}, 3, 'UTC'), toDateTime(created + 1, 'UTC'),
            if(job AND stopped < {NOW}, toDateTime64(stopped + {told}, 3, 'UTC'), {never}),
            if(stopped < {NOW}, (toDateTime64(stopped + {asked}, 3, 'UTC'),
                if(job, 'system:serviceaccount:kube-system:generic-garbage-collector', if(sipHash64(number, 'who') % 10 < 8, 'system:serviceaccount:kube-system:replicaset-controller', concat('user-', toString(sipHash64(number) % 50)))), ''), ({never}, '', '')),
            if(gone < {NOW}, toDateTime64(gone + {removed}, 3, 'UTC'), toDateTime64(0, 3, 'UTC')),
            -- An audit ID, where it was a person who asked.
            if(stopped < {NOW} AND NOT job AND sipHash64(number, 'who') % 10 >= 8, (toDateTime64(stopped + {asked}, 3, 'UTC'), toString(reinterpretAsUUID(sipHash128(number, 'audit')))), ({never}, ''))
        FROM ({pods})",
        slot = heard - heard % i64::from(SLOT_SECONDS),
        scheduled = unit("scheduled"),
        told = unit("told"),
        asked = unit("asked"),
        removed = unit("removed"),
    )
}

fn insert_instances(pods: &str, heard: i64) -> String {
    format!(
        "INSERT INTO facts (slot, heard_at, late, timely, cluster, namespace, pod_uid, container, container_id, first_seen, last_seen,
            kind, runtime, image, image_id, restart, started_at, ended)
        WITH arrayJoin(arrayConcat(arrayMap(x -> (toUInt32(0), toUInt32(x)), range(times + 1)), arrayMap(x -> (toUInt32(x), toUInt32(0)), range(1, containers)))) AS which,
            which.1 AS c, which.2 AS k, if(c = 0, times, 0) AS last,
            least(created + 3 + toInt64(sipHash64(number, 'start') % 8), stopped - 1) AS first, intDiv(stopped - first, last + 1) AS step,
            first + k * step AS began, if(k = last, stopped, first + (k + 1) * step - least(toInt64(3), toInt64(step))) AS over,
            ['main', 'istio-proxy', 'log-agent'][c + 1] AS name,
            concat('registry.example/', if(c = 0, concat(ns, '/', app), name), ':v', toString(intDiv(created, 2592000) % 100)) AS tag,
            sipHash64(number, c, k, 'exit') % 100 AS luck
        SELECT toDateTime({slot}, 'UTC'), toDateTime({heard}, 'UTC'), 0, 1, 'prod', ns, uid, name,
            CAST(concat(reinterpretAsFixedString(sipHash128(number, c, k, 'a')), reinterpretAsFixedString(sipHash128(number, c, k, 'b'))), 'FixedString(32)'),
            toDateTime64(began, 6, 'UTC'), toDateTime64(least(over, {NOW}), 6, 'UTC'),
            'app', 'containerd', tag, concat(tag, '@sha256:', lower(hex(sipHash128(tag, 'a'))), lower(hex(sipHash128(tag, 'b')))), k, toDateTime(began, 'UTC'),
            if(over < {NOW} AND NOT (forced AND k = last), (1, toDateTime(over, 'UTC'), toInt32(multiIf(luck < 85, 0, luck < 95, 1, 137)), toInt32(0), multiIf(luck < 85, 'Completed', luck < 95, 'Error', 'OOMKilled')),
                (0, toDateTime(0, 'UTC'), toInt32(0), toInt32(0), ''))
        FROM ({pods}) WHERE began < {NOW}",
        slot = heard - heard % i64::from(SLOT_SECONDS),
    )
}
