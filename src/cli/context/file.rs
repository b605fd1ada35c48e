//! The client's own configuration: `bygone/config.toml` below `$XDG_CONFIG_HOME` or `~/.config`, or the file that
//! `BYGONE_CLIENT_CONFIG` names.
//!
//! It names files with tokens and holds none, so others may read it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::cli::when;
use crate::near::nearest;

/// Names another file.
const VARIABLE: &str = "BYGONE_CLIENT_CONFIG";

/// The content of the file.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct File {
    /// The name of the context that is used where nothing names another.
    pub current: Option<String>,
    pub contexts: BTreeMap<String, Context>,
    /// Its path.
    #[serde(skip)]
    pub path: PathBuf,
}

/// One bygone, and what is mostly asked of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Context {
    /// Base address of its API.
    pub server: Option<String>,
    /// The file with the bearer token. A relative path starts at the folder of the configuration.
    pub token_file: Option<PathBuf>,
    /// The file with the certificates that it is trusted by.
    pub ca_file: Option<PathBuf>,
    /// Kubernetes clusters, separated by commas.
    pub cluster: Option<String>,
    /// Namespaces, separated by commas.
    pub namespace: Option<String>,
    /// Zone of times.
    pub zone: Option<String>,
    /// Contexts of the kubeconfig that select it, besides the one of its own name.
    pub kube_contexts: Vec<String>,
}

/// In one line, without what is left out.
impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let said = [
            ("server", &self.server),
            ("cluster", &self.cluster),
            ("namespace", &self.namespace),
            ("zone", &self.zone),
        ];
        let said = said
            .iter()
            .filter_map(|(key, value)| Some(format!("{key} {}", value.as_ref()?)));
        let said = said.collect::<Vec<_>>();
        match said.is_empty() {
            true => f.write_str("it sets nothing"),
            false => f.write_str(&said.join(", ")),
        }
    }
}

impl File {
    /// The context of this name, or the one that a kubeconfig's context of this name selects.
    pub fn find(&self, name: &str) -> Option<(String, Context)> {
        let by_kube = || {
            let selected = |(_, context): &(&String, &Context)| {
                context.kube_contexts.iter().any(|kube| kube == name)
            };
            self.contexts.iter().find(selected)
        };
        let found = self.contexts.get_key_value(name).or_else(by_kube);
        found.map(|(name, context)| (name.clone(), context.clone()))
    }

    /// The error if `place` names a missing context.
    pub fn no_such(&self, place: &str, name: &str) -> String {
        let path = self.path.display();
        if self.contexts.is_empty() {
            return format!(
                "{place} {name:?}: {path} has no contexts: see \"bygone context --help\""
            );
        }
        let known = self.contexts.keys().map(String::as_str);
        let rest = match nearest(name, known.clone()) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => format!("use one of {}", known.collect::<Vec<_>>().join(", ")),
        };
        format!("{place} {name:?}: no such context in {path}: {rest}")
    }
}

/// The path of the file, and whether it was given explicitly.
pub fn path() -> (PathBuf, bool) {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(file) = set(VARIABLE) {
        return (PathBuf::from(file), true);
    }
    let folder = match (set("XDG_CONFIG_HOME"), set("HOME")) {
        (Some(config), _) => PathBuf::from(config),
        (None, Some(home)) => Path::new(&home).join(".config"),
        (None, None) => PathBuf::from(".config"),
    };
    (folder.join("bygone/config.toml"), false)
}

/// Reads it. A file that was not named explicitly may be missing.
pub fn read() -> anyhow::Result<File> {
    let (path, is_named) = path();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => String::new(),
        // A home that is not a folder has no file either.
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory && !is_named => {
            String::new()
        }
        Err(error) => {
            return Err(error).with_context(|| format!("client config {}", path.display()));
        }
    };
    let mut file = parse(&text).with_context(|| format!("client config {}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    for context in file.contexts.values_mut() {
        let files = [&mut context.token_file, &mut context.ca_file];
        for file in files.into_iter().flatten() {
            *file = absolute(&folder, file);
        }
    }
    file.path = path;
    Ok(file)
}

/// `~/` is the home, as in a shell; what is not absolute begins at the folder of the configuration.
fn absolute(folder: &Path, path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => folder.join(path),
    }
}

/// Parses a text. Keys are checked first, so that a token that was written into it is an unknown key and is in no
/// error.
fn parse(text: &str) -> anyhow::Result<File> {
    let located = |error: toml::de::Error| {
        let line = error
            .span()
            .map_or(1, |span| text[..span.start].lines().count().max(1));
        anyhow!("line {line}: {}", error.message().replace('\n', " "))
    };
    let table: Table = text.parse().map_err(located)?;
    check_keys("", &table, &["current", "contexts"])?;
    let keys = serde_json::to_value(Context::default()).expect("it is plain data");
    let keys = keys.as_object().expect("it is a struct").keys();
    let keys: Vec<&str> = keys.map(String::as_str).collect();
    let contexts = table.get("contexts").and_then(Value::as_table);
    for (name, context) in contexts.into_iter().flatten() {
        if let Some(context) = context.as_table() {
            check_keys(&format!("contexts.{name}."), context, &keys)?;
        }
    }
    let file: File = toml::from_str(text).map_err(located)?;
    for (name, context) in &file.contexts {
        context
            .check()
            .with_context(|| format!("contexts.{name}"))?;
    }
    Ok(file)
}

fn check_keys(place: &str, table: &Table, known: &[&str]) -> anyhow::Result<()> {
    let Some(unknown) = table.keys().find(|key| !known.contains(&&***key)) else {
        return Ok(());
    };
    match nearest(unknown, known.iter().copied()) {
        Some(nearest) => bail!("{place}{unknown}: no such key: did you mean {nearest}?"),
        None => bail!("{place}{unknown}: no such key: use {}", known.join(", ")),
    }
}

impl Context {
    fn check(&self) -> anyhow::Result<()> {
        if let Some(zone) = &self.zone {
            when::zone(zone).map_err(|error| anyhow!("{error}"))?;
        }
        let Some(server) = &self.server else {
            return Ok(());
        };
        let url = server.parse::<reqwest::Url>().ok();
        let url = url.filter(|url| ["http", "https"].contains(&url.scheme()));
        let url = url.context("server: not a URL: write it like https://bygone.example:7071")?;
        match url.username().is_empty() && url.password().is_none() {
            true => Ok(()),
            false => bail!(
                "server: a URL with credentials: put a token into a file, and name that as token_file"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let said = match parse(text) {
            Ok(file) => {
                let each = file.contexts.iter();
                let each = each.map(|(name, context)| format!("{name}: {context}"));
                each.collect::<Vec<_>>().join("; ")
            }
            Err(error) => format!("{error:#}"),
        };
        assert_eq!(said, expected, "{text}");
    }

    #[test]
    fn what_the_file_may_say() {
        check("", "");
        check(
            "current = 'a'\n[contexts.a]\nserver = 'https://b:7071'\nnamespace = 'shop'\n[contexts.b]",
            "a: server https://b:7071, namespace shop; b: it sets nothing",
        );
        check("curent = 'a'", "curent: no such key: did you mean current?");
        check(
            "[contexts.a]\nsevrer = 'x'",
            "contexts.a.sevrer: no such key: did you mean server?",
        );
        check(
            "[contexts.a]\ntoken = 'secret'",
            "contexts.a.token: no such key: did you mean token_file?",
        );
        check(
            "[contexts.a]\nzone = 'Mars'",
            "contexts.a: zone: invalid time zone \"Mars\": use a name like Europe/Berlin, UTC, local, or an offset like +02:00",
        );
        check(
            "[contexts.a]\nserver = 'b:7071'",
            "contexts.a: server: not a URL: write it like https://bygone.example:7071",
        );
        check(
            "[contexts.a]\nserver = 'https://me:secret@b:7071'",
            "contexts.a: server: a URL with credentials: put a token into a file, and name that as token_file",
        );
        check(
            "[contexts.a]\nnamespace = 7",
            "line 2: invalid type: integer `7`, expected a string",
        );
    }

    #[test]
    fn contexts_by_name_and_by_the_kubeconfig() {
        let file = parse(
            "[contexts.prod]\nkube_contexts = ['admin@prod']\n[contexts.other]\nkube_contexts = ['prod']",
        );
        let file = file.unwrap();
        let found = |name| file.find(name).map(|(name, _)| name);
        assert_eq!(found("prod").as_deref(), Some("prod"));
        assert_eq!(found("admin@prod").as_deref(), Some("prod"));
        assert_eq!(found("dev"), None);
    }

    #[test]
    fn paths_begin_where_the_file_stands() {
        let folder = Path::new("/etc/bygone");
        let absolute = |path| absolute(folder, Path::new(path));
        assert_eq!(absolute("prod.token"), Path::new("/etc/bygone/prod.token"));
        assert_eq!(absolute("/run/token"), Path::new("/run/token"));
        assert!(absolute("~/token").ends_with("token"));
        assert!(!absolute("~/token").starts_with(folder));
    }
}
