//! Where the lines come from: a running bygone, or the stores themselves.

use anyhow::bail;
use jiff::Timestamp;

use super::super::ask::{self, Backend};
use crate::config::Config;
use crate::logs::{Lines, Logs, LogsEnding, Params, Record, select};

/// An answer on its way.
pub enum Answer {
    Server(Box<ask::Lines>),
    Stores(Box<Reading>),
}

/// Lines that are read here.
pub struct Reading {
    lines: Lines,
    ending: LogsEnding,
    /// Of the newest lines, which come in the wrong order: those that were not given yet, the next one last.
    turned: Option<Vec<Record>>,
    is_tail: bool,
}

impl Answer {
    pub async fn open(
        backend: &Backend,
        config: &Config,
        params: &Params,
    ) -> anyhow::Result<Answer> {
        let store = match backend {
            Backend::Server(server) => {
                let lines = ask::Lines::open(server, "logs", params).await?;
                return Ok(Answer::Server(Box::new(lines)));
            }
            Backend::Store(store) => store,
        };
        let logs = Logs::open(&config.logs, Some(store))?;
        if logs.is_empty() {
            bail!("no logs store is configured: add a [[logs]] block, see docs/logs.md");
        }
        let mut asked = params.read(Timestamp::now())?;
        asked.question.visible = Some(Default::default());
        let selected = select(store, &asked.question, &asked.choice).await?;
        Ok(Answer::Stores(Box::new(Reading {
            ending: LogsEnding::of(&selected),
            lines: logs.lines(selected.instances, asked.ask),
            turned: None,
            is_tail: params.tail.is_some(),
        })))
    }

    pub async fn next(&mut self) -> anyhow::Result<Option<Record>> {
        match self {
            Answer::Server(lines) => lines.next().await,
            Answer::Stores(reading) => reading.next().await,
        }
    }

    /// After the last line.
    pub fn ending(&self) -> anyhow::Result<LogsEnding> {
        match self {
            Answer::Server(lines) => lines.ending(),
            Answer::Stores(reading) => Ok(LogsEnding {
                summary: reading.lines.summary(),
                ..reading.ending.clone()
            }),
        }
    }
}

impl Reading {
    async fn next(&mut self) -> anyhow::Result<Option<Record>> {
        if !self.is_tail {
            let next = self.lines.next().await?;
            if next.is_none() {
                self.lines.examine().await;
            }
            return Ok(next.map(Record::from));
        }
        let turned = match &mut self.turned {
            Some(turned) => turned,
            None => {
                let mut newest_first = Vec::new();
                while let Some(given) = self.lines.next().await? {
                    newest_first.push(Record::from(given));
                }
                self.turned.insert(newest_first)
            }
        };
        let next = turned.pop();
        if next.is_none() {
            self.lines.examine().await;
        }
        Ok(next)
    }
}
