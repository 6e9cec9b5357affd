//! A data set's plain traits as ABI objects.

use super::{
    guard::{guard, Guarded},
    json::{from_json, to_json},
};
use crate::{Cancelled, Card, Dataset, PluginError, ReadHints, Samples, Services, Split, Survey, Targets};
use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{ROption, RSlice, RStr, RString, RVec},
};
use selfsame_abi::{
    DatasetAbi, RawImage, RawResult, RawTargets, SamplesAbi, SamplesAbi_TO, SamplesObject, ServicesRef, TargetsKind,
};
use std::sync::{Mutex, PoisonError};

pub(super) struct DatasetShim(pub(super) Guarded<dyn Dataset>);

impl DatasetAbi for DatasetShim {
    fn prepare(&self, services: ServicesRef<'_>) -> RawResult<()> {
        guard("Dataset::prepare", || self.0.prepare(&HostServices(services)))
    }

    fn card(&self) -> RawResult<ROption<RString>> {
        guard("Dataset::card", || Ok(self.0.card()?.map(|card| to_json("card", &card)).transpose()?.into()))
    }

    fn open(&self, split: RStr<'_>) -> RawResult<SamplesObject> {
        guard("Dataset::open", || {
            let split: Split = from_json("split", &format!("\"{split}\""))?;
            let samples = self.0.open(split)?;
            Ok(SamplesAbi_TO::from_value(SamplesShim(Guarded::new(samples)), TD_Opaque))
        })
    }
}

/// A data set that is asked about its folder: preparing it looks, and its card tells what was seen.
pub(super) struct SurveyShim {
    pub(super) dataset: Guarded<dyn Dataset>,
    /// The one that is known without reading.
    pub(super) card: Card,
    pub(super) found: Mutex<Option<Survey>>,
}

impl DatasetAbi for SurveyShim {
    fn prepare(&self, services: ServicesRef<'_>) -> RawResult<()> {
        guard("Dataset::survey", || {
            // What it logs while it tries things out is no news: the data set is read in earnest afterwards.
            let quietly = tracing::subscriber::NoSubscriber::default();
            let survey = || self.dataset.survey(&HostServices(services));
            let found = tracing::subscriber::with_default(quietly, survey)?;
            *self.found.lock().unwrap_or_else(PoisonError::into_inner) = found;
            Ok(())
        })
    }

    fn card(&self) -> RawResult<ROption<RString>> {
        guard("Dataset::card", || {
            let survey = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
            to_json("card", &Card { survey, ..self.card.clone() }).map(ROption::RSome)
        })
    }

    fn open(&self, _: RStr<'_>) -> RawResult<SamplesObject> {
        guard("Dataset::open", || Err(PluginError::plugin("this data set was made to be asked about its folder")))
    }
}

struct HostServices<'a>(ServicesRef<'a>);

impl Services for HostServices<'_> {
    fn progress(&self, what: &str, done: u64, total: Option<u64>) -> Result<(), Cancelled> {
        go_on(self.0.progress(what.into(), done, total.into()))
    }

    fn items(&self, what: &str, done: u64, total: Option<u64>) -> Result<(), Cancelled> {
        go_on(self.0.items(what.into(), done, total.into()))
    }
}

fn go_on(wanted: bool) -> Result<(), Cancelled> {
    if wanted {
        Ok(())
    } else {
        Err(Cancelled)
    }
}

struct SamplesShim(Guarded<dyn Samples>);

fn strings(list: Option<Vec<String>>) -> ROption<RVec<RString>> {
    list.map(|list| list.into_iter().map(RString::from).collect()).into()
}

impl SamplesAbi for SamplesShim {
    fn len(&self) -> RawResult<usize> {
        guard("Samples::len", || Ok(self.0.len()))
    }

    fn targets(&self) -> RawResult<RawTargets> {
        guard("Samples::targets", || {
            let (kind, bytes) = match self.0.targets() {
                Targets::None => (TargetsKind::NONE, Vec::new()),
                Targets::Classes(list) => (TargetsKind::CLASSES, list.into_iter().flat_map(i64::to_le_bytes).collect()),
                Targets::Multilabel(list) => (TargetsKind::MULTILABEL, list),
            };
            Ok(RawTargets { kind, bytes: bytes.into() })
        })
    }

    fn groups(&self) -> RawResult<ROption<RVec<RString>>> {
        guard("Samples::groups", || Ok(strings(self.0.groups())))
    }

    fn ids(&self) -> RawResult<ROption<RVec<RString>>> {
        guard("Samples::ids", || Ok(strings(self.0.ids())))
    }

    fn read(&self, indices: RSlice<'_, usize>, hints: RStr<'_>) -> RawResult<RVec<RawImage>> {
        guard("Samples::read", || {
            let hints = if hints.is_empty() { ReadHints::default() } else { from_json("hints", hints.as_str())? };
            let images = self.0.read_with(indices.as_slice(), &hints)?.into_iter().map(|image| RawImage {
                channels: image.channels,
                height: image.height,
                width: image.width,
                bit_depth: image.bit_depth,
                data: image.data.into(),
            });
            Ok(images.collect())
        })
    }

    fn fingerprint(&self) -> RawResult<ROption<RString>> {
        guard("Samples::fingerprint", || Ok(self.0.fingerprint().map(RString::from).into()))
    }

    fn facts(&self, index: usize) -> RawResult<RString> {
        guard("Samples::facts", || to_json("facts", &self.0.facts(index)?))
    }

    fn block(&self) -> RawResult<ROption<RSlice<'_, u8>>> {
        guard("Samples::block", || Ok(self.0.block().map(RSlice::from_slice).into()))
    }
}
