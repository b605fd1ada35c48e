//! Which view answers a question with the least reading.

use super::model::Life;
use super::statement::{Row, Statement, Value, bare_id, datetime64};
use super::{CONTAINER_ID_DIGITS, Question};
use crate::schema::{self, LookUp};

/// What a view takes as its parameters, and so need not be a condition as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Nothing,
    Time,
    Uid,
    Id,
    /// With the time.
    Ip,
    /// With the time.
    Node,
}

impl By {
    pub fn has_time(self) -> bool {
        matches!(self, By::Time | By::Ip | By::Node)
    }
}

/// Name, type, value.
type Parameter = (&'static str, &'static str, String);

/// A view, and its parameters.
pub struct View {
    name: String,
    parameters: Vec<Parameter>,
    pub by: By,
}

impl View {
    /// The text after `FROM`.
    ///
    /// Where the database that is asked has the tables, that is the text of the view, not its name: ClickHouse plans
    /// it in about half the time.
    pub(super) fn from(&self, sql: &mut Statement) -> String {
        match schema::select(&self.name) {
            Some(select) if !sql.spans_shards => self.text(select, sql),
            _ => self.named(sql),
        }
    }

    /// The tables that it reads and the conditions for their rows, recent ones first, if it is a look-up.
    pub(super) fn look_up(&self, sql: &mut Statement) -> Option<(&'static LookUp, [String; 2])> {
        let look_up = schema::look_up(&self.name)?;
        let tables = [&look_up.recent, &look_up.ended].map(Clone::clone);
        Some((look_up, self.bind(tables, sql)))
    }

    fn named(&self, sql: &mut Statement) -> String {
        let parameters = self.parameters.iter().map(|(name, kind, value)| {
            let value = sql.value(kind, Value::Text(value.clone()));
            format!("{name} = {value}")
        });
        let parameters: Vec<String> = parameters.collect();
        match &*parameters {
            [] => self.name.clone(),
            parameters => format!("{}({})", self.name, parameters.join(", ")),
        }
    }

    fn text(&self, select: &str, sql: &mut Statement) -> String {
        let [text] = self.bind([format!("(\n{select}\n)")], sql);
        text
    }

    /// Its parameters become the statement's.
    fn bind<const N: usize>(&self, mut texts: [String; N], sql: &mut Statement) -> [String; N] {
        for (name, kind, value) in &self.parameters {
            let place = sql.value(kind, Value::Text(value.clone()));
            for text in &mut texts {
                *text = text.replace(&format!("{{{name}:{kind}}}"), &place);
            }
        }
        texts
    }
}

/// The view that reads least.
pub(super) fn of<L: Life>(question: &Question) -> View {
    let view = |name: &str, by, parameters| View {
        name: name.to_owned(),
        parameters,
        by,
    };
    if let (Some(name), Some(uid)) = (L::Row::BY_UID, question.uid) {
        let uid = ("uid", "UUID", uid.to_string());
        return view(name, By::Uid, vec![uid]);
    }
    if let Some(prefix) = L::Row::BY_ID.and(id_head(question)) {
        let prefix = ("prefix", "String", prefix);
        return view("containers_by_id", By::Id, vec![prefix]);
    }
    let [since, until] = window(question);
    if let (Some(name), Some(ip)) = (L::Row::BY_IP, question.ip) {
        let ip = ("ip", "String", ip.to_canonical().to_string());
        return view(name, By::Ip, vec![ip, cluster(question), since, until]);
    }
    if let (Some(name), Some(node)) = (L::Row::BY_NODE, &question.node) {
        let node = ("node", "String", node.clone());
        return view(name, By::Node, vec![node, cluster(question), since, until]);
    }
    let time = &question.time;
    if time.since.is_none() && time.until.is_none() {
        return view(L::Row::VIEW, By::Nothing, Vec::new());
    }
    let between = format!("{}_between", L::Row::VIEW);
    view(&between, By::Time, vec![since, until])
}

/// The container ID, if it is long enough to be looked up, and of the form that is: 64 hex digits, or the first of
/// these. (A UUID begins with eight of them too.)
fn id_head(question: &Question) -> Option<String> {
    let id = bare_id(question.container_id.as_deref()?);
    let is_hex = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex && CONTAINER_ID_DIGITS.contains(&id.len())).then_some(id)
}

fn cluster(question: &Question) -> Parameter {
    let only = match &*question.clusters {
        [cluster] => cluster.clone(),
        _ => String::new(),
    };
    ("cluster", "String", only)
}

fn window(question: &Question) -> [Parameter; 2] {
    let time = &question.time;
    let instant = |name, at| (name, "String", datetime64(at));
    [
        instant("since", time.since.unwrap_or(jiff::Timestamp::UNIX_EPOCH)),
        instant("until", time.until.unwrap_or(jiff::Timestamp::MAX)),
    ]
}
