//! The workload of a pod: the top owner that the pod itself lets us know.

use crate::audit::{Metadata, OwnerReference};
use crate::rows::{Basis, Owner};

/// A CronJob names its Jobs after the minute, since the epoch, that they were scheduled for
/// (`getJobFromTemplate2` in its controller). A pod that begins longer after that minute than this
/// is not taken for one: the number is then a user's own (a date, a build).
const SCHEDULE_AGE_SECONDS_MAX: i64 = 30 * 24 * 3600;

/// The controlling owner of the pod, where it has one.
///
/// A ReplicaSet of a Deployment is named after it and the `pod-template-hash` that its pods carry
/// as a label. So the workload above is known without having seen the owner, and the fact says that it follows from a
/// name.
pub(super) fn of<'a>(metadata: &'a Metadata) -> Option<Owner<'a>> {
    let owner = controller(&metadata.owner_references)?;
    let above = match &*owner.kind {
        "ReplicaSet" => deployment(metadata, &owner.name).map(|name| ("Deployment", name)),
        "Job" => cron_job(metadata, &owner.name).map(|name| ("CronJob", name)),
        _ => None,
    };
    let (workload_kind, workload) = above.unwrap_or((&owner.kind, &owner.name));
    Some(Owner {
        kind: &owner.kind,
        name: &owner.name,
        workload_kind,
        workload,
        basis: match above {
            Some(_) => Basis::Name,
            None => Basis::Owner,
        },
    })
}

/// The owner that controls an object.
pub(super) fn controller<'o, 'a>(
    references: &'o Option<Vec<OwnerReference<'a>>>,
) -> Option<&'o OwnerReference<'a>> {
    let mut references = references.iter().flatten();
    references.find(|owner| owner.controller == Some(true) && !owner.name.is_empty())
}

/// The owner of a pod after it was read itself; `above` is the kind and the name of what controls it.
pub(super) fn read<'a>(owner: &Owner<'a>, above: Option<(&'a str, &'a str)>) -> Owner<'a> {
    let (workload_kind, workload) = above.unwrap_or((owner.kind, owner.name));
    Owner {
        workload_kind,
        workload,
        basis: Basis::Read,
        ..owner.clone()
    }
}

fn deployment<'a>(metadata: &Metadata, replica_set: &'a str) -> Option<&'a str> {
    let (_, hash) = metadata
        .labels
        .iter()
        .flatten()
        .find(|(key, _)| &**key == "pod-template-hash")?;
    let name = replica_set.strip_suffix(&**hash)?.strip_suffix('-')?;
    (!hash.is_empty() && !name.is_empty()).then_some(name)
}

fn cron_job<'a>(metadata: &Metadata, job: &'a str) -> Option<&'a str> {
    let (name, digits) = job.rsplit_once('-')?;
    let minutes: i64 = digits.parse().ok()?;
    let age = metadata.creation_timestamp?.as_second() - minutes.checked_mul(60)?;
    let plausible = (-60..=SCHEDULE_AGE_SECONDS_MAX).contains(&age);
    (plausible && !name.is_empty()).then_some(name)
}
