//! bygone keeps the history of Kubernetes pods and containers that no longer exist.
//!
//! Data goes one way. The write wing ends at the tables of `schema/`; the read wing begins there.
//! The wings share the tables and the vocabulary, and no code. `ARCHITECTURE.md` has the whole map.
//!
//! ```text
//! write wing:  source -> pipeline (envelope -> lifecycle, coverage) -> spool -> sink
//! wall:        the ClickHouse tables in schema/
//! read wing:   query -> cli | http
//! ```

// The vocabulary, and the pure middle: no I/O, no clock.
pub mod audit;
pub mod coverage;
pub mod envelope;
pub mod fold;
pub mod lifecycle;
pub mod rows;
// The write wing.
pub mod backoff;
pub mod budget;
pub mod dead_letters;
pub mod disk;
pub mod lives;
pub mod pipeline;
pub mod positions;
pub mod reconcile;
pub mod sink;
pub mod source;
pub mod spool;
// The store.
pub mod clickhouse;
pub mod engine;
pub mod schema;
// The read wing.
pub mod csv;
pub mod escape;
pub mod http;
pub mod logs;
pub mod near;
pub mod query;
// Access from outside: listeners, TLS, and permissions.
pub mod access;
pub mod reload;
pub mod tls;
// The only place that sees both.
pub mod cli;
pub mod config;
pub mod telemetry;
pub mod throttle;
