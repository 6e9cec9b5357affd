//! What the data sets of files share: the CSV reader, labels as they are compared, names in messages, what to do about input
//! that does not fit, and what is odd about labels and files.

pub mod balance;
pub mod files;
pub mod guess;
pub mod hints;
pub mod labels;
pub mod names;
pub mod policy;
mod quotes;
pub mod splits;
mod table;
pub mod text;

pub use table::{Column, Row, Table};
