//! The schema: the numbered migrations of `schema/`, and which of them a database has.
//!
//! In: a [`Store`]. Out: its version, or the migrations applied to it. Migrations run in their
//! order and are never edited once released. Each may be run again after it broke off half-way.
//!
//! ClickHouse has no macros, and the views share one fold. It stands once, in
//! `schema/fragments/lives.sql`; where a file says `@name@` the fragment of that name is put in.
//!
//! In a cluster every shard has the migrations' tables, and the database that is asked spans them
//! (`cluster`).
//!
//! Not here: what the tables mean (`schema/`), and when a schema is applied (`cli`).

mod cluster;
mod replicated;

use ::clickhouse as driver;
use serde::Deserialize;

use crate::clickhouse::{Error as StoreError, Scope, Store};

pub use cluster::{apply as apply_over, servers};

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
    2 "002_history",
    3 "003_dead_letters",
    4 "004_views",
    5 "005_settling",
    6 "006_pod_life",
    7 "007_coverage",
};

const FRAGMENTS: &str = include_str!("../schema/fragments/lives.sql");

/// Fragments name others, to so many levels.
const FRAGMENT_LEVELS_MAX: usize = 6;

/// Puts the fragments in.
#[must_use]
pub fn expand(sql: &str) -> String {
    let mut text = sql.to_owned();
    for _ in 0..FRAGMENT_LEVELS_MAX {
        for (name, fragment) in fragments() {
            text = text.replace(&format!("@{name}@"), fragment);
        }
    }
    text
}

/// Names and texts: `-- @name` begins one, the next such line ends it.
fn fragments() -> impl Iterator<Item = (&'static str, &'static str)> {
    let parts = FRAGMENTS.split("\n-- @").skip(1);
    parts
        .filter_map(|part| part.split_once('\n'))
        .map(|(name, text)| (name, text.trim()))
}

/// The version that this build reads and writes.
pub const VERSION: u32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

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
    #[error("database {database} at {url} has no schema of bygone: run \"bygone schema apply\"")]
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
        "clickhouse at {url} knows no cluster {cluster}: see remote_servers of its configuration"
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
    ///
    /// The files name the database `bygone` only where ClickHouse does not fill it in by itself.
    pub fn statements(&self, database: &str, engines: Engines) -> Vec<String> {
        let rendered = expand(self.sql).replace("bygone.", &format!("{database}."));
        let statements = rendered.split(";\n").map(str::trim);
        let statements = statements.filter(|sql| !sql.is_empty());
        match engines {
            Engines::Plain => statements.map(str::to_owned).collect(),
            Engines::Replicated => statements
                .map(|sql| replicated::statement(sql, database))
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
    let newest = "SELECT max(version) AS version, ifNull((SELECT any(engine) FROM system.tables \
                  WHERE database = currentDatabase() AND name = 'facts'), '') AS facts \
                  FROM schema_versions";
    match store
        .within_limit(store.query(newest).fetch_one::<Found>())
        .await
    {
        Err(
            StoreError::NoDatabase { .. }
            | StoreError::Refused {
                code: UNKNOWN_TABLE,
                ..
            },
        ) => Ok(Found::default()),
        found => found,
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
    let found = found.version;
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
        let done =
            format!("INSERT INTO schema_versions (version, name) VALUES ({version}, '{name}')");
        store.execute(&done, Scope::Database).await?;
        applied.push(migration.name);
    }
    Ok(applied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fragment_is_put_in() {
        for migration in &MIGRATIONS {
            let text = migration.text("bygone", Engines::Plain);
            assert!(!text.contains('@'), "{}", migration.name);
        }
    }

    #[test]
    fn every_file_of_schema_is_a_migration_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schema");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".sql").map(str::to_owned))
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
