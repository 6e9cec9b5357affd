//! The run's configuration: its schema, the layers it is read from, and where each value came from.
//!
//! Every layer (a file, a variable, a flag, a recommendation) is read into a tree with positions, checked against the
//! schema's keys, and handed to figment, which merges them in order.

mod check;
mod document;
mod error;
mod explain;
mod flat;
mod ignored_keys;
mod json_schema;
mod keys;
mod layers;
mod load;
mod node;
mod options;
mod origin;
mod paths;
mod role;
mod roles;
mod rules;
pub mod schema;
mod show;
mod sources;
mod yaml;

pub use document::Document;
pub use error::{ConfigError, Problem};
pub use explain::explain;
pub use flat::flat;
pub use ignored_keys::IgnoredKey;
pub use json_schema::json_schema;
pub use load::{Names, Resolved, load, peek};
pub use options::unknown_options;
pub use origin::Origin;
pub use paths::{RecordedPath, absolute, recorded, set_by};
pub use role::{InEvaluation, Role};
pub use roles::Roles;
pub use schema::Config;
pub use show::{show, to_yaml};
pub use sources::{Recommended, Sources, Texts};
