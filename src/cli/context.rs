//! `bygone context`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use super::client::{self, Client};
use super::{NOTHING, say};

/// They stand in ~/.config/bygone/config.toml; docs/client.md shows one.
#[derive(Subcommand)]
pub enum ContextCommand {
    /// List the contexts; a star marks the one in use
    List,
    /// Use a context from now on; without a name, the one that is called as kubectl's
    Use {
        /// Name of a context
        name: Option<String>,
    },
}

impl ContextCommand {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let path = client::path()?;
        let client = Client::read(&path)?;
        match self {
            ContextCommand::List => list(&client, &path),
            ContextCommand::Use { name } => {
                let name = name.as_deref().map(|name| client.known(name)).transpose()?;
                set_current(&path, name)
            }
        }
    }
}

fn list(client: &Client, path: &Path) -> anyhow::Result<ExitCode> {
    if client.contexts.is_empty() {
        eprintln!("no contexts in {}", path.display());
        return Ok(ExitCode::from(NOTHING));
    }
    let variable = std::env::var("BYGONE_CONTEXT").ok();
    let chosen = client.chosen(variable.as_deref())?;
    let width = client.contexts.keys().map(String::len).max().unwrap_or(0);
    for (name, context) in &client.contexts {
        let mark = if chosen == Some(name) { '*' } else { ' ' };
        let server = context.server.as_deref().unwrap_or("-");
        say(&format!("{mark} {name:width$}  {server}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the first line that begins so, or a new one on top: the rest of the file stays as it is.
fn set_current(path: &Path, name: Option<&str>) -> anyhow::Result<ExitCode> {
    let what = || format!("client configuration {}", path.display());
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.with_context(what)?,
    };
    let is_current = |line: &&str| {
        let rest = line.trim_start().strip_prefix("current");
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let (head, tables) = match text.find("\n[") {
        Some(place) => text.split_at(place + 1),
        None if text.starts_with('[') => ("", &*text),
        None => (&*text, ""),
    };
    let head: String = head
        .lines()
        .filter(|line| !is_current(line))
        .map(|line| format!("{line}\n"))
        .collect();
    let current = name.map_or(String::new(), |name| {
        format!("current = {}\n", toml::Value::from(name))
    });
    if name.is_some() || !text.is_empty() {
        let unfinished = path.with_extension("toml.unfinished");
        std::fs::write(&unfinished, format!("{current}{head}{tables}")).with_context(what)?;
        std::fs::rename(&unfinished, path).with_context(what)?;
    }
    match name {
        Some(name) => eprintln!("context {name} is in use"),
        None => eprintln!("kubectl's current context is followed, where one is called so"),
    }
    Ok(ExitCode::SUCCESS)
}
