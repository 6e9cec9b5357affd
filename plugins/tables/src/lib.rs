//! What the data sets that read CSV files share: labels as they are compared, and stray quotes.

pub mod labels;
pub mod quotes;
