//! The form for a cluster: every shard keeps the tables of the migrations, unchanged, in a database of
//! its own, and the database that is asked spans them.
//!
//! A pod is on the shard that its name selects, so no name spans shards, and a query over all of them returns the
//! concatenated answers. The database that is queried holds no rows and is created again by each `apply`, from the
//! definitions in the shard's database.

use serde::Deserialize;

use super::{Error, MIGRATIONS_TABLE, VERSION, applied_now, driver, found, views_hash};
use crate::clickhouse::{Scope, Store};
use crate::rows::{DEAD_LETTERS, EVENT_COUNTS, FACTS, SESSION_EVENTS, Table};

/// What decides on which shard a row lies.
fn shard_key(table: &Table) -> &'static str {
    match table.name {
        "dead_letters" => "sipHash64(id)",
        // Different events are counted where all of them are.
        "event_counts" => "sipHash64(cluster)",
        _ => "sipHash64(cluster, namespace, pod)",
    }
}

#[derive(Deserialize, driver::Row)]
struct Column {
    name: String,
    kind: String,
    default: String,
    comment: String,
}

#[derive(Default, Deserialize, driver::Row)]
struct Servers {
    shards: u64,
    replicas: u64,
}

/// How many servers the cluster has, as this one knows it: one of each shard, or with all replicas.
///
/// # Errors
///
/// When it knows no such cluster, or can't be asked.
pub async fn servers(store: &Store, cluster: &str, replicas: bool) -> Result<u64, Error> {
    let known = "SELECT uniqExact(shard_num) AS shards, count() AS replicas \
                 FROM system.clusters WHERE cluster = {cluster:String}";
    let query = store
        .query_in(Scope::Server, known)
        .param("cluster", cluster);
    match store.fetch_one(query).await?.unwrap_or_default() {
        Servers { shards: 0, .. } => Err(Error::UnknownCluster {
            url: store.url().to_owned(),
            cluster: cluster.to_owned(),
        }),
        servers if replicas => Ok(servers.replicas),
        servers => Ok(servers.shards),
    }
}

/// Makes the database `whole`, on the server where `shard` has its tables, span the shards.
///
/// # Errors
///
/// When `whole` has tables of its own, which would be lost, or a statement fails.
pub async fn apply(whole: &Store, shard: &Store, cluster: &str) -> Result<(), Error> {
    let database = whole.database();
    whole
        .execute(
            &format!("CREATE DATABASE IF NOT EXISTS {database}"),
            Scope::Server,
        )
        .await?;
    whole.execute(MIGRATIONS_TABLE, Scope::Database).await?;
    let found = found(whole).await?;
    if found.has_tables() {
        return Err(Error::Undivided {
            url: whole.url().to_owned(),
            database: database.to_owned(),
        });
    }
    for table in [&FACTS, &DEAD_LETTERS, &EVENT_COUNTS, &SESSION_EVENTS] {
        let sql = distributed(table, &columns(shard, table).await?, shard, cluster);
        whole.execute(&sql, Scope::Database).await?;
    }
    for sql in views(shard.database(), cluster) {
        whole.execute(&sql, Scope::Database).await?;
    }
    applied_now(whole, VERSION, "cluster").await?;
    applied_now(whole, 0, &views_hash()).await
}

/// The columns that are inserted, with their types and defaults. All others are filled in by the shard: its clock
/// decides when a fact arrived, and whether it was late.
async fn columns(shard: &Store, table: &Table) -> Result<Vec<Column>, Error> {
    let query = shard
        .query(
            "SELECT name, type AS kind, if(default_kind = 'DEFAULT', default_expression, '') AS default, \
             comment \
             FROM system.columns WHERE database = currentDatabase() AND table = {table:String}",
        )
        .param("table", table.name);
    let mut columns: Vec<Column> = shard.within_limit(query.fetch_all()).await?;
    columns.retain(|column| table.columns.contains(&&*column.name));
    Ok(columns)
}

fn distributed(table: &Table, columns: &[Column], shard: &Store, cluster: &str) -> String {
    let columns = columns.iter().map(|column| {
        let Column { name, kind, .. } = column;
        let comment = column.comment.replace('\\', "\\\\").replace('\'', "\\'");
        let default = match &*column.default {
            "" => String::new(),
            default => format!(" DEFAULT {default}"),
        };
        format!("    {name} {kind}{default} COMMENT '{comment}'")
    });
    let columns: Vec<String> = columns.collect();
    let (name, key, columns) = (table.name, shard_key(table), columns.join(",\n"));
    let database = shard.database();
    format!(
        "CREATE OR REPLACE TABLE {name}\n(\n{columns}\n)\n\
         ENGINE = Distributed('{cluster}', '{database}', '{name}', {key})"
    )
}

/// Every view over all shards.
fn views(shard_database: &str, cluster: &str) -> Vec<String> {
    let views = super::views().into_iter().filter_map(|sql| {
        let (name, sql) = super::view_name(&sql)?;
        let from = match &*parameters(sql) {
            [] => format!("{shard_database}.{name}"),
            parameters => {
                // As text: between servers a time would go as its seconds, which not all are read again.
                let passed = parameters
                    .iter()
                    .map(|name| format!("{name} = {{{name}:String}}"));
                let passed: Vec<String> = passed.collect();
                format!("{shard_database}.{name}({})", passed.join(", "))
            }
        };
        // Its columns, with their comments.
        let columns = sql.split_once("\n)\n");
        let columns = columns.map(|(columns, _)| format!("{}\n)", columns.trim_end()));
        let view = format!(
            "CREATE OR REPLACE VIEW {name}{} AS\n\
             SELECT * FROM cluster('{cluster}', view(SELECT * FROM {from}))",
            columns.unwrap_or_default()
        );
        Some(view)
    });
    views.collect()
}

/// The name of each `{name:Type}`, once.
fn parameters(sql: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for part in sql.split('{').skip(1) {
        let name = part
            .split('}')
            .next()
            .and_then(|inside| inside.split_once(':'));
        if let Some((name, _)) = name
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_view_over_all_shards_passes_its_parameters_on() {
        let views = views("b_local", "c");
        let with = |name: &str| {
            let begin = format!("CREATE OR REPLACE VIEW {name}\n(");
            let view = views.iter().find(|view| view.starts_with(&begin)).unwrap();
            assert!(view.contains("COMMENT 'Kubernetes cluster'"), "{view}");
            view.split_once("\n) ").unwrap().1
        };
        expect![[r#"
            AS
            SELECT * FROM cluster('c', view(SELECT * FROM b_local.pods))"#]]
        .assert_eq(with("pods"));
        expect![[r#"
            AS
            SELECT * FROM cluster('c', view(SELECT * FROM b_local.containers_of_pod(uid = {uid:String})))"#]]
        .assert_eq(with("containers_of_pod"));
    }
}
