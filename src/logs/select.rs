//! Which instances are meant.

use std::sync::Arc;

use super::instance::{Instance, once};
use super::neighbours::{Neighbours, rows};
use super::{Error, OwnStore};
use crate::query::{Container, Order, Question};

/// The most instances of one question.
pub const INSTANCES_MAX: u64 = 1_000;

/// Which of the instances that a question finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Names of containers; none: those of kind `app`, unless `all_containers`.
    pub containers: Vec<String>,
    pub all_containers: bool,
    /// Of each container of the newest pod of a name only the last instance that this leaves: 0 the last, 1 the one
    /// before it. `None`: all instances.
    pub back: Option<usize>,
    /// The number of the restart.
    pub restart: Option<u32>,
}

/// What a question and a choice name.
pub struct Selected {
    /// Oldest first.
    pub instances: Vec<Instance>,
    pub(super) neighbours: Arc<Neighbours>,
    /// Whether there were more than 1000; the newest are there.
    pub more: bool,
    /// Where there is none: which names of the question are not known.
    pub hints: Vec<String>,
}

/// Finds the instances that are meant.
///
/// # Errors
///
/// When ClickHouse can't be reached or refuses.
pub async fn select(
    store: &Arc<OwnStore>,
    question: &Question,
    choice: &Choice,
) -> Result<Selected, Error> {
    let question = Question {
        limit: Some(INSTANCES_MAX),
        order: Order::Newest,
        ..question.clone()
    };
    let (rows, ending) = rows(store, &question).await?;
    // Of a name without a time they are all there.
    let is_all = is_of_names_alone(&question) && !ending.more;
    let all = is_all.then(|| rows.iter().cloned().map(Instance::of).collect());
    let instances = choice.of(rows);
    let neighbours = match all {
        Some(all) => Neighbours::known(all),
        None => Neighbours::of(store, &instances),
    };
    Ok(Selected {
        instances,
        neighbours: Arc::new(neighbours),
        more: ending.more,
        hints: ending.hints,
    })
}

/// Whether every instance of the pods that it names is meant.
fn is_of_names_alone(question: &Question) -> bool {
    let rest = Question {
        clusters: Vec::new(),
        namespaces: Vec::new(),
        names: Vec::new(),
        limit: None,
        order: Order::default(),
        visible: None,
        ..question.clone()
    };
    !question.names.is_empty() && rest == Question::default()
}

impl Choice {
    fn of(&self, rows: Vec<Container>) -> Vec<Instance> {
        once(self.rows(rows).into_iter().map(Instance::of).collect())
    }

    /// Those of the rows that are meant, oldest first. `rows` come newest first.
    #[must_use]
    pub fn rows(&self, rows: Vec<Container>) -> Vec<Container> {
        let is_wanted = |row: &Container| {
            let by_name = match self.containers.is_empty() {
                true => self.all_containers || row.kind == "app",
                false => self.containers.contains(&row.container),
            };
            by_name && self.restart.is_none_or(|restart| row.restart == restart)
        };
        let mut rows: Vec<Container> = rows.into_iter().filter(is_wanted).collect();
        if let Some(back) = self.back {
            rows = last_of_each(rows, back);
        }
        rows.reverse();
        rows
    }
}

/// Of each container of the newest pod of each name, the instance that is so many before the last one.
fn last_of_each(rows: Vec<Container>, back: usize) -> Vec<Container> {
    let mut newest = std::collections::HashMap::new();
    let mut seen = std::collections::HashMap::new();
    let mut kept = Vec::new();
    for row in rows {
        let name = (row.cluster.clone(), row.namespace.clone(), row.pod.clone());
        if *newest.entry(name.clone()).or_insert(row.pod_uid) != row.pod_uid {
            continue;
        }
        let nth = seen.entry((name, row.container.clone())).or_insert(0);
        if *nth == back {
            kept.push(row);
        }
        *nth += 1;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `uid container kind restart`, newest first.
    fn rows(text: &str) -> Vec<Container> {
        let row = |line: &str| {
            let parts: Vec<&str> = line.split_whitespace().collect();
            Container {
                pod: "web-0".to_owned(),
                pod_uid: uuid::Uuid::from_u128(parts[0].parse().unwrap()),
                container: parts[1].to_owned(),
                kind: parts[2].to_owned(),
                restart: parts[3].parse().unwrap(),
                ..Container::default()
            }
        };
        text.split(", ").map(row).collect()
    }

    const ROWS: &str = "2 app app 1, 2 log sidecar 0, 2 app app 0, 2 setup init 0, 1 app app 3";

    fn check(choice: Choice, expected: &str) {
        let chosen = choice.of(rows(ROWS)).into_iter().map(|instance| {
            format!(
                "{} {} {}",
                instance.uid.as_u128(),
                instance.container,
                instance.restart
            )
        });
        assert_eq!(
            chosen.collect::<Vec<_>>().join(", "),
            expected,
            "{choice:?}"
        );
    }

    #[test]
    fn choices() {
        let choice = Choice::default;
        check(choice(), "1 app 3, 2 app 0, 2 app 1");
        let all_containers = true;
        let all = Choice {
            all_containers,
            ..choice()
        };
        check(all.clone(), "1 app 3, 2 setup 0, 2 app 0, 2 log 0, 2 app 1");
        check(
            Choice {
                back: Some(0),
                ..choice()
            },
            "2 app 1",
        );
        check(
            Choice {
                back: Some(1),
                ..choice()
            },
            "2 app 0",
        );
        check(
            Choice {
                back: Some(2),
                ..choice()
            },
            "",
        );
        check(
            Choice {
                back: Some(0),
                ..all
            },
            "2 setup 0, 2 log 0, 2 app 1",
        );
        check(
            Choice {
                restart: Some(3),
                ..choice()
            },
            "1 app 3",
        );
        let containers = vec!["setup".to_owned()];
        check(
            Choice {
                containers,
                ..choice()
            },
            "2 setup 0",
        );
    }
}
