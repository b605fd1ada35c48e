//! Migrations: applied once, told apart by version, refused where they do not fit.

use crate::support::{new_database, on_shared, run, sql, stderr, stdout};

fn bygone(database: &str, args: &[&str]) -> (i32, String, String) {
    let output = run(&mut on_shared(database, args));
    (
        output.status.code().expect("a code"),
        stdout(&output),
        stderr(&output),
    )
}

#[test]
fn apply_twice_then_status() {
    let database = new_database();
    let (code, out, _) = bygone(&database, &["schema", "status"]);
    assert_eq!((code, out.contains("version 0")), (1, true), "{out}");
    let (code, out, err) = bygone(&database, &["schema", "apply"]);
    assert_eq!(
        (code, out.contains("applied 001_facts")),
        (0, true),
        "{out}{err}"
    );
    let (code, out, _) = bygone(&database, &["schema", "apply"]);
    assert_eq!((code, out.contains("applied")), (0, false), "{out}");
    assert_eq!(bygone(&database, &["schema", "status"]).0, 0);
}

#[test]
fn a_migration_that_broke_off_goes_on() {
    let database = new_database();
    assert_eq!(bygone(&database, &["schema", "apply"]).0, 0);
    sql(&database, "DROP VIEW containers");
    sql(&database, "TRUNCATE TABLE schema_versions");
    assert_eq!(bygone(&database, &["schema", "apply"]).0, 0);
    sql(&database, "SELECT * FROM containers");
}

#[test]
fn another_version_is_refused_with_the_command_to_run() {
    let database = new_database();
    let serve = [
        "serve",
        "--ingest-listen",
        "127.0.0.1:0",
        "--api-listen",
        "127.0.0.1:0",
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let serve = [
        &serve[..],
        &["--data-dir", folder.path().to_str().expect("UTF-8")],
    ]
    .concat();
    let get = ["get", "pods"];
    for args in [&serve[..], &get[..]] {
        let (code, _, err) = bygone(&database, args);
        assert_eq!(code, 2, "{err}");
        assert!(
            err.contains("has no bygone schema: run \"bygone schema apply\""),
            "{err}"
        );
    }
    assert_eq!(bygone(&database, &["schema", "apply"]).0, 0);
    sql(
        &database,
        "INSERT INTO schema_versions (version, name) VALUES (99, 'future')",
    );
    for args in [&serve[..], &get[..], &["schema", "apply"][..]] {
        let (code, _, err) = bygone(&database, args);
        assert_eq!(code, 2, "{err}");
        assert!(
            err.contains("is version 99") && err.contains("use a newer bygone"),
            "{err}"
        );
    }
    sql(&database, "TRUNCATE TABLE schema_versions");
    sql(
        &database,
        "INSERT INTO schema_versions (version, name) VALUES (1, '001_facts')",
    );
    let (code, _, err) = bygone(&database, &get);
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("is version 1") && err.contains("bygone schema apply"),
        "{err}"
    );
}

/// Views have no version: those of another build are told by their text.
#[test]
fn views_of_another_build_are_made_anew() {
    let database = new_database();
    assert_eq!(bygone(&database, &["schema", "apply"]).0, 0);
    sql(
        &database,
        "INSERT INTO schema_versions (version, name, applied_at) VALUES (0, 'views of another', now('UTC') + 1)",
    );
    let (code, _, err) = bygone(&database, &["get", "pods"]);
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("are of another build: run \"bygone schema apply\""),
        "{err}"
    );
    let (code, out, err) = bygone(&database, &["schema", "apply"]);
    assert_eq!(
        (code, out.contains("applied views")),
        (0, true),
        "{out}{err}"
    );
}

#[test]
fn print_shows_every_migration() {
    let (code, out, _) = bygone("elsewhere", &["schema", "print"]);
    assert_eq!(code, 0);
    assert!(
        out.contains("CREATE TABLE IF NOT EXISTS facts") && out.contains("CREATE OR REPLACE VIEW"),
        "{out}"
    );
}

/// Every column that people see says what it is.
#[test]
fn columns_are_commented() {
    let database = new_database();
    assert_eq!(bygone(&database, &["schema", "apply"]).0, 0);
    let plain = "SELECT table, name FROM system.columns WHERE database = currentDatabase() \
         AND table != 'schema_versions' AND comment = ''";
    let without: Vec<String> = sql(&database, plain).lines().map(str::to_owned).collect();
    assert!(without.is_empty(), "no comment: {without:?}");
}
