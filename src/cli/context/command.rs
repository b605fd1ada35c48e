//! `bygone context`.

use std::fs;
use std::io::{self, BufWriter};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use toml_edit::DocumentMut;

use super::{Asked, InUse, choose, file, names};
use crate::cli::output::{End, ListFormat, Listed, Look, Printer};
use crate::cli::{NOTHING, Usage, plugin, say};

/// List and choose contexts: which bygone to ask, and defaults for its flags
#[derive(Subcommand)]
#[command(after_help = FILE)]
pub enum ContextCommand {
    /// List the contexts; the one in use is marked
    List(List),
    /// Make a context the current one
    Use(Use),
    /// Print the name of the context in use
    Current,
}

const FILE: &str = "\
Contexts stand in ~/.config/bygone/config.toml ($XDG_CONFIG_HOME is honoured, and
BYGONE_CLIENT_CONFIG names another file):

  current = \"prod\"                   # or leave it out, and follow the kubeconfig

  [contexts.prod]
  server = \"https://bygone.example:7071\"
  token_file = \"prod.token\"          # paths begin where this file stands
  ca_file = \"ca.crt\"
  cluster = \"prod\"
  namespace = \"shop\"
  zone = \"Europe/Berlin\"
  kube_contexts = [\"admin@prod\"]     # contexts of the kubeconfig that select this one

All keys may be left out. --context NAME names one for a single question. A flag or a variable for a
key beats the context; where one names a server, a store or a data folder, no context is in use.

Exit codes: 0 found or done, 1 nothing found, 2 trouble, 64 wrong usage.";

#[derive(Args)]
pub struct List {
    /// Output format
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
}

#[derive(Args)]
pub struct Use {
    /// Name of the context
    #[arg(add = ArgValueCandidates::new(plugin::candidates(names)))]
    name: String,
}

impl ContextCommand {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            ContextCommand::List(list) => list.run(),
            ContextCommand::Use(name) => name.run(),
            ContextCommand::Current => current(),
        }
    }
}

/// What a question without flags would use.
fn in_use() -> anyhow::Result<InUse> {
    let server = std::env::var_os("BYGONE_SERVER").is_some_and(|server| !server.is_empty());
    choose(&Asked {
        is_elsewhere: server,
        ..Asked::default()
    })
}

fn current() -> anyhow::Result<ExitCode> {
    let in_use = in_use()?;
    let Some(name) = in_use.name() else {
        eprintln!("no context is in use: see \"bygone context list\"");
        return Ok(ExitCode::from(NOTHING));
    };
    say(name)?;
    Ok(ExitCode::SUCCESS)
}

impl List {
    fn run(self) -> anyhow::Result<ExitCode> {
        let file = file::read()?;
        let in_use = in_use()?;
        let mut out = BufWriter::new(io::stdout().lock());
        let mut printer = Printer::new(self.output, Look::plain(), &mut out);
        let is_empty = file.contexts.is_empty();
        for (name, context) in file.contexts {
            printer.row(&Listed {
                in_use: in_use.name() == Some(&*name),
                name,
                server: context.server,
                token_file: context.token_file,
                ca_file: context.ca_file,
                cluster: context.cluster,
                namespace: context.namespace,
                zone: context.zone,
                kube_contexts: context.kube_contexts,
            })?;
        }
        printer.end(&End::default())?;
        if is_empty {
            eprintln!(
                "no contexts in {}: see \"bygone context --help\"",
                file.path.display()
            );
            return Ok(ExitCode::from(NOTHING));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Use {
    /// Changes that one line, and leaves comments and all else as they are.
    fn run(self) -> anyhow::Result<ExitCode> {
        let Use { name } = self;
        let file = file::read()?;
        if !file.contexts.contains_key(&name) {
            return Err(Usage(file.no_such("context", &name)).into());
        }
        // A file that is a link, into a folder of dotfiles maybe, stays one.
        let what = || format!("client config {}", file.path.display());
        let path = fs::canonicalize(&file.path).with_context(what)?;
        let mut document: DocumentMut = fs::read_to_string(&path)?.parse()?;
        document["current"] = toml_edit::value(&*name);
        let unfinished = path.with_extension(format!("toml.{}", std::process::id()));
        fs::write(&unfinished, document.to_string()).with_context(what)?;
        let permissions = fs::metadata(&path)?.permissions();
        fs::set_permissions(&unfinished, permissions)?;
        fs::rename(&unfinished, &path).with_context(what)?;
        say(&format!("context {name:?} is the current one"))?;
        Ok(ExitCode::SUCCESS)
    }
}
