//! `train.self_supervision.init`: weights that an encoder starts from instead of random ones.

mod channels;
mod convert;
mod layouts;
mod positions;

use crate::data::Size;
use crate::error::Error;
use crate::home;
use crate::regular_file;
use crate::run::record::WeightsFile;
use crate::run::tensors::from_safetensors;
use crate::storage::{Naming, sha256_of_bytes};
use layouts::Found;
use positions::Resampled;
use selfsame_encoder_api::Encoder;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tch::{Tensor, no_grad};

/// The key that names the file for a run.
pub const INIT: &str = "train.self_supervision.init";
/// Classifiers of torchvision and timm, which encoders here do not have.
const CLASSIFIERS: [&str; 3] = ["fc.", "classifier.", "head."];
/// A counter that forward passes do not read; files made before PyTorch 0.4.1 lack it.
const COUNTER: &str = ".num_batches_tracked";
/// The parameter of a vision transformer that depends on the size of its images.
const POSITIONS: &str = "pos_embed";
/// Names that a message shows before it says how many more there are.
const SHOWN: usize = 4;

/// The tensors of a weights file.
#[derive(Debug)]
pub struct InitialWeights {
    set_by: &'static str,
    path: PathBuf,
    /// `init_prefix`, where one is set; it ends in a dot or is empty.
    prefix: Option<String>,
    sha256: String,
    tensors: BTreeMap<String, Tensor>,
}

/// What to do with each tensor of a file.
struct Fit<'a> {
    found: Found,
    /// (the encoder's own tensor, its value).
    values: Vec<(&'a Tensor, Tensor)>,
    /// What a person should know about tensors that are left out or changed.
    notes: Vec<String>,
}

impl InitialWeights {
    /// Reads a safetensors file that `set_by` names, a key or a flag; the encoder's names follow `prefix` there, or where none is given one that is known.
    ///
    /// # Errors
    /// A file that cannot be read or is of another format; a PyTorch checkpoint is told how to convert it.
    pub fn read(set_by: &'static str, path: &Path, prefix: Option<&str>) -> Result<Self, Error> {
        let shown = home::absolute(path);
        let bytes = regular_file::read(path)
            .naming("read", &shown)
            .map_err(|error| Error::data(format!("`{set_by}`: {error}")))?;
        let tensors = from_safetensors(&bytes).map_err(|error| {
            let what = if convert::is_pickle(&bytes) { convert::advice(path) } else { error.to_string() };
            Error::data(format!("`{set_by}`: {}: {what}", shown.display()))
        })?;
        let tensors = tensors.into_iter().map(|(name, tensor)| (layouts::renamed(name), tensor)).collect();
        let dotted = |prefix: &str| match prefix.is_empty() || prefix.ends_with('.') {
            true => prefix.to_owned(),
            false => format!("{prefix}."),
        };
        Ok(Self { set_by, path: path.to_owned(), prefix: prefix.map(dotted), sha256: sha256_of_bytes(&bytes), tensors })
    }

    /// The file, for the record.
    pub fn file(&self) -> WeightsFile {
        WeightsFile { path: self.path.display().to_string(), sha256: self.sha256.clone() }
    }

    /// Copies the weights over the encoder's own, all or none, and logs what is left out. The encoder is made for images of
    /// this size.
    ///
    /// # Errors
    /// Tensors that are missing, unknown, of another shape or not finite.
    pub fn load_into(&self, encoder: &dyn Encoder, image: Size) -> Result<(), Error> {
        let own = crate::run::state::encoder_tensors(encoder);
        let stem = encoder.parameters().into_iter().find(|parameter| parameter.tensor.dim() == 4);
        let fit = self.fit(&own, stem.map(|parameter| parameter.name).as_deref(), image)?;
        for (own, value) in &fit.values {
            no_grad(|| own.shallow_clone().f_copy_(value).map(drop))?;
        }
        let prefix = &fit.found.prefix;
        let under = if prefix.is_empty() { String::new() } else { format!(" under `{prefix}`") };
        tracing::info!("the encoder starts from {}: {} tensors{under}", self.path.display(), fit.values.len());
        fit.notes.iter().for_each(|note| tracing::info!("{}: {note}", self.path.display()));
        Ok(())
    }

    fn fit<'a>(&'a self, own: &'a [(String, Tensor)], stem: Option<&str>, image: Size) -> Result<Fit<'a>, Error> {
        let names: BTreeSet<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
        let keys: Vec<&str> = self.tensors.keys().map(String::as_str).collect();
        let found = layouts::find(&keys, &names, self.prefix.as_deref());
        let (mut theirs, mut outside) = (BTreeMap::new(), Vec::new());
        for (key, tensor) in &self.tensors {
            match found.layout.name(key).and_then(|name| Some(name.strip_prefix(&found.prefix)?.to_owned())) {
                Some(name) => drop(theirs.insert(name, tensor)),
                None => outside.push(key),
            }
        }
        let (ignored, unexpected): (Vec<&String>, Vec<&String>) = theirs
            .keys()
            .filter(|name| !names.contains(name.as_str()))
            .partition(|name| CLASSIFIERS.iter().any(|head| name.starts_with(head)));
        let (prefix, layout) = (found.prefix.clone(), found.layout.what);
        let mut fit = Fit { found, values: Vec::new(), notes: Vec::new() };
        if !layout.is_empty() {
            fit.notes.push(format!("its names are those of {layout}"));
        }
        if !ignored.is_empty() {
            fit.notes.push(format!("a classifier is not used: {}", some_of(&ignored)));
        }
        if !outside.is_empty() {
            fit.notes.push(format!("what is not under `{prefix}` is not used: {}", some_of(&outside)));
        }
        let (mut missing, mut differing) = (Vec::new(), Vec::new());
        for (name, own) in own {
            let Some(&value) = theirs.get(name) else {
                if !name.ends_with(COUNTER) {
                    missing.push(name.as_str());
                }
                continue;
            };
            let (given, ours) = (value.size(), own.size());
            if given == ours && value.is_floating_point() == own.is_floating_point() {
                fit.values.push((own, value.shallow_clone()));
            } else if Some(name.as_str()) == stem
                && let Some(channels) = other_channels(&given, &ours)
            {
                fit.values.push((own, channels::of_colours(value, channels)?));
                fit.notes.push(channels::note(name, channels));
            } else if name == POSITIONS
                && let Some(Resampled { tensor, from, to }) = positions::resampled(value, &ours, image)?
            {
                fit.values.push((own, tensor));
                let [from, to] = [from, to].map(|[rows, columns]| format!("{rows} × {columns}"));
                fit.notes.push(format!("`{name}` is resampled from {from} to {to} patches (bicubic, antialiased)"));
            } else {
                differing.push(format!("{name} ({:?} {given:?}, expected {:?} {ours:?})", value.kind(), own.kind()));
            }
        }
        self.refuse(&missing, &unexpected, &differing, &where_found(&fit.found, &keys, &names))?;
        let infinite = |(own, value): &&(&Tensor, Tensor)| {
            own.is_floating_point()
                && value.f_isfinite().and_then(|finite| finite.f_all()).is_ok_and(|all| all.int64_value(&[]) == 0)
        };
        if fit.values.iter().any(|entry| infinite(&entry)) {
            return Err(Error::data(format!("{}: it holds values that are not finite", self.path.display())));
        }
        Ok(fit)
    }

    fn refuse(
        &self,
        missing: &[&str],
        unexpected: &[&String],
        differing: &[String],
        where_found: &str,
    ) -> Result<(), Error> {
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
            "`{}`: {} does not fit this encoder, and nothing of it was loaded: {}. {where_found}; check \
             `train.self_supervision.encoder_name`, `encoder.stem` (the first layer) and `encoder.options`",
            self.set_by,
            home::absolute(&self.path).display(),
            reasons.join("; ")
        )))
    }
}

/// The input channels of `ours`, where `given` has three and the rest of both is equal.
fn other_channels(given: &[i64], ours: &[i64]) -> Option<i64> {
    match (given, ours) {
        ([out, 3, rest @ ..], [own_out, channels, own_rest @ ..]) if rest.len() == 2 => {
            (out == own_out && rest == own_rest).then_some(*channels)
        }
        _ => None,
    }
}

/// The first few of the names, and how many more there are.
fn some_of(names: &[impl AsRef<str>]) -> String {
    let shown: Vec<_> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let more = names.len() - shown.len();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// Where the file has the encoder's names, and where it would have more of them.
fn where_found(found: &Found, keys: &[&str], names: &BTreeSet<&str>) -> String {
    let under = |prefix: &str| match prefix {
        "" => "without anything before them".to_owned(),
        prefix => format!("after `{prefix}`"),
    };
    let all = names.len();
    match layouts::nearest(keys, names) {
        Some(nearest) if nearest.count > found.count => format!(
            "It has {} of the encoder's {all} names {}, and {} of them {}: set `train.self_supervision.init_prefix` to `{}`",
            found.count,
            under(&found.prefix),
            nearest.count,
            under(&nearest.prefix),
            nearest.prefix
        ),
        Some(_) => format!("It has {} of the encoder's {all} names {}", found.count, under(&found.prefix)),
        None => {
            format!("It has none of the encoder's names, whatever stands before them; it begins with {}", some_of(keys))
        }
    }
}

#[cfg(test)]
mod tests;
