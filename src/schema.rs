//! The schema: the numbered migrations of `schema/`, and which of them a database has.
//!
//! In: a [`Store`]. Out: its version, or the migrations applied to it. Migrations run in their
//! order and are never edited once released. Each may be run again after it broke off half-way.
//!
//! The views (`schema/views.sql`) are not numbered: they are created again whenever the hash of their text changes.
//!
//! ClickHouse has no macros. Where a file has `@name@`, the part of that name in `schema/fragments.sql` is inserted,
//! or one that the code provides: columns, classes, words (`parts`).
//!
//! In a cluster every shard has the migrations' tables, and the database that is asked spans them
//! (`cluster`).
//!
//! Not here: what the tables mean (`schema/`), and when a schema is applied (`cli`).

mod cluster;
mod parts;
mod readers;
mod replicated;
mod select;

use ::clickhouse as driver;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::clickhouse::{Error as StoreError, Scope, Store};

pub use cluster::{apply as apply_over, servers};
pub use parts::{parts_of, put_in};
pub use readers::{Limits, open_to_readers, stop_excess, view_names};
pub use select::{LookUp, look_up, select};

/// One file of `schema/`.
#[derive(Debug)]
pub struct Migration {
    pub version: u32,
    pub name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal,)*) => {
        [$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../schema/", $name, ".sql")),
        },)*]
    };
}

/// All migrations of this build, by version from 1 on.
pub const MIGRATIONS: [Migration; 7] = migrations! {
    1 "001_facts",
    2 "002_lives",
    3 "003_dead_letters",
    4 "004_coverage",
    5 "005_api_servers",
    6 "006_sessions",
    7 "007_positions",
};

const VIEWS: [&str; 3] = [
    include_str!("../schema/views.sql"),
    include_str!("../schema/sessions_view.sql"),
    include_str!("../schema/coverage_view.sql"),
];

/// The statements that make all views.
pub fn views() -> Vec<String> {
    VIEWS
        .iter()
        .flat_map(|text| split(&parts::expand(text)))
        .collect()
}

/// Distinguishes the views of one build from those of another.
fn views_hash() -> String {
    let mut hash = Sha256::new();
    for view in views() {
        hash.update(view);
    }
    format!("views {:.16x}", hash.finalize())
}

fn split(text: &str) -> Vec<String> {
    let statements = text.split(";\n").map(str::trim);
    let statements = statements.filter(|sql| !sql.is_empty());
    statements.map(str::to_owned).collect()
}

/// The name of the view that a statement creates, and the text after the name.
fn view_name(sql: &str) -> Option<(&str, &str)> {
    let (_, view) = sql.split_once(CREATE_VIEW)?;
    Some(view.split_at(view.find([' ', '\n', '('])?))
}

/// The version that this build reads and writes.
pub const VERSION: u32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

const CREATE_VIEW: &str = "CREATE OR REPLACE VIEW ";

const MIGRATIONS_TABLE: &str = "\
CREATE TABLE IF NOT EXISTS schema_versions
(
    version    UInt32,
    name       String,
    applied_at DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY version
COMMENT 'migrations of bygone that were applied'";

/// Why a schema can't be used or applied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("database {database} at {url} has no bygone schema: run \"bygone schema apply\"")]
    Absent { url: String, database: String },
    #[error(
        "schema of database {database} at {url} is version {found}, this build needs {VERSION}: \
         run \"bygone schema apply\""
    )]
    Older {
        url: String,
        database: String,
        found: u32,
    },
    #[error(
        "the views of database {database} at {url} are of another build: run \"bygone schema apply\""
    )]
    Views { url: String, database: String },
    #[error(
        "schema of database {database} at {url} is version {found}, this build knows {VERSION}: \
         use a newer bygone"
    )]
    Newer {
        url: String,
        database: String,
        found: u32,
    },
    #[error(
        "database {database} at {url} spans the shards of a cluster: \
         set clickhouse.cluster and clickhouse.shard_urls"
    )]
    Divided { url: String, database: String },
    #[error(
        "database {database} at {url} has tables of its own and does not span a cluster: \
         set clickhouse.database to another name"
    )]
    Undivided { url: String, database: String },
    #[error(
        "clickhouse at {url} has no cluster {cluster}: see remote_servers in its configuration"
    )]
    UnknownCluster { url: String, cluster: String },
    #[error("migration {name} failed: {cause}")]
    Migration {
        name: &'static str,
        cause: StoreError,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a database has.
#[derive(Default, Deserialize, driver::Row)]
struct Found {
    version: u32,
    /// The engine of the table `facts`; empty where it is not there.
    facts: String,
    /// Which views it has.
    views: String,
}

impl Found {
    fn spans_shards(&self) -> bool {
        self.facts == "Distributed"
    }

    fn has_tables(&self) -> bool {
        !self.facts.is_empty() && !self.spans_shards()
    }
}

/// Which engines the tables get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engines {
    #[default]
    Plain,
    /// Of replicas: the server's macros name the shard and the replica.
    Replicated,
}

impl Migration {
    /// The statements of this migration for a database.
    pub fn statements(&self, database: &str, engines: Engines) -> Vec<String> {
        let statements = split(&parts::expand(self.sql)).into_iter();
        match engines {
            Engines::Plain => statements.collect(),
            Engines::Replicated => statements
                .map(|sql| replicated::statement(&sql, database))
                .collect(),
        }
    }

    /// All of them, as they would be applied.
    pub fn text(&self, database: &str, engines: Engines) -> String {
        self.statements(database, engines).join(";\n\n") + ";\n"
    }
}

/// The version that the database has: 0 where it has no schema of ours.
///
/// # Errors
///
/// When ClickHouse can't be asked.
pub async fn version(store: &Store) -> Result<u32, StoreError> {
    Ok(found(store).await?.version)
}

async fn found(store: &Store) -> Result<Found, StoreError> {
    let newest = "SELECT max(v.version) AS version, ifNull((SELECT any(engine) FROM system.tables \
                  WHERE database = currentDatabase() AND name = 'facts'), '') AS facts, \
                  argMaxIf(v.name, v.applied_at, v.version = 0) AS views FROM schema_versions AS v";
    match store.fetch_one::<Found>(store.query(newest)).await {
        Err(
            StoreError::NoDatabase { .. }
            | StoreError::Refused {
                code: UNKNOWN_TABLE,
                ..
            },
        ) => Ok(Found::default()),
        found => Ok(found?.unwrap_or_default()),
    }
}

/// ClickHouse: `UNKNOWN_TABLE`.
const UNKNOWN_TABLE: u32 = 60;

/// Makes sure that the database has the schema of this build.
///
/// # Errors
///
/// When it has another one, or ClickHouse can't be asked.
pub async fn check(store: &Store) -> Result<(), Error> {
    let (url, database) = (store.url().to_owned(), store.database().to_owned());
    let found = found(store).await?;
    match found.version {
        VERSION if found.spans_shards() && store.cluster().is_none() => {
            Err(Error::Divided { url, database })
        }
        VERSION if found.has_tables() && store.cluster().is_some() => {
            Err(Error::Undivided { url, database })
        }
        VERSION if found.views != views_hash() => Err(Error::Views { url, database }),
        VERSION => Ok(()),
        0 => Err(Error::Absent { url, database }),
        found if found < VERSION => Err(Error::Older {
            url,
            database,
            found,
        }),
        found => Err(Error::Newer {
            url,
            database,
            found,
        }),
    }
}

/// Brings the database to the version of this build. Returns the names of what was applied.
///
/// # Errors
///
/// When the database is newer than this build, or a statement fails; what was applied before that
/// stays, and the next call goes on there.
pub async fn apply(store: &Store, engines: Engines) -> Result<Vec<&'static str>, Error> {
    let database = store.database();
    store
        .execute(
            &format!("CREATE DATABASE IF NOT EXISTS {database}"),
            Scope::Server,
        )
        .await?;
    store.execute(MIGRATIONS_TABLE, Scope::Database).await?;
    let found = found(store).await?;
    let (url, name) = (store.url().to_owned(), database.to_owned());
    if found.spans_shards() {
        return Err(Error::Divided {
            url,
            database: name,
        });
    }
    let (found, had_views) = (found.version, found.views);
    if found > VERSION {
        return Err(Error::Newer {
            url,
            database: name,
            found,
        });
    }
    let mut applied = Vec::new();
    for migration in MIGRATIONS
        .iter()
        .filter(|migration| migration.version > found)
    {
        for sql in migration.statements(database, engines) {
            store
                .execute(&sql, Scope::Database)
                .await
                .map_err(|cause| Error::Migration {
                    name: migration.name,
                    cause,
                })?;
        }
        let Migration { version, name, .. } = migration;
        applied_now(store, *version, name).await?;
        applied.push(migration.name);
    }
    if had_views != views_hash() || !applied.is_empty() {
        for view in views() {
            let made = store.execute(&view, Scope::Database).await;
            made.map_err(|cause| Error::Migration {
                name: "views",
                cause,
            })?;
        }
        applied_now(store, 0, &views_hash()).await?;
        applied.push("views");
    }
    Ok(applied)
}

/// Records what was applied; 0 is for the views.
async fn applied_now(store: &Store, version: u32, name: &str) -> Result<(), Error> {
    let done = format!("INSERT INTO schema_versions (version, name) VALUES ({version}, '{name}')");
    Ok(store.execute(&done, Scope::Database).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_put_in_and_no_line_is_too_long() {
        let tables = MIGRATIONS
            .iter()
            .map(|it| it.text("bygone", Engines::Plain));
        for text in tables.chain(views()) {
            assert!(!text.contains('@'), "{text}");
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schema");
        for file in walk(folder.as_ref()) {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.lines().count() <= 150, "{}", file.display());
            for line in text.lines() {
                assert!(line.chars().count() <= 160, "{}: {line}", file.display());
            }
        }
    }

    /// Every SQL file below a folder.
    fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files.extend(walk(&path)),
                false if path.extension().is_some_and(|it| it == "sql") => files.push(path),
                false => {}
            }
        }
        files
    }

    #[test]
    fn every_file_of_schema_is_a_migration_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schema");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".sql").map(str::to_owned))
            .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
            .collect();
        files.sort();
        let names: Vec<&str> = MIGRATIONS.iter().map(|migration| migration.name).collect();
        assert_eq!(files, names);
        for (place, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version as usize, place + 1);
            assert!(
                migration
                    .name
                    .starts_with(&format!("{:03}_", migration.version))
            );
        }
    }
}
