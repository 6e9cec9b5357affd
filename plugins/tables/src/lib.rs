//! What the data sets that read lists share: the CSV reader, labels as they are compared, and names in messages.

pub mod labels;
pub mod names;
mod quotes;
mod table;
pub mod text;

pub use table::{Column, Row, Table};
