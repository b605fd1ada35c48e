//! Reconcile as users run it: lives are filed while questions are asked, what raced is corrected, old facts and
//! what is older than the retention go; by hand, by `bygone serve`, by two at once, and killed at any point.
//!
//! Only reconcile can be given another clock. Readers go by the server's, so rows are made old where questions
//! are asked meanwhile: see [`made::Cluster::grow_old`].

mod made;
mod meanwhile;

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{number, run, sql, stderr, stdout, wait_for};
use made::{Cluster, NO_RECONCILE, REMOVED, done, said, uid};

#[test]
fn ended_lives_are_filed_and_then_deleted_from_the_recent_ones() {
    let cluster = Cluster::start();
    cluster.post_recording();
    let lives = cluster.lives();
    let pods = cluster.count("pods");
    assert!(pods > 100, "{pods} pods");
    // What was spoken of just now stays.
    assert_eq!(said(&cluster.reconcile(0), "filed"), 0);

    cluster.grow_old();
    let filed = said(&cluster.reconcile(0), "filed");
    assert_eq!(
        filed,
        cluster.count("ended_pods") + cluster.count("ended_containers")
    );
    assert!(filed > 200, "{filed} rows");
    assert_eq!(cluster.count("recent_pods"), pods);
    assert!(cluster.lives() == lives, "in both");
    // A question may be under way that saw them before they were filed.
    let again = cluster.reconcile(0);
    assert_eq!((said(&again, "filed"), said(&again, "deleted")), (0, 0));

    assert_eq!(said(&cluster.reconcile(2), "deleted"), filed);
    let open = cluster.count("recent_pods") + cluster.count("recent_containers");
    let over = "SELECT count() FROM recent_pods WHERE over_at < '2200-01-01'";
    assert_eq!(
        number(&cluster.bygone.database, over),
        0,
        "{open} rows stay"
    );
    assert!(cluster.lives() == lives, "filed");
    // By then the slots have ended, too; after that there is nothing left to do.
    cluster.reconcile(120);
    let nothing = run(&mut cluster.command(120, &[]));
    assert_eq!(nothing.status.code(), Some(1), "{}", stdout(&nothing));
    assert!(stderr(&nothing).contains("nothing to reconcile"));
}

/// Rows that were replaced and not merged yet go as well: else an open one would come to light.
#[test]
fn an_older_row_does_not_come_to_light() {
    let cluster = Cluster::start();
    let database = &cluster.bygone.database;
    for table in ["recent_pods", "recent_containers"] {
        sql(database, &format!("SYSTEM STOP MERGES {table}"));
    }
    cluster.post(&[cluster.runs(1)]);
    cluster.post(&[cluster.removed(REMOVED, 1)]);
    assert_eq!(cluster.count("recent_pods"), 2);
    // A mutation needs no merges.
    sql(database, "SYSTEM START MERGES recent_pods");
    sql(database, "SYSTEM START MERGES recent_containers");
    cluster.reconcile(30);
    assert_eq!(cluster.count("recent_pods"), 0);
    let open = "SELECT count(), countIf(over_at IS NULL) FROM pods";
    assert_eq!(sql(database, open).trim(), "1\t0");
}

#[test]
fn a_corrected_life_that_moves_to_another_class_is_found_once() {
    let cluster = Cluster::start();
    let database = &cluster.bygone.database;
    cluster.post_ended(0..3);
    cluster.reconcile(30);
    assert_eq!(cluster.count("recent_pods"), 0);
    let found = |when: &str, over_at: u64| {
        let over_at = cluster.at(over_at).replace('T', " ").replace('Z', "");
        let expected = format!("{over_at}\n");
        let (begin, end) = (cluster.at(0), cluster.at(30_000));
        let questions = [
            format!("pod_by_uid(uid = '{}')", uid(1)),
            format!(
                "pods_between(since = '{}', until = '{}')",
                &begin[..19],
                &end[..19]
            ),
            "pods".to_owned(),
        ];
        for from in questions {
            let sql_text = format!("SELECT over_at FROM {from} WHERE pod = 'web-1'");
            assert_eq!(sql(database, &sql_text), expected, "{when}: {from}");
        }
        let containers = format!("SELECT over_at FROM containers_of_pod(uid = '{}')", uid(1));
        assert_eq!(sql(database, &containers), expected, "{when}: containers");
        assert_eq!(cluster.count("pods"), 3, "{when}");
        assert_eq!(cluster.count("containers"), 3, "{when}");
    };
    found("filed", REMOVED);
    // To a higher class, to a still higher one, and once more within it.
    for over_at in [5_000, 20_000, 20_001] {
        cluster.post(&[cluster.removed(over_at, 1)]);
        found("corrected", over_at);
        cluster.reconcile(30);
        assert_eq!(cluster.count("recent_pods"), 0);
        found("filed again", over_at);
    }
    let places = "SELECT class, moved FROM ended_pods FINAL WHERE pod = 'web-1' ORDER BY class";
    assert_eq!(sql(database, places), "3\t1\n4\t1\n5\t0\n");
}

#[test]
fn slots_are_dropped_an_hour_after_they_were_checked() {
    let cluster = Cluster::start();
    cluster.post_recording();
    // It is closed, and on one process without a crash nothing is wrong.
    let outcome = cluster.reconcile(20);
    assert_eq!(said(&outcome, "corrected"), 0, "{outcome}");
    let checked = cluster.count("reconciled");
    assert!(checked > 0);
    // A slot that grows is checked again.
    cluster.post_ended(0..1);
    let (lives, facts) = (cluster.lives(), cluster.count("facts"));
    assert!(facts > 1_000, "{facts} facts");
    cluster.reconcile(21);
    assert!(cluster.count("reconciled") > checked);
    assert_eq!(cluster.count("facts"), facts);
    cluster.reconcile(120);
    assert_eq!(cluster.count("facts"), 0);
    assert!(cluster.lives() == lives);
}

/// What is noted must be what stands there.
#[test]
fn a_slot_that_was_checked_as_another_is_kept() {
    let cluster = Cluster::start();
    let database = &cluster.bygone.database;
    cluster.post_ended(0..1);
    // Nobody can fold what is about this pod, so the slot can't be noted as it is.
    let state = "ALTER TABLE recent_pods UPDATE state = concat(char(200), state) WHERE 1 SETTINGS mutations_sync = 2";
    sql(database, state);
    sql(database, "TRUNCATE TABLE loads");
    sql(
        database,
        "INSERT INTO reconciled (slot, block) SELECT slot, max(_block_number) + 9 FROM facts GROUP BY slot",
    );
    let outcome = cluster.reconcile(120);
    assert_eq!(said(&outcome, "carried over"), 1, "{outcome}");
    assert!(cluster.count("facts") > 0);
}

/// A process was killed between its facts and its lives.
#[test]
fn a_load_that_did_not_finish_is_folded() {
    let cluster = Cluster::start();
    cluster.post_recording();
    cluster.post_ended(0..3);
    let (database, lives) = (&cluster.bygone.database, cluster.lives());
    for table in ["loads", "recent_pods", "recent_containers"] {
        sql(database, &format!("TRUNCATE TABLE {table}"));
    }
    assert_eq!(cluster.count("pods"), 0);
    let outcome = cluster.reconcile(20);
    assert!(said(&outcome, "corrected") > 300, "{outcome}");
    assert!(cluster.lives() == lives);
    assert_eq!(said(&cluster.reconcile(20), "corrected"), 0);
}

/// Two processes raced, and the one that had seen less wrote the row that counts.
#[test]
fn what_two_processes_wrote_about_is_folded() {
    let cluster = Cluster::start();
    let database = &cluster.bygone.database;
    cluster.post(&[cluster.runs(1), cluster.runs(2)]);
    for kind in ["pods", "containers"] {
        let stale = format!(
            "CREATE TABLE stale_{kind} ENGINE = Log AS SELECT * FROM recent_{kind} FINAL WHERE pod = 'web-1'"
        );
        sql(database, &stale);
    }
    cluster.post(&[cluster.removed(REMOVED, 1), cluster.removed(REMOVED, 2)]);
    let lives = cluster.lives();
    for kind in ["pods", "containers"] {
        let stale = format!(
            "INSERT INTO recent_{kind} SELECT * REPLACE((SELECT max(version) + 1 FROM recent_{kind}) AS version) \
             FROM stale_{kind}"
        );
        sql(database, &stale);
    }
    assert!(cluster.lives() != lives);
    // As far as the log says, it was one process. When another one wrote a fact of it, it is looked at.
    assert_eq!(said(&cluster.reconcile(20), "corrected"), 0);
    let other = "INSERT INTO facts (cluster, namespace, pod, pod_uid, event_at, writer, load, body) \
                 SELECT cluster, namespace, pod, pod_uid, event_at, 7, 7, body FROM facts WHERE pod = 'web-1' LIMIT 1";
    sql(database, other);
    sql(database, "INSERT INTO loads (writer, load) VALUES (7, 7)");
    let outcome = cluster.reconcile(20);
    assert_eq!(said(&outcome, "corrected"), 2, "{outcome}");
    assert!(cluster.lives() == lives);
}

/// A newer build wrote the state of a pod. Its facts stay until somebody can read it.
#[test]
fn facts_of_a_pod_that_cannot_be_folded_are_carried() {
    let cluster = Cluster::start();
    let database = &cluster.bygone.database;
    cluster.post(&[cluster.runs(1), cluster.runs(2)]);
    let state = |state: &str| {
        let sql_text = format!(
            "ALTER TABLE recent_pods UPDATE state = {state} WHERE pod = 'web-1' SETTINGS mutations_sync = 2"
        );
        sql(database, &sql_text);
    };
    state("concat(char(200), state)");
    cluster.post_what_is_refused(&[cluster.removed(REMOVED, 1), cluster.removed(REMOVED, 2)]);
    let outcome = cluster.reconcile(20);
    assert_eq!(said(&outcome, "carried over"), 1, "{outcome}");
    let carried = "SELECT count() FROM facts WHERE writer = 0";
    let facts = number(database, carried);
    assert!(facts > 0);
    // They don't become more and more.
    for _ in 0..4 {
        cluster.reconcile(20);
    }
    let distinct = "SELECT uniqExact(event_at, body, late) FROM facts WHERE pod = 'web-1' AND slot = \
                    (SELECT max(slot) FROM facts)";
    assert!(number(database, distinct) <= facts);
    let removed = "SELECT count() FROM pods WHERE removed_at IS NOT NULL";
    assert_eq!(number(database, removed), 1);
    state("substring(state, 2)");
    let outcome = cluster.reconcile(20);
    // Of what was filed all rows are written anew.
    assert_eq!(said(&outcome, "corrected"), 4, "{outcome}");
    assert_eq!(said(&outcome, "carried over"), 0, "{outcome}");
    assert_eq!(number(database, removed), 2);
}

/// Lives that only late facts speak of are over and filed without an end. What is said in time of their name, or of
/// their node, confirms it.
#[test]
fn an_end_is_confirmed_after_it_was_filed() {
    let cluster = Cluster::start();
    let database = &cluster.bygone.database;
    let late = |number: u64| {
        let mut event = cluster.runs(number);
        for time in ["requestReceivedTimestamp", "stageTimestamp"] {
            event[time] = json!(cluster.at(60));
        }
        event
    };
    cluster.post(&[late(1), late(2)]);
    cluster.grow_old();
    for minutes in [0, 2, 120] {
        cluster.reconcile(minutes);
    }
    assert_eq!(cluster.count("recent_pods") + cluster.count("facts"), 0);
    let unconfirmed = "SELECT pod FROM pods WHERE has(unknown, 'end not confirmed') ORDER BY pod";
    assert_eq!(sql(database, unconfirmed), "web-1\nweb-2\n");
    let mut removed = cluster.event(REMOVED, "delete", 1);
    removed["level"] = json!("Metadata");
    removed["user"]["groups"] = json!(["system:nodes"]);
    cluster.post(&[removed]);
    assert_eq!(sql(database, unconfirmed), "web-2\n");
    let mut node_gone = cluster.event(REMOVED, "delete", 0);
    node_gone["objectRef"] = json!({"resource": "nodes", "name": "node-1", "apiVersion": "v1"});
    node_gone["responseObject"] = json!({"kind": "Status", "status": "Success"});
    cluster.post(&[node_gone]);
    assert_eq!(sql(database, unconfirmed), "");
    assert_eq!((cluster.count("pods"), cluster.count("containers")), (2, 2));
}

/// What ended over 400 days ago goes, with its month; so does what is open and was not spoken of since.
#[test]
fn a_retention() {
    const DAY: i64 = 24 * 60;
    let cluster = Cluster::start();
    cluster.post_ended(0..3);
    let mut exec = cluster.event(REMOVED - 20, "create", 9);
    exec["objectRef"]["subresource"] = json!("exec");
    cluster.post(&[cluster.runs(9), exec]);
    cluster.reconcile(120);
    let tables = [
        "ended_pods",
        "ended_containers",
        "event_counts",
        "session_events",
    ];
    let rows = || tables.map(|table| cluster.count(table));
    let all = rows();
    assert_eq!(all[..2], [3, 3]);
    assert!(all[2] > 0 && all[3] > 0);
    assert_eq!(cluster.count("recent_pods"), 1);
    let expire = |days: i64| {
        done(&run(
            &mut cluster.command(days * DAY, &["--retention", "400d"])
        ))
    };
    expire(399);
    assert_eq!(rows(), all);
    assert_eq!(cluster.count("pods"), 4);
    // Without --retention nothing is deleted.
    cluster.reconcile(2_000 * DAY);
    assert_eq!(rows(), all);
    // Their month is over, and whatever else could have been in it.
    expire(400 + 62);
    assert_eq!(rows(), [0, 0, 0, 0]);
    assert_eq!(cluster.lives(), "");
}

/// Nobody asks for it. It reports how far it is.
#[test]
fn by_serve_alone() {
    let cluster = Cluster::start_set(&[]);
    cluster.post_ended(0..3);
    cluster.grow_old();
    wait_for("filing by serve", || {
        (cluster.count("ended_containers") == 3).then_some(())
    });
    wait_for("its metrics", || {
        let filed = cluster.bygone.metric("bygone_reconcile_filed_rows_total");
        let rows = cluster.bygone.metric("bygone_reconcile_facts_rows");
        (filed == Some(6.0) && rows > Some(0.0)).then_some(())
    });
    let lag = cluster.bygone.metric("bygone_reconcile_lag_seconds");
    assert_eq!(lag, Some(0.0));
    let failures = cluster.bygone.metric("bygone_reconcile_failures_total");
    assert_eq!(failures.unwrap_or(0.0), 0.0);
}

/// Rows wait in the spool while facts is full, and come when reconcile has made room.
#[test]
fn facts_that_are_full() {
    let cluster = Cluster::start_set(&[NO_RECONCILE, ("BYGONE_SINK_FACTS_ROWS_MAX", "20")]);
    cluster.post_ended(0..20);
    let full = cluster.count("facts");
    assert!(full > 20, "{full} rows do not fill it");
    // A count of rows holds for five seconds.
    let counted = Instant::now();
    wait_for("the next count", || {
        (counted.elapsed() > Duration::from_secs(6)).then_some(())
    });
    let list =
        json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [cluster.runs(20)]});
    cluster.bygone.acknowledges([list.to_string()]);
    wait_for("the log to say that facts is full", || {
        let log = cluster.bygone.log();
        log.contains("until reconcile has made room").then_some(())
    });
    assert_eq!(cluster.count("facts"), full);
    assert_eq!(cluster.count("pods"), 20);
    assert_eq!(said(&cluster.reconcile(120), "carried"), 0);
    cluster.bygone.drained_within(Duration::from_secs(10));
    assert!(cluster.bygone.log().contains("facts has room again"));
    assert_eq!(cluster.count("pods"), 21);
}
