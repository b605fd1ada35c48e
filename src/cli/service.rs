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
use crate::sink::Sink;
use crate::{http, schema, source, telemetry};

/// How long requests that are under way may take to finish when we stop.
const STOP_SECONDS_MAX: u64 = 25;

pub struct Service {
    pub ingest: SocketAddr,
    pub api: SocketAddr,
    engine: Option<Engine>,
    stop: CancellationToken,
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
        let (sink, sink_task) = Sink::start(store.clone(), config.sink.clone());
        let stop = CancellationToken::new();
        let webhook = source::webhook::routes(&config.ingest, Pipeline::new(sink));
        let app = http::App { store, metrics };
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
            stop,
            listeners,
            sink: sink_task,
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
            // The listeners held the last ways into the sink.
            _ = self.sink.await;
        };
        if tokio::time::timeout(Duration::from_secs(STOP_SECONDS_MAX), finish)
            .await
            .is_err()
        {
            warn!("requests were still under way after {STOP_SECONDS_MAX} s: they were cut off");
        }
        if let Some(engine) = self.engine {
            engine.stop().await;
        }
    }
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
