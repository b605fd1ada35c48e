//! Columns that rows repeat and judging looks at: accounts, addresses, workloads.

use super::life::Life;
use crate::rows::{Basis, Owner};

/// As answers show an account: `a as b` where a impersonated b.
pub(super) fn account(user: &str, acting_as: &str) -> Option<String> {
    match (user, acting_as) {
        ("", _) => None,
        (user, "") => Some(user.to_owned()),
        (user, acting_as) => Some(format!("{user} as {acting_as}")),
    }
}

pub(super) fn text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The addresses in order of first sight, with its time.
pub(super) fn sights(life: &Life) -> impl Iterator<Item = (String, i64)> {
    let sights = life.addresses.sights().into_iter();
    sights.map(|(ip, at)| (ip.to_canonical().to_string(), at))
}

pub(super) fn addresses(life: &Life) -> Vec<String> {
    sights(life).map(|(ip, _)| ip).collect()
}

/// Kind and name of the workload, and whether it was inferred.
pub(super) fn workload<'a>(life: &Life<'a>) -> (Option<&'a str>, Option<&'a str>, bool) {
    workload_of(life.described.owner())
}

pub(super) fn workload_of<'a>(
    owner: Option<&Owner<'a>>,
) -> (Option<&'a str>, Option<&'a str>, bool) {
    match owner {
        Some(owner) => (
            text(owner.workload_kind),
            text(owner.workload),
            owner.basis == Basis::Name,
        ),
        None => (None, None, false),
    }
}
