//! The server's config file and its arguments.
//!
//! Each oddity below was found by trying (ClickHouse 26.7.2 in libchdb 26.7.3): this is
//! `clickhouse-local` made to listen, not `clickhouse-server`, and it reads only some of the
//! server's settings.

use std::ffi::{CString, NulError};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{KEY_HEADER, RunArgs, USER, key_of};

/// The query that never ends and so keeps the server alive. It wakes ten times a second, which
/// costs under 1 % of a core and is how long an order to stop may go unnoticed.
const KEEP_ALIVE: &str = "SELECT sleepEachRow(0.1) FROM system.numbers SETTINGS \
    function_sleep_max_microseconds_per_block = 0, max_block_size = 1, max_execution_time = 0, \
    log_queries = 0 FORMAT Null";

/// Ends [`KEEP_ALIVE`], upon which the server shuts its tables down and returns. The server's
/// own session shows no user name.
pub(super) const END: &str = "KILL QUERY WHERE user IN ('', 'default') ASYNC";

pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("config.xml")
}

/// The arguments of `chdb_query_cmdline`, as a C program would give them to `main`.
///
/// # Errors
///
/// A path with a zero byte in it.
pub(super) fn arguments(args: &RunArgs) -> Result<Vec<CString>, NulError> {
    let mut config_file = b"--config-file=".to_vec();
    config_file.extend_from_slice(path(&args.data_dir).as_os_str().as_bytes());
    let listen = match args.tcp_port {
        Some(_) => "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP",
        // Without the statement there is no listener, regardless of the port.
        None => "SYSTEM START LISTEN HTTP",
    };
    [
        b"clickhouse".to_vec(),
        b"--path".to_vec(),
        args.data_dir.as_os_str().as_bytes().to_vec(),
        b"--query".to_vec(),
        format!("{listen}; {KEEP_ALIVE}").into_bytes(),
        b"--".to_vec(),
        config_file,
        // `<logger><level>` is overwritten with "trace"; this is not.
        b"--log-level=warning".to_vec(),
    ]
    .into_iter()
    .map(CString::new)
    .collect()
}

/// The configuration for the account of `bygone sql`: the rules for its requests, the account,
/// its profile and its quota. Empty where there is no account.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) rules: String,
    pub(super) account: String,
    pub(super) profile: String,
    pub(super) quota: String,
}

/// The config file. It holds the password's SHA-256 and never the password.
///
/// - `users_config` names this very file: without it the users below are not read.
/// - The server's own session logs in as `default`, with no password and over loopback; both
///   must stay or it ends. So no request is looked at that has not the key (`http_handlers`: one
///   rule, and 404 for everything else, `/ping`, `/play` and `/metrics` included). And the rights
///   of `default` are those of that session, with a quota of the two queries that the session has
///   already made when the port opens. A file in `config.d` may add a rule of its own, whose name
///   begins with "rule", for the accounts that it adds.
/// - `reader` is the account of [`super::reader`], with a rule that lets its requests in.
/// - `merge_tree`: an insert that was confirmed survives the machine's end, not only ours.
/// - `query_log` is in memory and bounded by rows: its database is in memory, so that a table
///   on disk would conflict at the second start ("directory already exists").
/// - The errors of queries go to the client, not to the log as well; the pool's pauses are normal.
/// - The caches default to 5 GB each, more than the whole server may have here.
pub(super) fn render(args: &RunArgs, password: &str, reader: &Parts) -> String {
    let file = escape(&path(&args.data_dir).to_string_lossy());
    let tcp_port = args
        .tcp_port
        .map(|port| format!("<tcp_port>{port}</tcp_port>"))
        .unwrap_or_default();
    let RunArgs {
        http_port,
        memory_bytes_max,
        ..
    } = args;
    let users = render_users(args, password, reader);
    let reader_rules = &reader.rules;
    let key = key_of(password);
    let cache_bytes = memory_bytes_max / 8;
    format!(
        "<clickhouse>
  <users_config>{file}</users_config>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{http_port}</http_port>{tcp_port}
  <http_handlers>
    <rule>
      <headers><{KEY_HEADER}>{key}</{KEY_HEADER}></headers>
      <handler>
        <type>dynamic_query_handler</type>
        <query_param_name>query</query_param_name>
      </handler>
    </rule>
{reader_rules}  </http_handlers>
  <max_server_memory_usage>{memory_bytes_max}</max_server_memory_usage>
  <mark_cache_size>{cache_bytes}</mark_cache_size>
  <primary_index_cache_size>{cache_bytes}</primary_index_cache_size>
  <index_mark_cache_size>{cache_bytes}</index_mark_cache_size>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
  </merge_tree>
  <logger>
    <console>1</console>
    <levels>
      <executeQuery>none</executeQuery>
      <DynamicQueryHandler>none</DynamicQueryHandler>
      <logger><name>BackgroundSchedulePool/BgSchPool</name><level>error</level></logger>
      <logger><name>BackgroundSchedulePool/BgStrmSchPool</name><level>error</level></logger>
    </levels>
  </logger>
  <query_log>
    <database>system</database>
    <table>query_log</table>
    <engine>ENGINE = Memory SETTINGS min_rows_to_keep = 1000, max_rows_to_keep = 10000</engine>
    <flush_interval_milliseconds>1000</flush_interval_milliseconds>
  </query_log>
{users}</clickhouse>
"
    )
}

/// The accounts and their rights.
fn render_users(args: &RunArgs, password: &str, reader: &Parts) -> String {
    let password_sha256 = format!("{:x}", Sha256::digest(password));
    format!(
        "  <users>
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>own_session</quota>
      <grants>
        <query>GRANT SYSTEM LISTEN ON *.*</query>
        <query>GRANT SELECT ON system.numbers</query>
      </grants>
    </default>
    <{USER}>
      <password_sha256_hex>{password_sha256}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
    </{USER}>
{account}  </users>
  <profiles>
    <default>
      <log_queries_min_type>QUERY_FINISH</log_queries_min_type>
      <log_queries_cut_to_length>4096</log_queries_cut_to_length>
    </default>
{profile}  </profiles>
  <quotas>
    <default/>
    <own_session>
      <interval><duration>{i32_max}</duration><queries>{own_queries}</queries></interval>
    </own_session>
{quota}  </quotas>
",
        // The longest interval that it takes, 68 years.
        i32_max = i32::MAX,
        account = reader.account,
        profile = reader.profile,
        quota = reader.quota,
        own_queries = if args.tcp_port.is_some() { 3 } else { 2 },
    )
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
