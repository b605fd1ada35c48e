//! RowBinary or Native: what an INSERT of real rows costs ClickHouse, the wire and us.
//!
//!     BYGONE_CORPUS=path/to/corpus cargo bench --bench formats
//!
//! Inserts the rows of `recording-load` into the real `facts`, by the client that bygone inserts
//! with, in the forms
//!
//! - RowBinary, as the spool holds them;
//! - Native in plain types (no LowCardinality), transposed from those rows as a sink could do it;
//! - Native in the table's own types, dictionaries included, as ClickHouse itself writes it.
//!
//! The forms take turns, `ROUNDS` times, merges stopped and the table emptied before each. Server
//! CPU is `OSCPUVirtualTimeMicroseconds` of the INSERT in `system.query_log`; client CPU is that of
//! this process, compression included. After each the table must hold the same rows.

#[allow(dead_code, reason = "another bench uses the rest")]
mod figures;
#[allow(dead_code, reason = "another bench uses the rest")]
mod process;
#[allow(dead_code, reason = "another bench uses the rest")]
mod recording;
mod transpose;

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../it/support.rs"]
mod support;

use std::time::Duration;

use bygone::clickhouse::Store;
use bygone::rows::FACTS;
use bytes::Bytes;
use secrecy::SecretString;

use figures::Spread;
use support::{block_on, sql};

const ROUNDS: usize = 15;

/// Rows of an INSERT: what a quiet cluster makes in a flush, and what a busy one makes.
const SMALL_ROWS: usize = 1_000;

fn main() {
    let Some(folder) = support::corpus("recording-load") else {
        return;
    };
    let database = support::new_database();
    let output = support::run(&mut support::on_shared(&database, &["schema", "apply"]));
    assert!(output.status.success(), "{}", support::stderr(&output));
    let bodies = recording::bodies(&folder).expect("bodies.jsonl.zst");
    let mut rows = Vec::new();
    for body in &bodies {
        rows.extend_from_slice(recording::facts(body).bytes());
    }
    let names: Vec<String> = FACTS.columns.iter().map(|&name| name.to_owned()).collect();
    let ends = bygone::rows::ends(&names, &rows).expect("whole rows");
    let bench = Bench::new(database);
    for count in [SMALL_ROWS, ends.len()] {
        bench.compare(&rows[..ends[count - 1]], count);
    }
}

struct Bench {
    database: String,
    store: Store,
}

/// A way to send the same rows.
struct Form {
    name: &'static str,
    format: &'static str,
    bytes: Bytes,
    server: Vec<f64>,
    client: Vec<f64>,
    /// Bytes that ClickHouse received.
    wire: Vec<f64>,
}

impl Form {
    fn new(name: &'static str, format: &'static str, bytes: Bytes) -> Form {
        Form {
            name,
            format,
            bytes,
            server: Vec::new(),
            client: Vec::new(),
            wire: Vec::new(),
        }
    }
}

impl Bench {
    fn new(database: String) -> Bench {
        let shared = support::shared();
        let password = std::fs::read_to_string(&shared.password_file).expect("a password");
        let password = SecretString::from(password);
        let store = Store::at(&shared.url, &shared.user, Some(&password), &database);
        let bench = Bench {
            store: store.expect("a store"),
            database,
        };
        bench.sql("SYSTEM STOP MERGES facts");
        bench
    }

    fn sql(&self, statement: &str) -> String {
        sql(&self.database, statement)
    }

    fn compare(&self, rows: &[u8], count: usize) {
        let mut transposing: Vec<f64> = Vec::new();
        let mut native = Vec::new();
        for _ in 0..ROUNDS {
            let before = process::thread_cpu();
            native = transpose::native(rows).expect("whole rows");
            transposing.push((process::thread_cpu() - before).as_secs_f64());
        }
        let mut forms = [
            Form::new("RowBinary", "RowBinary", rows.to_vec().into()),
            Form::new("Native, plain types", "Native", native.into()),
            Form::new("Native, own types", "Native", self.convert(rows)),
        ];
        let mut held = None;
        for round in 0..ROUNDS {
            for form in &mut forms {
                self.sql("TRUNCATE TABLE facts");
                self.insert(form, &format!("{} {count} {round}", form.name));
                let now = self.sql(
                    "SELECT count(), sum(cityHash64(* EXCEPT (slot, first_seen, last_seen))), \
                     sum(cityHash64(first_seen, last_seen)) FROM facts",
                );
                assert_eq!(
                    *held.get_or_insert_with(|| now.clone()),
                    now,
                    "{}",
                    form.name
                );
            }
        }
        println!("\n{count} rows in an INSERT, {ROUNDS} rounds; microseconds of CPU a row");
        for form in &forms {
            self.report(form, count);
        }
        let per_row = |seconds: f64| seconds * 1e6 / count as f64;
        let spread = Spread::of(transposing.into_iter().map(per_row));
        println!("  transposing into plain Native costs the sink {spread:.3} more");
    }

    /// The rows in the table's own types, by ClickHouse.
    fn convert(&self, rows: &[u8]) -> Bytes {
        self.sql("DROP TABLE IF EXISTS typed");
        let columns = FACTS.columns.join("', '");
        let types = self.sql(&format!(
            "SELECT arrayStringConcat(groupArray(name || ' ' || type), ', ') FROM \
             (SELECT name, type FROM system.columns WHERE database = currentDatabase() \
              AND table = 'facts' AND name IN ('{columns}') ORDER BY position) FORMAT TSVRaw"
        ));
        self.sql(&format!("CREATE TABLE typed ({types}) ENGINE = Memory"));
        let columns = FACTS.columns.join(", ");
        let statement = format!("INSERT INTO typed ({columns}) FORMAT RowBinary");
        let pieces = [Bytes::from(rows.to_vec())];
        block_on(self.store.insert(&statement, &pieces, "typed")).expect("inserted");
        let select = format!("SELECT {columns} FROM typed");
        block_on(async {
            let answer = self.store.query(&select).fetch_bytes("Native");
            let mut answer = answer.expect("an answer");
            let mut bytes = Vec::new();
            while let Some(piece) = answer.next().await.expect("an answer") {
                bytes.extend_from_slice(&piece);
            }
            bytes.into()
        })
    }

    fn insert(&self, form: &mut Form, token: &str) {
        let statement = format!(
            "INSERT INTO facts ({}) FORMAT {}",
            FACTS.columns.join(", "),
            form.format
        );
        let before = process::own_cpu();
        let pieces = [form.bytes.clone()];
        block_on(self.store.insert(&statement, &pieces, token)).expect("inserted");
        let client = process::own_cpu() - before;
        form.client.push(client.as_secs_f64());
        let logged = support::wait_for("the INSERT in the log", || self.logged(token));
        let (microseconds, bytes) = logged.split_once('\t').expect("two figures");
        let server = Duration::from_micros(microseconds.parse().expect("a number"));
        form.server.push(server.as_secs_f64());
        form.wire.push(bytes.parse().expect("a number"));
    }

    /// Microseconds of CPU and received bytes; an INSERT is logged soon after its answer.
    fn logged(&self, token: &str) -> Option<String> {
        self.sql("SYSTEM FLUSH LOGS");
        let logged = self.sql(&format!(
            "SELECT ProfileEvents['OSCPUVirtualTimeMicroseconds'], \
             ProfileEvents['NetworkReceiveBytes'] FROM system.query_log \
             WHERE Settings['insert_deduplication_token'] = '{token}' AND type = 'QueryFinish' \
             AND current_database = '{}'",
            self.database
        ));
        let logged = logged.trim();
        (!logged.is_empty()).then(|| logged.to_owned())
    }

    fn report(&self, form: &Form, count: usize) {
        let per_row = |seconds: &f64| seconds * 1e6 / count as f64;
        let (server, client) = (
            Spread::of(form.server.iter().map(per_row)),
            Spread::of(form.client.iter().map(per_row)),
        );
        let bytes = form.bytes.len() as f64 / count as f64;
        // Not always counted whole: what came together with the header may be missing.
        let wire = form.wire.iter().copied().fold(0.0, f64::max) / count as f64;
        println!(
            "  {:<20} server {server:.2}, client {client:.2}; bytes a row {bytes:.0}, on the wire {wire:.0}",
            form.name
        );
    }
}
