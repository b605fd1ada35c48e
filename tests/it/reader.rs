//! The accounts of `deploy/clickhouse-reader.*`, on an engine of its own: what they see, and what they
//! can't.

use std::collections::BTreeSet;

use bygone::engine::{Config, Engine, Options};
use sha2::{Digest, Sha256};

use crate::support::{self, Account, BYGONE, Bygone, block_on, run, sql_at, stderr};

const SQL: &str = include_str!("../../deploy/clickhouse-reader.sql");
const XML: &str = include_str!("../../deploy/clickhouse-reader.xml");

const PASSWORD: &str = "correct horse";
const KEY: &str = "a key of the readers";

/// What views with parameters are asked for; `(ns)` is a namespace.
const QUESTIONS: [&str; 11] = [
    "pods",
    "containers",
    "pods_between(since = '2026-11-23', until = '2026-11-24')",
    "containers_between(since = '2026-11-23', until = '2026-11-24')",
    "pods_with_ip(cluster = '', ip = '10.244.1.8', since = '2026-11-23', until = '2026-11-24')",
    "containers_on_node(cluster = '', node = 'worker-1', since = '2026-11-23', until = '2026-11-24')",
    "containers_by_id(prefix = '51041aad')",
    "containers_of_pod(uid = 'ae5d1264-5af3-4270-ba9a-17d951bfd925')",
    "pod_by_uid(uid = 'ae5d1264-5af3-4270-ba9a-17d951bfd925')",
    "sessions",
    "sessions_between(since = '2026-11-23', until = '2026-11-24')",
];

/// An engine with the sample's accounts, and some of the test's own.
struct World {
    engine: Engine,
    owner: Account,
    _bygone: Bygone,
    _folder: tempfile::TempDir,
}

impl World {
    fn start() -> World {
        let folder = tempfile::tempdir().unwrap();
        let owner = Account::write(folder.path());
        let accounts = folder.path().join("clickhouse/config.d");
        let hash = format!("{:x}", Sha256::digest(PASSWORD));
        let xml = XML
            .replace(&"0".repeat(64), &hash)
            .replace("SET-A-KEY-HERE", KEY)
            .replace("'prod'", "'demo'")
            .replace("'shop', 'shop-staging'", "'crash-3a2', 'daemonset-399'");
        std::fs::write(accounts.join("reader.xml"), xml).unwrap();
        std::fs::write(accounts.join("tight.xml"), tight(&hash)).unwrap();
        let engine = block_on(Engine::start(Options {
            config: Config {
                library: Some(support::library()),
                ..Config::default()
            },
            data_dir: folder.path().to_owned(),
            program: Some(BYGONE.into()),
            tcp_port: None,
            readable: None,
        }));
        let engine = engine.expect("the engine starts");
        let environment = [
            ("BYGONE_CLICKHOUSE_URL", engine.url().to_owned()),
            ("BYGONE_CLICKHOUSE_USER", owner.user.clone()),
            (
                "BYGONE_CLICKHOUSE_PASSWORD_FILE",
                owner.password_file.display().to_string(),
            ),
        ];
        let mut apply = support::plain(BYGONE);
        let output = run(apply
            .args(["schema", "apply"])
            .envs(environment.iter().map(|(key, value)| (key, value))));
        assert!(output.status.success(), "{}", stderr(&output));
        let bygone = Bygone::start_with("bygone".to_owned(), &environment, &[]);
        let bodies = support::read(&support::recording_a(), "bodies.jsonl");
        bygone.post_all(bodies.lines().map(str::to_owned));
        let world = World {
            engine,
            owner,
            _bygone: bygone,
            _folder: folder,
        };
        for statement in statements().filter(|sql| sql.starts_with("ALTER TABLE")) {
            world.owner(statement);
        }
        world
    }

    /// Asks as the account that bygone uses.
    fn owner(&self, statement: &str) -> String {
        let owner = (&*self.owner.user, &*self.owner.password);
        sql_at(self.engine.url(), owner, statement)
    }

    /// Asks as a reader: the answer, or what the server said instead.
    fn reader(&self, user: &str, statement: &str) -> Result<String, String> {
        let request = support::client()
            .post(self.engine.url())
            .header("X-Bygone-Key", KEY)
            .header("X-ClickHouse-User", user)
            .header("X-ClickHouse-Key", PASSWORD)
            .body(statement.to_owned());
        block_on(async {
            let mut response = request.send().await.unwrap();
            let status = response.status();
            let mut text = Vec::new();
            while let Some(chunk) = response.chunk().await.unwrap() {
                text.extend_from_slice(&chunk);
            }
            let text = String::from_utf8(text).unwrap().trim().to_owned();
            if status.is_success() {
                Ok(text)
            } else {
                Err(text)
            }
        })
    }

    fn refuses(&self, user: &str, statement: &str, why: &str) {
        match self.reader(user, statement) {
            Ok(answer) => panic!("{user}: {statement}: {answer}"),
            Err(said) => assert!(said.contains(why), "{user}: {statement}: {said}"),
        }
    }
}

/// Readers as the sample's, with limits that are soon reached.
fn tight(hash: &str) -> String {
    let account = |name: &str, profile: &str, quota: &str| {
        format!(
            "<{name}><password_sha256_hex>{hash}</password_sha256_hex><profile>{profile}</profile>\
             <quota>{quota}</quota>\
             <grants><query>GRANT SELECT ON bygone.pods</query></grants></{name}>"
        )
    };
    format!(
        "<clickhouse><profiles><few_rows><profile>bygone_reader</profile>\
         <max_rows_to_read>10</max_rows_to_read></few_rows></profiles>\
         <quotas><two><interval><duration>3600</duration><queries>2</queries></interval></two></quotas>\
         <users>{}{}</users></clickhouse>",
        account("few_rows", "few_rows", "bygone_reader"),
        account("two", "bygone_reader", "two"),
    )
}

fn statements() -> impl Iterator<Item = &'static str> {
    let parts = SQL.split(";\n").map(|part| {
        let code = part
            .lines()
            .position(|line| !line.is_empty() && !line.starts_with("--"));
        let code = code.unwrap_or(usize::MAX);
        let skipped: usize = part.lines().take(code).map(|line| line.len() + 1).sum();
        part.get(skipped..).unwrap_or_default()
    });
    parts.filter(|code| !code.is_empty())
}

#[test]
fn readers_see_the_views_and_nothing_else() {
    let world = World::start();
    sees(&world);
    cannot(&world);
    limits(&world);
    narrowed(&world);
}

fn sees(world: &World) {
    let count = |view: &str| format!("SELECT count() FROM bygone.{view}");
    let asked = || QUESTIONS.into_iter().chain(["coverage"]);
    let views = asked().map(|question| question.split('(').next().unwrap());
    for question in asked() {
        let all = world.owner(&count(question));
        let seen = world.reader("analyst", &count(question));
        assert_eq!(seen, Ok(all.clone()), "{question}");
        assert_ne!(all, "0", "{question}");
    }
    assert_eq!(world.reader("analyst", &count("pods")), Ok("157".into()));
    // They see nothing more: not even by name.
    let named = world.reader(
        "analyst",
        "SELECT name FROM system.tables WHERE database = 'bygone'",
    );
    let named = named.unwrap();
    assert_eq!(named.lines().collect::<BTreeSet<_>>(), views.collect());
}

fn cannot(world: &World) {
    let tables = world.owner(
        "SELECT name FROM system.tables WHERE database = 'bygone' \
         AND engine != 'View'",
    );
    assert!(tables.lines().count() > 6, "{tables}");
    for table in tables.lines() {
        let select = format!("SELECT * FROM bygone.{table}");
        world.refuses("analyst", &select, "Not enough privileges");
    }
    for statement in [
        "INSERT INTO bygone.facts (cluster) VALUES ('x')",
        "DROP VIEW bygone.pods",
        "CREATE TABLE bygone.mine (a UInt8) ENGINE = Memory",
        "SELECT * FROM bygone.pods SETTINGS max_execution_time = 0",
        "SELECT * FROM bygone.facts SETTINGS readonly = DEFAULT",
        "SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')",
        "SELECT * FROM file('/etc/passwd', CSV, 'a String')",
    ] {
        let said = world.reader("analyst", statement);
        let said = said.expect_err(statement);
        let refused = ["(ACCESS_DENIED)", "(SETTING_CONSTRAINT_VIOLATION)"];
        let refused = refused.iter().any(|code| said.contains(code));
        assert!(refused, "{statement}: {said}");
    }
    // The key alone opens nothing, nor does the password alone.
    for (key, password, expected) in [(KEY, "", 403), ("", PASSWORD, 404)] {
        let unknown = support::client()
            .post(world.engine.url())
            .header("X-Bygone-Key", key)
            .header("X-ClickHouse-User", "analyst")
            .header("X-ClickHouse-Key", password)
            .body("SELECT 1");
        let status = block_on(unknown.send()).unwrap().status();
        assert_eq!(status, expected);
    }
}

fn limits(world: &World) {
    let (_, profile) = SQL.split_once("bygone_reader SETTINGS\n").unwrap();
    let (profile, _) = profile.split_once(';').unwrap();
    for line in profile.lines() {
        let (name, rest) = line.trim().trim_end_matches(',').split_once(" = ").unwrap();
        let value = rest.split(' ').next().unwrap();
        let setting = format!("SELECT toString(getSetting('{name}'))");
        // The XML says the same.
        assert_eq!(
            world.reader("analyst", &setting),
            Ok(value.to_owned()),
            "{name}"
        );
        if rest.contains("MAX") {
            let lower = format!("{setting} SETTINGS {name} = 1");
            assert_eq!(
                world.reader("analyst", &lower),
                Ok("1".to_owned()),
                "{name}"
            );
            let higher = format!("{setting} SETTINGS {name} = {value}0");
            world.refuses("analyst", &higher, "SETTING_CONSTRAINT_VIOLATION");
        }
    }
    // They reach into the views, which read with another account's rights.
    let count = "SELECT count() FROM bygone.pods";
    world.refuses("few_rows", count, "TOO_MANY_ROWS");
    assert!(world.reader("two", count).is_ok());
    assert!(world.reader("two", count).is_ok());
    world.refuses("two", count, "QUOTA_EXCEEDED");
}

fn narrowed(world: &World) {
    for question in QUESTIONS {
        let namespaces = format!(
            "SELECT arrayStringConcat(arraySort(groupUniqArray(namespace)), ' ') FROM bygone.{question} \
             WHERE namespace IN ('crash-3a2', 'daemonset-399')"
        );
        let all = format!(
            "SELECT arrayStringConcat(arraySort(groupUniqArray(namespace)), ' ') FROM bygone.{question}"
        );
        let of_them = world.owner(&namespaces);
        assert_eq!(
            world.reader("analyst_shop", &all),
            Ok(of_them),
            "{question}"
        );
    }
    let coverage = "SELECT events FROM bygone.coverage";
    world.refuses("analyst_shop", coverage, "Not enough privileges");
    let others = world.reader("analyst_shop", "SELECT count() FROM bygone.pods");
    assert_eq!(others, Ok("19".into()));
}

/// The engine has no place for accounts that SQL makes; that they can be read is tested.
#[test]
fn the_statements_are_read() {
    for statement in statements() {
        support::sql("default", &format!("SELECT formatQuery($q${statement}$q$)"));
    }
}
