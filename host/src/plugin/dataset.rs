//! A plugin's data set behind the plain traits; checks whatever the plugin returns.

use super::calls::{Method, Watched};
use super::card::{self, is_unique};
use super::float_pixels;
use super::plugin_context::PluginContext;
use abi_stable::{
    sabi_trait::TD_Opaque,
    sabi_types::RRef,
    std_types::{ROption, RSlice, RStr, RString, RVec},
};
use selfsame_abi::{DatasetObject, RawImage, RawTargets, SamplesObject, ServicesAbi, ServicesAbi_TO, TargetsKind};
use selfsame_plugin_api::{
    Cancelled, Card, Dataset, Image, PluginError, ReadHints, Result, Samples, Services, Split, Survey, Targets, Task,
};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

pub(super) struct PluginDataset {
    context: Arc<PluginContext>,
    /// Replaced once preparing has taught more.
    card: Mutex<Arc<Card>>,
    object: DatasetObject,
}

impl PluginDataset {
    pub(super) fn new(context: PluginContext, card: Card, object: DatasetObject) -> Self {
        Self { context: Arc::new(context), card: Mutex::new(Arc::new(card)), object }
    }

    fn current_card(&self) -> Arc<Card> {
        self.card.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn_card(&self) -> Result<()> {
        let Some(json) = self.context.call(Method::DatasetCard, |_| self.object.card())?.into_option() else {
            return Ok(());
        };
        let card = self.context.parse(&json)?;
        card::check(&card, &self.current_card().name).map_err(|message| self.context.broken(message))?;
        *self.card.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(card);
        Ok(())
    }
}

/// What a data set that was made to be asked says of its folder; none: it cannot tell.
pub(super) fn survey(
    context: &PluginContext,
    object: &DatasetObject,
    services: &dyn Services,
) -> Result<Option<Survey>> {
    context.call(Method::Survey, |watched| {
        let progress = Progress { services, watched };
        object.prepare(ServicesAbi_TO::from_ptr(RRef::new(&progress), TD_Opaque))
    })?;
    let json = context.call(Method::DatasetCard, |_| object.card())?.into_option();
    let card: Option<Card> = json.map(|json| context.parse(&json)).transpose()?;
    Ok(card.and_then(|card| card.survey))
}

struct Progress<'a> {
    services: &'a dyn Services,
    watched: &'a Watched,
}

impl Progress<'_> {
    fn report(&self, report: impl FnOnce() -> std::result::Result<(), Cancelled>) -> bool {
        self.watched.heard();
        // A panic of the host's own display must not unwind into the plugin: it ends the call as a stop would.
        matches!(catch_unwind(AssertUnwindSafe(report)), Ok(Ok(())))
    }
}

impl ServicesAbi for Progress<'_> {
    fn progress(&self, what: RStr<'_>, done: u64, total: ROption<u64>) -> bool {
        self.report(|| self.services.progress(what.as_str(), done, total.into_option()))
    }

    fn items(&self, what: RStr<'_>, done: u64, total: ROption<u64>) -> bool {
        self.report(|| self.services.items(what.as_str(), done, total.into_option()))
    }
}

impl Dataset for PluginDataset {
    fn prepare(&self, services: &dyn Services) -> Result<()> {
        self.context.call(Method::Prepare, |watched| {
            let progress = Progress { services, watched };
            self.object.prepare(ServicesAbi_TO::from_ptr(RRef::new(&progress), TD_Opaque))
        })?;
        self.learn_card()
    }

    fn card(&self) -> Result<Option<Card>> {
        Ok(Some(float_pixels::held(self.current_card().as_ref().clone())))
    }

    fn open(&self, split: Split) -> Result<Box<dyn Samples>> {
        let card = self.current_card();
        if !card.splits.contains(&split) {
            let splits: Vec<_> = card.splits.iter().map(|split| split.name()).collect();
            let message = format!("there is no split `{}`; it has: {}", split.name(), splits.join(", "));
            return Err(self.context.named(PluginError::configuration(message)));
        }
        let object = self.context.call(Method::Open, |_| self.object.open(split.name().into()))?;
        Ok(Box::new(PluginSamples::new(&self.context, card, object)?))
    }
}

struct PluginSamples {
    context: Arc<PluginContext>,
    card: Arc<Card>,
    object: SamplesObject,
    len: usize,
    targets: Targets,
    groups: Option<Vec<String>>,
    ids: Option<Vec<String>>,
    fingerprint: Option<String>,
}

/// Copies; the plugin's buffers belong to the plugin's allocator.
fn strings(list: ROption<RVec<RString>>) -> Option<Vec<String>> {
    list.into_option().map(|list| list.iter().map(|text| text.as_str().to_owned()).collect())
}

impl PluginSamples {
    fn new(context: &Arc<PluginContext>, card: Arc<Card>, object: SamplesObject) -> Result<Self> {
        let len = context.call(Method::Len, |_| object.len())?;
        let targets = context.call(Method::Targets, |_| object.targets())?;
        let targets = check_targets(&card, len, &targets).map_err(|message| context.broken(message))?;
        let groups = strings(context.call(Method::Groups, |_| object.groups())?);
        let ids = strings(context.call(Method::Ids, |_| object.ids())?);
        for (what, list) in [("groups", &groups), ("ids", &ids)] {
            if let Some(count) = list.as_ref().map(Vec::len).filter(|count| *count != len) {
                return Err(context.broken(format!("`{what}` has {count} entries for {len} samples")));
            }
        }
        if !ids.as_ref().is_none_or(is_unique) {
            return Err(context.broken("`ids` names a sample twice"));
        }
        let fingerprint = context.call(Method::Fingerprint, |_| object.fingerprint())?.into_option();
        let fingerprint = fingerprint.map(|text| text.as_str().to_owned());
        if fingerprint.as_ref().is_some_and(String::is_empty) {
            return Err(context.broken("`fingerprint` is empty, expected a text that changes with the images, or none"));
        }
        let samples = Self { context: context.clone(), card, object, len, targets, groups, ids, fingerprint };
        samples.checked_block()?;
        Ok(samples)
    }

    fn checked_block(&self) -> Result<Option<&[u8]>> {
        let block = self.context.call(Method::Block, |_| self.object.block())?;
        let Some(block) = block.into_option().map(|block| block.as_slice()) else { return Ok(None) };
        let (height, width) = self.card.nominal_size;
        let expected = [self.card.channels, height, width].iter().try_fold(self.len, |size, n| size.checked_mul(*n));
        if self.card.bit_depth != 8 || Some(block.len()) != expected {
            return Err(self.context.broken(format!(
                "`block` has {} bytes, expected {} × {} × {height} × {width} of 8 bits",
                block.len(),
                self.len,
                self.card.channels,
            )));
        }
        Ok(Some(block))
    }

    fn image(&self, index: usize, image: &RawImage) -> Result<Image> {
        let &RawImage { channels, height, width, bit_depth, ref data } = image;
        let expected = [channels, height, width].iter().try_fold(usize::from(bit_depth / 8), |n, m| n.checked_mul(*m));
        let is_right = channels == self.card.channels
            && bit_depth == self.card.bit_depth
            && !data.is_empty()
            && Some(data.len()) == expected;
        let id = || self.ids.as_ref().map(|ids| format!(" (`{}`)", ids[index])).unwrap_or_default();
        if is_right {
            let image = Image { channels, height, width, bit_depth, data: data.as_slice().to_vec() };
            let held = float_pixels::held_image(image);
            return held.map_err(|message| self.context.broken(format!("sample {index}{} {message}", id())));
        }
        Err(self.context.broken(format!(
            "sample {index}{} is {channels} × {height} × {width} of {bit_depth} bits in {} bytes; the card says {} \
             channels of {} bits",
            id(),
            data.len(),
            self.card.channels,
            self.card.bit_depth
        )))
    }
}

fn check_targets(card: &Card, len: usize, targets: &RawTargets) -> std::result::Result<Targets, String> {
    let classes = card.classes.len();
    match (targets.kind, card.task) {
        (TargetsKind::NONE, _) => Ok(Targets::None),
        (TargetsKind::CLASSES, Task::Binary | Task::Multiclass) => {
            let (labels, rest) = targets.bytes.as_slice().as_chunks::<8>();
            if labels.len() != len || !rest.is_empty() {
                return Err(format!("`targets` has {} labels for {len} samples", labels.len()));
            }
            let labels: Vec<i64> = labels.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect();
            let is_class = |label: i64| usize::try_from(label).is_ok_and(|label| label < classes);
            if let Some(index) = labels.iter().position(|label| !is_class(*label)) {
                return Err(format!("sample {index} has label {}, expected 0 to {}", labels[index], classes - 1));
            }
            Ok(Targets::Classes(labels))
        }
        (TargetsKind::MULTILABEL, Task::Multilabel) => {
            let labels = targets.bytes.as_slice();
            if Some(labels.len()) != len.checked_mul(classes) {
                return Err(format!("`targets` has {} values, expected {len} × {classes}", labels.len()));
            }
            if let Some(at) = labels.iter().position(|label| *label > 1) {
                let (index, label) = (at / classes, labels[at]);
                return Err(format!("sample {index} has value {label} for class {}, expected 0 or 1", at % classes));
            }
            Ok(Targets::Multilabel(labels.to_vec()))
        }
        (kind, task) => Err(format!("`targets` of kind {} do not fit the card's task {task:?}", kind.0)),
    }
}

impl Samples for PluginSamples {
    fn len(&self) -> usize {
        self.len
    }

    fn targets(&self) -> Targets {
        self.targets.clone()
    }

    fn groups(&self) -> Option<Vec<String>> {
        self.groups.clone()
    }

    fn ids(&self) -> Option<Vec<String>> {
        self.ids.clone()
    }

    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        self.read_with(indices, &ReadHints::default())
    }

    fn read_with(&self, indices: &[usize], hints: &ReadHints) -> Result<Vec<Image>> {
        if let Some(index) = indices.iter().find(|index| **index >= self.len) {
            return Err(self.context.broken(format!("sample {index} was asked for, there are {}", self.len)));
        }
        let hints = if *hints == ReadHints::default() { String::new() } else { self.context.to_json(hints)? };
        let read = |_: &_| self.object.read(RSlice::from_slice(indices), hints.as_str().into());
        let images = self.context.call(Method::Read, read)?;
        if images.len() != indices.len() {
            let (returned, asked) = (images.len(), indices.len());
            return Err(self.context.broken(format!("`read` returned {returned} images for {asked} indices")));
        }
        indices.iter().zip(&images).map(|(index, image)| self.image(*index, image)).collect()
    }

    fn fingerprint(&self) -> Option<String> {
        self.fingerprint.clone()
    }

    fn facts(&self, index: usize) -> Result<BTreeMap<String, String>> {
        if index >= self.len {
            return Err(self.context.broken(format!("sample {index} was asked for, there are {}", self.len)));
        }
        let json = self.context.call(Method::Facts, |_| self.object.facts(index))?;
        self.context.parse(&json)
    }

    fn block(&self) -> Option<&[u8]> {
        self.checked_block().unwrap_or_else(|error| {
            tracing::error!("{error}; reading images one by one instead");
            None
        })
    }
}
