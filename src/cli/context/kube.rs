//! The kubeconfig, as far as it selects: its current context, and the namespaces of its contexts. Credentials in it are
//! passed over.
//!
//! As kubectl reads it: the file of `--kubeconfig`; else those of `$KUBECONFIG`, of which some may be missing and the first
//! to say something wins; else `~/.kube/config`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde::Deserialize;

/// What all of its files say together.
#[derive(Default)]
pub struct Kubeconfig {
    current: Option<String>,
    contexts: Vec<Named>,
}

/// The context that kubectl uses.
#[derive(Debug, PartialEq)]
pub struct Current {
    pub context: String,
    pub namespace: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct File {
    current_context: Option<String>,
    contexts: Option<Vec<Named>>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    #[serde(default)]
    context: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    namespace: Option<String>,
}

impl Kubeconfig {
    /// The current context, or the one that is `wanted`; none where it is not there.
    pub fn current(&self, wanted: Option<&str>) -> Option<Current> {
        let name = wanted.or(self.current.as_deref())?;
        let found = self.contexts.iter().find(|context| context.name == name)?;
        let namespace = found.context.as_ref().and_then(|it| it.namespace.clone());
        Some(Current {
            context: name.to_owned(),
            namespace: namespace.filter(|name| !name.is_empty()),
        })
    }

    fn add(&mut self, file: File) {
        let said = file.current_context.filter(|name| !name.is_empty());
        self.current = self.current.take().or(said);
        self.contexts.extend(file.contexts.unwrap_or_default());
    }
}

/// Reads the files.
///
/// # Errors
///
/// When the file of the flag is missing, or one is not a kubeconfig.
pub fn read(flag: Option<&Path>) -> anyhow::Result<Kubeconfig> {
    let mut all = Kubeconfig::default();
    for path in paths(flag) {
        let what = || format!("kubeconfig {}", path.display());
        match std::fs::read_to_string(&path) {
            Ok(text) => all.add(parse(&text).with_context(what)?),
            Err(error) if flag.is_none() && is_absent(&error) => {}
            Err(error) => return Err(error).with_context(what),
        }
    }
    Ok(all)
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn paths(flag: Option<&Path>) -> Vec<PathBuf> {
    if let Some(path) = flag {
        return vec![path.to_owned()];
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    match (set("KUBECONFIG"), set("HOME")) {
        (Some(list), _) => {
            let files = std::env::split_paths(&list);
            files.filter(|file| !file.as_os_str().is_empty()).collect()
        }
        (None, Some(home)) => vec![Path::new(&home).join(".kube/config")],
        (None, None) => Vec::new(),
    }
}

/// An error only has the line number: its content may be a key.
fn parse(text: &str) -> anyhow::Result<File> {
    if text.trim().is_empty() {
        return Ok(File::default());
    }
    serde_saphyr::from_str(text).map_err(|error: serde_saphyr::Error| {
        let line = error.location().map(|at| format!("line {}: ", at.line()));
        anyhow!("{}this is no kubeconfig in YAML", line.unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "
apiVersion: v1
kind: Config
current-context: dev
contexts:
- name: dev
  context: {cluster: kind, user: me}
- name: prod
  context:
    cluster: prod
    namespace: shop
users:
- name: me
  user: {token: secret}
";

    fn read(texts: &[&str]) -> Kubeconfig {
        let mut all = Kubeconfig::default();
        for text in texts {
            all.add(parse(text).unwrap());
        }
        all
    }

    fn current(name: &str, namespace: Option<&str>) -> Option<Current> {
        Some(Current {
            context: name.to_owned(),
            namespace: namespace.map(str::to_owned),
        })
    }

    #[test]
    fn the_first_file_that_says_something_wins() {
        let one = read(&[ONE]);
        assert_eq!(one.current(None), current("dev", None));
        assert_eq!(one.current(Some("prod")), current("prod", Some("shop")));
        assert_eq!(one.current(Some("other")), None);
        let other = "{\"current-context\": \"prod\", \"contexts\": [{\"name\": \"prod\", \"context\": null}]}";
        assert_eq!(read(&[other, ONE]).current(None), current("prod", None));
        assert_eq!(
            read(&["current-context: ''", ONE]).current(None),
            current("dev", None)
        );
        assert_eq!(read(&["", "contexts: null"]).current(None), None);
    }

    #[test]
    fn an_error_shows_nothing_of_the_file() {
        for text in ["users: [secret", "contexts: secret", "contexts:\n- secret"] {
            let error = parse(text).err().map(|error| format!("{error:#}"));
            let error = error.expect(text);
            assert!(!error.contains("secret"), "{error}");
            assert!(error.ends_with("this is no kubeconfig in YAML"), "{error}");
        }
    }
}
