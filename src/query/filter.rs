//! Filters as people write them: each is read once, by the same code for every surface.

mod labels;
mod names;
mod numbers;
mod pattern;
mod state;
mod workload;

pub use labels::{Labels, Requirement};
pub use names::PodName;
pub use numbers::Numbers;
pub use pattern::Pattern;
pub use state::{LifeState, reasons_for_the_end};
pub use workload::Workload;
