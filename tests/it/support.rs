//! A bygone to test: the program, on a database of its own in the engine that all tests share.

#[path = "support/made_log.rs"]
pub mod made_log;
#[path = "support/skipped.rs"]
mod skipped;

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bygone::engine::{Config, Engine, Options};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// The program under test.
pub const BYGONE: &str = env!("CARGO_BIN_EXE_bygone");

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// The engine of this test run. It ends with this process, by its standard input.
pub struct Shared {
    pub url: String,
    pub user: String,
    pub password_file: PathBuf,
    engine: Engine,
    _folder: TempDir,
}

impl Shared {
    /// The process of the engine.
    #[allow(dead_code, reason = "a bench asks for it")]
    pub fn pid(&self) -> u32 {
        self.engine.pid().expect("the engine runs")
    }
}

/// A plain HTTP client.
pub fn client() -> reqwest::Client {
    // What it would speak TLS with has to be named, even where it does not. A second time is none.
    _ = bygone::tls::provider().as_ref().clone().install_default();
    reqwest::Client::new()
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().expect("a runtime"));

/// Runs what is asynchronous, for all tests.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

/// Runs it beside the test.
pub fn spawn<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    RUNTIME.spawn(future)
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let account = Account::write(folder.path());
    let engine = block_on(Engine::start(Options {
        config: Config {
            library: Some(library()),
            ..Config::default()
        },
        data_dir: folder.path().to_owned(),
        program: Some(BYGONE.into()),
        tcp_port: None,
        readable: None,
    }));
    let engine = engine.expect("the engine starts");
    Shared {
        url: engine.url().to_owned(),
        user: account.user,
        password_file: account.password_file,
        engine,
        _folder: folder,
    }
});

pub fn shared() -> &'static Shared {
    &SHARED
}

/// An account with all rights in an embedded engine, for who comes as to any ClickHouse: without bygone's own key. Beside
/// it there are `spent`, whose quota is used up by its first query, and `frozen`, which may change no setting.
pub struct Account {
    pub user: String,
    pub password: String,
    pub password_file: PathBuf,
}

impl Account {
    /// Puts it where the engine of this data folder reads it.
    pub fn write(data_dir: &Path) -> Account {
        let password = uuid::Uuid::new_v4().to_string();
        let hash = format!("{:x}", Sha256::digest(&password));
        let basic = STANDARD.encode(format!("tester:{password}"));
        let accounts = data_dir.join("clickhouse/config.d");
        std::fs::create_dir_all(&accounts).expect("a folder");
        let xml = format!(
            "<clickhouse>
               <users><tester>
                 <password_sha256_hex>{hash}</password_sha256_hex>
                 <networks><ip>127.0.0.1</ip></networks>
                 <profile>default</profile>
                 <quota>default</quota>
                 <access_management>1</access_management>
               </tester>
               <spent>
                 <password></password>
                 <networks><ip>127.0.0.1</ip></networks>
                 <quota>spent</quota>
               </spent>
               <frozen>
                 <password></password>
                 <networks><ip>127.0.0.1</ip></networks>
                 <profile>frozen</profile>
               </frozen></users>
               <profiles><frozen><readonly>1</readonly></frozen></profiles>
               <quotas><spent>
                 <interval><duration>2147483647</duration><queries>1</queries></interval>
               </spent></quotas>
               <http_handlers><rule_tester>
                 <headers><X-ClickHouse-User><![CDATA[regex:(tester|spent|frozen)]]></X-ClickHouse-User></headers>
                 <handler><type>dynamic_query_handler</type><query_param_name>query</query_param_name></handler>
               </rule_tester>
               <rule_tester_basic>
                 <headers><Authorization>Basic {basic}</Authorization></headers>
                 <handler><type>dynamic_query_handler</type><query_param_name>query</query_param_name></handler>
               </rule_tester_basic></http_handlers>
             </clickhouse>"
        );
        std::fs::write(accounts.join("tester.xml"), xml).expect("written");
        let password_file = data_dir.join("password");
        std::fs::write(&password_file, &password).expect("written");
        Account {
            user: "tester".to_owned(),
            password,
            password_file,
        }
    }
}

/// libchdb.so: `BYGONE_ENGINE_LIBRARY`, or installed as a user's would be.
pub fn library() -> PathBuf {
    static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
        if let Some(path) = std::env::var_os("BYGONE_ENGINE_LIBRARY") {
            return path.into();
        }
        let output = run(Command::new(BYGONE).args(["engine", "install"]));
        assert!(
            output.status.success(),
            "engine install: {}",
            stderr(&output)
        );
        stdout(&output).trim().into()
    });
    LIBRARY.clone()
}

/// The folder of the recording that the project carries.
pub fn recording_a() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recording-a")
}

/// A folder of the whole corpus. Without one, the test is reported as skipped; a corpus that `TEST_CORPUS` names, as
/// `.ci/run` does where there is one, must be whole.
pub fn corpus(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os("TEST_CORPUS").map(PathBuf::from);
    let is_named = named.is_some();
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let corpus = named.unwrap_or_else(beside);
    let folder = corpus.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let absent = format!("no {name} in {}", corpus.display());
    assert!(!is_named, "{absent}, which TEST_CORPUS names");
    skipped::report(&format!("{absent}: set TEST_CORPUS to run it"));
    None
}

/// A file of a recording, unpacked where it is packed.
pub fn read(folder: &Path, name: &str) -> String {
    if let Ok(text) = std::fs::read_to_string(folder.join(name)) {
        return text;
    }
    let packed = folder.join(format!("{name}.zst"));
    let file = std::fs::File::open(&packed).unwrap_or_else(|e| panic!("{}: {e}", packed.display()));
    let mut decoder = zstd::Decoder::new(file).expect("zstd");
    decoder.window_log_max(27).expect("window");
    let mut text = String::new();
    decoder.read_to_string(&mut text).expect("text");
    text
}

/// The lines of a recording's file as JSON.
pub fn json_lines(folder: &Path, name: &str) -> Vec<Value> {
    read(folder, name)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// `bygone serve`, and how to reach it. Killed when dropped.
pub struct Bygone {
    pub folder: TempDir,
    pub database: String,
    pub api: String,
    /// The base address of the ingest listener.
    pub ingest: String,
    pub webhook: String,
    environment: Vec<(String, String)>,
    args: Vec<String>,
    child: Child,
}

impl Bygone {
    /// Starts one on a database of its own in the shared engine.
    pub fn start() -> Bygone {
        Bygone::start_set(&[])
    }

    /// The same with some of the environment set.
    pub fn start_set(set: &[(&'static str, &str)]) -> Bygone {
        Bygone::start_args(set, &[])
    }

    /// The same with arguments.
    pub fn start_args(set: &[(&'static str, &str)], args: &[&str]) -> Bygone {
        let database = new_database();
        let output = run(&mut on_shared(&database, &["schema", "apply"]));
        assert!(output.status.success(), "schema apply: {}", stderr(&output));
        let mut environment = environment(&database);
        environment.extend(set.iter().map(|(key, value)| (*key, (*value).to_owned())));
        Bygone::start_with(database, &environment, args)
    }

    /// The same with a configuration file; `{dir}` in it is the folder that it lies in.
    pub fn start_configured(config: &str, folder: TempDir) -> Bygone {
        let database = new_database();
        let output = run(&mut on_shared(&database, &["schema", "apply"]));
        assert!(output.status.success(), "schema apply: {}", stderr(&output));
        Bygone::start_beside(database, config, folder, &[])
    }

    /// The same on a database that another one has made.
    pub fn start_beside(
        database: String,
        config: &str,
        folder: TempDir,
        set: &[(&'static str, &str)],
    ) -> Bygone {
        let file = folder.path().join("bygone.toml");
        let text = config.replace("{dir}", folder.path().to_str().expect("UTF-8"));
        std::fs::write(&file, text).expect("written");
        let args = ["--config", file.to_str().expect("UTF-8")];
        let mut environment = environment(&database);
        environment.extend(set.iter().map(|(key, value)| (*key, (*value).to_owned())));
        Bygone::start_in(folder, database, &environment, &args)
    }

    /// Starts one on an engine of its own.
    pub fn start_embedded(args: &[&str]) -> Bygone {
        let library = library();
        let environment = vec![("BYGONE_ENGINE_LIBRARY", library.display().to_string())];
        Bygone::start_with("bygone".to_owned(), &environment, args)
    }

    /// Starts one on a ClickHouse that the environment names.
    pub fn start_with(database: String, environment: &[(&str, String)], args: &[&str]) -> Bygone {
        Bygone::start_in(
            tempfile::tempdir().expect("a folder"),
            database,
            environment,
            args,
        )
    }

    /// Starts one in a folder that something has been put into.
    pub fn start_in(
        folder: TempDir,
        database: String,
        environment: &[(&str, String)],
        args: &[&str],
    ) -> Bygone {
        let environment: Vec<(String, String)> = environment
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect();
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let any = ["127.0.0.1:0", "127.0.0.1:0"];
        let child = launch(folder.path(), any, &environment, &args);
        let mut bygone = Bygone {
            folder,
            database,
            api: String::new(),
            ingest: String::new(),
            webhook: String::new(),
            environment,
            args,
            child,
        };
        let running = wait_for("running.json", || {
            if let Some(status) = bygone.ended() {
                panic!("bygone ended with {status}: {}", bygone.log());
            }
            bygone.running()
        });
        bygone.api = running["api"].as_str().expect("api").to_owned();
        bygone.ingest = running["ingest"].as_str().expect("ingest").to_owned();
        bygone.webhook = format!("{}/v1/audit/demo", bygone.ingest);
        bygone
    }

    /// What it says in its data folder once it serves. A killed one leaves the file behind.
    fn running(&self) -> Option<Value> {
        let text = std::fs::read(self.data_dir().join("running.json")).ok()?;
        let running: Value = serde_json::from_slice(&text).ok()?;
        (running["pid"] == self.pid()).then_some(running)
    }

    /// Ends it by SIGKILL, if it still runs.
    pub fn kill(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// Starts it once more on the same data folder and the same ports, as a service manager does.
    /// Returns at once; see [`Bygone::serves`].
    pub fn spawn_again(&mut self) {
        assert!(self.ended().is_some(), "it still runs");
        let listen = [address_of(&self.ingest), address_of(&self.api)];
        self.child = launch(self.folder.path(), listen, &self.environment, &self.args);
    }

    /// Whether the process that was started last serves.
    pub fn serves(&self) -> bool {
        self.running().is_some()
    }

    /// The process of its embedded engine, if one runs.
    pub fn engine_pid(&self) -> Option<u32> {
        let processes = std::fs::read_dir("/proc").expect("/proc");
        let pids =
            processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let parent = format!(" {} ", self.pid());
        pids.into_iter().find(|pid| {
            // "1234 (bygone) S PARENT ...": the name may hold anything but ends at the last ")".
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let rest = stat.rsplit(')').next().unwrap_or_default();
            !rest.starts_with(" Z") && rest.get(2..).is_some_and(|rest| rest.starts_with(&parent))
        })
    }

    /// Memory that the process has taken and that is in RAM, without its engine's. What is there of the program's own
    /// file, 40 MiB of a debug build, is not counted: the kernel may take that back.
    pub fn rss_bytes(&self) -> u64 {
        memory_bytes(self.pid(), "RssAnon:").expect("a process")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// For one that is never dropped: a process that outlives this one for a moment, and then ends it.
    pub fn ends_with_the_tests(&self) {
        let mut command = plain("sh");
        command.args(["-c", "read -r _; kill $0", &self.pid().to_string()]);
        let watcher = command.stdin(Stdio::piped()).spawn().expect("sh");
        // Its stdin is closed by the end of this process alone.
        std::mem::forget(watcher);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(&mut self) -> std::process::ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("SIGTERM");
        wait_for("the end of bygone", || {
            self.child.try_wait().expect("a child")
        })
    }

    /// `bygone get`, asking this one: about all of the history where the arguments name no time.
    pub fn get(&self, args: &[&str]) -> Output {
        let is_time = |arg: &&&str| ["--at", "--since", "--from", "--to"].contains(arg);
        let all = match args.iter().any(|arg| is_time(&arg)) {
            true => None,
            false => Some("--all"),
        };
        run(plain(BYGONE)
            .arg("get")
            .args(args)
            .args(all)
            .args(["--server", &self.api]))
    }

    /// All rows of a `get ... -o ndjson`.
    pub fn rows(&self, args: &[&str]) -> Vec<Value> {
        self.try_rows(args)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, or what the program said instead.
    pub fn try_rows(&self, args: &[&str]) -> Result<Vec<Value>, String> {
        let output = self.get(&[args, &["-o", "ndjson"]].concat());
        if !matches!(output.status.code(), Some(0 | 1)) {
            return Err(stderr(&output));
        }
        let lines = stdout(&output);
        let rows = lines.lines().map(serde_json::from_str);
        Ok(rows.map(|row| row.expect("JSON")).collect())
    }

    /// Waits until ClickHouse has confirmed everything that was acknowledged until now. More may come meanwhile.
    pub fn drained(&self) {
        self.drained_within(Duration::ZERO);
    }

    /// The same, where that may take so much longer.
    pub fn drained_within(&self, more: Duration) {
        let begun = Instant::now();
        wait_longer_for("the confirm of what was acknowledged", more, || {
            let elapsed = begun.elapsed().as_secs_f64();
            let metrics = self.metrics();
            let oldest = value_of(&metrics, "bygone_spool_oldest_waiting_seconds")?;
            let waiting = value_of(&metrics, "bygone_spool_waiting_frames")?;
            // What waits was spooled later.
            (waiting == 0.0 || (oldest > 0.0 && oldest < elapsed)).then_some(())
        });
    }

    /// Files every life that is over, deletes what was filed from the recent ones, and drops the log, as `bygone
    /// reconcile` does in the course of hours. Answers must not depend on any of it. (While it works they may, since the
    /// clock of ClickHouse stays where it is.)
    pub fn reconciled(&self) {
        for hours in 1..=3 {
            let clock = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
            let mut command = plain(BYGONE);
            command
                .args(["reconcile", "--clock", &clock.to_string()])
                .envs(self.environment.iter().map(|(key, value)| (key, value)));
            let output = run(&mut command);
            // 1: there is nothing to do.
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 1)), "{}", stderr(&output));
        }
    }

    /// What `/metrics` says now.
    pub fn metrics(&self) -> String {
        block_on(async {
            let mut response = client()
                .get(format!("{}/metrics", self.api))
                .send()
                .await
                .expect("metrics");
            let mut text = Vec::new();
            while let Some(chunk) = response.chunk().await.expect("metrics") {
                text.extend_from_slice(&chunk);
            }
            String::from_utf8(text).expect("text")
        })
    }

    /// A metric without labels.
    pub fn metric(&self, name: &str) -> Option<f64> {
        value_of(&self.metrics(), name)
    }

    /// Posts bodies and waits until they are in ClickHouse.
    pub fn post_all(&self, bodies: impl IntoIterator<Item = String>) {
        self.acknowledges(bodies);
        self.drained();
    }

    /// Posts bodies, a few at a time as an API server does, and expects 200 for each.
    pub fn acknowledges(&self, bodies: impl IntoIterator<Item = String>) {
        use futures_util::StreamExt;
        let client = client();
        let posts = bodies
            .into_iter()
            .map(|body| client.post(&self.webhook).body(body).send());
        let mut answers = futures_util::stream::iter(posts).buffer_unordered(8);
        block_on(async {
            while let Some(answer) = answers.next().await {
                assert_eq!(answer.expect("an answer").status(), 200, "{}", self.log());
            }
        });
    }
}

impl Drop for Bygone {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(
    folder: &Path,
    [ingest, api]: [&str; 2],
    environment: &[(String, String)],
    args: &[String],
) -> Child {
    let mut log = std::fs::File::options();
    let log = log.create(true).append(true).open(folder.join("log"));
    let mut command = plain(BYGONE);
    command
        .args(["serve", "--ingest-listen", ingest, "--api-listen", api])
        .arg("--data-dir")
        .arg(folder.join("data"))
        .args(args)
        .env("BYGONE_SINK_FLUSH_WAIT_MS", "20")
        .envs(environment.iter().map(|(key, value)| (key, value)));
    command.stdout(Stdio::null()).stderr(log.expect("a log"));
    command.spawn().expect("bygone starts")
}

/// The value of a metric without labels.
fn value_of(metrics: &str, name: &str) -> Option<f64> {
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value?.parse().ok()
}

fn address_of(base: &str) -> &str {
    let (_, address) = base.split_once("://").expect("a base address");
    address
}

/// Memory of a process by the name that `/proc/PID/status` has for it; `None` where there is no such process.
pub fn memory_bytes(pid: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Some(kib?.trim().parse::<u64>().ok()? << 10)
}

/// The processor time that a process has used.
pub fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    // "1234 (bygone) S ...": the name may hold anything but ends at the last ")".
    let (_, fields) = stat.rsplit_once(") ").expect("a name");
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks = ticks.map(|ticks| ticks.parse::<u64>().expect("ticks"));
    // A tick is 10 ms on every Linux.
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// Tests that load the machine run one after the other, as long as they hold this.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills a process at once, if it is still there.
pub fn kill_at_once(pid: u32) {
    let pid = Pid::from_raw(pid.try_into().expect("a pid")).expect("a pid");
    _ = kill_process(pid, Signal::KILL);
}

/// An address on loopback that nobody listens on. It is outside of the ports that the kernel gives
/// to outgoing connections, so that it stays free while nobody listens there.
pub fn free_address() -> SocketAddr {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(37);
    let free = (0..10_000).find_map(|_| {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + (begin.wrapping_add(count) % 10_000) as u16;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        std::net::TcpListener::bind(address).ok()?;
        Some(address)
    });
    free.expect("a free port")
}

/// A number from the environment: how large this run of a test is.
pub fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} {text:?} is no number")),
        Err(_) => default,
    }
}

/// Numbers that look random and are the same in every run (splitmix64).
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `end`, exclusive.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// The name of a database that no other test has.
pub fn new_database() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The environment of a program that is to use a database of the shared engine.
pub fn environment(database: &str) -> Vec<(&'static str, String)> {
    let shared = shared();
    vec![
        ("BYGONE_CLICKHOUSE_URL", shared.url.clone()),
        ("BYGONE_CLICKHOUSE_USER", shared.user.clone()),
        (
            "BYGONE_CLICKHOUSE_PASSWORD_FILE",
            shared.password_file.display().to_string(),
        ),
        ("BYGONE_CLICKHOUSE_DATABASE", database.to_owned()),
    ]
}

/// A program without the environment of whoever runs the tests, and without its data.
pub fn plain(program: &str) -> Command {
    let mut command = Command::new(program);
    let ours = std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("BYGONE_"));
    for (key, _) in ours {
        command.env_remove(key);
    }
    command
        .env("XDG_DATA_HOME", "/nonexistent")
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("KUBECONFIG", "/nonexistent")
        .stdin(Stdio::null());
    command
}

/// The program with arguments, on a database of the shared engine.
pub fn on_shared(database: &str, args: &[&str]) -> Command {
    let mut command = plain(BYGONE);
    command.args(args).envs(environment(database));
    command
}

/// Asks the shared engine for text.
pub fn sql(database: &str, statement: &str) -> String {
    String::from_utf8(bytes(database, statement)).expect("text")
}

/// Asks the shared engine for a number.
pub fn number(database: &str, statement: &str) -> u64 {
    sql(database, statement).trim().parse().expect("a number")
}

/// Asks the shared engine for anything.
pub fn bytes(database: &str, statement: &str) -> Vec<u8> {
    let shared = shared();
    let password = std::fs::read_to_string(&shared.password_file).expect("a password");
    block_on(post_sql(
        &shared.url,
        database,
        &shared.user,
        &password,
        statement,
    ))
}

/// The whole body of an answer.
pub async fn text_of(mut response: reqwest::Response) -> String {
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.expect("a body") {
        text.extend_from_slice(&chunk);
    }
    String::from_utf8(text).expect("text")
}

/// Asks any ClickHouse for text.
pub fn sql_at(url: &str, (user, password): (&str, &str), statement: &str) -> String {
    let answer = block_on(post_sql(url, "default", user, password, statement));
    String::from_utf8(answer).expect("text").trim().to_owned()
}

async fn post_sql(
    url: &str,
    database: &str,
    user: &str,
    password: &str,
    statement: &str,
) -> Vec<u8> {
    let request = client()
        .post(url)
        .query(&[("database", database), ("async_insert", "0")])
        .header("X-ClickHouse-User", user)
        .header("X-ClickHouse-Key", password)
        .body(statement.to_owned());
    answer(request, statement).await
}

async fn answer(request: reqwest::RequestBuilder, statement: &str) -> Vec<u8> {
    let mut response = request.send().await.expect("an answer");
    let status = response.status();
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.expect("a body") {
        text.extend_from_slice(&chunk);
    }
    let said = String::from_utf8_lossy(&text);
    assert!(status.is_success(), "{statement}: {said}");
    text
}

pub fn run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// Waits for a condition, with a deadline.
pub fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait_longer_for(what, Duration::ZERO, condition)
}

/// The same with so much more patience: for what grows with the size of a run.
pub fn wait_longer_for<T>(
    what: &str,
    more: Duration,
    mut condition: impl FnMut() -> Option<T>,
) -> T {
    let patience = PATIENCE + more;
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            Instant::now() < deadline,
            "{what} did not come within {patience:?}"
        );
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
