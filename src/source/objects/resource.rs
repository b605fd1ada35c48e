//! What is seen, and what its objects prove.

use crate::audit::{Metadata, Object};
use crate::lifecycle::Unreadable;
use crate::lifecycle::watched::{self, Moment, Sight};
use crate::rows::Fact;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    Pods,
    Nodes,
    Namespaces,
}

/// Receives facts.
pub type Emit<'e> = &'e mut dyn FnMut(&Fact);

impl Resource {
    pub const ALL: [Resource; 3] = [Resource::Pods, Resource::Nodes, Resource::Namespaces];

    pub fn name(self) -> &'static str {
        match self {
            Resource::Pods => "pods",
            Resource::Nodes => "nodes",
            Resource::Namespaces => "namespaces",
        }
    }

    /// Emits what an object proves.
    ///
    /// # Errors
    ///
    /// When it does not say what it is.
    pub fn facts(
        self,
        cluster: &str,
        object: &Object,
        (sight, moment): (Sight, Moment),
        emit: Emit,
    ) -> Result<(), Unreadable> {
        let nothing = Metadata::default();
        let metadata = object.metadata.as_ref().unwrap_or(&nothing);
        match self {
            Resource::Pods => watched::pod(cluster, object, sight, moment, emit),
            Resource::Nodes => watched::node(cluster, metadata, sight, moment, emit),
            Resource::Namespaces => watched::namespace(cluster, metadata, sight, moment, emit),
        }
    }
}

/// The uid of an object; none where it has no valid one.
pub fn uid(object: &Object) -> Option<u128> {
    let metadata = object.metadata.as_ref()?;
    Some(uuid::Uuid::try_parse(&metadata.uid).ok()?.as_u128())
}
