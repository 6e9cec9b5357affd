//! The root module: finds the entry for a name and calls its author's functions.

use super::{
    dataset::{DatasetShim, SurveyShim},
    guard::{guard, install_panic_hook, Guarded},
    json::{from_json, to_json},
    log,
};
use crate::{Card, Dataset, DatasetRequest, PluginError, Result};
use abi_stable::{
    prefix_type::PrefixTypeTrait,
    sabi_trait::TD_Opaque,
    std_types::{RStr, RString},
};
use selfsame_abi::{
    DatasetAbi_TO, DatasetObject, EncoderObject, LogCallback, PluginModule, PluginModuleRef, RawResult,
};
use serde::Deserialize;
use std::sync::{Mutex, OnceLock};

/// One data set of a plugin.
#[derive(Clone, Copy)]
pub struct DatasetEntry {
    /// The name that users write.
    pub name: &'static str,
    /// Its card.
    pub card: fn(&str) -> Card,
    /// Its constructor.
    pub create: fn(&DatasetRequest) -> Result<Box<dyn Dataset>>,
}

/// The encoder part of the root module; [`NO_ENCODERS`] where there are none.
#[derive(Clone, Copy)]
pub struct EncoderFunctions {
    /// The card of an encoder.
    pub card: extern "C" fn(RStr<'_>) -> RawResult<RString>,
    /// The constructor of an encoder.
    pub create: extern "C" fn(RStr<'_>, RStr<'_>) -> RawResult<EncoderObject>,
}

/// For plugins that provide data sets only.
pub const NO_ENCODERS: EncoderFunctions = EncoderFunctions { card: no_encoder_card, create: no_encoder };

struct Plugin {
    name: &'static str,
    datasets: &'static [DatasetEntry],
}

static PLUGIN: OnceLock<Plugin> = OnceLock::new();

/// Builds the root module; called by the expansion of [`export_plugin!`](crate::export_plugin).
pub fn root_module(
    name: &'static str,
    datasets: &'static [DatasetEntry],
    encoders: EncoderFunctions,
) -> PluginModuleRef {
    PLUGIN.get_or_init(|| Plugin { name, datasets });
    PluginModule { attach, dataset_card, create_dataset, encoder_card: encoders.card, create_encoder: encoders.create }
        .leak_into_prefix()
}

/// Finds the entry of `name`.
pub fn entry<'a, T>(what: &str, name: &str, entries: &'a [T], of: fn(&T) -> &str) -> Result<&'a T> {
    entries.iter().find(|entry| of(entry) == name).ok_or_else(|| {
        let names: Vec<_> = entries.iter().map(of).collect();
        PluginError::plugin(format!("this plugin has no {what} `{name}`; it has: {}", names.join(", ")))
    })
}

fn dataset(name: &str) -> Result<&'static DatasetEntry> {
    let datasets = PLUGIN.get().map_or(&[][..], |plugin| plugin.datasets);
    entry("data set", name, datasets, |entry| entry.name)
}

extern "C" fn attach(callback: LogCallback, most_verbose: u8) {
    let _: RawResult<()> = guard("attach", || {
        if let Some(plugin) = PLUGIN.get() {
            log::forward_to(plugin.name, callback, most_verbose);
            install_panic_hook();
        }
        Ok(())
    });
}

extern "C" fn dataset_card(name: RStr<'_>) -> RawResult<RString> {
    guard("card", || to_json("card", &(dataset(name.as_str())?.card)(name.as_str())))
}

extern "C" fn create_dataset(request: RStr<'_>) -> RawResult<DatasetObject> {
    guard("create", || {
        let (json, request): (_, DatasetRequest) = (request.as_str(), from_json("request", request.as_str())?);
        let entry = dataset(&request.name)?;
        let created = Guarded::new((entry.create)(&request)?);
        if from_json::<Asked>("request", json)?.survey {
            let card = (entry.card)(entry.name);
            let shim = SurveyShim { dataset: created, card, found: Mutex::default() };
            return Ok(DatasetAbi_TO::from_value(shim, TD_Opaque));
        }
        Ok(DatasetAbi_TO::from_value(DatasetShim(created), TD_Opaque))
    })
}

/// What a request says beside a [`DatasetRequest`].
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// Whether the data set is made to be asked about its folder.
    survey: bool,
}

extern "C" fn no_encoder_card(name: RStr<'_>) -> RawResult<RString> {
    guard("card", || Err(PluginError::plugin(format!("this plugin has no encoder `{name}`; it has none"))))
}

extern "C" fn no_encoder(_: RStr<'_>, _: RStr<'_>) -> RawResult<EncoderObject> {
    guard("create", || Err(PluginError::plugin("this plugin has no encoders")))
}
