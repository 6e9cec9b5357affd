use super::calls::{Method, Plugin, Watched};
use abi_stable::std_types::{RErr, ROk};
use selfsame_abi::RawResult;
use selfsame_plugin_api::PluginError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a call is about: every error and warning names the plugin and the data set or encoder.
#[derive(Debug)]
pub(super) struct PluginContext {
    pub(super) plugin: String,
    /// The same, as calls are watched by.
    pub(super) called: Plugin,
    /// `data set` or `encoder`.
    pub(super) what: &'static str,
    pub(super) name: String,
}

impl PluginContext {
    /// Calls into the plugin, watched.
    pub(super) fn call<T>(
        &self,
        method: Method,
        body: impl FnOnce(&Watched) -> RawResult<T>,
    ) -> Result<T, PluginError> {
        let watched = Watched::new(self.called, method);
        match body(&watched) {
            ROk(value) => Ok(value),
            RErr(json) => Err(self.named(PluginError::from_json(&json))),
        }
    }

    /// Puts the plugin's name before a message.
    pub(super) fn named(&self, error: PluginError) -> PluginError {
        let Self { plugin, what, name, .. } = self;
        PluginError { kind: error.kind, message: format!("plugin `{plugin}`, {what} `{name}`: {}", error.message) }
    }

    /// The plugin broke its contract.
    pub(super) fn broken(&self, message: impl Into<String>) -> PluginError {
        self.named(PluginError::contract(message))
    }

    /// What the plugin is told, as JSON.
    pub(super) fn to_json(&self, value: &impl Serialize) -> Result<String, PluginError> {
        serde_json::to_string(value)
            .map_err(|error| self.named(PluginError::configuration(format!("the request as JSON: {error}"))))
    }

    /// What the plugin says, out of its JSON.
    pub(super) fn parse<T: DeserializeOwned>(&self, json: &str) -> Result<T, PluginError> {
        serde_json::from_str(json).map_err(|error| self.broken(format!("its JSON: {error}")))
    }
}
