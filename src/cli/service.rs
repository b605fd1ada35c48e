//! A running bygone: store, sink and both listeners, started and stopped together.

mod sources;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use uuid::Uuid;

use sources::{Pull, Statuses};

use super::running::{self, Announced, RunningServer};
use crate::access::{Api, Exposure, Ingest};
use crate::clickhouse::{Store, Stores};
use crate::config::Config;
use crate::dead_letters::{self, DeadLetters};
use crate::engine::{Engine, KEY_HEADER, Options, Readable};
use crate::http::listener::{self, Role};
use crate::logs::Logs;
use crate::pipeline::Pipeline;
use crate::schema::Engines;
use crate::source::file::Own;
use crate::source::webhook;
use crate::spool::Spool;
use crate::{access, engine, http, reconcile, schema, sink, telemetry, tls};

/// How long requests that are under way may take to finish when we stop.
const STOP_SECONDS_MAX: u64 = 25;

/// How often dead letters that are too old are removed.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);

/// How long ClickHouse may take to have everything, and how often that is looked at.
const DRAIN_WAIT: Duration = Duration::from_secs(60);
const DRAIN_INTERVAL: Duration = Duration::from_millis(10);

/// How often samples of metrics are put together.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// How often queries of the engine's readers are looked at.
const READER_INTERVAL: Duration = Duration::from_secs(5);

/// Threads that answer questions.
const QUESTION_THREADS: usize = 2;

/// How often token files are looked at for a change.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

pub struct Service {
    /// Base address of the webhook.
    pub ingest: String,
    /// Base address of the API.
    pub api: String,
    /// Where queries go.
    pub store: Arc<Store>,
    engine: Option<Engine>,
    spool: Spool,
    /// Ends the listeners.
    stop: CancellationToken,
    /// Ends what works behind them.
    stop_sink: CancellationToken,
    listeners: Vec<JoinHandle<std::io::Result<()>>>,
    sink: JoinHandle<()>,
    pull: Pull,
    reconcile: JoinHandle<()>,
    _announced: Announced,
    _threads: Threads,
}

/// Threads of their own for queries: the system then shares the processor fairly between large answers and the
/// threads that accept events, which would otherwise wait in the same queue.
struct Threads(Option<tokio::runtime::Runtime>);

impl Threads {
    fn start() -> std::io::Result<Threads> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(QUESTION_THREADS)
            .thread_name("questions")
            .enable_all()
            .build()?;
        Ok(Threads(Some(runtime)))
    }

    /// Answers on these threads.
    fn serve(
        &self,
        door: BoundListener,
        routes: Router,
        stop: CancellationToken,
    ) -> JoinHandle<std::io::Result<()>> {
        let runtime = self.0.as_ref().expect("it is there until it is dropped");
        let served = runtime.spawn(async move { door.serve(routes, stop).await? });
        tokio::spawn(async move { served.await? })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Dropping a runtime inside a task must not block, so it does not wait for its tasks.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

async fn open_ingest(
    config: &Config,
    token: &SecretString,
) -> anyhow::Result<(BoundListener, Arc<Ingest>)> {
    let door = BoundListener::open(Role::Ingest, &config.ingest).await?;
    let writers = Ingest::load(&config.access.ingest, door.asks_for_certificates())?;
    let writers = writers.with_own_token(token);
    door.check(writers.has_identity(), config.access.insecure)?;
    Ok((door, Arc::new(writers)))
}

async fn open_api(
    config: &Config,
    token: &SecretString,
) -> anyhow::Result<(BoundListener, Arc<Api>)> {
    let door = BoundListener::open(Role::Api, &config.api).await?;
    let readers = Api::load(&config.access.api)?.with_own_token(token);
    door.check(readers.has_identity(), config.access.insecure)?;
    Ok((door, Arc::new(readers)))
}

impl Service {
    pub async fn start(config: &Config) -> anyhow::Result<Service> {
        running::create_data_dir(&config.data_dir)?;
        // Ports and credentials first: errors are reported before an engine is started in vain.
        let token = own_token();
        let (ingest_door, writers) = open_ingest(config, &token).await?;
        let (api_door, readers) = open_api(config, &token).await?;
        sources::check(config).await?;
        let metrics = telemetry::collect_metrics().context("metrics")?;
        let (stop, stop_sink) = (CancellationToken::new(), CancellationToken::new());
        let (stores, questions, engine) = open_stores(config, &stop).await?;
        let (spool, reader) = Spool::open(
            &config.data_dir.join("spool"),
            config.spool.clone(),
            |took| {
                metrics::histogram!(telemetry::SPOOL_SYNC_SECONDS).record(took);
            },
        )?;
        let parts = sink::Parts {
            spool: spool.clone(),
            reader,
            stores: stores.clone(),
            config: config.sink.clone(),
            aside: config.data_dir.join("set-aside"),
        };
        let sink = sink::start(parts, stop_sink.clone());
        let rounds = reconcile::run(stores.clone(), config.reconcile.clone(), stop_sink.clone());
        let reconcile = tokio::spawn(rounds);
        tokio::spawn(writers.clone().keep(RELOAD_INTERVAL, stop.clone()));
        tokio::spawn(readers.clone().keep(RELOAD_INTERVAL, stop.clone()));
        let letters = dead_letters::folder(&config.data_dir);
        let letters = Arc::new(DeadLetters::open(&letters, config.dead_letters.clone())?);
        tokio::spawn(prune(letters.clone(), stop.clone()));
        let pipeline = Pipeline::new(spool.clone(), letters)
            .with_unwrapped_bytes_max(config.webhook.unwrapped_bytes_max());
        let pull = Pull::start(config, &pipeline, &stores, &stop)?;
        let webhook = webhook::routes(&config.webhook, pipeline, pull.files.clone());
        tokio::spawn(upkeep(metrics.clone(), stop.clone()));
        let app = http::App {
            logs: Arc::new(Logs::open(&config.logs, Some(&questions))?),
            ..app(questions.clone(), spool.clone(), pull.statuses(), metrics)
        };
        let (ingest, api) = (ingest_door.url(), api_door.url());
        let sql = engine.as_ref().map(Engine::url);
        let running = running(&ingest_door, &api_door, &token, sql)?;
        let threads = Threads::start()?;
        let listeners = vec![
            ingest_door.serve(writers.guard(webhook), stop.clone()),
            threads.serve(api_door, http::routes(app, readers), stop.clone()),
        ];
        let announced = running::announce(&config.data_dir, &running)?;
        info!("listening for audit events at {ingest}/v1/audit/CLUSTER");
        info!("serving queries at {api}/api/v1/containers");
        Ok(Service {
            ingest,
            api,
            store: questions,
            engine,
            spool,
            stop,
            stop_sink,
            listeners,
            sink,
            pull,
            reconcile,
            _announced: announced,
            _threads: threads,
        })
    }

    /// The way of files to the pipeline.
    pub fn files(&self) -> Own {
        self.pull.files.clone()
    }

    /// Returns when ClickHouse has everything that was acknowledged before.
    ///
    /// # Errors
    ///
    /// When it has not after a minute.
    pub async fn drained(&self) -> anyhow::Result<()> {
        let wait = async {
            while self.spool.stats().frames_waiting > 0 {
                tokio::time::sleep(DRAIN_INTERVAL).await;
            }
        };
        tokio::time::timeout(DRAIN_WAIT, wait)
            .await
            .context("clickhouse did not accept everything within a minute")
    }

    /// Takes no more requests, finishes those under way, and ends the engine.
    pub async fn stop(self) {
        self.stop.cancel();
        // It needs the sink for what it has taken.
        let leave = async {
            self.pull.stop().await;
        };
        let leave = tokio::spawn(leave);
        let finish = async {
            for listener in self.listeners {
                if let Ok(Err(error)) = listener.await {
                    warn!("listener: {error}");
                }
            }
        };
        if tokio::time::timeout(Duration::from_secs(STOP_SECONDS_MAX), finish)
            .await
            .is_err()
        {
            warn!("requests still in flight after {STOP_SECONDS_MAX} s were aborted");
        }
        _ = leave.await;
        self.stop_sink.cancel();
        _ = self.sink.await;
        _ = self.reconcile.await;
        self.spool.close().await;
        // With its connections: the engine would wait for them.
        drop(self.store);
        if let Some(engine) = self.engine {
            engine.stop().await;
        }
    }
}

/// A token for clients that find this process by its data folder. Each half has 122 random bits.
fn own_token() -> SecretString {
    let halves = [Uuid::new_v4(), Uuid::new_v4()];
    SecretString::from(halves.map(|half| half.simple().to_string()).concat())
}

/// What others on this machine need to find this process.
fn running(
    ingest: &BoundListener,
    api: &BoundListener,
    token: &SecretString,
    sql: Option<&str>,
) -> std::io::Result<RunningServer> {
    Ok(RunningServer {
        pid: std::process::id(),
        api: api.url_from_here(),
        ingest: ingest.url_from_here(),
        api_certificate_file: api.certificate_file()?,
        ingest_certificate_file: ingest.certificate_file()?,
        token: Some(token.expose_secret().to_owned()),
        sql: sql.map(str::to_owned),
    })
}

/// Whether events are taken now, and if not, why.
fn readiness(spool: &Spool) -> Result<(), String> {
    let stats = spool.stats();
    if stats.full {
        let (bytes, frames) = (stats.bytes, stats.frames_waiting);
        return Err(format!(
            "the spool is full ({bytes} bytes, {frames} frames waiting for clickhouse), or its disk is"
        ));
    }
    Ok(())
}

/// Sets the gauges of the spool.
fn measure(spool: &Spool) {
    let stats = spool.stats();
    metrics::gauge!(telemetry::SPOOL_BYTES).set(stats.bytes as f64);
    metrics::gauge!(telemetry::SPOOL_WAITING_BYTES).set(stats.waiting_bytes as f64);
    metrics::gauge!(telemetry::SPOOL_WAITING_FRAMES).set(stats.frames_waiting as f64);
    let oldest = stats.oldest_waiting.unwrap_or_default();
    metrics::gauge!(telemetry::SPOOL_WAITING_SECONDS).set(oldest.as_secs_f64());
    metrics::gauge!(telemetry::SPOOL_SEGMENTS).set(stats.segments as f64);
    metrics::gauge!(telemetry::SPOOL_DAMAGED).set(stats.damaged as f64);
}

/// Ends queries of the engine's readers that exceed their limits.
async fn limit_readers(store: Arc<Store>, stop: CancellationToken) {
    let limits = schema::Limits {
        seconds_max: engine::READER_SECONDS_MAX + READER_INTERVAL.as_secs(),
        memory_bytes_max: engine::READER_MEMORY_BYTES_MAX,
    };
    while stop
        .run_until_cancelled(tokio::time::sleep(READER_INTERVAL))
        .await
        .is_some()
    {
        if let Err(error) = schema::stop_excess(&store, engine::READER, limits).await {
            debug!("cannot enforce the limits of readers' queries: {error}");
        }
    }
}

/// Removes dead letters that are too old, also when no new ones come.
async fn prune(letters: Arc<DeadLetters>, stop: CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(PRUNE_INTERVAL))
        .await
        .is_some()
    {
        let letters = letters.clone();
        let pruned = tokio::task::spawn_blocking(move || letters.prune(Timestamp::now())).await;
        if let Ok(1..) = pruned {
            info!(
                "removed {} expired dead letters",
                pruned.unwrap_or_default()
            );
        }
    }
}

/// Drains the samples of histograms, which otherwise pile up until a scrape.
async fn upkeep(metrics: PrometheusHandle, stop: CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(UPKEEP_INTERVAL))
        .await
        .is_some()
    {
        metrics.run_upkeep();
    }
}

/// What the API's routes need.
fn app(store: Arc<Store>, spool: Spool, others: Statuses, metrics: PrometheusHandle) -> http::App {
    let (measured, measured_pulled) = (spool.clone(), others.clone());
    let full = spool.clone();
    let process = metrics_process::Collector::default();
    process.describe();
    http::App {
        store,
        logs: Arc::default(),
        questions: http::Questions::default(),
        metrics: Arc::new(move || {
            measure(&measured);
            process.collect();
            measured_pulled.measure();
            metrics.render()
        }),
        sources: Arc::new(move || Box::pin(sources::now(full.clone(), others.clone()))),
        ready: Arc::new(move || readiness(&spool)),
    }
}

/// A listener that is bound and does not serve yet.
struct BoundListener {
    role: Role,
    config: listener::Config,
    tls: Option<tls::Server>,
    socket: TcpListener,
    address: SocketAddr,
}

impl BoundListener {
    async fn open(role: Role, config: &listener::Config) -> anyhow::Result<BoundListener> {
        let room = role.name();
        let listen = config.listen.as_deref().unwrap_or_default();
        let tls = config.tls().context(room)?;
        let (socket, address) = http::bind(listen).await.with_context(|| {
            format!(
                "cannot listen on {room}.listen {listen}: choose another address with --{room}-listen"
            )
        })?;
        Ok(BoundListener {
            role,
            config: config.clone(),
            tls,
            socket,
            address,
        })
    }

    fn asks_for_certificates(&self) -> bool {
        self.tls
            .as_ref()
            .is_some_and(tls::Server::asks_for_certificates)
    }

    fn check(&self, identity: bool, insecure: bool) -> anyhow::Result<()> {
        let (room, listen) = (self.role.name(), self.address);
        let exposure = Exposure {
            room,
            listen,
            tls: self.tls.is_some(),
            identity,
            insecure,
        };
        Ok(access::check_exposure(&exposure)?)
    }

    fn url(&self) -> String {
        self.url_at(self.address)
    }

    /// On this machine: where it listens on all addresses, by loopback.
    fn url_from_here(&self) -> String {
        let mut address = self.address;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        self.url_at(address)
    }

    fn url_at(&self, address: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }

    /// For those who are in another folder.
    fn certificate_file(&self) -> std::io::Result<Option<PathBuf>> {
        let file = self.config.tls_certificate_file.as_ref();
        file.map(std::path::absolute).transpose()
    }

    fn serve(self, routes: Router, stop: CancellationToken) -> JoinHandle<std::io::Result<()>> {
        let socket = listener::Socket {
            role: self.role,
            tcp: self.socket,
            tls: self.tls,
        };
        let config = self.config;
        tokio::spawn(async move { listener::serve(&config, socket, routes, stop).await })
    }
}

/// The configured ClickHouse, which must have our schema, or the embedded one, which gets it. With connections of their
/// own for questions: a connection is served by the threads that opened it.
async fn open_stores(
    config: &Config,
    stop: &CancellationToken,
) -> anyhow::Result<(Stores, Arc<Store>, Option<Engine>)> {
    if config.clickhouse.url.is_some() {
        let stores = Stores::open(&config.clickhouse)?;
        check(&stores.whole).await?;
        if stores.whole.cluster().is_some() {
            for shard in &stores.shards {
                check(shard).await?;
            }
        }
        let questions = Stores::open(&config.clickhouse)?.whole;
        return Ok((stores, questions, None));
    }
    let engine = Engine::start(Options {
        config: config.engine.clone(),
        data_dir: config.data_dir.clone(),
        program: None,
        tcp_port: None,
        readable: Some(Readable {
            database: config.clickhouse.database.clone(),
            views: schema::view_names(),
        }),
    })
    .await?;
    let password = SecretString::from(engine.password());
    let database = &config.clickhouse.database;
    let open = || {
        let store = Store::at(engine.url(), engine.user(), Some(&password), database)?;
        Ok::<_, anyhow::Error>(store.with_header(KEY_HEADER, &engine.key()))
    };
    let (store, questions) = (open()?, open()?);
    let applied = async {
        schema::apply(&store, Engines::Plain).await?;
        schema::open_to_readers(&store).await
    };
    if let Err(error) = applied.await {
        engine.stop().await;
        bail!(error);
    }
    info!("embedded clickhouse runs in {}", config.data_dir.display());
    let stores = Stores::single(Arc::new(store));
    let questions = Arc::new(questions);
    tokio::spawn(limit_readers(questions.clone(), stop.clone()));
    Ok((stores, questions, Some(engine)))
}

/// That a configured ClickHouse has our schema, unless it is unreachable.
async fn check(store: &Store) -> anyhow::Result<()> {
    match schema::check(store).await {
        Ok(()) => info!(
            "clickhouse is at {}, database {}",
            store.url(),
            store.database()
        ),
        // Events are taken meanwhile: a sender gives up sooner than many an outage ends.
        Err(schema::Error::Store(away)) if away.is_away() => {
            warn!("{away}: events are accepted and wait in the spool");
        }
        Err(error) => bail!(error),
    }
    Ok(())
}
