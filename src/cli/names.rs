//! Names that complete a command: what the server that the line names knows.
//!
//! In: the incomplete command line, read as far as possible. Out: the names that begin with the current word, the
//! newest first. A person is waiting, so a slow answer, or one that needs something that is missing on the line,
//! yields no names and no message.

use std::ffi::OsStr;
use std::time::Duration;

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use clap_complete::CompletionCandidate;
use jiff::Timestamp;

use super::ask::{Backend, ServerFlags};
use super::context::InUse;
use super::what::{RECENT, What};
use super::{Cli, Common, plugin};
use crate::query::{Group, Params, Pod};

/// How long an answer may take.
const WAIT: Duration = Duration::from_millis(300);

/// The most names.
const NAMES_MAX: usize = 100;

/// As many rows are looked through for names: one name has many lives.
const ROWS_MAX: u64 = 1_000;

/// Of what `get` shows; of pods where the line does not say.
pub fn of_what(current: &OsStr) -> Vec<CompletionCandidate> {
    known(current, |line| {
        line.try_get_one::<What>("what").ok()??.group()
    })
}

pub fn pods(current: &OsStr) -> Vec<CompletionCandidate> {
    known(current, |_| None)
}

pub fn namespaces(current: &OsStr) -> Vec<CompletionCandidate> {
    known(current, |_| Some(Group::Namespaces))
}

pub fn clusters(current: &OsStr) -> Vec<CompletionCandidate> {
    known(current, |_| Some(Group::Clusters))
}

fn known(
    current: &OsStr,
    group: impl Fn(&ArgMatches) -> Option<Group>,
) -> Vec<CompletionCandidate> {
    let Some(begun) = current.to_str() else {
        return Vec::new();
    };
    let line = line();
    let names = line.and_then(|line| ask(&line, group(&line), begun).ok());
    let mut names = names.unwrap_or_default();
    names.retain(|name| name.starts_with(begun));
    names.truncate(NAMES_MAX);
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// What the innermost command of the line has been given.
fn line() -> Option<ArgMatches> {
    let command = Cli::command().ignore_errors(true);
    let args = plugin::flags_behind(&command, std::env::args_os().collect(), 1);
    let mut line = command.try_get_matches_from(args).ok()?;
    while let Some((_, inner)) = line.remove_subcommand() {
        line = inner;
    }
    Some(line)
}

/// Asks for the names of groups, or of pods.
fn ask(line: &ArgMatches, group: Option<Group>, begun: &str) -> anyhow::Result<Vec<String>> {
    let common = Common::from_arg_matches(line)?;
    let server = ServerFlags::from_arg_matches(line)?;
    let config = common.load(vec![("log", "off".to_owned())])?;
    let in_use = server.in_use(&common, &config)?;
    let params = params(line, &in_use, group)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let asked = async {
            let direct = common.is_direct();
            let backend = Backend::find(&config, server.server(&in_use)?, direct).await?;
            match group {
                Some(group) => names_of(&backend, group, &params).await,
                None => pods_of(&backend, params, begun).await,
            }
        };
        tokio::time::timeout(WAIT, asked).await?
    })
}

/// For the last day, like `get`, unless the line has a time range; then for any time.
fn params(line: &ArgMatches, in_use: &InUse, group: Option<Group>) -> anyhow::Result<Params> {
    let text = |id: &str| line.try_get_one::<String>(id).ok().flatten().cloned();
    let is_set = |id: &str| matches!(line.try_get_one::<bool>(id), Ok(Some(true)));
    let says_when = ["since", "from", "to", "at"]
        .iter()
        .any(|id| text(id).is_some());
    let is_list = line.try_get_one::<What>("what").is_ok();
    let is_recent = is_list && !says_when && !is_set("all");
    let from = is_recent.then(|| Timestamp::now().checked_sub(RECENT));
    // The value may be what is being written; of a group, the namespace does not matter much.
    let is_in_namespace = group.is_none() && !is_set("all_namespaces");
    let namespace = text("namespace").or_else(|| in_use.namespace());
    Ok(Params {
        cluster: in_use
            .cluster(text("cluster").as_ref())
            .filter(|_| group != Some(Group::Clusters)),
        namespace: namespace.filter(|_| is_in_namespace),
        from: from.transpose()?.map(|from| from.to_string()),
        limit: Some(ROWS_MAX),
        ..Params::default()
    })
}

async fn names_of(backend: &Backend, group: Group, params: &Params) -> anyhow::Result<Vec<String>> {
    let (rows, _) = backend.summaries(group, params).await?;
    let mut names: Vec<String> = rows.into_iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

async fn pods_of(backend: &Backend, params: Params, begun: &str) -> anyhow::Result<Vec<String>> {
    let mut rows = backend
        .ask::<Pod>(&Params {
            name: (!begun.is_empty()).then(|| format!("{begun}*")),
            fields: Some("pod".to_owned()),
            ..params
        })
        .await?;
    let mut names = Vec::new();
    while let Some(row) = rows.next().await? {
        if !names.contains(&row.pod) {
            names.push(row.pod);
        }
        if names.len() == NAMES_MAX {
            break;
        }
    }
    Ok(names)
}
