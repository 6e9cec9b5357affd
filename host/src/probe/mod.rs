//! What the features are worth: probes that learn from or compare detached features, and never touch the encoder.

mod feature_std;
mod knn;
mod linear_head;
mod linear_probe;
mod metrics;

pub use feature_std::feature_std;
pub use knn::{KnnScore, knn};
pub use linear_head::{HeadMetrics, LinearHead};
pub use linear_probe::linear_probe;
pub use metrics::{auroc, average_precision};
