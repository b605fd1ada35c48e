//! Who stands before and after an instance among those of its pod's name. Only the weak identities need it, so the
//! history is asked when the first of them is tried.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::identity::Identity;
use super::instance::{Instance, set_borders};
use super::{Error, OwnStore};
use crate::query::{self, Container, Ending, PodName, Question};

/// Names that are asked about at a time.
const NAMES_AT_A_TIME: usize = 200;

/// All instances of the pods' names of an answer.
pub struct Neighbours {
    /// What is asked; nothing where it is known already.
    history: Option<History>,
    all: OnceCell<Vec<Instance>>,
}

struct History {
    own: Arc<OwnStore>,
    /// Cluster, namespace, pod.
    names: Vec<(String, String, String)>,
}

impl Neighbours {
    /// Of instances that were selected; the others of their names are in the history.
    pub fn of(own: &Arc<OwnStore>, instances: &[Instance]) -> Neighbours {
        let names: BTreeSet<_> = instances
            .iter()
            .map(|instance| {
                let Instance {
                    cluster,
                    namespace,
                    pod,
                    ..
                } = instance;
                (cluster.clone(), namespace.clone(), pod.clone())
            })
            .collect();
        Neighbours {
            history: Some(History {
                own: own.clone(),
                names: names.into_iter().collect(),
            }),
            all: OnceCell::new(),
        }
    }

    /// Those that are known to be all.
    pub fn known(all: Vec<Instance>) -> Neighbours {
        Neighbours {
            history: None,
            all: OnceCell::new_with(Some(all)),
        }
    }

    /// Gives the instance its borders, if it is found by an identity that needs them.
    pub async fn place(&self, instance: &Instance, identity: Identity) -> Result<(), Error> {
        if !identity.shares_lines() || instance.around.get().is_some() {
            return Ok(());
        }
        let all = self.all.get_or_try_init(|| self.ask()).await?;
        set_borders(instance, all);
        Ok(())
    }

    async fn ask(&self) -> Result<Vec<Instance>, Error> {
        let mut all = Vec::new();
        let Some(History { own, names }) = &self.history else {
            return Ok(all);
        };
        for names in names.chunks(NAMES_AT_A_TIME) {
            all.extend(of_names(own, names).await?);
        }
        Ok(all)
    }
}

/// Every instance of pods of these names, whenever they were.
async fn of_names(
    own: &Arc<OwnStore>,
    names: &[(String, String, String)],
) -> Result<Vec<Instance>, Error> {
    let clusters: BTreeSet<&String> = names.iter().map(|(cluster, _, _)| cluster).collect();
    let namespaces: BTreeSet<&String> = names.iter().map(|(_, namespace, _)| namespace).collect();
    let names = names
        .iter()
        .map(|(_, namespace, pod)| PodName::exact(namespace, pod));
    let question = Question {
        clusters: clusters.into_iter().cloned().collect(),
        namespaces: namespaces.into_iter().cloned().collect(),
        names: names.collect(),
        ..Question::default()
    };
    let (rows, _) = rows(own, &question).await?;
    Ok(rows.into_iter().map(Instance::of).collect())
}

/// The instances that the history has.
pub(super) async fn rows(
    store: &Arc<OwnStore>,
    question: &Question,
) -> Result<(Vec<Container>, Ending), Error> {
    let mut answer = query::answer::<Container>(store, question)?;
    let mut rows = Vec::new();
    while let Some(row) = answer.next().await? {
        rows.push(row);
    }
    let ending = answer.ending().await?;
    Ok((rows, ending))
}
