//! Where the lines come from: a running bygone, or the stores themselves.

use std::sync::Arc;

use anyhow::bail;
use jiff::Timestamp;

use super::super::ask::{self, Backend};
use crate::config::Config;
use crate::logs::{Error, Follow, Given, Lines, Logs, LogsEnding, Params, Record, select};

/// An answer on its way.
pub enum Answer {
    Server(Box<ask::Lines>),
    Stores(Box<Reading>),
}

/// Lines that are read here.
pub struct Reading {
    lines: Lines,
    ending: LogsEnding,
    follow: Option<Follow>,
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
            Backend::Store(store, _) => store,
        };
        let logs = Arc::new(Logs::open(&config.logs, Some(store))?);
        if logs.is_empty() {
            bail!("no logs store is configured: add a [[logs]] block, see docs/logs.md");
        }
        let now = Timestamp::now();
        let mut asked = params.read(now)?;
        asked.question.visible = Some(Default::default());
        let selected = select(store, &asked.question, &asked.choice).await?;
        Ok(Answer::Stores(Box::new(Reading {
            ending: LogsEnding::of(&selected),
            follow: asked
                .ask
                .follow
                .then(|| Follow::new(&logs, store, asked.question, asked.choice, now)),
            lines: logs.lines(selected, asked.ask),
        })))
    }

    pub async fn next(&mut self) -> anyhow::Result<Option<Record>> {
        match self {
            Answer::Server(lines) => lines.next().await,
            Answer::Stores(reading) => Ok(reading.next().await.map(Record::from)),
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
    /// The next line. As in a server's answer, an error is part of the ending.
    async fn next(&mut self) -> Option<Given> {
        let next = self.line().await;
        next.unwrap_or_else(|error| {
            self.ending.error = Some(error.to_string());
            None
        })
    }

    async fn line(&mut self) -> Result<Option<Given>, Error> {
        loop {
            if let Some(given) = self.lines.next().await? {
                return Ok(Some(given));
            }
            let follow = self.follow.as_mut();
            let Some((follow, wait)) = follow.and_then(|follow| {
                let wait = follow.wait(&self.lines)?;
                Some((follow, wait))
            }) else {
                self.lines.examine().await;
                return Ok(None);
            };
            tokio::time::sleep(wait).await;
            follow.again(&mut self.lines).await?;
        }
    }
}
