//! Look-ups by uid, by container ID and by name, asked as plainly as ClickHouse can plan them.
//!
//! A view of one pod reads every stored row of a life and chooses the newest. To plan that costs ClickHouse more than to
//! do it (on an empty database 11 ms of CPU, of which the SELECTs of both tables take 7), so the rows are chosen
//! here. That needs no more of Kubernetes than the views do: the same rows count, by their version.
//!
//! Only where each condition is about what identifies a life, and so holds for all of its rows or for none.

use std::cmp::Reverse;

use super::conditions::conditions;
use super::model::Life;
use super::newest::ROWS_MAX;
use super::statement::{Row, Statement, Wanted};
use super::view::{self, By};
use super::{Cursor, Order, PodName, Question};
use crate::clickhouse::Store;

/// The statement, if the question is such a look-up: recent rows, then ended ones, in no order.
pub(super) fn statement<L: Life>(
    store: &Store,
    question: &Question,
    wanted: &[Wanted],
    of_look_up: &[(&str, &str)],
) -> Option<Statement> {
    let view = view::of::<L>(question);
    if store.cluster().is_some() || !is_plain(question, view.by) {
        return None;
    }
    let mut statement = Statement::default();
    let (look_up, tables) = view.look_up(&mut statement)?;
    conditions::<L>(question, view.by, &mut statement);
    let more: Vec<String> = statement
        .conditions
        .iter()
        .map(|it| format!(" AND {it}"))
        .collect();
    let selects = tables.iter().zip(look_up.hidden).map(|(table, hidden)| {
        let wanted = wanted.iter().map(|(name, absent, is_asked)| {
            let shown = look_up.shown(name).filter(|_| *is_asked);
            format!("{} AS {name}", shown.unwrap_or(absent))
        });
        let own = of_look_up.iter().map(|(name, _)| match *name {
            "hidden" => format!("toBool({hidden}) AS hidden"),
            name => name.to_owned(),
        });
        let columns: Vec<String> = wanted.chain(own).collect();
        format!(
            "SELECT {} FROM {table}{} LIMIT {}",
            columns.join(", "),
            more.concat(),
            ROWS_MAX + 1
        )
    });
    let selects: Vec<String> = selects.collect();
    statement.sql = format!(
        "{} SETTINGS min_table_rows_to_use_projection_index = 0",
        selects.join(" UNION ALL ")
    );
    Some(statement)
}

/// Whether all its conditions are about columns of the tables' keys.
fn is_plain(question: &Question, by: By) -> bool {
    let others = Question {
        clusters: Vec::new(),
        namespaces: Vec::new(),
        names: Vec::new(),
        uid: None,
        container_id: None,
        limit: None,
        order: Order::default(),
        fields: Vec::new(),
        visible: None,
        explain: false,
        ..question.clone()
    };
    let is_one = match by {
        By::Uid => question.container_id.is_none(),
        By::Id => question.uid.is_none(),
        // Of a pattern there may be many.
        By::Nothing => {
            !question.names.is_empty() && question.names.iter().all(PodName::is_of_one_name)
        }
        _ => false,
    };
    is_one && others == Question::default()
}

/// As ClickHouse orders answers, since a cursor goes on there.
pub(super) fn sort<L: Life>(rows: &mut [L::Row], order: Order) {
    match order {
        Order::Newest => rows.sort_by_cached_key(|row| Reverse(place(row.cursor()))),
        Order::Oldest => rows.sort_by_cached_key(|row| place(row.cursor())),
    }
}

/// ClickHouse compares the second halves of UUIDs first.
fn place(cursor: Cursor) -> (i64, u128, String, String) {
    let Cursor {
        start,
        pod_uid,
        container,
        container_id,
    } = cursor;
    let halves = pod_uid.as_u128().rotate_left(64);
    (start, halves, container, container_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_that_may_hold_for_an_older_row_are_for_the_view() {
        let uid = Question {
            uid: Some(uuid::Uuid::from_u128(1)),
            ..Question::default()
        };
        let cases: [(&str, bool, Question); 5] = [
            ("uid", true, uid.clone()),
            (
                "scope",
                true,
                Question {
                    clusters: vec!["prod".into()],
                    namespaces: vec!["shop-*".into()],
                    limit: Some(5),
                    order: Order::Oldest,
                    fields: vec!["node".into()],
                    ..uid.clone()
                },
            ),
            (
                "node",
                false,
                Question {
                    node: Some("node-1".into()),
                    ..uid.clone()
                },
            ),
            (
                "time",
                false,
                Question {
                    time: super::super::Window::at(jiff::Timestamp::UNIX_EPOCH),
                    ..uid.clone()
                },
            ),
            (
                "ID too",
                false,
                Question {
                    container_id: Some("0123456789ab".into()),
                    ..uid
                },
            ),
        ];
        for (what, expected, question) in cases {
            assert_eq!(is_plain(&question, By::Uid), expected, "{what}");
        }
        assert!(!is_plain(&Question::default(), By::Nothing));
        for (names, expected) in [
            (vec!["web-0"], true),
            (vec!["shop/web-0", "shop/web-1/app"], true),
            (vec!["shop/web-0", "web-*"], false),
        ] {
            let question = Question {
                names: names.iter().map(|name| name.parse().unwrap()).collect(),
                ..Question::default()
            };
            assert_eq!(is_plain(&question, By::Nothing), expected, "{names:?}");
            assert!(!is_plain(&question, By::Time), "{names:?}");
        }
    }

    /// As `SELECT ... ORDER BY` orders these: by the second half, then by the first.
    #[test]
    fn uids_of_one_instant_are_in_the_order_of_clickhouse() {
        let uids = [
            "00000000-0000-0002-0000-000000000000",
            "ffffffff-0000-0002-0000-000000000000",
            "00000000-0000-0001-0000-000000000001",
            "00000000-0000-0001-ffff-000000000000",
        ];
        let places = uids.map(|uid| {
            let cursor: Cursor = format!("5.{uid}.app.").parse().unwrap();
            place(cursor)
        });
        assert!(places.is_sorted());
    }
}
