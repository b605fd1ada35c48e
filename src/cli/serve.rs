//! `bygone serve`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use super::process;
use super::service::Service;
use super::{Common, block_on};

/// Without a ClickHouse address it runs an embedded one in the data folder, and installs it on
/// first use.
#[derive(Args)]
pub struct Serve {
    /// Address and port for audit events [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDR")]
    ingest_listen: Option<String>,
    /// Address and port for queries [default: 127.0.0.1:7071]
    #[arg(long, value_name = "ADDR")]
    api_listen: Option<String>,
    /// libchdb.so of the embedded ClickHouse, instead of installing it
    #[arg(long, value_name = "PATH")]
    engine: Option<String>,
    /// Listen beyond loopback without TLS or authentication; for trusted networks only
    #[arg(long)]
    insecure: bool,
    /// How long pods and containers are kept after their end, in days; 0d keeps all [default: 400d]
    #[arg(long, value_name = "DAYS", value_parser = super::reconcile::retention_days)]
    retention: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl Serve {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let own = [
            ("ingest.listen", self.ingest_listen),
            ("api.listen", self.api_listen),
            ("engine.library", self.engine),
            ("access.insecure", self.insecure.then(|| "true".to_owned())),
            ("reconcile.retention_days", self.retention),
        ];
        let flags = own
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        let config = self.common.load(flags)?;
        process::prepare();
        block_on(&config, async {
            let service = Service::start(&config).await?;
            info!("ready");
            stopped().await?;
            info!("stopping");
            service.stop().await;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// Returns when this process is asked to stop.
pub async fn stopped() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.context("listen for SIGINT"),
    }
}
