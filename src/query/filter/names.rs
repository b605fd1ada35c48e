//! Names of pods and containers.

use std::str::FromStr;

use super::Pattern;
use crate::query::ParseError;

/// `POD`, `NAMESPACE/POD` or `NAMESPACE/POD/CONTAINER`; each may have wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodName {
    pub namespace: Option<Pattern>,
    pub pod: Pattern,
    pub container: Option<Pattern>,
}

impl PodName {
    /// One pod of this name, at any time.
    pub fn exact(namespace: &str, pod: &str) -> PodName {
        PodName {
            namespace: Some(Pattern::new(namespace)),
            pod: Pattern::new(pod),
            container: None,
        }
    }

    /// Whether it has the whole name of the pod.
    pub(in crate::query) fn is_of_one_name(&self) -> bool {
        self.pod.is_exact()
    }

    /// The same of its pod.
    pub fn without_container(&self) -> PodName {
        PodName {
            container: None,
            ..self.clone()
        }
    }
}

impl FromStr for PodName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<PodName, ParseError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (namespace, pod, container) = match *parts {
            [pod] => (None, pod, None),
            [namespace, pod] => (Some(namespace), pod, None),
            [namespace, pod, container] => (Some(namespace), pod, Some(container)),
            _ => return Err(invalid(text)),
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err(invalid(text));
        }
        Ok(PodName {
            namespace: namespace.map(Pattern::new),
            pod: Pattern::new(pod),
            container: container.map(Pattern::new),
        })
    }
}

fn invalid(text: &str) -> ParseError {
    let instead = "POD, NAMESPACE/POD or NAMESPACE/POD/CONTAINER, with * and ? as wildcards";
    ParseError::value("name", format!("invalid name {text:?}: use {instead}"))
}
