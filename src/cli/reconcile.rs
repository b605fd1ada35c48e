//! `bygone reconcile`.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::{Common, block_on, say, schema};
use crate::reconcile;

const HELP: &str = "\
A running bygone reconciles every minute. Use this if your bygones do not
(reconcile.enabled = false), or to avoid waiting.

  bygone reconcile                    what is due
  bygone reconcile --retention 400d   and delete what ended over 400 days ago";

/// `bygone reconcile`.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Reconcile {
    /// Act as if it were this time: for tests
    #[arg(long, value_name = "TIME", hide = true)]
    clock: Option<Timestamp>,
    /// Delete pods and containers that ended longer ago, in days, by whole partitions; by default nothing is deleted
    #[arg(long, value_name = "DAYS", value_parser = retention_days)]
    retention: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Reads `400d`. Returns the number of days, as the configuration has it.
pub(super) fn retention_days(text: &str) -> Result<String, String> {
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<u32>().ok());
    match days {
        Some(days) => Ok(days.to_string()),
        None => Err("use days, like 400d".to_owned()),
    }
}

impl Reconcile {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        // A serve process may be configured to keep more than the default.
        let days = self.retention.unwrap_or_else(|| "0".to_owned());
        let config = self.common.load(vec![("reconcile.retention_days", days)])?;
        block_on(&config, async {
            let stores = schema::open(&config)?;
            crate::schema::check(&stores.whole).await?;
            let outcome = reconcile::once(&stores, &config.reconcile, self.clock).await?;
            if outcome.is_nothing() {
                eprintln!("nothing to reconcile");
                return Ok(ExitCode::from(1));
            }
            say(&format!(
                "filed {} rows, deleted {} filed earlier, corrected {}, carried over {} names, \
                 dropped {} slots of facts",
                outcome.filed, outcome.deleted, outcome.corrected, outcome.carried, outcome.dropped
            ))?;
            Ok(ExitCode::SUCCESS)
        })
    }
}
