//! Kafka: the same answers as for the webhook, from a consumer group on a real broker.

mod answers;
mod broker;
mod members;
mod outage;
mod poison;
mod rebalance;
mod start;
