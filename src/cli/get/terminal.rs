//! The terminal that an answer is printed on: colours, and a pager for what is longer than it.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use anstream::ColorChoice;
use clap::{Args, ValueEnum};

/// less shows short answers at once, colours, and long lines unbroken, unless `LESS` is set.
const LESS: &str = "FRSX";

#[derive(Args)]
#[command(next_help_heading = "Output")]
pub struct TerminalFlags {
    /// Colour failures: on a terminal unless NO_COLOR is set, always, or never
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    color: When,
    /// Do not open long tables in $PAGER (or less)
    #[arg(long)]
    no_pager: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

impl TerminalFlags {
    /// Whether tables have colours.
    pub fn colours(&self) -> bool {
        match self.color {
            When::Auto => {
                let choice = anstream::AutoStream::choice(&io::stdout());
                !matches!(choice, ColorChoice::Never)
            }
            When::Always => true,
            When::Never => false,
        }
    }

    /// The destination of an answer of this many lines.
    pub fn out(&self, lines: usize) -> Out {
        let pager = match self.no_pager || !is_longer(lines) {
            true => None,
            false => pager(),
        };
        match pager.and_then(start) {
            Some(pager) => Out::Pager(pager),
            None => Out::Plain(BufWriter::new(io::stdout().lock())),
        }
    }
}

fn is_longer(lines: usize) -> bool {
    let size = terminal_size::terminal_size();
    let is_seen = io::stdout().is_terminal() && io::stdin().is_terminal();
    is_seen && size.is_some_and(|(_, height)| lines >= usize::from(height.0))
}

/// `$PAGER`, which may have arguments and may be empty for none; else less.
fn pager() -> Option<String> {
    let pager = std::env::var("PAGER").unwrap_or_else(|_| "less".to_owned());
    let is_none = pager.trim().is_empty() || pager.trim() == "cat";
    (!is_none).then_some(pager)
}

fn start(pager: String) -> Option<Pager> {
    let mut words = pager.split_whitespace();
    let mut command = Command::new(words.next()?);
    command.args(words).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", LESS);
    }
    // A missing pager is no reason to show nothing.
    let mut child = command.spawn().ok()?;
    let input = BufWriter::new(child.stdin.take()?);
    Some(Pager {
        child,
        input: Some(input),
    })
}

/// Where an answer is written.
pub enum Out {
    Plain(BufWriter<io::StdoutLock<'static>>),
    Pager(Pager),
}

/// A pager that runs. Dropped, it is waited for: its reader may look as long as they like.
pub struct Pager {
    child: Child,
    /// `None` once all was written.
    input: Option<BufWriter<ChildStdin>>,
}

impl Drop for Pager {
    fn drop(&mut self) {
        // Its input ends first; a user who quits it has seen enough.
        self.input = None;
        _ = self.child.wait();
    }
}

impl Out {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Out::Plain(out) => out,
            Out::Pager(pager) => pager
                .input
                .as_mut()
                .expect("it is open until it is dropped"),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer().flush()
    }
}
