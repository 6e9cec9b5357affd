//! A trained encoder against labels: protocols, their scores, and what is written into the run's folder.
//!
//! The test split is scored here and nowhere else. Nothing here changes a run's weights or checkpoints.

mod bench;
mod evaluation;
mod protocol;
mod table;
mod trained;

pub use bench::{Bench, Recipes, views};
pub use evaluation::{
    ClassResult, EVALUATIONS_DIR, Evaluation, Intervals, Measure, SeedResult, Subject, Verdict, read_all,
};
pub use protocol::Protocol;
pub use table::{rows, summary, tables};
pub use trained::{TrainedRun, WeightsOrigin};
