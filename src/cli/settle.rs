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
    #[command(flatten)]
    common: Common,
}

impl Settle {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.common.load(Vec::new())?;
        let until = match (self.until, self.now) {
            (Some(at), _) => Until::At(at),
            (None, true) => Until::Now,
            (None, false) => Until::Due,
        };
        block_on(&config, async {
            let store = schema::open(&config)?;
            crate::schema::check(&store).await?;
            let Some(Outcome {
                settled,
                carried,
                forgotten,
            }) = settle::once(&store, &config.settle, until).await?
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
