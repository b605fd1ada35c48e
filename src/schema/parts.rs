//! What is put into the SQL files where they say `@name@`.

use crate::audit::words::NameEvent;
use crate::fold::bucket::BOUNDS;
use crate::rows::{Column, ContainerRow, PodRow};

const FRAGMENTS: &str = include_str!("../../schema/fragments.sql");

/// Parts may contain others, to this many levels.
const LEVELS_MAX: usize = 4;

/// What only the fold and reconcile need.
const HIDDEN: [&str; 11] = [
    "version",
    "read_at",
    "class",
    "filed_from",
    "returned",
    "complete",
    "pruned",
    "void",
    "judged",
    "copied",
    "state",
];

/// Puts all parts of the schema in.
pub(super) fn expand(sql: &str) -> String {
    let parts: Vec<(&str, String)> = parts_of(FRAGMENTS).chain(made()).collect();
    put_in(sql, &parts)
}

/// The parts of a file: `-- @name` begins one, the next such line ends it.
pub fn parts_of(text: &'static str) -> impl Iterator<Item = (&'static str, String)> {
    let parts = text.split("\n-- @").skip(1);
    let parts = parts.filter_map(|part| part.split_once('\n'));
    parts.map(|(name, text)| (name, text.trim().to_owned()))
}

/// Puts parts, by their names, where they are named.
pub fn put_in(sql: &str, parts: &[(&str, String)]) -> String {
    let mut text = sql.to_owned();
    for _ in 0..LEVELS_MAX {
        for (name, part) in parts {
            text = text.replace(&format!("@{name}@"), part);
        }
    }
    text
}

fn made() -> [(&'static str, String); 10] {
    let class = parts_of(FRAGMENTS).find(|(name, _)| *name == "class");
    let class = class.map_or(String::new(), |(_, text)| text);
    let classes = BOUNDS.iter().enumerate().map(|(number, bound)| {
        let class = class.replace("@number@", &number.to_string());
        class.replace("@bound@", &bound.to_string())
    });
    let name_events = NameEvent::ALL
        .iter()
        .map(|saying| format!("'{}' = {}", saying.word(), saying.number()));
    [
        ("classes", classes.collect::<Vec<_>>().join("\n    OR ")),
        ("name_events", name_events.collect::<Vec<_>>().join(", ")),
        ("pod_columns", columns(PodRow::COLUMNS)),
        ("container_columns", columns(ContainerRow::COLUMNS)),
        ("recent_pod_columns", plain_columns(PodRow::COLUMNS)),
        (
            "recent_container_columns",
            plain_columns(ContainerRow::COLUMNS),
        ),
        ("pods", select(PodRow::COLUMNS)),
        ("containers", select(ContainerRow::COLUMNS)),
        ("pods_view", view(PodRow::COLUMNS)),
        ("containers_view", view(ContainerRow::COLUMNS)),
    ]
}

fn columns(columns: &[Column]) -> String {
    let lines: Vec<String> = columns.iter().map(Column::ddl).collect();
    lines.join(",\n")
}

/// The same without codecs. Recent rows are in granules of 32, each column of each compressed separately, and are
/// rewritten with every merge: ZSTD costs twice the time there, and its output is larger than LZ4's.
fn plain_columns(columns: &[Column]) -> String {
    let plain = columns.iter().map(|column| Column {
        codec: "",
        ..*column
    });
    let lines: Vec<String> = plain.map(|column| column.ddl()).collect();
    lines.join(",\n")
}

/// What people see of a column: name, type, expression; nothing of some.
pub(super) fn seen(column: &Column) -> Option<(&'static str, String, String)> {
    let (name, kind) = (column.name, column.kind.to_owned());
    Some(match name {
        name if HIDDEN.contains(&name) || name == "id_text" => return None,
        "container_key" => (
            "container_id",
            "Nullable(String)".to_owned(),
            "nullIf(if(id_text = '', lower(hex(container_key)), id_text), '-')".to_owned(),
        ),
        "node" => (
            name,
            "LowCardinality(Nullable(String))".to_owned(),
            "nullIf(node, '')".to_owned(),
        ),
        "over_at" => (
            name,
            format!("Nullable({kind})"),
            "nullIf(over_at, @never@)".to_owned(),
        ),
        "host_network" | "end_seen" => (name, "Bool".to_owned(), format!("toBool({name})")),
        name => (name, kind, name.to_owned()),
    })
}

fn select(columns: &[Column]) -> String {
    let lines = columns.iter().filter_map(seen);
    let lines = lines.map(|(name, _, expression)| match name == expression {
        true => format!("    {name}"),
        false => format!("    {expression} AS {name}"),
    });
    let lines: Vec<String> = lines.collect();
    format!("SELECT\n{}\n", lines.join(",\n"))
}

fn view(columns: &[Column]) -> String {
    let lines = columns.iter().filter_map(|column| {
        let (name, kind, _) = seen(column)?;
        let comment = match name {
            "container_id" => "without runtime://; NULL if the kubelet reported none",
            "over_at" => "latest possible end; NULL while it exists",
            "node" => "node it was bound to",
            _ => column.comment,
        };
        let comment = comment.replace('\'', "\\'");
        Some(format!("    {name} {kind} COMMENT '{comment}'"))
    });
    let lines: Vec<String> = lines.collect();
    format!("(\n{}\n)", lines.join(",\n"))
}
