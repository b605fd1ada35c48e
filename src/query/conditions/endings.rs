//! How lives began and ended: states, reasons, exit codes, accounts.

use super::fits::{fits, is_by, is_number};
use crate::audit::words::EndedWhy;
use crate::query::statement::{Statement, Value};
use crate::query::{LifeState, Question};

/// Why a pod or a container ended that nobody, and nothing, had asked to. What processes exit with that were asked to end is
/// no failure.
const BY_ITSELF: [EndedWhy; 6] = [
    EndedWhy::Exited,
    EndedWhy::Finished,
    EndedWhy::DeadlineExceeded,
    EndedWhy::NodePressure,
    EndedWhy::NodeLost,
    EndedWhy::Unknown,
];

/// Of pods, by their own columns.
pub(super) fn of_pods(question: &Question, sql: &mut Statement) {
    common(question, "restarts", sql);
    let is_finished = "coalesce(phase, '') IN ('Succeeded', 'Failed')";
    let state = match question.state {
        None => None,
        Some(LifeState::Pending) => Some("over_at IS NULL AND phase = 'Pending'".to_owned()),
        Some(LifeState::Running) => Some(format!(
            "over_at IS NULL AND coalesce(phase, '') != 'Pending' AND NOT {is_finished}"
        )),
        Some(LifeState::Ended) => Some(format!("(over_at IS NOT NULL OR {is_finished})")),
        Some(LifeState::Failed) => {
            let by_itself = by_itself(sql);
            Some(format!("phase = 'Failed' AND {by_itself}"))
        }
    };
    sql.conditions.extend(state);
    by(
        question,
        &["ended_by", "ended_cause", "delete_asked_by"],
        sql,
    );
    if !question.created_by.is_empty() {
        let is_by = is_by(&["created_by"], &question.created_by, sql);
        sql.conditions.push(is_by);
    }
    if !question.service_accounts.is_empty() {
        let account = "coalesce(service_account, '')";
        let fits = fits(account, &question.service_accounts, sql);
        sql.conditions.push(fits);
    }
}

/// Of container instances, by their own columns.
pub(super) fn of_containers(question: &Question, sql: &mut Statement) {
    common(question, "restart", sql);
    let state = match question.state {
        None | Some(LifeState::Pending) => None,
        Some(LifeState::Running) => Some("over_at IS NULL".to_owned()),
        Some(LifeState::Ended) => Some("ended_at IS NOT NULL".to_owned()),
        Some(LifeState::Failed) => Some(failed(sql)),
    };
    sql.conditions.extend(state);
    by(question, &["ended_by", "ended_cause"], sql);
    if !question.reasons.is_empty() {
        let fits = fits("coalesce(reason, '')", &question.reasons, sql);
        sql.conditions.push(fits);
    }
    if let Some(exit_codes) = &question.exit_codes {
        let is_it = is_number("exit_code", exit_codes, sql);
        sql.conditions.push(is_it);
    }
}

/// Whether a container instance ended with a failure.
pub(in crate::query) fn failed(sql: &mut Statement) -> String {
    let by_itself = by_itself(sql);
    format!("ended_at IS NOT NULL AND (reason = 'OOMKilled' OR exit_code != 0 AND {by_itself})")
}

fn common(question: &Question, restarts: &str, sql: &mut Statement) {
    if !question.why.is_empty() {
        let words = words(&question.why);
        sql.and("has(?, coalesce(ended_why, ''))", "Array(String)", words);
    }
    if let Some(wanted) = &question.restarts {
        let is_it = is_number(restarts, wanted, sql);
        sql.conditions.push(is_it);
    }
}

fn by(question: &Question, accounts: &[&str], sql: &mut Statement) {
    if !question.by.is_empty() {
        let is_by = is_by(accounts, &question.by, sql);
        sql.conditions.push(is_by);
    }
}

fn by_itself(sql: &mut Statement) -> String {
    let words = sql.value("Array(String)", words(&BY_ITSELF));
    format!("(ended_why IS NULL OR has({words}, coalesce(ended_why, '')))")
}

fn words(all: &[EndedWhy]) -> Value {
    Value::Texts(all.iter().map(|why| why.word().to_owned()).collect())
}
