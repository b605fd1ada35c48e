//! How an answer came about: what each store had of each instance.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::explain::Attempt;
use super::identity::Identity;

/// How an answer came about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    pub lines: u64,
    /// Whether a limit cut it: there are more.
    pub more: bool,
    /// Whether fewer of the last lines are given than were asked for: no more than 32 MiB of them are held.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tail_cut: bool,
    pub parts: Vec<Part>,
    /// Of so many parts without lines the reason was not looked for: there are too many, or it took too long.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_examined: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What one store had of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub store: String,
    pub cluster: String,
    pub namespace: String,
    pub pod: String,
    pub pod_uid: uuid::Uuid,
    pub container: String,
    pub restart: u32,
    pub lines: u64,
    /// By what its lines were found; without lines the last that was tried.
    pub identity: Option<Identity>,
    /// What is not certain.
    pub uncertain: Vec<String>,
    /// With `explain`: what the store was asked, and what came back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Why it has no lines, as far as that was found out. For people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
}

/// The order of parts.
pub fn key(part: &Part) -> (&str, &str, &str, uuid::Uuid, &str, u32, &str) {
    let Part {
        cluster,
        namespace,
        pod,
        container,
        store,
        ..
    } = part;
    (
        cluster,
        namespace,
        pod,
        part.pod_uid,
        container,
        part.restart,
        store,
    )
}
