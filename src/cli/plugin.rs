//! bygone as a plugin of kubectl: the program under another name.
//!
//! As `kubectl-bygone` it is `kubectl bygone`, and goes by the kubeconfig (`context`). As `kubectl_complete-bygone` it
//! completes the arguments of that, as kubectl asks for it (`pkg/cmd/plugin/plugin_completion.go`): one candidate a line,
//! then `:` and a directive of cobra. What can follow is known from the commands themselves.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, Command};
use clap_complete::CompletionCandidate;

use super::say;

/// `ShellCompDirectiveNoFileComp`: where nothing fits, no files are offered instead.
const NO_FILES: &str = ":4";

/// The name that the program was started by.
fn name() -> Option<OsString> {
    let program = std::env::args_os().next()?;
    Some(Path::new(&program).file_name()?.to_owned())
}

/// Whether kubectl has started it.
pub fn is_one() -> bool {
    name().is_some_and(|name| name == "kubectl-bygone" || name == "kubectl_complete-bygone")
}

/// Whether kubectl wants to know how arguments go on.
pub fn completes() -> bool {
    name().is_some_and(|name| name == "kubectl_complete-bygone")
}

/// What a person calls the program by.
pub fn program() -> &'static str {
    match is_one() {
        true => "kubectl bygone",
        false => "bygone",
    }
}

/// Names as candidates for completion.
pub fn candidates(
    names: impl Fn() -> Vec<String> + Send + Sync + 'static,
) -> impl Fn() -> Vec<CompletionCandidate> + Send + Sync + 'static {
    move || names().into_iter().map(CompletionCandidate::new).collect()
}

/// Prints what can follow the arguments, of which the last one is being written.
pub fn complete(mut command: Command, args: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let mut args = flags_behind(&command, args, 1);
    if args.len() < 2 {
        args.push(OsString::new());
    }
    let last = args.len() - 1;
    let is_flag = args[last].to_string_lossy().starts_with('-');
    let here = std::env::current_dir().ok();
    let found = clap_complete::engine::complete(&mut command, args, last, here.as_deref());
    for candidate in found.unwrap_or_default() {
        let value = candidate.get_value().to_string_lossy();
        // Like kubectl: flags are offered when the word begins with a hyphen.
        if value.starts_with('-') && !is_flag {
            continue;
        }
        let help = candidate.get_help().map(|help| help.to_string());
        match help.as_deref().and_then(|help| help.lines().next()) {
            Some(help) => say(&format!("{value}\t{help}"))?,
            None => say(&value)?,
        }
    }
    say(NO_FILES)?;
    Ok(ExitCode::SUCCESS)
}

/// Moves flags before the command behind it: `-n shop get pods` becomes `get -n shop pods`, because kubectl accepts
/// both. The last `kept` arguments are not taken for a command.
pub fn flags_behind(command: &Command, args: Vec<OsString>, kept: usize) -> Vec<OsString> {
    let begin = 1;
    let mut verb = begin;
    while let Some(text) = args.get(verb).and_then(|arg| arg.to_str()) {
        let Some(takes_next) = takes_next(command, text) else {
            break;
        };
        verb += if takes_next { 2 } else { 1 };
    }
    let end = args.len().saturating_sub(kept);
    let mut at = verb;
    let mut inner = command;
    while let Some(next) = args[..end]
        .get(at)
        .and_then(|arg| inner.find_subcommand(arg))
    {
        inner = next;
        at += 1;
    }
    if verb == begin || at == verb {
        return args;
    }
    let parts = [
        &args[..begin],
        &args[verb..at],
        &args[begin..verb],
        &args[at..],
    ];
    parts.concat()
}

/// Whether it is a flag of some command, and whether its value is the next argument.
fn takes_next(command: &Command, text: &str) -> Option<bool> {
    let (flag, has_value) = match text.strip_prefix("--") {
        Some(long) => {
            let name = long.split('=').next().unwrap_or(long);
            let flag = find(command, &|arg| arg.get_long() == Some(name))?;
            (flag, long.contains('='))
        }
        None => {
            let mut letters = text.strip_prefix('-')?.chars();
            let letter = letters.next()?;
            let flag = find(command, &|arg| arg.get_short() == Some(letter))?;
            (flag, !letters.as_str().is_empty())
        }
    };
    Some(flag.get_action().takes_values() && !has_value)
}

/// The first flag of any of the commands below this one.
fn find<'c>(command: &'c Command, is_it: &dyn Fn(&Arg) -> bool) -> Option<&'c Arg> {
    let below = || command.get_subcommands();
    let own = |command: &'c Command| command.get_arguments().find(|arg| is_it(arg));
    below().find_map(|command| own(command).or_else(|| find(command, is_it)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn check(line: &str, kept: usize, expected: &str) {
        let args = ["bygone"].into_iter().chain(line.split(' '));
        let args = args.map(OsString::from).collect();
        let behind = flags_behind(&Cli::command(), args, kept);
        let behind: Vec<&str> = behind[1..]
            .iter()
            .map(|arg| arg.to_str().unwrap())
            .collect();
        assert_eq!(behind.join(" "), expected);
    }

    #[test]
    fn flags_before_the_command() {
        check("get pods -n shop", 0, "get pods -n shop");
        check("-n shop get pods", 0, "get -n shop pods");
        check("-nshop -A get pods", 0, "get -nshop -A pods");
        check(
            "--context=prod --kubeconfig f describe pod web-0",
            0,
            "describe pod --context=prod --kubeconfig f web-0",
        );
        check("-n get get pods", 0, "get -n get pods");
        // Unknown flags and commands are left to clap.
        check("--help", 0, "--help");
        check("--nonsense get pods", 0, "--nonsense get pods");
        check("-n shop", 0, "-n shop");
        check("-n shop gett pods", 0, "-n shop gett pods");
        // The word that is being completed.
        check("-n shop get", 1, "-n shop get");
        check("-n shop get po", 1, "get -n shop po");
    }
}
