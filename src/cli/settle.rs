//! `bygone settle`.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::{Common, NOTHING, block_on, say, schema};
use crate::settle::{self, Outcome, Until};

const HELP: &str = "\
A running bygone settles by itself; this is for a ClickHouse of your own whose bygones are told not to
(settle.enabled = false), and for whoever does not want to wait. A slot of ten minutes is due two
minutes after it is over. Exit code 1 when there is nothing to settle.

  bygone settle                    what is due
  bygone settle --now              without the two minutes of rest; rows that an INSERT brings into
                                   such a slot later are found by the next settling but one
  bygone settle --retention 400d   and delete what ended over 400 days ago";

/// `bygone settle`.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Settle {
    /// Do not wait until INSERTs that are under way have surely ended
    #[arg(long)]
    now: bool,
    /// Settle what was heard before, whatever the clock says: for tests
    #[arg(long, value_name = "TIME", hide = true, conflicts_with = "now")]
    until: Option<Timestamp>,
    /// Count the retention from this instant: for tests
    #[arg(long, value_name = "TIME", hide = true, requires = "retention")]
    clock: Option<Timestamp>,
    /// Delete lives that ended longer ago, in days, by whole partitions; without it nothing is deleted
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
        // A serve beside this one may be told to keep more than the default.
        let days = self.retention.unwrap_or_else(|| "0".to_owned());
        let config = self.common.load(vec![("settle.retention_days", days)])?;
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
            }) = settle::once(&stores, &config.settle, until, self.clock).await?
            else {
                eprintln!(
                    "nothing to settle: a slot of ten minutes is due two minutes after it is over"
                );
                return Ok(ExitCode::from(NOTHING));
            };
            say(&format!(
                "settled {settled} rows into history, {carried} go on, {forgotten} are forgotten"
            ))?;
            Ok(ExitCode::SUCCESS)
        })
    }
}
