//! The run's configuration: its schema, the layers it is read from, and where each value came from.

pub mod schema;

pub use schema::Config;
