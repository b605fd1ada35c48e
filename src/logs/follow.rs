//! Following: the lines that stores get later, also of instances that start later.
//!
//! An answer is read to its end. Then, after a wait, the history is asked which instances there are now, and the
//! stores for the lines since then, [`LATE`](super::overlap::LATE) once more. Each line is given once. A line that
//! comes later than that into its store is missed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::instance::Instance;
use super::lines::Lines;
use super::overlap::LATE;
use super::select::{Choice, select};
use super::span::{earlier, later};
use super::{Error, Logs, OwnStore};
use crate::query::Question;

/// How long to wait for more lines: after some came, and at most where none come.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(4);

/// What is asked again and again.
pub struct Follow {
    logs: Arc<Logs>,
    own: Arc<OwnStore>,
    question: Question,
    choice: Choice,
    opened_at: Timestamp,
    asked_at: Timestamp,
    wait: Duration,
    lines: u64,
}

impl Follow {
    /// Of an answer about `question` that was asked at `now`.
    #[must_use]
    pub fn new(
        logs: &Arc<Logs>,
        own: &Arc<OwnStore>,
        question: Question,
        choice: Choice,
        now: Timestamp,
    ) -> Follow {
        Follow {
            logs: logs.clone(),
            own: own.clone(),
            question,
            choice,
            opened_at: now,
            asked_at: now,
            wait: WAIT_MIN,
            lines: 0,
        }
    }

    /// How long to wait before the next [`Follow::again`], at the end of `lines`. `None` where every instance ended, and
    /// its agent had time to write the rest; or where so many lines were asked for.
    pub fn wait(&mut self, lines: &Lines) -> Option<Duration> {
        if !lines.goes_on() {
            return None;
        }
        let given = lines.given();
        self.wait = match given > self.lines {
            true => WAIT_MIN,
            false => (self.wait * 2).min(WAIT_MAX),
        };
        self.lines = given;
        Some(self.wait)
    }

    /// Asks for what is new; [`Lines::next`] gives it.
    ///
    /// # Errors
    ///
    /// When the history can't be asked.
    pub async fn again(&mut self, lines: &mut Lines) -> Result<(), Error> {
        let now = Timestamp::now();
        let since = earlier(self.asked_at, LATE);
        let mut question = self.question.clone();
        question.time.since = question.time.since.max(Some(since));
        let choice = Choice {
            back: None,
            ..self.choice.clone()
        };
        let selected = select(&self.own, &question, &choice).await?;
        let follows_new = self.choice.back.is_none_or(|back| back == 0);
        let is_recent = |instance: &Instance| match instance.ended {
            None => true,
            // What ended before was either meant at first, or not at all.
            Some(ended) => ended >= self.opened_at && later(ended, LATE) >= now,
        };
        lines.again(&self.logs.stores, selected, now, |instance| {
            follows_new && is_recent(instance)
        });
        self.asked_at = now;
        Ok(())
    }
}
