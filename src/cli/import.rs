//! `bygone import`.
//!
//! If a bygone runs on the data folder, or `--ingest` names one, the parts of the files go to it, and it keeps their
//! positions: there is one writer, so what is stored is final within seconds. Otherwise this process is a bygone until the
//! import is done, and answers queries meanwhile.

mod dry;
mod remote;
mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use super::ask::{Server, Token};
use super::serve::stopped;
use super::service::Service;
use super::{Common, NOTHING, TROUBLE, Usage, block_on, process, running};
use crate::config::Config;
use crate::http::listener;
use crate::source::file::{self, Context, Error, Files, Follower, Found, Imported, Known, Way};
use remote::Remote;
use show::Show;

/// Files that are read, or wait for ClickHouse, at the same time.
const FILES_MAX: usize = 64;

/// What stands for standard input.
const STDIN: &str = "-";

/// Logs on stderr: rejected parts are reported with their lines instead.
const LOG: &str = "warn,bygone::pipeline=error";

/// Import audit log files, with progress; again only what is new
///
/// Reads audit logs and their rotations: plain, gzip or zstd; lines, arrays, EventLists, exports of clouds and log agents.
/// Begin with --dry-run, which shows what would come out of them and what they lack.
///
/// A file is recognized by its content, also after it was renamed or compressed: importing it again reads only what is new,
/// and so does an import after one that was stopped or killed. What cannot be read is shown with file and line, kept as a
/// dead letter, and holds up nothing.
///
/// If a bygone runs on the data folder, or --ingest names one elsewhere, it stores the events; if none does, this command
/// stores them itself.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE_LINE)]
pub struct Import {
    /// Files, folders with everything below them, or - for standard input
    #[arg(value_name = "FILE|DIR|-", required = true)]
    paths: Vec<String>,
    /// Cluster of the events, under which they are stored; only --dry-run works without it
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Read the files that were changed last first
    #[arg(long)]
    newest_first: bool,
    /// Show what would be imported and what is missing in it; store nothing
    #[arg(long, conflicts_with_all = ["follow", "ingest"])]
    dry_run: bool,
    /// Continue with what is written to the files and their rotations, until stopped
    #[arg(long)]
    follow: bool,
    /// Webhook address of a bygone elsewhere, like https://bygone:7070 [default: the one of the data folder]
    #[arg(long, value_name = "URL")]
    ingest: Option<String>,
    /// File with the bearer token that the webhook wants
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with the CA certificates that it is trusted by [default: the machine's own]
    #[arg(long, value_name = "FILE", env = "BYGONE_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// libchdb.so of the embedded ClickHouse, instead of installing it
    #[arg(long, value_name = "PATH")]
    engine: Option<String>,
    #[command(flatten)]
    common: Common,
}

const USAGE_LINE: &str = "bygone import --cluster <NAME> [OPTIONS] <FILE|DIR|->...";

/// No default: what is stored under the wrong name can't be told apart again.
const NO_CLUSTER: &str =
    "the cluster of the events is not known: name it, like bygone import --cluster prod FILE";

const EXAMPLES: &str = "\
Examples:
  bygone import --cluster prod /var/log/kubernetes/audit.log
  bygone import --cluster prod --newest-first /var/log/kubernetes
  zcat audit-*.gz | bygone import --cluster prod -
  bygone import --dry-run audit.log
  bygone import --cluster prod --follow /var/log/kubernetes/audit.log

Exit codes: 0 imported, or nothing new; 1 no events, or parts were rejected; 2 error; 64 wrong usage.";

impl Import {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let cluster = self.cluster()?;
        let is_stdin = self.paths.iter().any(|path| path == STDIN);
        if is_stdin && (self.paths.len() > 1 || self.follow) {
            let text = "- stands for standard input, and cannot be combined with files or --follow";
            return Err(Usage(text.to_owned()).into());
        }
        let mut flags = vec![
            ("log", self.common.log_or(LOG)),
            // Any free ports, in case that this process has to be the bygone.
            ("ingest.listen", "127.0.0.1:0".to_owned()),
            ("api.listen", "127.0.0.1:0".to_owned()),
        ];
        flags.extend(self.engine.clone().map(|path| ("engine.library", path)));
        let mut config = self.common.load(flags)?;
        // Its other sources are the business of "bygone serve".
        config.kafka = Default::default();
        config.files = Default::default();
        config.access = Default::default();
        config.ingest = plain(config.ingest);
        config.api = plain(config.api);
        process::prepare();
        block_on(&config, async {
            if self.dry_run {
                return dry::run(&cluster, self.files(), is_stdin).await;
            }
            self.import(&config, &cluster, is_stdin).await
        })
    }

    /// Empty where nothing is stored, and none is named.
    fn cluster(&self) -> Result<String, Usage> {
        match &self.cluster {
            Some(name) if crate::source::is_cluster_name(name) => Ok(name.clone()),
            Some(name) => Err(Usage(format!(
                "invalid cluster name {name:?}: use letters, digits, '-', '_', '.' and '/'"
            ))),
            None if self.dry_run => Ok(String::new()),
            None => Err(Usage(NO_CLUSTER.to_owned())),
        }
    }

    fn files(&self) -> Files {
        let mut files = Files::default();
        for path in self.paths.iter().filter(|path| *path != STDIN) {
            files.add(Path::new(path));
        }
        if self.newest_first {
            files.newest_first();
        }
        files
    }

    async fn import(
        &self,
        config: &Config,
        cluster: &str,
        is_stdin: bool,
    ) -> anyhow::Result<ExitCode> {
        let files = self.files();
        let nothing = files.files.is_empty() && !is_stdin && !self.follow;
        if nothing {
            let show = Show::new(&files, Arc::default());
            return Ok(show.end(cluster));
        }
        let stop = CancellationToken::new();
        tokio::spawn({
            let stop = stop.clone();
            async move {
                _ = stopped().await;
                stop.cancel();
            }
        });
        let (way, service) = self.way(config).await?;
        let context = Context::new(way, cluster, stop);
        let code = if self.follow {
            let paths = self.paths.clone();
            eprintln!("following {}: press Ctrl-C to stop", paths.join(", "));
            Follower::new(context, paths).run().await;
            ExitCode::SUCCESS
        } else {
            import_all(&context, &files, is_stdin).await
        };
        if let Some(service) = service {
            service.stop().await;
        }
        Ok(code)
    }

    /// The way to a bygone that runs, or to one that this process is.
    async fn way(&self, config: &Config) -> anyhow::Result<(Arc<dyn Way>, Option<Service>)> {
        let server = Server {
            token: self.token_file.clone().map_or(Token::None, Token::File),
            ca_file: self.ca_file.clone(),
            ..Server::default()
        };
        let named = self.ingest.clone().map(|base| Server {
            base,
            ..server.clone()
        });
        let found = running::find(&config.data_dir);
        let server = named.clone().or_else(|| Some(server.at_webhook(found?)));
        if let Some(server) = server {
            let remote = Remote::new(&server)?;
            match (remote.check().await, named) {
                (Ok(()), _) => return Ok((Arc::new(remote), None)),
                (Err(error), Some(_)) => bail!(error),
                // It was killed and left its name behind.
                (Err(_), None) => {}
            }
        }
        eprintln!(
            "no bygone is running in {}: importing without one",
            config.data_dir.display()
        );
        let service = Service::start(config).await?;
        Ok((Arc::new(service.files()), Some(service)))
    }
}

async fn import_all(context: &Context, files: &Files, is_stdin: bool) -> ExitCode {
    let show = Show::new(files, context.tally.clone());
    let watching = show.watch();
    if is_stdin {
        let imported = file::import_stdin(context).await.map(Imported::Read);
        show.file(Path::new(STDIN), true, imported);
    }
    let known = Known::default();
    let imports = files
        .files
        .iter()
        .map(|found| import_one(context, &known, found, &show));
    let imports = futures_util::stream::iter(imports).buffer_unordered(FILES_MAX);
    imports.collect::<Vec<()>>().await;
    drop(watching);
    show.end(&context.cluster)
}

async fn import_one(context: &Context, known: &Known, found: &Found, show: &Show) {
    let imported = match context.stop.is_cancelled() {
        true => Err(Error::Stopped),
        false => file::import(context, known, &found.path, false).await,
    };
    if matches!(imported, Ok(Imported::Unchanged)) {
        show.skip(found.size);
    }
    show.file(&found.path, found.is_named, imported);
}

/// On loopback, whatever is configured for "bygone serve".
fn plain(listener: listener::Config) -> listener::Config {
    listener::Config {
        listen: listener.listen,
        ..listener::Config::default()
    }
}

/// 0, 1 or 2.
fn code(errors: u64, is_something: bool, rejected: u64) -> ExitCode {
    match (errors, is_something, rejected) {
        (1.., _, _) => ExitCode::from(TROUBLE),
        (0, true, 0) => ExitCode::SUCCESS,
        _ => ExitCode::from(NOTHING),
    }
}

/// A number of things.
fn many(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
