//! The account for people's own SQL: it reads the views, within limits, and can do nothing else.
//!
//! Its password is made once and kept in the engine's folder, so that dashboards go on working after
//! a restart. Clients send account and password in any way that ClickHouse's HTTP interface has
//! headers for; bygone's key is not needed. A request that names no account still gets 404, and so
//! does one with a wrong password in `Authorization`.
//!
//! Clients set settings of their own (clickhouse-go a time limit, clickhouse-jdbc a format of times),
//! so the account is `readonly = 2`: each limit has a constraint, and can be lowered and not raised.
//! What it may do is decided by its grants alone, as `readonly` can be left in this version of
//! ClickHouse (see `schema::stop_excess`); what all of its queries may take, by a quota.

use std::fmt::Write;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::server_config::{Parts, escape};
use super::{EngineError, folder, random_password};

/// The account.
pub const READER: &str = "bygone_reader";

const PASSWORD_FILE: &str = "reader_password";

/// What the account may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readable {
    /// The database that it begins in.
    pub database: String,
    /// Names of views in it.
    pub views: Vec<String>,
}

/// How long one query of the account may take.
/// Grafana gives its questions 60 s, of which clickhouse-go makes a limit of 65 s.
pub const READER_SECONDS_MAX: u64 = 90;
/// How much memory it may allocate.
pub const READER_MEMORY_BYTES_MAX: u64 = 2_000_000_000;

/// Limits of one query: the setting, and the value that holds unless a client sets a lower one.
/// 0 would lift most of them, so the least is 1.
const LIMITS: [(&str, u64); 9] = [
    ("max_execution_time", READER_SECONDS_MAX),
    ("max_memory_usage", READER_MEMORY_BYTES_MAX),
    ("max_rows_to_read", 500_000_000),
    ("max_bytes_to_read", 100_000_000_000),
    ("max_result_rows", 1_000_000),
    ("max_result_bytes", 1_000_000_000),
    ("max_threads", 4),
    ("max_concurrent_queries_for_user", 8),
    ("max_query_size", 1 << 20),
];

/// Settings that no client may change: with them it would work around a limit, or leave no trace.
const FIXED: [(&str, &str); 6] = [
    ("readonly", "2"),
    ("priority", "10"),
    ("max_untracked_memory", "4194304"),
    ("max_memory_usage_for_user", "4000000000"),
    ("log_queries", "1"),
    ("use_query_cache", "0"),
];

/// The password of the account of a bygone with this data folder.
///
/// # Errors
///
/// When it is missing, because no engine has run there, or it can't be read.
pub fn reader_password(data_dir: &Path) -> io::Result<String> {
    read(&data_dir.join("clickhouse"))
}

fn read(folder: &Path) -> io::Result<String> {
    let text = std::fs::read_to_string(folder.join(PASSWORD_FILE))?;
    Ok(text.trim().to_owned())
}

/// The password, created if it is missing.
fn password(folder: &Path) -> Result<String, EngineError> {
    match read(folder) {
        Ok(password) if !password.is_empty() => Ok(password),
        _ => {
            let password = random_password()?;
            folder::write_private(&folder.join(PASSWORD_FILE), &password)?;
            Ok(password)
        }
    }
}

pub(super) fn render(readable: &Readable, folder: &Path) -> Result<Parts, EngineError> {
    let password = password(folder)?;
    let password_sha256 = format!("{:x}", Sha256::digest(&password));
    let database = escape(&readable.database);
    let grants = readable.views.iter().fold(String::new(), |mut text, view| {
        let view = escape(view);
        _ = writeln!(
            text,
            "        <query>GRANT SELECT ON `{database}`.`{view}`</query>"
        );
        text
    });
    let (values, constraints) = profile();
    let rule = |header: &str, value: &str| {
        format!(
            "<headers><{header}>{value}</{header}></headers>\
             <handler><type>dynamic_query_handler</type><query_param_name>query</query_param_name></handler>"
        )
    };
    let by_header = rule("X-ClickHouse-User", READER);
    // With the password: a parameter called user would override the account, and `default` has no password, so a
    // request that gets this far must have had the reader's. (ClickHouse rejects a parameter beside the header above
    // by itself.)
    let basic = STANDARD.encode(format!("{READER}:{password}"));
    let by_basic = rule("Authorization", &format!("Basic {basic}"));
    Ok(Parts {
        rules: format!(
            "    <rule_reader_header>{by_header}</rule_reader_header>
    <rule_reader_basic>{by_basic}</rule_reader_basic>
"
        ),
        account: format!(
            "    <{READER}>
      <password_sha256_hex>{password_sha256}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>{READER}</profile>
      <quota>{READER}</quota>
      <default_database>{database}</default_database>
      <grants>
{grants}      </grants>
    </{READER}>
"
        ),
        profile: format!(
            "    <{READER}>
{values}      <constraints>
{constraints}      </constraints>
    </{READER}>
"
        ),
        quota: format!(
            "    <{READER}>
      <interval>
        <duration>3600</duration>
        <read_rows>100000000000</read_rows>
        <execution_time>7200</execution_time>
      </interval>
    </{READER}>
"
        ),
    })
}

/// The settings of the account's profile, and their constraints.
fn profile() -> (String, String) {
    let (mut values, mut constraints) = (String::new(), String::new());
    for (name, most) in LIMITS {
        _ = writeln!(values, "      <{name}>{most}</{name}>");
        _ = writeln!(
            constraints,
            "        <{name}><min>1</min><max>{most}</max></{name}>"
        );
    }
    for (name, value) in FIXED {
        _ = writeln!(values, "      <{name}>{value}</{name}>");
        _ = writeln!(constraints, "        <{name}><const/></{name}>");
    }
    (values, constraints)
}
