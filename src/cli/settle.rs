//! `bygone settle`.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::{Common, NOTHING, block_on, say, schema};
use crate::settle::{self, Outcome, Until};

/// A running bygone settles by itself; this is for a ClickHouse of your own whose bygones are told not to,
/// and for whoever does not want to wait. Exit code 1 when there is nothing to settle.
#[derive(Args)]
pub struct Settle {
    /// Do not wait until INSERTs that are under way have surely ended
    #[arg(long)]
    now: bool,
    /// Settle what was heard before, whatever the clock says: for tests
    #[arg(long, value_name = "TIME", hide = true, conflicts_with = "now")]
    until: Option<Timestamp>,
    /// How long lives are kept after they ended, in days; 0d keeps all [default: 400d]
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
        None => Err("write it in days, like 400d".to_owned()),
    }
}

impl Settle {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let flags = self.retention.map(|days| ("settle.retention_days", days));
        let config = self.common.load(flags.into_iter().collect())?;
        let until = match (self.until, self.now) {
            (Some(at), _) => Until::At(at),
            (None, true) => Until::Now,
            (None, false) => Until::Due,
        };
        block_on(&config, async {
            let stores = schema::open(&config)?;
            crate::schema::check(&stores.whole).await?;
            let Some(Outcome {
                settled,
                carried,
                forgotten,
            }) = settle::once(&stores, &config.settle, until).await?
            else {
                eprintln!("nothing to settle");
                return Ok(ExitCode::from(NOTHING));
            };
            say(&format!(
                "settled {settled} rows into history, {carried} go on, {forgotten} are forgotten"
            ))?;
            Ok(ExitCode::SUCCESS)
        })
    }
}
