//! Accounts that have rights on the views and on nothing else.

use super::{Error, view_name, views};
use crate::clickhouse::{Scope, Store};

/// The names of all views.
pub fn view_names() -> Vec<String> {
    let statements = views();
    let names = statements.iter().filter_map(|sql| view_name(sql));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// Lets such accounts read the views, which then read the tables with the rights of the account that runs this. A
/// view that is created again has to be granted again.
///
/// # Errors
///
/// See [`crate::clickhouse::Error`].
pub async fn open_to_readers(store: &Store) -> Result<(), Error> {
    for view in view_names() {
        let sql = format!("ALTER TABLE {view} MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER");
        store.execute(&sql, Scope::Database).await?;
    }
    Ok(())
}

/// Ends the queries of an account that exceed its limits of time and memory by more than a little.
///
/// Its profile has these limits, but `SETTINGS max_execution_time = DEFAULT` lifts one in spite of
/// its constraint in every ClickHouse before August 2026 (ClickHouse#115334), the embedded one
/// included.
///
/// # Errors
///
/// See [`crate::clickhouse::Error`].
pub async fn stop_excess(store: &Store, account: &str, limits: Limits) -> Result<(), Error> {
    let Limits {
        seconds_max,
        memory_bytes_max,
    } = limits;
    let sql = format!(
        "KILL QUERY WHERE user = '{account}' \
         AND (elapsed > {seconds_max} OR memory_usage > {memory_bytes_max}) ASYNC"
    );
    Ok(store.execute(&sql, Scope::Server).await?)
}

/// Limits of one query.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub seconds_max: u64,
    pub memory_bytes_max: u64,
}
