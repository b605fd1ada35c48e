//! What a question asks for, as conditions and joins.

mod described;
mod endings;
mod fits;
mod summed;

use jiff::Timestamp;

use super::model::{Container, Life, Pod};
use super::statement::{Row, Statement, Value, bare_id, datetime64};
use super::view::{self, By};
use super::{Cursor, Order, Pattern, PodName, Question, Window};
pub(super) use described::{has_label, is_owned, is_top_owner};
use described::{labels, workload};
pub(super) use endings::failed;
pub(super) use fits::{fits, is_by, is_named};
pub(super) use summed::is_summed;

/// In the clusters and the namespaces that are asked for; the names of namespaces may have wildcards.
pub(super) fn scope(question: &Question, sql: &mut Statement) {
    let lists = [
        ("cluster", &question.clusters),
        ("namespace", &question.namespaces),
    ];
    for (column, names) in lists {
        if names.is_empty() {
            continue;
        }
        let patterns: Vec<Pattern> = names.iter().map(Pattern::new).collect();
        if column == "namespace" && !patterns.iter().all(Pattern::is_exact) {
            let fits = fits(column, &patterns, sql);
            sql.conditions.push(fits);
            continue;
        }
        // A plain comparison uses the key of the tables; a list of names does too.
        let names = Value::Texts(names.clone());
        sql.and(&format!("{column} IN (?)"), "Array(String)", names);
    }
}

/// All conditions, but for those that the view's parameters are.
pub(super) fn conditions<L: Life>(question: &Question, by: By, sql: &mut Statement) {
    scope(question, sql);
    if !by.has_time() {
        time(question, sql);
    }
    if !question.names.is_empty() {
        let is_named = is_named(&question.names, L::Row::CONTAINER_NAME, sql);
        sql.conditions.push(is_named);
    }
    if let Some(user) = &question.user {
        let is_user = is_user(user, sql);
        sql.conditions.push(is_user);
    }
    if let (Some(node), true) = (&question.node, by != By::Node) {
        sql.text("node = ?", node);
    }
    match L::Row::BY_ID {
        Some(()) => of_containers(question, by, sql),
        None => of_pods(question, by, sql),
    }
    if let Some(cursor) = &question.cursor {
        after::<L>(cursor, question.order, sql);
    }
}

fn time(question: &Question, sql: &mut Statement) {
    if let Some(since) = question.time.since {
        instant(sql, "(over_at IS NULL OR over_at > ?)", since);
    }
    if let Some(until) = question.time.until {
        instant(sql, "began_at < ?", until);
    }
}

fn instant(sql: &mut Statement, condition: &str, at: Timestamp) {
    sql.and(
        condition,
        "DateTime64(6, 'UTC')",
        Value::Text(datetime64(at)),
    );
}

/// Pods have the images and the IDs of their containers, whenever these ran: at the time that is asked
/// for one may not have begun, or be over. What their containers ended with counts if it was in that time.
fn of_pods(question: &Question, by: By, sql: &mut Statement) {
    labels(question, sql);
    workload(question, true, sql);
    endings::of_pods(question, sql);
    if question.image.is_some() {
        let with_image = Question {
            image: question.image.clone(),
            ..in_scope(question)
        };
        found_by::<Container>(&with_image, sql);
    }
    if let (Some(ip), true) = (question.ip, by != By::Ip) {
        // A pod on its node's network has the node's address and does not own it.
        let owned = "has(pod_ips, ?) AND NOT host_network";
        sql.text(owned, &ip.to_canonical().to_string());
    }
    if question.container_id.is_some() {
        let with_id = Question {
            container_id: question.container_id.clone(),
            ..in_scope(question)
        };
        found_by::<Container>(&with_id, sql);
    }
    let of_end = Question {
        reasons: question.reasons.clone(),
        exit_codes: question.exit_codes.clone(),
        time: question.time,
        ..in_scope(question)
    };
    if question.exit_codes.is_some() {
        found_by::<Container>(&of_end, sql);
    } else if !question.reasons.is_empty() {
        // The reason may be the pod's own: Evicted, DeadlineExceeded.
        let own = fits("coalesce(status_reason, '')", &question.reasons, sql);
        let found = found::<Container>(&of_end, "LEFT ANY JOIN", sql);
        sql.conditions.push(format!("({own} OR {found} = pod_uid)"));
    }
}

/// Containers have an address as long as their pod has it. Their tables do not have the pod's labels, its account,
/// its creator, or the controller between it and its workload.
fn of_containers(question: &Question, by: By, sql: &mut Statement) {
    endings::of_containers(question, sql);
    let is_top = question.workload.as_ref().is_some_and(|it| it.is_top());
    if is_top {
        workload(question, false, sql);
    }
    let of_pod = Question {
        labels: question.labels.clone(),
        workload: question.workload.clone().filter(|_| !is_top),
        created_by: question.created_by.clone(),
        service_accounts: question.service_accounts.clone(),
        ..in_scope(question)
    };
    if of_pod != in_scope(question) {
        let with_more = Question {
            labels_in: Some(question.time),
            names: question
                .names
                .iter()
                .map(PodName::without_container)
                .collect(),
            uid: question.uid,
            time: around(question.time),
            ..of_pod
        };
        found_by::<Pod>(&with_more, sql);
    }
    if let Some(image) = &question.image {
        let has_image = has_image(image, sql);
        sql.conditions.push(has_image);
    }
    if question.ip.is_some() {
        let with_ip = Question {
            ip: question.ip,
            time: question.time,
            ..in_scope(question)
        };
        found_by::<Pod>(&with_ip, sql);
    }
    if let (Some(id), true) = (&question.container_id, by != By::Id) {
        sql.text("startsWith(lower(container_id), ?)", &bare_id(id));
    }
}

/// The account, or the account that it impersonated.
pub(super) fn is_user(user: &str, sql: &mut Statement) -> String {
    let user = sql.value("String", Value::Text(user.to_owned()));
    format!("(asked_by = {user} OR has(splitByString(' as ', coalesce(asked_by, '')), {user}))")
}

/// By a part of its name or its ID.
pub(super) fn has_image(image: &str, sql: &mut Statement) -> String {
    let image = sql.value("String", Value::Text(image.to_owned()));
    format!("position(concat(coalesce(image, ''), ' ', coalesce(image_id, '')), {image}) > 0")
}

/// When the pods lived whose containers ran then. The containers' times are of their nodes' clocks, which may be off.
fn around(time: Window) -> Window {
    let margin = jiff::SignedDuration::from_hours(1);
    Window {
        since: time.since.and_then(|since| since.checked_sub(margin).ok()),
        until: time.until.and_then(|until| until.checked_add(margin).ok()),
    }
}

/// Asks for everything in the scope of another question.
fn in_scope(question: &Question) -> Question {
    Question {
        clusters: question.clusters.clone(),
        namespaces: question.namespaces.clone(),
        ..Question::default()
    }
}

/// The row's pod is one that another question finds.
fn found_by<L: Life>(question: &Question, sql: &mut Statement) {
    found::<L>(question, "LEFT SEMI JOIN", sql);
}

/// Joins the pods that another question finds. Returns the column of their uids.
///
/// A join: `IN (SELECT ..)` is handed to every shard, which can't ask that of all of them.
fn found<L: Life>(question: &Question, join: &str, sql: &mut Statement) -> String {
    let mut other = Statement {
        values: std::mem::take(&mut sql.values),
        spans_shards: sql.spans_shards,
        ..Statement::default()
    };
    let view = view::of::<L>(question);
    let from = view.from(&mut other);
    conditions::<L>(question, view.by, &mut other);
    let (name, filter) = (format!("f{}", sql.joins.len()), other.filter());
    sql.joins.push(format!(
        " {join} (SELECT pod_uid AS found FROM {from}{filter}) AS {name} \
         ON pod_uid = {name}.found"
    ));
    sql.values = other.values;
    format!("{name}.found")
}

/// What comes behind the cursor in the order of answers.
fn after<L: Life>(cursor: &Cursor, order: Order, sql: &mut Statement) {
    let (id, (container, container_id)) = (L::Row::ID, L::Row::CONTAINER);
    let start = Timestamp::from_microsecond(cursor.start).unwrap_or(Timestamp::MIN);
    let behind = match order {
        Order::Newest => "<",
        Order::Oldest => ">",
    };
    let place = sql.values.len();
    let names: Vec<String> = (place..place + 4).map(|n| format!("p{n}")).collect();
    sql.conditions.push(format!(
        "(began_at, {id}, {container}, {container_id}) {behind} \
         ({{{}:DateTime64(6, 'UTC')}}, {{{}:UUID}}, {{{}:String}}, {{{}:String}})",
        names[0], names[1], names[2], names[3]
    ));
    let values = [
        datetime64(start),
        cursor.pod_uid.to_string(),
        cursor.container.clone(),
        cursor.container_id.clone(),
    ];
    sql.values
        .extend(names.into_iter().zip(values.map(Value::Text)));
}
