//! One page about a pod or a container, human-readable like `kubectl describe`, or as JSON.
//!
//! A page is short enough to read: of many steps and restarts the middle is omitted, with a note.

mod containers;
mod words;

use std::fmt::Write as _;
use std::io::{self, Write};

use super::{Look, cell};
use crate::audit::words::EndedWhy;
use crate::query::{Gap, Page, Pod, State, Step, Time, What};

/// How a page is written.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageFormat {
    /// Human-readable
    #[default]
    Text,
    /// One JSON document: all that is known, times in UTC
    Json,
}

/// What a page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Pod,
    /// The one instance that the page has.
    Container,
}

/// A page, what it is about, and what else its name means.
pub struct Described {
    pub page: Page,
    pub subject: Subject,
    pub others: Others,
}

/// The other lives of a name.
#[derive(Clone, Debug, Default)]
pub struct Others {
    pub count: u64,
    /// The newest of them, newest first.
    pub newest: Vec<Other>,
}

#[derive(Clone, Debug)]
pub struct Other {
    /// What asks for it.
    pub command: String,
    pub from: Option<Time>,
    pub to: Option<Time>,
    /// Why it ended, by whom: words of the history.
    pub ended_why: Option<String>,
    pub ended_by: Option<String>,
}

/// Of a longer life line the first and the last steps are written.
const FIRST_STEPS: usize = 20;
const LAST_STEPS: usize = 40;

/// Of more sessions the newest are written: many of them must not hide the other steps.
const SESSIONS_SHOWN: usize = 20;

/// Where the values of the head begin.
const INDENT: usize = 17;

/// Writes a page.
///
/// # Errors
///
/// When `out` fails.
pub fn write_page(
    format: PageFormat,
    described: &Described,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Described {
        page,
        subject,
        others,
    } = described;
    if format == PageFormat::Json {
        serde_json::to_writer_pretty(&mut *out, page)?;
        writeln!(out)?;
        return out.flush();
    }
    let mut text = Text::new(look);
    text.which(*subject, others);
    if *subject == Subject::Container {
        containers::head(page, &mut text);
    }
    text.pod(page);
    text.life_line(page);
    if *subject == Subject::Pod {
        containers::list(page, &mut text);
    }
    text.unknown(page);
    text.others(*subject, others);
    out.write_all(text.text.as_bytes())?;
    out.flush()
}

/// The text of a page as it grows.
struct Text<'a> {
    text: String,
    look: &'a Look,
}

impl<'a> Text<'a> {
    fn new(look: &'a Look) -> Text<'a> {
        Text {
            text: String::new(),
            look,
        }
    }

    /// A line, with escapes for what could command a terminal.
    fn line(&mut self, line: &str) {
        let line = cell::visible(line.trim_end().to_owned());
        writeln!(self.text, "{line}").expect("a string takes any text");
    }

    fn heading(&mut self, heading: &str) {
        self.text.push('\n');
        self.line(heading);
    }

    /// A name and its value.
    fn field(&mut self, name: &str, value: impl AsRef<str>) {
        let name = if name.is_empty() {
            String::new()
        } else {
            format!("{name}:")
        };
        self.line(&format!("{name:INDENT$}{}", value.as_ref()));
    }

    fn time(&self, time: Option<Time>) -> String {
        cell::time(time, cell::UNKNOWN, self.look)
    }

    /// With the milliseconds, where they are known.
    fn exact(&self, time: Time) -> String {
        let form = match time.whole_seconds {
            true => "%Y-%m-%d %H:%M:%S",
            false => "%Y-%m-%d %H:%M:%S%.3f",
        };
        let there = self.look.zone.to_datetime(time.instant);
        there.strftime(form).to_string()
    }

    fn pod(&mut self, page: &Page) {
        let pod = &page.pod;
        self.field("Pod", &pod.pod);
        self.field("Namespace", &pod.namespace);
        self.field("Cluster", &pod.cluster);
        self.field("UID", pod.pod_uid.to_string());
        self.field("State", state(page));
        if let Some(why) = &pod.ended_why {
            self.field("Ended", words::why(why, pod.ended_by.as_deref()));
        }
        self.field("Lifetime", self.lifetime(page));
        self.field("Owner", owner(page));
        self.field("Node", cell::text(pod.node.as_deref(), cell::NONE));
        self.addresses(page);
        let account = cell::text(pod.service_account.as_deref(), cell::NONE);
        self.field("Service account", account);
        self.labels(pod);
    }

    fn lifetime(&self, page: &Page) -> String {
        let last = page.steps.last().map(|step| step.at.instant);
        let end = match page.state {
            State::Lives | State::NotConfirmed => self.look.now,
            State::Removed | State::Gone => last.unwrap_or(self.look.now),
        };
        let lifetime = cell::span(page.pod.created_at, end);
        match page.state {
            State::Lives => format!("{lifetime} so far"),
            State::NotConfirmed | State::Gone => format!("{lifetime} at most"),
            State::Removed => lifetime,
        }
    }

    fn addresses(&mut self, page: &Page) {
        if page.addresses.is_empty() {
            self.field("Addresses", cell::NONE);
        }
        for (place, address) in page.addresses.iter().enumerate() {
            let from = self.exact(address.from);
            let to = match address.to {
                Some(to) => format!(" to {}", self.exact(to)),
                None => String::new(),
            };
            let name = if place == 0 { "Addresses" } else { "" };
            self.field(name, format!("{}   from {from}{to}", address.ip));
        }
    }

    fn labels(&mut self, pod: &Pod) {
        for (place, (key, value)) in pod.labels.iter().enumerate() {
            let name = if place == 0 { "Labels" } else { "" };
            self.field(name, format!("{key}={value}"));
        }
    }

    fn life_line(&mut self, page: &Page) {
        let zone = cell::zone(self.look);
        self.heading(&format!("Timeline ({zone}):"));
        let sessions = page.steps.iter().filter(|step| step.session.is_some());
        let older = sessions.count().saturating_sub(SESSIONS_SHOWN);
        let mut place = 0;
        let is_told = |step: &&Step| {
            place += usize::from(step.session.is_some());
            step.session.is_none() || place > older
        };
        let told: Vec<[String; 3]> = page
            .steps
            .iter()
            .filter(is_told)
            .map(|step| [self.exact(step.at), words::step(step), words::source(step)])
            .collect();
        let hidden = told.len().saturating_sub(FIRST_STEPS + LAST_STEPS);
        let shown: Vec<&[String; 3]> = match hidden {
            0 => told.iter().collect(),
            _ => {
                let last = &told[FIRST_STEPS + hidden..];
                told[..FIRST_STEPS].iter().chain(last).collect()
            }
        };
        let widths = [0, 1].map(|column: usize| {
            let widths = shown.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or(0)
        });
        for (place, [at, step, source]) in shown.into_iter().enumerate() {
            if hidden > 0 && place == FIRST_STEPS {
                self.line(&format!("  ... {hidden} more steps: -o json has them"));
            }
            let (first, second) = (widths[0], widths[1]);
            self.line(&format!("  {at:first$}   {step:second$}   {source}"));
        }
        if older > 0 || page.more_sessions {
            let Pod {
                pod,
                namespace,
                cluster,
                ..
            } = &page.pod;
            self.line(&format!(
                "  ... older sessions: bygone get sessions {pod} -n {namespace} --cluster {cluster}"
            ));
        }
    }

    fn unknown(&mut self, page: &Page) {
        if page.unknown.is_empty() {
            self.heading("Unknown: nothing");
            return;
        }
        self.heading("Unknown:");
        let mut told: Vec<&Gap> = Vec::new();
        for gap in &page.unknown {
            let same = |other: &&Gap| (&other.what, &other.meaning) == (&gap.what, &gap.meaning);
            if told.iter().any(same) {
                continue;
            }
            told.push(gap);
            let of = page.unknown.iter().filter(same);
            let of: Vec<String> = of
                .filter_map(|gap| gap.instance.as_ref().map(words::instance))
                .collect();
            let of = match &*of {
                [] => String::new(),
                of => format!(" ({})", of.join(", ")),
            };
            self.line(&format!("  {}{of}: {}", gap.what, gap.meaning));
            self.line(&format!("    fix: {}", gap.fix));
        }
    }

    /// That the name means more than one, before anything is said of this one.
    fn which(&mut self, subject: Subject, others: &Others) {
        if others.count > 0 {
            let (count, what) = (others.count + 1, subject.noun(2));
            self.line(&format!(
                "The newest of {count} {what}; the others are listed at the end."
            ));
            self.text.push('\n');
        }
    }

    fn others(&mut self, subject: Subject, others: &Others) {
        if others.count == 0 {
            return;
        }
        let what = subject.noun(others.count);
        self.heading(&format!("{} other {what}, newest first:", others.count));
        let rows = others.newest.iter().map(|other| {
            let to = cell::time(other.to, "now", self.look);
            let why = other.ended_why.as_deref().unwrap_or_default();
            let by = other.ended_by.as_deref();
            let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
            (
                format!("{} to {to}", self.time(other.from)),
                format!("{why}{by}"),
            )
        });
        let rows: Vec<(String, String)> = rows.collect();
        let width = |texts: &mut dyn Iterator<Item = &String>| {
            texts.map(|text| text.chars().count()).max().unwrap_or(0)
        };
        let times = width(&mut rows.iter().map(|(time, _)| time));
        let whys = width(&mut rows.iter().map(|(_, why)| why));
        for ((time, why), Other { command, .. }) in rows.iter().zip(&others.newest) {
            self.line(&format!("  {time:times$}   {why:whys$}   {command}"));
        }
        let hidden = others.count - others.newest.len() as u64;
        if hidden > 0 {
            self.line(&format!("  ... {hidden} older: \"bygone get\" lists them"));
        }
    }
}

impl Subject {
    fn noun(self, count: u64) -> &'static str {
        match (self, count) {
            (Subject::Pod, 1) => "pod of this name",
            (Subject::Pod, _) => "pods of this name",
            (Subject::Container, 1) => "instance",
            (Subject::Container, _) => "instances",
        }
    }
}

fn state(page: &Page) -> String {
    let state = match page.state {
        State::Lives => "exists",
        State::Removed => "removed",
        State::Gone => "gone",
        State::NotConfirmed => "not confirmed",
    };
    let pod = &page.pod;
    let phase = pod.phase.as_deref().unwrap_or("unknown");
    let finished = pod.ended_why.as_deref() == Some(EndedWhy::Finished.word());
    match &page.status_reason {
        Some(reason) => format!("{state}; last phase {phase} ({reason})"),
        // A container that was asked to stop did not fail, whatever its exit code.
        None if phase == "Failed" && !finished => state.to_owned(),
        None => format!("{state}; last phase {phase}"),
    }
}

/// `ReplicaSet/web-5d9c7b8f4 of Deployment/web`.
fn owner(page: &Page) -> String {
    let pod = &page.pod;
    let workload = cell::workload(pod.workload_kind.as_deref(), pod.workload.as_deref());
    let owner = cell::workload(page.owner_kind.as_deref(), page.owner.as_deref());
    match page.owner.is_none() || owner == workload {
        true => workload,
        false => format!("{owner} of {workload}"),
    }
}

#[cfg(test)]
mod tests;
