//! Contexts of the command line: which bygone is queried, and the defaults of flags.
//!
//! In: the client's own configuration ([`file`]), the kubeconfig ([`kube`]), and what flags and environment name. Out: an
//! [`InUse`].
//!
//! A flag beats the environment, which beats a context, which beats the local data folder. A server, a store or a data
//! folder that a flag or the environment names is asked without a context: neither may the token of a context go to
//! another server, nor is its namespace one of that server.
//!
//! Which context: the one of `--context`; else `current` of the file; else the one that the kubeconfig's current context
//! selects, by its name or by `kube_contexts`. One that `--kubeconfig` names comes before `current`. A plugin of kubectl
//! always goes by the kubeconfig first, as kubectl does, and takes its namespace.
//!
//! Never here: a token. The file only names the files that hold them.

mod command;
mod file;
mod kube;

use std::path::{Path, PathBuf};

pub use command::ContextCommand;
use file::{Context, File};

use super::{Usage, plugin};
use crate::escape;

/// What flags and environment say.
#[derive(Default)]
pub struct Asked<'a> {
    pub context: Option<&'a str>,
    pub kubeconfig: Option<&'a Path>,
    /// Whether they name a server, a store or a data folder.
    pub is_elsewhere: bool,
}

/// The values for flags that are not given.
#[derive(Default)]
pub struct InUse {
    context: Option<(String, Context)>,
    /// As a plugin: kubectl's own context.
    kube: Option<kube::Current>,
}

/// Names of contexts, for completion. None if the file can't be read.
pub fn names() -> Vec<String> {
    let file = file::read().unwrap_or_default();
    file.contexts.into_keys().collect()
}

/// Chooses the context.
///
/// # Errors
///
/// When a file can't be read, or the named context does not exist.
pub fn choose(asked: &Asked) -> anyhow::Result<InUse> {
    let file = file::read()?;
    let is_plugin = plugin::is_one();
    let by_itself = file.current.is_none() && !file.contexts.is_empty() && !asked.is_elsewhere;
    let kubeconfig = match is_plugin || asked.kubeconfig.is_some() || by_itself {
        true => kube::read(asked.kubeconfig)?,
        false => kube::Kubeconfig::default(),
    };
    let kube = kubeconfig.current(asked.context.filter(|_| is_plugin));
    let context = match asked.context {
        Some(name) => named(&file, name, kube.is_some() && asked.is_elsewhere)?,
        None if asked.is_elsewhere => None,
        None => {
            let kube_first = is_plugin || asked.kubeconfig.is_some();
            by_default(&file, kube.as_ref(), kube_first)?
        }
    };
    Ok(InUse {
        context,
        kube: kube.filter(|_| is_plugin),
    })
}

/// The context of `--context`. A context of kubectl may have none of ours, if the server is given otherwise.
fn named(
    file: &File,
    name: &str,
    may_be_without: bool,
) -> anyhow::Result<Option<(String, Context)>> {
    match file.find(name) {
        None if may_be_without => Ok(None),
        None => Err(Usage(file.no_such("--context", name)).into()),
        found => Ok(found),
    }
}

fn by_default(
    file: &File,
    kube: Option<&kube::Current>,
    kube_first: bool,
) -> anyhow::Result<Option<(String, Context)>> {
    let by_kube = kube.and_then(|kube| file.find(&kube.context));
    let current = match &file.current {
        None => None,
        Some(name) => match file.contexts.get(name) {
            None => anyhow::bail!("{}", file.no_such("current", name)),
            Some(context) => Some((name.clone(), context.clone())),
        },
    };
    Ok(match kube_first {
        true => by_kube.or(current),
        false => current.or(by_kube),
    })
}

impl InUse {
    fn context(&self) -> Option<&Context> {
        self.context.as_ref().map(|(_, context)| context)
    }

    pub fn name(&self) -> Option<&str> {
        self.context.as_ref().map(|(name, _)| &**name)
    }

    pub fn server(&self) -> Option<&str> {
        self.context()?.server.as_deref()
    }

    pub fn token_file(&self) -> Option<&PathBuf> {
        self.context()?.token_file.as_ref()
    }

    pub fn ca_file(&self) -> Option<&PathBuf> {
        self.context()?.ca_file.as_ref()
    }

    /// The cluster that is asked about, where the flag names none.
    pub fn cluster(&self, flag: Option<&String>) -> Option<String> {
        let own = || self.context()?.cluster.clone();
        flag.cloned().or_else(own)
    }

    pub fn zone(&self) -> Option<&str> {
        self.context()?.zone.as_deref()
    }

    /// The namespace that is asked about without `-n` and `-A`. kubectl takes `default` where its context names none.
    pub fn namespace(&self) -> Option<String> {
        let of_kube = self.kube.as_ref().map(|kube| kube.namespace.clone());
        let own = self.context().and_then(|it| it.namespace.clone());
        let default = of_kube.is_some().then(|| "default".to_owned());
        of_kube.flatten().or(own).or(default)
    }

    /// Prints on stderr which values came from a context, where that may explain an unexpected answer.
    pub fn say(&self, is_namespace_used: bool) {
        let say = |text: String| eprintln!("{}", escape::controls(&text));
        if let Some((name, context)) = &self.context {
            say(format!("context {name:?} is in use: {context}"));
        }
        if let Some(kube) = self.kube.as_ref().filter(|_| is_namespace_used) {
            say(format!(
                "without -n, the namespace is that of the kubeconfig's context {:?}: use -n NAME or -A",
                kube.context
            ));
        }
    }
}
