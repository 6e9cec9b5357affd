//! What a check returns, and the one that data sets and encoders share.

use crate::plugin::PluginFailure;
use selfsame_plugin_api::ErrorKind;
use std::fmt::Display;

/// What a check found with a word about it, or what broke the contract.
pub(super) type Outcome<T> = Result<(T, String), String>;

/// An option that nothing has.
pub(super) const UNKNOWN_OPTION: &str = "no_such_option";

/// An error as a verdict's detail.
pub(super) fn text(error: impl Display) -> String {
    error.to_string()
}

/// Judges what was made with [`UNKNOWN_OPTION`].
pub(super) fn refuses_unknown<T>(made: Result<T, PluginFailure>) -> Outcome<()> {
    match made {
        Err(error) if error.kind() == ErrorKind::Configuration && error.to_string().contains(UNKNOWN_OPTION) => {
            Ok(((), String::new()))
        }
        Err(error) => Err(format!("expected a configuration error that names `{UNKNOWN_OPTION}`, got: {error}")),
        Ok(_) => Err(format!("the option `{UNKNOWN_OPTION}` was accepted; read options with `parse_options`")),
    }
}
