//! Which variables count. All that begin with `BYGONE_` are ours: one that is unknown is an error,
//! since a misspelt key would otherwise be ignored in silence.

use super::{Error, keys};
use crate::near;

/// Variables of the program that are not keys of the configuration.
const OTHERS: [&str; 7] = [
    // Flags of the command line: which file, which server.
    "BYGONE_CONFIG",
    "BYGONE_CLIENT_CONFIG",
    "BYGONE_SERVER",
    "BYGONE_TOKEN",
    "BYGONE_TOKEN_FILE",
    "BYGONE_CA_FILE",
    // A secret, which no configuration holds.
    "BYGONE_KAFKA_SASL_PASSWORD",
];

/// The variables of this process that begin with `BYGONE_`.
pub(super) fn read() -> Result<Vec<(String, String)>, Error> {
    let ours =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let ours = ours.filter(|(name, _)| name.starts_with("BYGONE_"));
    let read = ours.map(|(name, value)| match value.into_string() {
        Ok(text) => Ok((name, text)),
        Err(_) => Err(Error::Value {
            place: name,
            cause: "it is not UTF-8".to_owned(),
        }),
    });
    read.collect()
}

/// The key that a variable sets; none where it is one that sets no key.
///
/// # Errors
///
/// When nothing knows the variable.
pub(super) fn key_of(name: &str, text: &str, known: &[String]) -> Result<Option<String>, Error> {
    if let Some(key) = known.iter().find(|key| keys::variable(key) == name) {
        return Ok(Some(key.clone()));
    }
    if OTHERS.contains(&name) || is_service_link(name, text) {
        return Ok(None);
    }
    let names: Vec<String> = known.iter().map(|key| keys::variable(key)).collect();
    let names = names.iter().map(String::as_str).chain(OTHERS);
    Err(Error::Unknown {
        place: name.to_owned(),
        what: "variable",
        nearest: near::nearest(name, names).map(str::to_owned),
    })
}

/// Whether Kubernetes made it: for a Service named bygone, or bygone-something, each pod of its
/// namespace gets `BYGONE_SERVICE_HOST`, `BYGONE_PORT=tcp://...`, `BYGONE_PORT_7070_TCP_ADDR` and
/// more (`makeLinkVariables` in the kubelet).
fn is_service_link(name: &str, text: &str) -> bool {
    let is_url = || {
        ["tcp://", "udp://", "sctp://"]
            .iter()
            .any(|it| text.starts_with(it))
    };
    let is_link = || {
        let (_, link) = name.split_once("_PORT_")?;
        let (port, rest) = link.split_once('_')?;
        let is_part = ["TCP", "UDP", "SCTP"].iter().any(|it| rest.starts_with(it));
        Some(is_part && port.bytes().all(|byte| byte.is_ascii_digit()))
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && is_url())
        || is_link().unwrap_or(false)
}
