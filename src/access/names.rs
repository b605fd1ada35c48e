//! Lists of names: all, or these.

use std::collections::BTreeSet;

/// What a credential is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    All,
    Only(BTreeSet<String>),
}

impl Names {
    /// Reads a configured list. `None` where it is empty or mixes `*` with names: both are slips.
    pub fn parse(list: &[String]) -> Option<Names> {
        if list.iter().any(|name| name == "*") {
            return (list.len() == 1).then_some(Names::All);
        }
        let plain = !list.is_empty() && !list.iter().any(|name| name.contains('*'));
        plain.then(|| Names::Only(list.iter().cloned().collect()))
    }

    pub fn have(&self, name: &str) -> bool {
        match self {
            Names::All => true,
            Names::Only(names) => names.contains(name),
        }
    }

    /// The restriction for a query for `asked`, where an empty list is all. `None` where some of these are not
    /// allowed for this reader; `Some(None)` where no restriction is needed.
    pub fn restrict(&self, asked: &[String]) -> Option<Option<Vec<String>>> {
        match (self, asked) {
            (Names::All, []) => Some(None),
            (Names::Only(names), []) => Some(Some(names.iter().cloned().collect())),
            (_, asked) => {
                let all = asked.iter().all(|name| self.have(name));
                all.then(|| Some(asked.to_vec()))
            }
        }
    }
}
