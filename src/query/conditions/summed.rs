//! Conditions of summaries: which of what is summed up.

use super::{fits, is_top_owner};
use crate::query::statement::Statement;
use crate::query::{Group, Summed};

/// Whether a row belongs to one of these.
pub(in crate::query) fn is_summed(group: Group, names: &[Summed], sql: &mut Statement) -> String {
    let [.., name] = group.keys();
    let (mut plain, mut any) = (Vec::new(), Vec::new());
    for summed in names {
        match summed {
            Summed::Name(pattern) => plain.push(pattern.clone()),
            Summed::Workload(workload) => any.push(format!("({})", is_top_owner(workload, sql))),
        }
    }
    if !plain.is_empty() {
        any.push(fits(name, &plain, sql));
    }
    format!("({})", any.join(" OR "))
}
