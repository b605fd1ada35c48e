//! A running bygone: store, sink and both listeners, started and stopped together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::running::{self, Announced, Running};
use crate::clickhouse::Store;
use crate::config::Config;
use crate::engine::{Engine, Options};
use crate::pipeline::Pipeline;
use crate::spool::Spool;
use crate::{http, schema, sink, source, telemetry};

/// How long requests that are under way may take to finish when we stop.
const STOP_SECONDS_MAX: u64 = 25;

pub struct Service {
    pub ingest: SocketAddr,
    pub api: SocketAddr,
    engine: Option<Engine>,
    spool: Spool,
    /// Ends the listeners.
    stop: CancellationToken,
    /// Ends what works behind them.
    stop_sink: CancellationToken,
    listeners: Vec<JoinHandle<std::io::Result<()>>>,
    sink: JoinHandle<()>,
    _announced: Announced,
}

impl Service {
    pub async fn start(config: &Config) -> anyhow::Result<Service> {
        running::create_data_dir(&config.data_dir)?;
        // Ports first: a taken one is told before an engine is started for nothing.
        let (ingest, ingest_address) = bind("ingest.listen", &config.ingest.listen).await?;
        let (api, api_address) = bind("api.listen", &config.api.listen).await?;
        let metrics = telemetry::collect_metrics().context("metrics")?;
        let (store, engine) = open_store(config).await?;
        let (spool, reader) = Spool::open(
            &config.data_dir.join("spool"),
            config.spool.clone(),
            |took| {
                metrics::histogram!(telemetry::SPOOL_SYNC_SECONDS).record(took);
            },
        )?;
        let (stop, stop_sink) = (CancellationToken::new(), CancellationToken::new());
        let sink = sink::start(
            (spool.clone(), reader),
            store.clone(),
            config.sink.clone(),
            config.data_dir.join("set-aside"),
            stop_sink.clone(),
        );
        let webhook = source::webhook::routes(&config.ingest, Pipeline::new(spool.clone()));
        let ready = Arc::new({
            let spool = spool.clone();
            move || readiness(&spool)
        });
        let metrics = Arc::new({
            let spool = spool.clone();
            move || {
                measure(&spool);
                metrics.render()
            }
        });
        let app = http::App {
            store,
            metrics,
            ready,
        };
        let listeners = vec![
            tokio::spawn(http::serve(ingest, webhook, stop.clone())),
            tokio::spawn(http::serve(api, http::routes(app), stop.clone())),
        ];
        let running = Running {
            pid: std::process::id(),
            api: format!("http://{api_address}"),
            ingest: format!("http://{ingest_address}"),
        };
        let announced = running::announce(&config.data_dir, &running)?;
        info!("audit events are taken at http://{ingest_address}/v1/audit/CLUSTER");
        info!("questions are answered at http://{api_address}/api/v1/containers");
        Ok(Service {
            ingest: ingest_address,
            api: api_address,
            engine,
            spool,
            stop,
            stop_sink,
            listeners,
            sink,
            _announced: announced,
        })
    }

    /// Takes no more requests, finishes those under way, and ends the engine.
    pub async fn stop(self) {
        self.stop.cancel();
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
            warn!("requests were still under way after {STOP_SECONDS_MAX} s: they were cut off");
        }
        self.stop_sink.cancel();
        _ = self.sink.await;
        self.spool.close().await;
        if let Some(engine) = self.engine {
            engine.stop().await;
        }
    }
}

/// Whether events are taken now, and if not, why.
fn readiness(spool: &Spool) -> Result<(), String> {
    let stats = spool.stats();
    if stats.full {
        let (bytes, frames) = (stats.bytes, stats.frames_waiting);
        return Err(format!(
            "the spool is full ({bytes} bytes, {frames} frames wait for clickhouse), or its disk is"
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

async fn bind(key: &str, listen: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    http::bind(listen).await.with_context(|| {
        format!("{key} {listen} can't be listened on: name another port with {key} or its flag")
    })
}

/// The configured ClickHouse, which must have our schema, or the embedded one, which gets it.
async fn open_store(config: &Config) -> anyhow::Result<(Arc<Store>, Option<Engine>)> {
    if config.clickhouse.url.is_some() {
        let store = Store::open(&config.clickhouse)?;
        schema::check(&store).await?;
        info!(
            "clickhouse is at {}, database {}",
            store.url(),
            store.database()
        );
        return Ok((Arc::new(store), None));
    }
    let engine = Engine::start(Options {
        config: config.engine.clone(),
        data_dir: config.data_dir.clone(),
        program: None,
        tcp_port: None,
    })
    .await?;
    let password = SecretString::from(engine.password());
    let database = &config.clickhouse.database;
    let store = Store::at(engine.url(), engine.user(), Some(&password), database)?;
    if let Err(error) = schema::apply(&store).await {
        engine.stop().await;
        bail!(error);
    }
    info!("embedded clickhouse runs in {}", config.data_dir.display());
    Ok((Arc::new(store), Some(engine)))
}
