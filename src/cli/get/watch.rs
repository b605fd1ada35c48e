//! `bygone get --watch`: the answer, and then what is new in it or has changed.
//!
//! The question is asked again and again, about the last minutes alone. What is shown of a row decides whether it has
//! changed. An answer that was cut by its limit shows the newest only.

use std::collections::HashSet;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::kept::{Kept, Order};
use crate::cli::Usage;
use crate::cli::ask::{Backend, Rows};
use crate::cli::output::{Printer, Row};
use crate::query::{Life, Params};

/// How often is asked.
const EVERY: Duration = Duration::from_secs(2);

/// How far back: events may come that late and change what was shown.
const BACK: SignedDuration = SignedDuration::from_mins(10);

/// Whether a question can be watched.
pub fn check(params: &Params) -> Result<(), Usage> {
    match &params.to {
        None => Ok(()),
        Some(_) => {
            let text = "--watch shows changes from now on: it cannot be combined with --to or --at";
            Err(Usage(text.to_owned()))
        }
    }
}

/// Prints until it is interrupted, or something fails.
pub async fn run<L: Life + Row>(
    backend: &Backend,
    params: &Params,
    mut printer: Printer<'_, L>,
) -> anyhow::Result<Infallible> {
    let mut params = params.clone();
    let since: Option<Timestamp> = params.from.as_deref().map(str::parse).transpose()?;
    let mut shown = HashSet::new();
    loop {
        let now = Timestamp::now();
        let mut rows = backend.ask::<L>(&params).await?;
        shown = print(&mut rows, &shown, &mut printer).await?;
        let back = now.checked_sub(BACK)?;
        params.from = Some(since.map_or(back, |since| since.max(back)).to_string());
        tokio::time::sleep(EVERY).await;
    }
}

/// Prints the rows that were not shown before; returns the current ones. Lives that ended before the window do not
/// appear again.
async fn print<L: Life + Row>(
    rows: &mut Rows<L>,
    shown: &HashSet<u64>,
    printer: &mut Printer<'_, L>,
) -> anyhow::Result<HashSet<u64>> {
    let mut kept = Kept::new(Order::LastFirst);
    while let Some(row) = rows.next().await? {
        kept.push(row)?;
    }
    printer.set_now(Timestamp::now());
    let mut now = HashSet::new();
    for row in kept.rows()? {
        let mut row = row?;
        let hash = hash(&mut row)?;
        if !shown.contains(&hash) {
            printer.row(&row)?;
        }
        now.insert(hash);
    }
    printer.flush()?;
    Ok(now)
}

/// Of a row without its links, which change with the time.
fn hash<L: Life>(row: &mut L) -> serde_json::Result<u64> {
    let links = row.container().map(|row| std::mem::take(&mut row.logs));
    let mut hasher = DefaultHasher::new();
    hasher.write(&serde_json::to_vec(row)?);
    if let (Some(row), Some(links)) = (row.container(), links) {
        row.logs = links;
    }
    Ok(hasher.finish())
}
