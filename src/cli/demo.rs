//! `bygone demo`: the whole way on a real recording.

mod lines;

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::ask::{Backend, Lines, Server};
use super::output::{End, Format, Look, Printer};
use super::running;
use super::serve::stopped;
use super::service::Service;
use super::{Common, block_on, say};
use crate::http::listener::Config;
use crate::logs::{self, Record};
use crate::query::{Container, Order, Params};

/// Made with a real kube-apiserver: 157 pods and what became of them; see fixtures/README.md.
const RECORDING: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/fixtures/recording-a/bodies.jsonl.zst"
));

/// The recordings were packed with a window of 2^27 bytes.
const WINDOW_LOG_MAX: u32 = 27;

/// Rows of the table that a person can take in.
const ROWS_SHOWN_MAX: usize = 24;

const CLUSTER: &str = "demo";

/// Lines of a log that are shown.
const LINES_SHOWN: u64 = 3;

/// It keeps its data in a separate folder, which is recreated each time.
#[derive(Args)]
pub struct Demo {
    /// Exit after the table instead of serving
    #[arg(long)]
    once: bool,
    /// libchdb.so of the embedded ClickHouse, instead of installing it
    #[arg(long, value_name = "PATH")]
    engine: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl Demo {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut flags = vec![
            // Any free ports: a bygone that runs already keeps its own.
            ("ingest.listen", "127.0.0.1:0".to_owned()),
            ("api.listen", "127.0.0.1:0".to_owned()),
            ("log", self.common.log_or("warn")),
        ];
        flags.extend(self.engine.map(|path| ("engine.library", path)));
        let mut config = self.common.load(flags)?;
        if config.clickhouse.url.is_some() {
            bail!("demo runs its own engine: --clickhouse-url cannot be used");
        }
        config.data_dir = config.data_dir.join("demo");
        // Its own ports are plain ones on loopback, whatever is configured for real use.
        config.access = Default::default();
        config.kafka = Default::default();
        config.files = Default::default();
        config.logs = vec![logs::Config {
            name: "otel".to_owned(),
            preset: Some("otel-clickhouse".to_owned()),
            ..logs::Config::default()
        }];
        config.ingest = Config {
            listen: config.ingest.listen,
            ..Config::default()
        };
        config.api = Config {
            listen: config.api.listen,
            ..Config::default()
        };
        block_on(&config, async {
            let _taken = take_folder(&config.data_dir)?;
            eprintln!("starting ClickHouse in {}", config.data_dir.display());
            let service = Service::start(&config).await?;
            let shown = show(&service, self.once, &config.data_dir).await;
            if shown.is_ok() && !self.once {
                eprintln!("\nserving until you press Ctrl-C");
                stopped().await?;
            }
            service.stop().await;
            shown.map(|()| ExitCode::SUCCESS)
        })
    }
}

/// The name of the file that marks a folder as a demo's, and whose lock shows that one runs.
const MARK: &str = "bygone-demo";

/// Takes the demo's folder and empties it. A folder that no demo made is left alone.
fn take_folder(folder: &Path) -> anyhow::Result<File> {
    running::create_data_dir(folder)?;
    let mark = folder.join(MARK);
    let foreign = std::fs::read_dir(folder)?.next().is_some() && !mark.exists();
    if foreign {
        bail!(
            "{} contains files that are not from a demo: pass another --data-dir",
            folder.display()
        );
    }
    let lock = File::create(&mark).with_context(|| format!("create {}", mark.display()))?;
    if lock.try_lock().is_err() {
        bail!(
            "a demo is already running in {}: stop it, or pass another --data-dir",
            folder.display()
        );
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            std::fs::remove_dir_all(&path).with_context(|| format!("remove {}", path.display()))?;
        } else if path != mark {
            std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    Ok(lock)
}

async fn show(service: &Service, once: bool, data_dir: &Path) -> anyhow::Result<()> {
    let webhook = format!("{}/v1/audit/{CLUSTER}", service.ingest);
    let api = service.api.clone();
    post_recording(&webhook).await?;
    service.drained().await?;
    let containers = all_containers(&api).await?;
    let lines = lines::load(&service.store, &containers).await?;
    eprintln!(
        "loaded {lines} made-up log lines of its containers, as an OpenTelemetry collector would"
    );
    let gone: Vec<&Container> = containers
        .iter()
        .filter(|container| container.pod_removed_at.is_some())
        .collect();
    let (from, to) = span(&containers).context("the recording produced no rows")?;
    let pods: std::collections::HashSet<_> =
        gone.iter().map(|container| container.pod_uid).collect();
    say(&format!(
        "\n{} container instances between {from} and {to}.\n\
         {} of them belonged to {} pods that no longer exist:\n",
        containers.len(),
        gone.len(),
        pods.len()
    ))?;
    print_table(&gone)?;
    let more = gone.len().saturating_sub(ROWS_SHOWN_MAX);
    say(&format!("... {more} more.\n"))?;
    let killed = gone
        .iter()
        .rev()
        .find(|it| it.reason.as_deref() == Some("OOMKilled"));
    if let Some(killed) = killed {
        print_last_lines(&api, killed, data_dir).await?;
    }
    say(&go_on(once, data_dir, &gone, (from, to)))
}

/// The last lines of a container that was killed, and the command that shows them.
async fn print_last_lines(api: &str, of: &Container, data_dir: &Path) -> anyhow::Result<()> {
    let Container {
        namespace,
        pod,
        container,
        restart,
        ..
    } = of;
    let params = logs::Params {
        namespace: Some(namespace.clone()),
        name: Some(pod.clone()),
        container: Some(container.clone()),
        instance: Some(*restart),
        tail: Some(LINES_SHOWN),
        ..logs::Params::default()
    };
    let server = Server {
        base: api.to_owned(),
        ..Server::default()
    };
    let mut lines = Lines::open(&server, "logs", &params).await?;
    say(&format!(
        "The last lines of {namespace}/{pod}/{container}, which ran out of memory:\n\n\
         {} logs {pod} -n {namespace} -c {container} --instance {restart} --tail {LINES_SHOWN} --data-dir {}\n",
        program(),
        data_dir.display()
    ))?;
    while let Some(Record { line, .. }) = lines.next().await? {
        say(&line)?;
    }
    say("")
}

/// As it was called.
fn program() -> String {
    let name = std::env::args().next();
    name.unwrap_or_else(|| "bygone".to_owned())
}

/// The commands to go on with. They find the demo by its data folder, whatever its port.
fn go_on(
    once: bool,
    data_dir: &Path,
    gone: &[&Container],
    (from, to): (Timestamp, Timestamp),
) -> String {
    let program = program();
    let ask = format!("--data-dir {}", data_dir.display());
    let (first, middle) = (gone[0], gone[gone.len() / 2]);
    let at = first
        .started_at
        .map_or_else(|| from.to_string(), |start| start.to_string());
    let begin = if once {
        "Without --once the demo keeps running and answers:".to_owned()
    } else {
        format!(
            "Next, here or after \"export BYGONE_DATA_DIR={}\" in another terminal:",
            data_dir.display()
        )
    };
    format!(
        "{begin}\n\n\
         {program} get containers {ask} --from {from} --to {to} -o wide\n\
         {program} get containers {ask} --at {at} -n {}\n\
         {program} get pods {ask} --all -n {} -o yaml\n\n\
         In SQL, here and from other programs (docs/sql.md):\n\n\
         {program} sql {ask} 'SELECT namespace, count() FROM pods GROUP BY 1 ORDER BY 2 DESC'\n\
         {program} sql {ask} --dsn",
        first.namespace, middle.namespace
    )
}

/// Posts the bodies as the API server sent them.
async fn post_recording(webhook: &str) -> anyhow::Result<()> {
    let mut decoder = zstd::Decoder::new(RECORDING)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    let bodies = io::read_to_string(decoder)?;
    let client = reqwest::Client::new();
    // All at once, as an API server does: they share few INSERTs.
    let posts = bodies
        .lines()
        .map(|body| client.post(webhook).body(body.to_owned()).send());
    let responses = futures_util::future::join_all(posts).await;
    let count = responses.len();
    for response in responses {
        let status = response?.status();
        if !status.is_success() {
            bail!("the webhook answered {status}");
        }
    }
    eprintln!("posted {count} bodies of a kube-apiserver's audit webhook to {webhook}");
    Ok(())
}

async fn all_containers(api: &str) -> anyhow::Result<Vec<Container>> {
    let params = Params {
        limit: Some(100_000),
        order: Some(Order::Oldest),
        ..Params::default()
    };
    let mut rows = Backend::Server(Server {
        base: api.to_owned(),
        ..Server::default()
    })
    .ask::<Container>(&params)
    .await?;
    let mut containers = Vec::new();
    while let Some(container) = rows.next().await? {
        containers.push(container);
    }
    Ok(containers)
}

/// From the first start to the last end, in whole minutes.
fn span(containers: &[Container]) -> Option<(Timestamp, Timestamp)> {
    let begun = containers
        .iter()
        .filter_map(|container| container.started_at)
        .min()?;
    let ended = containers
        .iter()
        .filter_map(|container| container.ended_at)
        .max()?;
    let minute = |seconds: i64| Timestamp::from_second(seconds * 60).ok();
    let (begun, ended) = (begun.instant.as_second(), ended.instant.as_second());
    Some((
        minute(begun.div_euclid(60))?,
        minute(ended.div_euclid(60) + 1)?,
    ))
}

fn print_table(gone: &[&Container]) -> anyhow::Result<()> {
    let look = Look {
        zone: TimeZone::UTC,
        namespace_column: true,
        cluster_column: false,
        ..Look::plain()
    };
    let mut out = io::stdout().lock();
    let mut printer = Printer::new(Format::Table, look, &mut out);
    for container in gone.iter().take(ROWS_SHOWN_MAX) {
        printer.row(*container)?;
    }
    printer.end(&End::default())?;
    Ok(())
}
