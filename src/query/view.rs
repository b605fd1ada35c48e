//! Which view answers a question with the least reading.

use super::Question;
use super::model::Life;
use super::statement::{Row, Statement, Value, bare_id, datetime64};

/// Container IDs are looked up by so many hex digits.
const ID_HEAD: usize = 8;

/// A whole one has so many.
const ID_WHOLE: usize = 64;

/// The view, with its parameters.
pub(super) fn of<L: Life>(question: &Question, sql: &mut Statement) -> String {
    if let Some(uid) = question.uid {
        let uid = sql.value("UUID", Value::Text(uid.to_string()));
        return format!("{}(uid = {uid})", L::Row::BY_UID);
    }
    if let Some(prefix) = L::Row::BY_ID.and(id_head(question)) {
        let prefix = sql.value("String", Value::Text(prefix));
        return format!("containers_by_id(prefix = {prefix})");
    }
    if let (Some(view), Some(ip)) = (L::Row::BY_IP, question.ip) {
        let ip = sql.value("String", Value::Text(ip.to_canonical().to_string()));
        return format!(
            "{view}(ip = {ip}, {}, {})",
            cluster(question, sql),
            window(question, sql)
        );
    }
    if let (Some(view), Some(node)) = (L::Row::BY_NODE, &question.node) {
        let node = sql.value("String", Value::Text(node.clone()));
        return format!(
            "{view}(node = {node}, {}, {})",
            cluster(question, sql),
            window(question, sql)
        );
    }
    let time = &question.time;
    if time.since.is_none() && time.until.is_none() {
        return L::Row::VIEW.to_owned();
    }
    format!("{}_between({})", L::Row::VIEW, window(question, sql))
}

/// The container ID, if it is long enough to be looked up, and of the form that is: 64 hex digits, or the first of
/// these. (A UUID begins with eight of them too.)
pub(super) fn id_head(question: &Question) -> Option<String> {
    let id = bare_id(question.container_id.as_deref()?);
    let is_hex = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex && (ID_HEAD..=ID_WHOLE).contains(&id.len())).then_some(id)
}

fn cluster(question: &Question, sql: &mut Statement) -> String {
    let only = match &*question.clusters {
        [cluster] => cluster.clone(),
        _ => String::new(),
    };
    format!("cluster = {}", sql.value("String", Value::Text(only)))
}

fn window(question: &Question, sql: &mut Statement) -> String {
    let time = &question.time;
    let mut instant =
        |at: jiff::Timestamp| sql.value("DateTime64(6, 'UTC')", Value::Text(datetime64(at)));
    let since = instant(time.since.unwrap_or(jiff::Timestamp::UNIX_EPOCH));
    let until = instant(time.until.unwrap_or(jiff::Timestamp::MAX));
    format!("since = {since}, until = {until}")
}
