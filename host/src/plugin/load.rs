//! Opens a plugin's file, after its manifest has been judged.

use super::{
    PluginFailure,
    calls::{Method, Plugin, Watched},
    card,
    dataset::{self, PluginDataset},
    encoder::PluginEncoder,
    log, manifest,
    plugin_context::PluginContext,
    slow_call, sudden_end,
    usage::UsedCard,
};
use crate::libtorch;
use crate::storage::sha256_of_file;
use abi_stable::library::{LibraryError, lib_header_from_path};
use selfsame_abi::PluginModuleRef;
use selfsame_encoder_api::{Encoder, EncoderCard, EncoderRequest};
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, Manifest, PluginError, Services, Survey};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tch::Device;

/// An opened plugin; it stays in the process for good.
pub(super) struct Library {
    pub(super) path: PathBuf,
    pub(super) manifest: Manifest,
    called: Plugin,
    /// Of the file, in hexadecimal.
    pub(super) sha256: String,
    /// The data sets and encoders that were made, each once.
    used: Mutex<Vec<UsedCard>>,
    module: PluginModuleRef,
}

/// A request whose data set is asked about its folder. Only those that say that they can be get it.
#[derive(Serialize)]
struct SurveyRequest<'a> {
    #[serde(flatten)]
    request: &'a DatasetRequest,
    survey: bool,
}

/// Judges and opens a plugin.
///
/// # Errors
/// [`PluginFailure::Unusable`] with the reason.
pub(super) fn open(path: &Path) -> Result<Library, PluginFailure> {
    let unusable = |reason| PluginFailure::Unusable { path: path.to_owned(), reason };
    let manifest = manifest::read(path).map_err(unusable)?;
    let (sha256, _) = sha256_of_file(path).map_err(|error| unusable(format!("cannot be read: {}", error.source)))?;
    sudden_end::watch();
    slow_call::watch();
    let called = Plugin::named(&manifest.name);
    let _opening = Watched::new(called, Method::Load);
    // Not `RootModule::load_*`: those return the first library that was ever loaded.
    let module: PluginModuleRef = lib_header_from_path(path)
        .and_then(|header| header.init_root_module())
        .map_err(|error| unusable(one_line(path, &error)))?;
    module.attach()(log::CALLBACK, log::most_verbose());
    tracing::debug!(plugin = manifest.name, version = manifest.version, "opened {}", path.display());
    Ok(Library { path: path.to_owned(), manifest, called, sha256, used: Mutex::default(), module })
}

fn one_line(path: &Path, error: &LibraryError) -> String {
    match error {
        LibraryError::OpenError { err, .. } => match libtorch::lacking() {
            Some(reason) => format!("cannot be opened without libtorch ({reason}): {err}"),
            None => format!("cannot be opened: {err}"),
        },
        LibraryError::GetSymbolError { .. } => {
            "no selfsame plugin: it exports no root module; see `export_plugin!`".into()
        }
        LibraryError::AbiInstability(report) => {
            tracing::debug!("layout check of {}:\n{report}", path.display());
            "its types are laid out differently from this host's; build it with the selfsame-plugin-api of this host \
             (--verbose shows the difference)"
                .into()
        }
        other => format!("cannot be opened: {other}"),
    }
}

impl Library {
    fn context(&self, what: &'static str, name: &str) -> PluginContext {
        PluginContext { plugin: self.manifest.name.clone(), called: self.called, what, name: name.to_owned() }
    }

    pub(super) fn dataset_card(&self, name: &str) -> Result<Card, PluginError> {
        let context = self.context("data set", name);
        let json = context.call(Method::Card, |_| self.module.dataset_card()(name.into()))?;
        let card = context.parse(&json)?;
        card::check(&card, name).map_err(|message| context.broken(message))?;
        Ok(card)
    }

    pub(super) fn create_dataset(&self, request: &DatasetRequest) -> Result<Box<dyn Dataset>, PluginError> {
        let card = self.dataset_card(&request.name)?;
        let context = self.context("data set", &request.name);
        let request = context.to_json(request)?;
        let object = context.call(Method::Create, |_| self.module.create_dataset()(request.as_str().into()))?;
        self.note_use((&card).into());
        Ok(Box::new(PluginDataset::new(context, card, object)))
    }

    /// What the data set `request.name` says of the request's folder; none: it cannot tell.
    pub(super) fn survey(
        &self,
        request: &DatasetRequest,
        services: &dyn Services,
    ) -> Result<Option<Survey>, PluginError> {
        let context = self.context("data set", &request.name);
        let request = context.to_json(&SurveyRequest { request, survey: true })?;
        let object = context.call(Method::Create, |_| self.module.create_dataset()(request.as_str().into()))?;
        dataset::survey(&context, &object, services)
    }

    pub(super) fn encoder_card(&self, name: &str) -> Result<EncoderCard, PluginError> {
        let context = self.context("encoder", name);
        let json = context.call(Method::Card, |_| self.module.encoder_card()(name.into()))?;
        let card = context.parse(&json)?;
        card::check_encoder(&card, name).map_err(|message| context.broken(message))?;
        Ok(card)
    }

    pub(super) fn create_encoder(
        &self,
        request: &EncoderRequest,
        device: Device,
    ) -> Result<Box<dyn Encoder>, PluginError> {
        let card = self.encoder_card(&request.name)?;
        let context = self.context("encoder", &request.name);
        let device = match device {
            Device::Cpu => "cpu".to_owned(),
            Device::Cuda(index) => format!("cuda:{index}"),
            other => return Err(context.named(PluginError::configuration(format!("no support for {other:?}")))),
        };
        let request = context.to_json(request)?;
        let create = self.module.create_encoder();
        let object = context.call(Method::Create, |_| create(request.as_str().into(), device.as_str().into()))?;
        self.note_use((&card).into());
        Ok(Box::new(PluginEncoder::new(context, object)?))
    }

    fn note_use(&self, card: UsedCard) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if !used.contains(&card) {
            used.push(card);
        }
    }

    /// The data sets and encoders that were made so far, each once.
    pub(super) fn used(&self) -> Vec<UsedCard> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
