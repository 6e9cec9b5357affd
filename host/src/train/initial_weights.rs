//! `train.self_supervision.init`: weights that an encoder starts from instead of random ones.

use crate::error::Error;
use crate::regular_file;
use crate::run::record::WeightsFile;
use crate::run::tensors::from_safetensors;
use crate::storage::{Naming, sha256_of_bytes};
use selfsame_encoder_api::Encoder;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor, no_grad};

/// What other programs put before an encoder's names, in any combination.
const PREFIXES: [&str; 4] = ["module.", "backbone.", "encoder.", "model."];
/// Classifiers of torchvision and timm, which encoders here do not have.
const CLASSIFIERS: [&str; 3] = ["fc.", "classifier.", "head."];
/// A counter that forward passes do not read; files made before PyTorch 0.4.1 lack it.
const COUNTER: &str = ".num_batches_tracked";
/// Names that a message shows before it says how many more there are.
const SHOWN: usize = 4;

/// The tensors of a weights file.
#[derive(Debug)]
pub struct InitialWeights {
    path: PathBuf,
    sha256: String,
    tensors: BTreeMap<String, Tensor>,
}

/// What to do with each tensor of a file.
struct Fit<'a> {
    prefix: &'a str,
    /// (the encoder's own tensor, its value).
    values: Vec<(&'a Tensor, Tensor)>,
    /// What a person should know about tensors that are left out or changed.
    notes: Vec<String>,
}

impl InitialWeights {
    /// Reads a safetensors file.
    ///
    /// # Errors
    /// A file that cannot be read or is of another format; a PyTorch checkpoint is told how to convert it.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = regular_file::read(path)
            .naming("read", path)
            .map_err(|error| Error::data(format!("`train.self_supervision.init`: {error}")))?;
        let tensors = from_safetensors(&bytes).map_err(|error| {
            let what = if is_pickle(&bytes) { convert(path) } else { error.to_string() };
            Error::data(format!("`train.self_supervision.init`: {}: {what}", path.display()))
        })?;
        let tensors = tensors.into_iter().map(|(name, tensor)| (renamed(name), tensor)).collect();
        Ok(Self { path: path.to_owned(), sha256: sha256_of_bytes(&bytes), tensors })
    }

    /// The file, for the record.
    pub fn file(&self) -> WeightsFile {
        WeightsFile { path: self.path.display().to_string(), sha256: self.sha256.clone() }
    }

    /// Copies the weights over the encoder's own, all or none, and logs what is left out.
    ///
    /// # Errors
    /// Tensors that are missing, unknown, of another shape or not finite.
    pub fn load_into(&self, encoder: &dyn Encoder) -> Result<(), Error> {
        let own = crate::run::state::encoder_tensors(encoder);
        let stem = encoder.parameters().into_iter().find(|parameter| parameter.tensor.dim() == 4);
        let fit = self.fit(&own, stem.map(|parameter| parameter.name).as_deref())?;
        for (own, value) in &fit.values {
            no_grad(|| own.shallow_clone().f_copy_(value).map(drop))?;
        }
        let under = if fit.prefix.is_empty() { String::new() } else { format!(" under `{}`", fit.prefix) };
        tracing::info!("the encoder starts from {}: {} tensors{under}", self.path.display(), fit.values.len());
        fit.notes.iter().for_each(|note| tracing::info!("{}: {note}", self.path.display()));
        Ok(())
    }

    fn fit<'a>(&'a self, own: &'a [(String, Tensor)], stem: Option<&str>) -> Result<Fit<'a>, Error> {
        let names: BTreeSet<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
        let prefix = self.prefix(&names);
        let (inside, outside): (Vec<_>, Vec<_>) = self.tensors.keys().partition(|key| key.starts_with(prefix));
        let inside = || inside.iter().map(|key| &key[prefix.len()..]).filter(|name| !names.contains(name));
        let classifier = |name: &&str| CLASSIFIERS.iter().any(|head| name.starts_with(head));
        let unexpected: Vec<_> = inside().filter(|name| !classifier(name)).collect();
        let mut fit = Fit { prefix, values: Vec::new(), notes: Vec::new() };
        let ignored: Vec<_> = inside().filter(classifier).collect();
        if !ignored.is_empty() {
            fit.notes.push(format!("a classifier is not used: {}", some_of(&ignored)));
        }
        if !outside.is_empty() {
            fit.notes.push(format!("what is not under `{prefix}` is not used: {}", some_of(&outside)));
        }
        let (mut missing, mut differing) = (Vec::new(), Vec::new());
        for (name, own) in own {
            let Some(value) = self.tensors.get(&format!("{prefix}{name}")) else {
                if !name.ends_with(COUNTER) {
                    missing.push(name.as_str());
                }
                continue;
            };
            let (theirs, ours) = (value.size(), own.size());
            if theirs == ours && value.is_floating_point() == own.is_floating_point() {
                fit.values.push((own, value.shallow_clone()));
            } else if Some(name.as_str()) == stem
                && theirs.len() == 4
                && theirs[1] == 3
                && with_channels(&theirs, 1) == ours
            {
                let summed = value.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?;
                fit.values.push((own, summed));
                fit.notes.push(format!(
                    "`{name}` takes 3 channels and the images have 1: its weights are summed over the channels, which \
                     gives what three equal channels would"
                ));
            } else {
                differing.push(format!("{name} ({:?} {theirs:?}, expected {:?} {ours:?})", value.kind(), own.kind()));
            }
        }
        self.refuse(&missing, &unexpected, &differing)?;
        let infinite = |(own, value): &&(&Tensor, Tensor)| {
            own.is_floating_point()
                && value.f_isfinite().and_then(|finite| finite.f_all()).is_ok_and(|all| all.int64_value(&[]) == 0)
        };
        if fit.values.iter().any(|entry| infinite(&entry)) {
            return Err(Error::data(format!("{}: it holds values that are not finite", self.path.display())));
        }
        Ok(fit)
    }

    /// The combination of known prefixes under which the file has most of the encoder's names; the shortest of these.
    fn prefix(&self, names: &BTreeSet<&str>) -> &str {
        let mut found = BTreeMap::<&str, usize>::new();
        for key in self.tensors.keys() {
            let mut at = 0;
            loop {
                if names.contains(&key[at..]) {
                    *found.entry(&key[..at]).or_default() += 1;
                }
                let Some(prefix) = PREFIXES.iter().find(|prefix| key[at..].starts_with(**prefix)) else { break };
                at += prefix.len();
            }
        }
        let best = found.into_iter().max_by_key(|(prefix, count)| (*count, std::cmp::Reverse(prefix.len())));
        best.map_or("", |(prefix, _)| prefix)
    }

    fn refuse(&self, missing: &[&str], unexpected: &[&str], differing: &[String]) -> Result<(), Error> {
        let mut reasons = Vec::new();
        if !missing.is_empty() {
            reasons.push(format!("it lacks {}", some_of(missing)));
        }
        if !unexpected.is_empty() {
            reasons.push(format!("it holds {}, which this encoder does not have", some_of(unexpected)));
        }
        if !differing.is_empty() {
            reasons.push(format!("of another shape: {}", some_of(differing)));
        }
        if reasons.is_empty() {
            return Ok(());
        }
        Err(Error::configuration(format!(
            "`train.self_supervision.init`: {} does not fit this encoder, and nothing of it was loaded: {}. Check \
             `train.self_supervision.encoder_name`, `encoder.stem` (the first layer) and `encoder.options`; a position \
             embedding fits one size of images only",
            self.path.display(),
            reasons.join("; ")
        )))
    }
}

/// `shape` with another number of input channels.
fn with_channels(shape: &[i64], channels: i64) -> Vec<i64> {
    let mut shape = shape.to_vec();
    shape[1] = channels;
    shape
}

/// The first few of the names, and how many more there are.
fn some_of(names: &[impl AsRef<str>]) -> String {
    let shown: Vec<_> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let more = names.len() - shown.len();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// PyTorch writes zip archives, formerly plain pickles of protocol 2.
fn is_pickle(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80\x02")
}

/// How to make a safetensors file of a PyTorch checkpoint.
fn convert(path: &Path) -> String {
    let (from, to) = (path.display(), path.with_extension("safetensors"));
    let to = to.display();
    format!(
        "this is a PyTorch checkpoint; a safetensors file, which cannot run code, is needed. Convert it:\n\
         python -c \"import torch, safetensors.torch as s; d = torch.load('{from}', map_location='cpu', \
         weights_only=True); d = d.get('state_dict', d.get('model', d)); s.save_file({{k: v.contiguous() for k, v in \
         d.items() if torch.is_tensor(v)}}, '{to}')\""
    )
}

/// torchvision's published DenseNets have the names of an older version, `denselayer1.norm.1.weight`, which it changes to
/// `denselayer1.norm1.weight` as it loads them.
fn renamed(name: String) -> String {
    if !name.contains(".denselayer") {
        return name;
    }
    ["norm.1", "norm.2", "conv.1", "conv.2"]
        .iter()
        .fold(name, |name, old| name.replace(&format!(".{old}."), &format!(".{}.", old.replace('.', ""))))
}

#[cfg(test)]
mod tests;
