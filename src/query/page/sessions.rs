//! The sessions on a page: those of the pod's name in its time, since a request does not say whose name it was.

use crate::audit::words::SessionKind;
use crate::clickhouse::Store;
use crate::query::model::{Container, Pod, Session};
use crate::query::pod_life::PodLife;
use crate::query::rows::SessionRow;
use crate::query::statement::{Row, Statement, Value, datetime64};
use crate::query::{Error, Question, view};

/// The most sessions on a page: the newest. An account that may open one may open a thousand.
const SESSIONS_MAX: usize = 100;

/// The newest sessions of a pod, oldest first.
#[derive(Default)]
pub struct Sessions {
    pub newest: Vec<Session>,
    /// Whether there are older ones.
    pub more: bool,
}

/// Those that began while the pod was there.
pub async fn newest(store: &Store, pod: &Pod, life: &PodLife) -> Result<Sessions, Error> {
    let mut sql = Statement {
        spans_shards: store.cluster().is_some(),
        ..Statement::default()
    };
    let from = view::of::<Session>(&Question::default()).from(&mut sql);
    sql.text("cluster = ?", &pod.cluster);
    sql.text("namespace = ?", &pod.namespace);
    sql.text("pod = ?", &pod.pod);
    let over = pod.removed_at.or_else(|| life.gone().map(|(at, _)| at));
    for (condition, at) in [("began_at >= ?", life.first_seen), ("began_at < ?", over)] {
        if let Some(at) = at {
            let at = Value::Text(datetime64(at.instant));
            sql.and(condition, "DateTime64(6, 'UTC')", at);
        }
    }
    let columns: Vec<&str> = SessionRow::COLUMNS.iter().map(|(name, _)| *name).collect();
    sql.sql = format!(
        "SELECT {} FROM {from} AS l{} ORDER BY began_at DESC, id DESC LIMIT {}",
        columns.join(", "),
        sql.filter(),
        SESSIONS_MAX + 1,
    );
    let rows = store.within_limit(sql.bind(store).fetch_all::<SessionRow>());
    let mut newest: Vec<Session> = rows.await?.into_iter().map(Row::life).collect();
    let more = newest.len() > SESSIONS_MAX;
    newest.truncate(SESSIONS_MAX);
    newest.reverse();
    Ok(Sessions { newest, more })
}

/// Whether a session may have been one in this container instance: whatever names no container may.
pub fn may_be_in(session: &Session, row: &Container) -> bool {
    let Some(names) = &session.container else {
        return true;
    };
    let lasts = SessionKind::of_word(&session.kind).is_some_and(SessionKind::is_stream);
    names.split(',').any(|name| name == row.container) && (!lasts || ran_then(session, row))
}

/// Starts and ends are of the node's clock, in whole seconds.
fn ran_then(session: &Session, row: &Container) -> bool {
    let second = jiff::SignedDuration::from_secs(1);
    let Some(began) = session.began_at.map(|at| at.instant) else {
        return true;
    };
    let had_started = row.started_at.is_none_or(|at| at.instant <= began);
    had_started && row.ended_at.is_none_or(|at| began < at.instant + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::model::Time;

    fn time(second: i64) -> Option<Time> {
        Some(Time {
            instant: jiff::Timestamp::from_second(second).expect("a time"),
            whole_seconds: true,
        })
    }

    #[test]
    fn sessions_that_may_have_been_in_an_instance() {
        let row = |started, ended: Option<i64>| Container {
            container: "main".to_owned(),
            started_at: started,
            ended_at: ended.and_then(time),
            ..Container::default()
        };
        let session = |kind: &str, container: Option<&str>| Session {
            kind: kind.to_owned(),
            container: container.map(str::to_owned),
            began_at: time(100),
            ..Session::default()
        };
        let lives = row(time(50), None);
        for (session, row, expected) in [
            (session("exec", Some("main")), &lives, true),
            (session("exec", Some("other")), &lives, false),
            (session("exec", None), &lives, true),
            (session("exec", Some("main")), &row(None, None), true),
            (session("exec", Some("main")), &row(time(101), None), false),
            (
                session("exec", Some("main")),
                &row(time(50), Some(100)),
                true,
            ),
            (
                session("exec", Some("main")),
                &row(time(50), Some(99)),
                false,
            ),
            // It was added before it started.
            (
                session("ephemeralcontainers", Some("a,main")),
                &row(time(101), None),
                true,
            ),
            (session("ephemeralcontainers", Some("a,b")), &lives, false),
            (session("resize", None), &row(time(101), None), true),
        ] {
            assert_eq!(may_be_in(&session, row), expected, "{session:?} {row:?}");
        }
    }
}
