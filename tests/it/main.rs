//! The integration tests, one file per promise or surface.
//!
//! One embedded ClickHouse serves the whole run, with a database for each test; bygone itself runs
//! as the program that users run.

#![allow(clippy::unwrap_used, reason = "a test may stop with a bare unwrap")]

/// Filters, names and workloads: what each finds, on the command line and by the API.
mod asking;
/// What the program does with wrong input: one line, and the exit code.
mod bad_input;
/// No secret of the recordings is in any byte that was written.
mod canaries;
/// What people type and what they read: the transcripts of `tests/cmd`.
mod cmd;
/// Deletions of many pods at once, of which the events hold no items.
mod collections;
/// Every order and lateness, with two processes, kills and filing, ends in the oracle's answers.
mod confluence;
/// The client's own configuration: contexts, and what beats them.
mod contexts;
/// What came and what is missing: levels, silences, lives, dead letters, and what would mend it.
mod coverage;
/// A container that is started twenty thousand times.
mod crash_loop;
/// `bygone dead-letters`: list, show, replay; and their table.
mod dead_letters;
/// The borrowed structs agree with k8s-openapi's `Pod`.
mod decode;
/// The samples in `deploy/` are what the program reads.
mod deploy;
/// `bygone describe`: one page, pinned for pods of many fates.
mod describe;
/// Why pods ended, and who asked for it.
mod ended;
/// The embedded ClickHouse: start, stop, kill, lock, password.
mod engine;
/// Every wrapper of `fixtures/envelopes` through the webhook: the answers of the bare events.
mod envelopes;
/// Clusters that are read from a real etcd: what it tells, what is made up for, and what is refused.
mod etcd;
/// Late or not, answers are final within seconds.
mod final_at_once;
/// The same events in the forms in which logs are handed on, made and not stored.
mod forms;
/// `bygone get`: filters, times, limits, formats.
mod get;
/// How senders under load reach the webhook: TLS and a token.
mod guard;
/// Heavy questions at once, beside good senders.
mod heavy;
/// Everything hostile at once, beside good senders.
mod hostile;
/// Who may send and ask: TLS, tokens and certificates, on the running program.
mod identity;
/// Log files: answers, positions, kills, rotation, and what is wrong with them.
mod import;
/// Writers, reconcile and readers in every order of their steps.
mod interleavings;
/// Records of a real Kafka: answers, offsets, rebalances, outages, poison.
mod kafka;
/// bygone and its engine are killed at random instants.
mod kill;
/// bygone as a plugin of a real kubectl.
mod kubectl;
/// The truth through slots, a day late, and with a spool that is behind.
mod late;
/// The laws of the fold, over made-up histories: any order, any number of times, in any number of steps.
mod laws;
/// The listener by itself: TLS, limits, slow and hostile clients, stopping.
mod listener;
/// Pods' lives, made up from a seed, and the facts about them.
mod lives;
/// Senders as an API server is one, with a ledger of what was acknowledged.
mod load;
/// The lines of containers that no longer exist, out of real log stores.
mod logs;
/// What ran on a node that was deleted.
mod lost_nodes;
/// The page about mTLS, from the script to the first event, and what is told when it is wrong.
mod mtls;
/// What the fuzz targets check, over mutations of their seeds.
mod mutated;
/// What clusters have that are seen, and what bygone tells of it.
mod objects;
/// What odd kubelets, clusters and clocks send.
mod odd_lives;
/// One pod does not stop the work for all.
mod one_pod;
/// Requests with options, as a real API server carried them out.
mod options;
/// The answers by brute force.
mod oracle;
/// ClickHouse away, cut off, refusing: nothing acknowledged is lost.
mod outage;
/// Completion for shells, man pages, the version.
mod packaged;
/// A proxy before ClickHouse that cuts connections.
mod proxy;
/// The accounts of `deploy/clickhouse-reader.xml`, with what they see and what they can't.
mod reader;
/// Reconcile as users run it: filing under questions, corrections, old facts, the retention, kills.
mod reconcile;
/// What was stored is sent again, all at once.
mod replay;
/// The REST surface: problems, forms, encodings, single documents, its description, its metrics.
mod rest;
/// Imports between the rooms are those of `ARCHITECTURE.md`.
mod rooms;
/// Migrations, and databases of other versions.
mod schema;
/// A server that signed its certificate itself.
mod self_signed;
/// Requests to pods that are there: exec, attach, port-forward, ephemeral containers, resizes.
mod sessions;
/// Two engines as the shards of a cluster.
mod shards;
/// `bygone sql`, and the account for SQL of other programs, with the real ones.
mod sql;
/// Values of etcd are the objects that the API shows.
mod stored;
/// Summaries of clusters, namespaces, workloads, nodes and images.
mod summaries;
mod support;
/// The answers equal what a watch of the real API saw.
mod truth;
/// How soon after its acknowledgement an event is in the answers.
mod visible;
/// Clusters that are watched: what a watch tells, what it makes up for, and what it refuses.
mod watch;
/// `POST /v1/audit/{cluster}`: forms, encodings, refusals.
mod webhook;
/// The questions that `schema/README.md` works out, against the truth.
mod worked;
