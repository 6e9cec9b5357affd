//! What the features are worth: probes that learn from or compare detached features, and, apart from [`finetune`], never
//! touch the encoder.

mod augmented_probe;
mod bootstrap;
pub mod caveats;
mod confusion;
mod effective_rank;
mod embedder;
mod feature_std;
mod finetune;
mod knn;
mod lbfgs;
mod linear_head;
mod linear_probe;
mod logistic;
mod maps;
mod metrics;
mod objective;
mod scored_predictions;
mod scores;
mod spread;

pub use augmented_probe::{AugmentedRecipe, augmented_probe};
pub use bootstrap::{RESAMPLES, intervals};
pub use caveats::Warnings;
pub use confusion::{ClassScore, Confusion, balanced_accuracy, macro_f1};
pub use effective_rank::effective_rank;
pub use embedder::{Embedder, Labelled, Progress};
pub use feature_std::feature_std;
pub use finetune::{FinetuneRecipe, finetune};
pub use knn::knn_votes;
pub use linear_head::{HeadMetrics, LinearHead};
pub use linear_probe::{Cut, L2_GRID, LinearFit, LinearModel, choice_score, linear_probe, tuned_linear};
pub use maps::{principal_components, t_sne};
pub use metrics::{Ranking, auroc, average_precision};
pub use objective::Objective;
pub use scored_predictions::{ScoredPredictions, Scores};
pub use scores::{SCORES, Score};
pub use spread::Spread;
