//! Sources: where deliveries come from.

pub mod webhook;
