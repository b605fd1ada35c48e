//! `bygone config`.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Common, say};

#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Print the merged result of defaults, file, environment and flags
    Print(Print),
    /// List every key with the variable that sets it
    Keys,
}

/// Passwords are not shown: they are in files, and only the paths are printed.
#[derive(Args)]
pub struct Print {
    #[command(flatten)]
    common: Common,
}

impl ConfigCommand {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let ConfigCommand::Print(print) = self else {
            return keys();
        };
        let mut config = print.common.load(Vec::new())?;
        if let Some(url) = &mut config.clickhouse.url {
            *url = redacted(url);
        }
        say(toml::to_string(&config)?.trim_end())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn keys() -> anyhow::Result<ExitCode> {
    let keys = crate::config::keys();
    let width = keys.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    for (key, variable) in keys {
        say(&format!("{key:width$}  {variable}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A URL without a password that it may contain.
fn redacted(url: &str) -> String {
    match url.parse::<reqwest::Url>() {
        Ok(mut parsed) if parsed.password().is_some() => {
            _ = parsed.set_password(Some("REDACTED"));
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}
