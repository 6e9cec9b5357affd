//! What the data sets that read lists share: the CSV reader, labels as they are compared, names in messages, and what to do
//! about input that does not fit.

pub mod labels;
pub mod names;
pub mod policy;
mod quotes;
mod table;
pub mod text;

pub use table::{Column, Row, Table};
