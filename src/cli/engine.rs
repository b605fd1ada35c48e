//! `bygone engine`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::say;
use crate::engine::{self, Readable, RunArgs};

#[derive(Subcommand)]
pub enum EngineCommand {
    /// Fetch the embedded ClickHouse into the cache folder, through npm, and check its hash
    Install,
    /// The embedded server itself; started by serve and demo
    #[command(hide = true)]
    Run(Run),
}

#[derive(Args)]
pub struct Run {
    #[arg(long)]
    library: PathBuf,
    #[arg(long)]
    data_dir: PathBuf,
    #[arg(long)]
    http_port: u16,
    #[arg(long)]
    tcp_port: Option<u16>,
    #[arg(long)]
    memory_bytes_max: u64,
    #[arg(long)]
    insecure: bool,
    #[arg(long)]
    reader_database: Option<String>,
    #[arg(long = "reader-view")]
    reader_views: Vec<String>,
}

impl EngineCommand {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            EngineCommand::Install => install(),
            EngineCommand::Run(run) => {
                engine::run(&RunArgs {
                    library: run.library,
                    data_dir: run.data_dir,
                    http_port: run.http_port,
                    tcp_port: run.tcp_port,
                    memory_bytes_max: run.memory_bytes_max,
                    insecure: run.insecure,
                    readable: run.reader_database.map(|database| Readable {
                        database,
                        views: run.reader_views,
                    }),
                })?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn install() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new()?;
    let path = runtime.block_on(async { engine::install(&engine::cache_folder()?).await })?;
    say(&format!("{}", path.display()))?;
    Ok(ExitCode::SUCCESS)
}
