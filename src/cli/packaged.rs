//! What packages install beside the program: completion for shells, and man pages.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;

#[derive(Args)]
#[command(after_help = "\
Examples:
  source <(bygone completion bash)
  bygone completion zsh >\"${fpath[1]}/_bygone\"
  bygone completion fish >~/.config/fish/completions/bygone.fish")]
pub struct Completion {
    /// Shell to generate the script for
    shell: Shell,
}

impl Completion {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "bygone", &mut script);
        io::stdout().write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Args)]
pub struct Man {
    /// Existing folder for the pages; the main page is bygone.1
    folder: PathBuf,
}

impl Man {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let folder = &self.folder;
        clap_mangen::generate_to(Cli::command(), folder)
            .with_context(|| format!("man pages cannot be written to {}", folder.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
