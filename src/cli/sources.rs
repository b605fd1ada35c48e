//! `bygone sources`.

use std::io::{self, BufWriter};
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::ask::{Lines, ServerFlags};
use super::output::{End, ListFormat, Look, Printer};
use super::{Common, block_on, running};
use crate::query::Params;
use crate::source::Status;

/// Where events come from.
#[derive(Subcommand)]
pub enum Sources {
    /// Show state, position, lag and last error of each source of a running bygone
    Status(StatusCommand),
}

/// For Kafka it shows only the partitions of this bygone; other members of the group have
/// the others. Of followed files it shows the 100 that were changed last.
#[derive(Args)]
pub struct StatusCommand {
    /// Output format
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    common: Common,
}

impl Sources {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Sources::Status(status) = self;
        status.run()
    }
}

impl StatusCommand {
    fn run(self) -> anyhow::Result<ExitCode> {
        let config = self
            .common
            .load(vec![("log", self.common.log_or("warn"))])?;
        let in_use = self.server.in_use(&self.common, &config)?;
        let named = self.server.server(&in_use)?;
        let server = match (named.base.is_empty(), running::find(&config.data_dir)) {
            (false, _) => named,
            (true, Some(running)) => named.at_api(running),
            (true, None) => bail!(
                "no bygone is running in {}: start one with \"bygone serve\", or pass --server URL",
                config.data_dir.display()
            ),
        };
        block_on(&config, async {
            let mut lines = Lines::open(&server, "sources", &Params::default()).await?;
            let mut out = BufWriter::new(io::stdout().lock());
            let mut printer = Printer::new(self.output, Look::plain(), &mut out);
            while let Some(status) = lines.next::<Status>().await? {
                printer.row(&status)?;
            }
            printer.end(&End::default())?;
            Ok(ExitCode::SUCCESS)
        })
    }
}
