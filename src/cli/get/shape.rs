//! What an answer of `bygone get` looks like, and in which order its rows are printed.

use std::io::{self, BufWriter};
use std::process::ExitCode;

use clap::Args;

use super::kept::{Kept, Order};
use super::terminal::TerminalFlags;
use super::{nothing, watch};
use crate::cli::ask::{Backend, Rows};
use crate::cli::output::{End, Look, Output, OutputParser, Printer, Row};
use crate::cli::{NOTHING, Usage};
use crate::csv::{self, Texts};
use crate::escape;
use crate::query::{Cost, Ending, Group, Life, Params, ROWS_MAX, SUMMARIES_MAX, Summary};

#[derive(Args)]
#[command(next_help_heading = "Output")]
pub struct Shape {
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = OutputParser)]
    output: Output,
    /// Maximum number of rows, keeping the newest; stderr says if more exist
    #[arg(long, value_name = "ROWS", default_value_t = ROWS_MAX, allow_negative_numbers = true,
          value_parser = rows)]
    limit: u64,
    /// Continue with older rows; use the value printed by the previous answer
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Sort the rows by a field, like restarts, ended_at or labels.app; absent values come last
    #[arg(long, value_name = "FIELD")]
    sort_by: Option<String>,
    /// Newest first, or with --sort-by greatest first
    #[arg(long)]
    reverse: bool,
    /// Keep showing new and changed rows until interrupted
    #[arg(short, long, conflicts_with_all = ["sort_by", "reverse", "cursor", "explain"])]
    watch: bool,
    /// Omit the headers of tables and csv
    #[arg(long)]
    no_headers: bool,
    /// For pods: a column with all labels
    #[arg(long)]
    show_labels: bool,
    /// For pods: a column for each of these labels
    #[arg(short = 'L', long, value_name = "KEY,...", value_delimiter = ',')]
    label_columns: Vec<String>,
    /// In csv, raw text: no ' before what a spreadsheet would read as a formula (= + - @ tab CR), and no escapes
    #[arg(long)]
    csv_raw: bool,
    /// Print what the answer cost ClickHouse: rows, bytes and CPU time; buffers the rows until the end
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    terminal: TerminalFlags,
}

/// Reads a limit.
fn rows(text: &str) -> Result<u64, String> {
    let rows = text
        .parse()
        .ok()
        .filter(|rows| (1..=ROWS_MAX).contains(rows));
    rows.ok_or_else(|| format!("use a number from 1 to {ROWS_MAX}"))
}

impl Shape {
    /// Puts into the parameters of a question what of the shape it answers.
    pub fn ask(&self, params: &mut Params) {
        params.limit = Some(self.limit);
        params.cursor.clone_from(&self.cursor);
        params.explain = self.explain.then_some(true);
    }

    /// Whether rows of this kind can be shown like that.
    pub fn check<L: Life + Row>(&self) -> Result<(), Usage> {
        self.check_rows::<L>(L::PLURAL)
    }

    /// Whether summaries can be shown like that.
    pub fn check_summaries(&self, group: Group) -> Result<(), Usage> {
        if self.watch {
            let text = "--watch works only with pods, containers and sessions";
            return Err(Usage(text.to_owned()));
        }
        self.check_rows::<Summary>(group.plural())
    }

    fn check_rows<R: Row>(&self, what: &str) -> Result<(), Usage> {
        let fields = csv::fields::<R>();
        let wants_labels = self.show_labels || !self.label_columns.is_empty();
        if wants_labels && !fields.contains(&"labels") {
            return Err(Usage(format!(
                "--show-labels and -L show labels of pods, and {what} have none: use \"bygone get pods\""
            )));
        }
        if wants_labels && !matches!(&self.output, Output::Form(format) if format.is_table()) {
            let text = "--show-labels and -L are columns of tables: use -o table or -o wide";
            return Err(Usage(text.to_owned()));
        }
        let is_lines = match &self.output {
            Output::Form(format) => format.is_lines(),
            Output::Columns(_) => true,
            Output::Template(_) => false,
        };
        if self.watch && !is_lines {
            let text = "--watch needs line-by-line output: use table, wide, csv, ndjson, name or custom-columns";
            return Err(Usage(text.to_owned()));
        }
        let named = self.output.named().into_iter();
        let is_unknown = |field: &&str| !fields.contains(field);
        match named.chain(self.sort_field()).find(is_unknown) {
            Some(field) => Err(Usage(format!(
                "{what} have no field {field:?}: use one of {}",
                fields.join(", ")
            ))),
            None => Ok(()),
        }
    }

    /// Whether the cost of an answer is printed.
    pub fn explains(&self) -> bool {
        self.explain
    }

    /// Whether an answer goes on until it is interrupted.
    pub fn is_endless(&self) -> bool {
        self.watch
    }

    fn is_table(&self) -> bool {
        match &self.output {
            Output::Form(format) => format.is_table(),
            Output::Columns(_) => true,
            Output::Template(_) => false,
        }
    }

    /// As kubectl takes it, too: `.restarts`, `{.restarts}`.
    fn sort_path(&self) -> Option<&str> {
        let path = self.sort_by.as_deref()?.trim();
        let bare = path.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
        Some(bare.unwrap_or(path).trim_start_matches('.'))
    }

    fn sort_field(&self) -> Option<&str> {
        let path = self.sort_path()?;
        Some(path.split_once('.').map_or(path, |(field, _)| field))
    }

    /// The look of this shape.
    pub fn look(&self, look: Look) -> Look {
        Look {
            headers: !self.no_headers,
            colours: self.terminal.colours(),
            label_columns: self.label_columns.clone(),
            labels_column: self.show_labels,
            csv: match self.csv_raw {
                true => Texts::Raw,
                false => Texts::Safe,
            },
            ..look
        }
    }

    /// Asks, and prints the answer.
    pub async fn print<L: Life + Row>(
        &self,
        backend: &Backend,
        params: &Params,
        look: Look,
    ) -> anyhow::Result<ExitCode> {
        let mut fields = self.output.fields::<L>(&look);
        if !fields.is_empty() {
            fields.extend(self.sort_field().map(str::to_owned));
        }
        fields.sort_unstable();
        fields.dedup();
        let params = Params {
            fields: (!fields.is_empty()).then(|| fields.join(",")),
            ..params.clone()
        };
        if self.watch {
            watch::check(&params)?;
            let mut out = BufWriter::new(io::stdout().lock());
            let printer = Printer::new(self.output.clone(), look, &mut out);
            match watch::run::<L>(backend, &params, printer).await? {}
        }
        let mut rows = backend.ask::<L>(&params).await?;
        let zone = look.zone.clone();
        let (count, ending) = match self.goes_on() {
            true => self.print_on(&mut rows, look).await?,
            false => {
                let (kept, links_column) = self.keep(&mut rows).await?;
                let (count, ending) = (kept.count(), rows.ending().await?);
                let look = Look {
                    links_column,
                    ..look
                };
                self.print_rows(kept, look, &end_of(&ending))?;
                (count, ending)
            }
        };
        if count == 0 && params.cursor.is_none() {
            nothing::say(L::PLURAL, &params, &zone, &ending.hints);
        }
        tell(count as u64, &ending);
        Ok(ExitCode::from(if count == 0 { NOTHING } else { 0 }))
    }

    /// Asks for summaries, and prints them.
    pub async fn print_summaries(
        &self,
        backend: &Backend,
        params: &Params,
        (group, look): (Group, Look),
    ) -> anyhow::Result<ExitCode> {
        let params = Params {
            limit: Some(self.limit.min(SUMMARIES_MAX)),
            ..params.clone()
        };
        let (rows, ending) = backend.summaries(group, &params).await?;
        let count = rows.len();
        let zone = look.zone.clone();
        let look = Look {
            cluster_column: look.cluster_column && group != Group::Clusters,
            namespace_column: look.namespace_column && group == Group::Workloads,
            ..look
        };
        let mut kept = Kept::new(self.order());
        // They come by their names, and what is kept is printed the other way round.
        for row in rows.into_iter().rev() {
            kept.push(row)?;
        }
        self.print_rows(kept, look, &End::default())?;
        if ending.more {
            eprintln!("{count} shown, there are more: narrow the query");
        }
        if count == 0 {
            nothing::say(group.plural(), &params, &zone, &ending.hints);
        }
        Ok(ExitCode::from(if count == 0 { NOTHING } else { 0 }))
    }

    /// The newest come first: so they are kept by the limit. They are printed last, where a terminal ends.
    fn order(&self) -> Order {
        match (self.sort_path(), self.reverse) {
            (None, false) => Order::LastFirst,
            (None, true) => Order::AsCame,
            (Some(path), reverse) => Order::Sorted(path.to_owned(), reverse),
        }
    }

    /// Whether rows are printed as they come: in the order in which they do, and line by line.
    fn goes_on(&self) -> bool {
        let is_lines = matches!(&self.output, Output::Form(format) if format.is_lines());
        is_lines && !self.is_table() && matches!(self.order(), Order::AsCame)
    }

    async fn print_on<L: Life + Row>(
        &self,
        rows: &mut Rows<L>,
        look: Look,
    ) -> anyhow::Result<(usize, Ending)> {
        let mut out = self.terminal.out(0);
        let mut printer = Printer::new(self.output.clone(), look, &mut out);
        let mut count = 0;
        while let Some(row) = rows.next().await? {
            printer.row(&row)?;
            count += 1;
        }
        let ending = rows.ending().await?;
        printer.end(&end_of(&ending))?;
        Ok((count, ending))
    }

    /// Also: whether any row has links.
    async fn keep<L: Life>(&self, rows: &mut Rows<L>) -> anyhow::Result<(Kept<L>, bool)> {
        let mut kept = Kept::new(self.order());
        let mut is_linked = false;
        while let Some(mut row) = rows.next().await? {
            is_linked |= row.container().is_some_and(|row| !row.logs.is_empty());
            kept.push(row)?;
        }
        Ok((kept, is_linked))
    }

    /// Waits for the pager, so that other messages come after the answer.
    fn print_rows<R: Row + 'static>(
        &self,
        kept: Kept<R>,
        look: Look,
        end: &End,
    ) -> anyhow::Result<()> {
        let lines = if self.is_table() { kept.count() } else { 0 };
        let mut out = self.terminal.out(lines);
        let mut printer = Printer::new(self.output.clone(), look, &mut out);
        for row in kept.rows()? {
            printer.row(&row?)?;
        }
        Ok(printer.end(end)?)
    }
}

fn end_of(ending: &Ending) -> End {
    End {
        more: ending.cursor.clone(),
    }
}

/// What is to be known about an answer besides its rows.
fn tell(rows: u64, ending: &Ending) {
    if let Some(cursor) = &ending.cursor {
        let cursor = escape::controls(cursor);
        eprintln!("{rows} shown, older rows follow: continue with --cursor {cursor}");
    }
    if let Some(Cost {
        rows_read,
        bytes_read,
        cpu_ms,
    }) = ending.cost
    {
        let cpu = cpu_ms.map(|cpu| format!(", {cpu} ms of CPU"));
        let cpu = cpu.unwrap_or_default();
        eprintln!("clickhouse read {rows_read} rows, {bytes_read} bytes{cpu}");
    }
}
