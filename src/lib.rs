//! bygone keeps the history of Kubernetes pods and containers that no longer exist.

pub mod audit;
pub mod clickhouse;
pub mod envelope;
pub mod lifecycle;
pub mod query;
pub mod rows;
pub mod schema;
