//! A trained encoder against labels: protocols, their scores, and what is written into the run's folder.
//!
//! The test split is scored here and nowhere else. Nothing here changes a run's weights or checkpoints.

mod classifier;
mod evaluation;
mod protocol;
mod protocol_runner;
mod table;
mod trained;

pub use classifier::{AboutClassifier, CLASSIFIER_SUFFIX, Classifier, kept};
pub use evaluation::{
    ClassResult, EVALUATIONS_DIR, EvaluatedModel, Evaluation, Intervals, MetricSummary, Prediction, ProtocolOutput,
    SeedResult, ThresholdCurves, read_all, with_ending,
};
pub use protocol::Protocol;
pub use protocol_runner::{ProtocolRunner, Recipes, views};
pub use table::{class_rows, rows, summary, tables};
pub use trained::{TrainedRun, WeightsOrigin};
