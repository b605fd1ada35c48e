//! `bygone logs --url`: where a person sees the lines, in place of the lines.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use jiff::Timestamp;
use serde::Serialize;

use super::super::NOTHING;
use super::super::ask::Backend;
use super::too_many;
use super::write::Form;
use crate::csv::{Csv, Texts};
use crate::logs::{INSTANCES_MAX, Params};
use crate::query::{self, Container, Order};

/// A link, and whose lines it shows.
#[derive(Serialize)]
struct Row<'a> {
    cluster: &'a str,
    namespace: &'a str,
    pod: &'a str,
    pod_uid: uuid::Uuid,
    container: &'a str,
    restart: u32,
    store: &'a str,
    name: &'a str,
    url: &'a str,
}

const FIELDS: [&str; 9] = [
    "cluster",
    "namespace",
    "pod",
    "pod_uid",
    "container",
    "restart",
    "store",
    "name",
    "url",
];

/// What was found.
pub enum Found {
    Links(ExitCode),
    /// No container instance, and what may be wrong with the names.
    NoInstances(Vec<String>),
}

/// Prints the links of what the parameters mean, by instance, oldest first.
pub async fn print(
    backend: &Backend,
    params: &Params,
    form: Form,
    has_prefix: bool,
) -> anyhow::Result<Found> {
    let asked = params.read(Timestamp::now())?;
    let mut answer = backend
        .ask::<Container>(&query::Params {
            limit: Some(INSTANCES_MAX),
            order: Some(Order::Newest),
            ..params.rows()
        })
        .await?;
    let rows = answer.all().await?;
    let ending = answer.ending().await?;
    let rows = asked.choice.rows(rows);
    if rows.is_empty() {
        return Ok(Found::NoInstances(ending.hints));
    }
    let links: Vec<Row> = rows.iter().flat_map(of_instance).collect();
    let mut out = BufWriter::new(io::stdout().lock());
    write(&links, form, has_prefix, &mut out)?;
    if ending.more {
        eprintln!("{}", too_many());
    }
    if links.is_empty() {
        let count = rows.len();
        eprintln!(
            "{count} container instances were found, but no links to their lines are configured: add \
             [[logs.links]], see docs/logs.md"
        );
        return Ok(Found::Links(NOTHING.into()));
    }
    Ok(Found::Links(ExitCode::SUCCESS))
}

fn of_instance(row: &Container) -> impl Iterator<Item = Row<'_>> {
    row.logs.iter().map(|link| Row {
        cluster: &row.cluster,
        namespace: &row.namespace,
        pod: &row.pod,
        pod_uid: row.pod_uid,
        container: &row.container,
        restart: row.restart,
        store: &link.store,
        name: &link.name,
        url: &link.url,
    })
}

fn write(links: &[Row], form: Form, has_prefix: bool, out: &mut impl Write) -> io::Result<()> {
    match form {
        Form::Text => {
            for Row {
                pod,
                container,
                url,
                ..
            } in links
            {
                match has_prefix {
                    true => writeln!(out, "[pod/{pod}/{container}] {url}")?,
                    false => writeln!(out, "{url}")?,
                }
            }
        }
        Form::Ndjson => {
            for link in links {
                serde_json::to_writer(&mut *out, link)?;
                out.write_all(b"\n")?;
            }
        }
        Form::Json => {
            let lines: Vec<String> = links
                .iter()
                .map(serde_json::to_string)
                .collect::<Result<_, _>>()?;
            writeln!(out, "{{\"items\":[\n{}\n]}}", lines.join(",\n"))?;
        }
        Form::Csv => {
            let csv = Csv::new(FIELDS.map(str::to_owned).to_vec(), Texts::Safe);
            out.write_all(&csv.header())?;
            for link in links {
                out.write_all(&csv.row(link)?)?;
            }
        }
    }
    out.flush()
}
