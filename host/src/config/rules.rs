//! Values that have the right type and still cannot be.

use super::error::Problem;
use super::keys::{Key, Kind, Numbers};
use super::node::Node;
use super::origin::{self, Origin};
use super::schema::{AugmentationConfig, Config, Interpolation, LinearHeadConfig, OptimizerName, ResolvedView};
use crate::method::Refusal;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Data sets beside the first one; sample ids tell that many apart.
const MAX_MIXED: usize = 255;
/// Views of an image.
const MAX_VIEWS: usize = 64;

/// Every value outside of its range.
pub(super) fn ranges(root: &Key, config: &Value, origins: &BTreeMap<String, Origin>) -> Vec<Problem> {
    let mut problems = Vec::new();
    check(root, config, &mut |key, value, expected| {
        problems.push(refusal(&key.path, &Node::from(value).brief(), expected, origins));
    });
    problems
}

/// Refuses each value below a key that is outside of its range.
fn check(key: &Key, value: &Value, refuse: &mut dyn FnMut(&Key, &Value, String)) {
    match (&key.kind, value) {
        (Kind::Section(keys), Value::Object(values)) => {
            for inner in keys {
                if let Some(value) = values.get(inner.name()) {
                    check(inner, value, refuse);
                }
            }
        }
        (Kind::Sections(_), Value::Array(items)) => {
            items.iter().enumerate().for_each(|(place, item)| check(&key.entry(place), item, refuse));
        }
        _ if !fits(key, value) => refuse(key, value, key.expected()),
        (Kind::Numbers(Numbers { is_ordered: true, .. }), value) => {
            let numbers = value.as_array().into_iter().flatten().filter_map(Value::as_f64);
            if !numbers.is_sorted() {
                refuse(key, value, "the smaller number first".into());
            }
        }
        _ => {}
    }
}

fn fits(key: &Key, value: &Value) -> bool {
    match &key.kind {
        Kind::Integer(range) | Kind::Number(range) | Kind::IntegerOr(range, _) => {
            value.as_f64().is_none_or(|value| range.contains(value))
        }
        Kind::Numbers(Numbers { range, .. }) => {
            value.as_array().into_iter().flatten().filter_map(Value::as_f64).all(|value| range.contains(value))
        }
        Kind::Text(least) => value.as_str().is_none_or(|text| text.chars().count() as u64 >= *least),
        _ => true,
    }
}

/// Every rule that one range cannot state.
pub(super) fn rules(config: &Config, origins: &BTreeMap<String, Origin>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if config.preprocess.use_histogram_equalization && config.preprocess.use_clahe {
        let expected = "false where `preprocess.use_histogram_equalization` is true";
        problems.push(refusal("preprocess.use_clahe", "true", expected.into(), origins));
    }
    let mut refuse = |key: &str, value: String, expected: String| {
        problems.push(refusal(key, &value, expected, origins));
    };
    if !is_device(&config.train.device) {
        let expected = "`auto`, `cpu`, `cuda` or `cuda:N`";
        refuse("train.device", format!("{:?}", config.train.device), expected.into());
    }
    let train = &config.train;
    if let Some(size) = train.micro_batch_size
        && !train.batch_size.is_multiple_of(size)
    {
        let expected = format!("a divisor of `train.batch_size`, which is {}", train.batch_size);
        refuse("train.micro_batch_size", size.to_string(), expected);
    }
    let method = train.self_supervision.method;
    if let Some(decay) = train.encoder_ema_decay
        && let Some(average) = method.averages(&config.method)
    {
        let expected = format!("none, since `{average}` is a moving average already");
        refuse("train.encoder_ema_decay", decay.to_string(), expected);
    }
    for Refusal { key, value, expected } in method.refusals(&config.method, train.batch_size) {
        refuse(key, value, expected);
    }
    let start = &train.self_supervision;
    if let (Some(prefix), None) = (&start.init_prefix, &start.init) {
        let expected = "nothing, since `train.self_supervision.init` names no file";
        refuse("train.self_supervision.init_prefix", format!("{prefix:?}"), expected.into());
    }
    let scheduler = &config.scheduler;
    if scheduler.warmup_epochs > scheduler.epochs as f64 {
        let expected = format!("at most `scheduler.epochs`, which is {}", scheduler.epochs);
        refuse("scheduler.warmup_epochs", scheduler.warmup_epochs.to_string(), expected);
    }
    let optimizer = &config.optimizer;
    if optimizer.name == OptimizerName::Sgd && optimizer.nesterov && optimizer.momentum == 0.0 {
        refuse("optimizer.nesterov", "true".into(), "false, or `optimizer.momentum` above 0".into());
    }
    if let (Some(resize), Some(crop)) = (config.preprocess.resize, config.preprocess.center_crop_size)
        && crop > resize
    {
        let expected = format!("at most `preprocess.resize`, which is {resize}");
        refuse("preprocess.center_crop_size", crop.to_string(), expected);
    }
    data_sets(config, &mut refuse);
    views(config, &mut refuse);
    problems
}

/// The rules of the views' settings. What is wrong with the common ones is named there, not with each view.
fn views(config: &Config, refuse: &mut impl FnMut(&str, String, String)) {
    let augmentation = &config.augmentation;
    let views = match augmentation.resolved_views() {
        Ok(views) => views,
        Err(error) => return refuse(&error.section, error.to_string(), "keys of `augmentation`".into()),
    };
    let count: usize = views.iter().map(|view| view.count).sum();
    if count > MAX_VIEWS {
        refuse("augmentation.views", format!("{count} views"), format!("at most {MAX_VIEWS} views of an image"));
    }
    let method = config.train.self_supervision.method;
    if count <= MAX_VIEWS && !method.views().contains(&count) {
        let (least, most) = (method.views().start().to_owned(), method.views().end().to_owned());
        let how_many = if least == most { format!("{least}") } else { format!("at least {least}") };
        let expected = format!("{how_many} views of an image, which `{method}` takes (`train.self_supervision.type`)");
        refuse("augmentation.views", format!("{count} view{}", if count == 1 { "" } else { "s" }), expected);
    }
    if !augmentation.views.is_empty() && !augmentation.view2.is_empty() {
        let expected = "nothing, since `augmentation.views` lists all views";
        refuse("augmentation.view2", brief(&augmentation.view2), expected.into());
    }
    let common = view(augmentation);
    let mut wrong: Vec<_> = view(&config.linear_head.augmentation)
        .into_iter()
        .map(|(key, value, expected)| (format!("linear_head.augmentation.{key}"), value, expected))
        .collect();
    for ResolvedView { section, settings, .. } in &views {
        for problem in view(settings) {
            let section = if common.contains(&problem) { "augmentation" } else { section };
            let (key, value, expected) = problem;
            wrong.push((format!("{section}.{key}"), value, expected));
        }
    }
    let mut named = BTreeSet::new();
    for (key, value, expected) in wrong {
        if named.insert(key.clone()) {
            refuse(&key, value, expected);
        }
    }
}

/// What is wrong with one view's settings: key, value and what was expected.
fn view(augmentation: &AugmentationConfig) -> Vec<(&'static str, String, String)> {
    let mut problems = Vec::new();
    if let Some(size) = augmentation.gaussian_blur.kernel_size
        && size.is_multiple_of(2)
    {
        problems.push(("gaussian_blur.kernel_size", size.to_string(), "an odd number".into()));
    }
    let warps = augmentation.use_random_affine || augmentation.use_elastic_transform;
    if warps && augmentation.use_random_crop && augmentation.random_crop.interpolation == Interpolation::Bicubic {
        let expected = "`bilinear`, since `use_random_affine` or `use_elastic_transform` is on";
        problems.push(("random_crop.interpolation", "bicubic".into(), expected.into()));
    }
    problems
}

/// Rules of several data sets in one run.
fn data_sets(config: &Config, refuse: &mut dyn FnMut(&str, String, String)) {
    let dataset = &config.dataset;
    let weights = std::iter::once(dataset.weight).chain(dataset.mix.iter().map(|set| set.weight));
    let (total, weighted) = (dataset.mix.len() + 1, weights.flatten().count());
    if dataset.mix.is_empty() && weighted > 0 {
        let expected = "no weight, since there is nothing to mix with; name further data sets in `dataset.mix`";
        refuse("dataset.weight", dataset.weight.unwrap_or_default().to_string(), expected.into());
    } else if weighted > 0 && weighted < total {
        let expected = "a `weight` for every data set (`dataset.weight` and one in each entry), or none at all";
        refuse("dataset.mix", format!("{weighted} weights for {total} data sets"), expected.into());
    }
    if dataset.mix.len() > MAX_MIXED {
        refuse("dataset.mix", format!("{} data sets", dataset.mix.len()), format!("at most {MAX_MIXED}"));
    }
    let (head, default) = (&config.linear_head, LinearHeadConfig::default());
    if head.dataset.name.is_none() && head.dataset != default.dataset {
        let expected = "the name of a data set, since other keys of `linear_head.dataset` are set";
        refuse("linear_head.dataset.name", "null".into(), expected.into());
    }
    if head.dataset.name.is_none() && dataset.mix.is_empty() {
        let expected = "nothing: the head learns from the encoder's batches unless `linear_head.dataset.name` names a \
                        data set of its own, or `dataset.mix` further ones for the encoder";
        if let Some(size) = head.batch_size {
            refuse("linear_head.batch_size", size.to_string(), expected.into());
        }
        if head.augmentation != default.augmentation {
            refuse("linear_head.augmentation", "set".into(), expected.into());
        }
    }
    let one_view = "nothing: the head sees one view of each image";
    if !head.augmentation.view2.is_empty() {
        refuse("linear_head.augmentation.view2", brief(&head.augmentation.view2), one_view.into());
    }
    if !head.augmentation.views.is_empty() {
        let value = format!("{} entries", head.augmentation.views.len());
        refuse("linear_head.augmentation.views", value, one_view.into());
    }
    let (own, encoder) = (head.augmentation.normalize, config.augmentation.normalize);
    if own != default.augmentation.normalize && own != encoder {
        let expected = "nothing: the head's images are normalised as the encoder's are (`augmentation.normalize`)";
        refuse("linear_head.augmentation.normalize", format!("{own:?}").to_lowercase(), expected.into());
    }
}

fn is_device(text: &str) -> bool {
    match text.strip_prefix("cuda:") {
        Some(index) => index.len() <= 4 && !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit()),
        None => matches!(text, "auto" | "cpu" | "cuda"),
    }
}

fn brief(values: &Map<String, Value>) -> String {
    Node::from(&Value::Object(values.clone())).brief()
}

fn refusal(key: &str, value: &str, expected: String, origins: &BTreeMap<String, Origin>) -> Problem {
    Problem::Value { key: key.into(), value: value.into(), origin: origin::find(origins, key), expected }
}
