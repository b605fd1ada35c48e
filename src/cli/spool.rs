//! `bygone spool`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{Common, NOTHING, Usage, say, when};
use crate::spool::{self, Replay, VerifiedSegment};

/// Acknowledged batches that are not yet in ClickHouse, in the data folder.
#[derive(Subcommand)]
pub enum SpoolCommand {
    /// Show how much is waiting; works while bygone runs
    Status(Status),
    /// Read everything and report damage; works while bygone runs. Exit code 1 if there is damage
    Verify(Verify),
    /// Resend confirmed batches that are still kept, at the next start
    Replay(ReplayCommand),
}

#[derive(Args)]
pub struct Status {
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub struct Verify {
    #[command(flatten)]
    common: Common,
}

/// Use this after ClickHouse lost its last writes. Rows that still exist are not duplicated. bygone
/// must not be running.
#[derive(Args)]
pub struct ReplayCommand {
    /// Only batches spooled since then: RFC 3339 or local time
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl SpoolCommand {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            SpoolCommand::Status(Status { common }) => status(&folder(&common)?),
            SpoolCommand::Verify(Verify { common }) => verify(&folder(&common)?),
            SpoolCommand::Replay(replay) => replay.run(),
        }
    }
}

fn folder(common: &Common) -> anyhow::Result<PathBuf> {
    let folder = common.load(Vec::new())?.data_dir.join("spool");
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Usage(format!(
        "no spool in {}: pass its data folder with --data-dir",
        folder.display()
    ))
    .into())
}

fn status(folder: &std::path::Path) -> anyhow::Result<ExitCode> {
    let status = spool::status(folder)?;
    let oldest = status.oldest_waiting.map_or("none".to_owned(), time);
    let through = status
        .stored_through
        .map_or("unknown".to_owned(), |through| through.to_string());
    say(&format!(
        "in use           {}",
        if status.in_use { "yes" } else { "no" }
    ))?;
    say(&format!("segments         {}", status.segments))?;
    say(&format!("bytes            {}", status.bytes))?;
    say(&format!("frames waiting   {}", status.frames_waiting))?;
    say(&format!("oldest waiting   {oldest}"))?;
    say(&format!("stored through   {through}"))?;
    say(&format!("damaged places   {}", status.damaged))?;
    Ok(ExitCode::SUCCESS)
}

fn verify(folder: &std::path::Path) -> anyhow::Result<ExitCode> {
    let verified = spool::verify(folder)?;
    let mut damage = 0;
    for segment in &verified.segments {
        let VerifiedSegment {
            path,
            bytes,
            frames,
            rows,
            tail_bytes,
            ..
        } = segment;
        say(&format!(
            "{}: {frames} frames, {rows} rows, {bytes} bytes",
            path.display()
        ))?;
        if *tail_bytes > 0 {
            say(&format!(
                "  the last {tail_bytes} bytes are an incomplete or torn frame"
            ))?;
        }
        for line in &segment.damage {
            say(&format!("  damaged: {line}"))?;
            damage += 1;
        }
    }
    say(&format!("{damage} damaged places"))?;
    Ok(ExitCode::from(if damage == 0 { 0 } else { NOTHING }))
}

impl ReplayCommand {
    fn run(self) -> anyhow::Result<ExitCode> {
        let folder = folder(&self.common)?;
        let what = match &self.from {
            None => Replay::All,
            Some(from) => Replay::Since(since(from)?),
        };
        Ok(match spool::replay(&folder, what)? {
            Some(from) => {
                say(&format!(
                    "frames from {from} on are resent at the next start"
                ))?;
                ExitCode::SUCCESS
            }
            None => {
                say("no frames are kept to resend")?;
                ExitCode::from(NOTHING)
            }
        })
    }
}

fn since(text: &str) -> anyhow::Result<SystemTime> {
    let zone = when::zone("local").map_err(Usage::from)?;
    let args = when::Args {
        from: Some(text),
        ..when::Args::default()
    };
    let window = when::window(args, &zone, Timestamp::now()).map_err(Usage::from)?;
    let seconds = window.since.map_or(0, |since| since.as_second().max(0));
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs()))
}

fn time(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or("unknown".to_owned(), |time| format!("{time:.0}"))
}
