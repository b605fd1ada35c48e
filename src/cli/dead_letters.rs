//! `bygone dead-letters`.

mod replay;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::output::{End, ListFormat, Look, Printer};
use super::{Common, NOTHING, TROUBLE};
use crate::dead_letters::{self, Error, Summary};

/// Events that could not be decoded are kept raw in the data folder for some days. These commands read them there,
/// with or without a running server.
#[derive(Subcommand)]
pub enum DeadLetters {
    /// List them, newest first
    List(List),
    /// Show one dead letter
    Show(Show),
    /// Post them to the running bygone again and remove those that it can now read
    Replay(replay::Replay),
}

#[derive(Args)]
pub struct List {
    /// Output format
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub struct Show {
    /// ID, as shown by "list"
    id: Uuid,
    /// Write only its raw bytes; they may contain secrets
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    common: Common,
}

impl DeadLetters {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let shown = match self {
            DeadLetters::List(list) => list.run(),
            DeadLetters::Show(show) => show.run(),
            DeadLetters::Replay(replay) => return replay.run(),
        };
        match shown {
            // The reader of our output has seen enough.
            Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
            shown => shown,
        }
    }
}

/// Where the letters of the configured data folder lie.
fn folder(common: &Common) -> anyhow::Result<PathBuf> {
    Ok(dead_letters::folder(&common.load(Vec::new())?.data_dir))
}

impl List {
    fn run(self) -> anyhow::Result<ExitCode> {
        let look = Look::plain();
        let mut out = BufWriter::new(io::stdout().lock());
        let mut printer = Printer::<Summary>::new(self.output, look, &mut out);
        let (mut shown, mut damaged) = (0_u64, 0_u64);
        for letter in dead_letters::list(&folder(&self.common)?)? {
            match letter {
                Ok(letter) => {
                    printer.row(&letter)?;
                    shown += 1;
                }
                Err(error) => {
                    eprintln!("bygone: {error}");
                    damaged += 1;
                }
            }
        }
        printer.end(&End::default())?;
        Ok(match (shown, damaged) {
            (0, 0) => {
                eprintln!("no dead letters found");
                ExitCode::from(NOTHING)
            }
            (_, 0) => ExitCode::SUCCESS,
            _ => ExitCode::from(TROUBLE),
        })
    }
}

impl Show {
    fn run(self) -> anyhow::Result<ExitCode> {
        let (letter, raw) = match dead_letters::show(&folder(&self.common)?, self.id) {
            Err(error @ Error::Absent(_)) => {
                eprintln!("{error}");
                return Ok(ExitCode::from(NOTHING));
            }
            shown => shown?,
        };
        let mut out = io::stdout().lock();
        if self.raw {
            if out.is_terminal() {
                eprintln!(
                    "bygone: the raw bytes may contain secrets and terminal control sequences"
                );
            }
            out.write_all(&raw)?;
        } else {
            print(&letter, &mut out)?;
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// One field a line. Names may be forged, so what could command a terminal is escaped.
fn print(letter: &Summary, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "id             {}", letter.id)?;
    writeln!(out, "cluster        {}", letter.cluster.escape_debug())?;
    writeln!(out, "origin         {}", letter.origin.escape_debug())?;
    writeln!(out, "reason         {}", letter.reason.escape_debug())?;
    writeln!(out, "received_at    {}", letter.received_at)?;
    writeln!(out, "position_from  {}", letter.position_from)?;
    writeln!(out, "bytes          {}", letter.bytes)?;
    writeln!(out, "sha256         {}", letter.sha256)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
