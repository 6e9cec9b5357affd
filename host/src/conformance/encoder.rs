//! The contract of encoders, on the CPU.

use super::outcome::{Outcome, UNKNOWN_OPTION, refuses_unknown, text};
use super::verdict::Verdicts;
use crate::native;
use crate::plugin::{PluginFailure, Registry};
use selfsame_encoder_api::{Encoder, EncoderRequest};
use selfsame_plugin_api::ErrorKind;
use serde_json::{Map, Value};
use tch::{Device, Kind, Tensor, no_grad};

/// Channels, and height and width in pixels, of the encoders that are made.
const INPUTS: [(usize, usize); 4] = [(3, 32), (1, 32), (3, 64), (3, 96)];
/// Images in the batches that are embedded.
const BATCHES: [i64; 3] = [1, 2, 5];
/// The largest difference of embeddings that rounding explains, relative to the largest value.
const ROUNDING: f64 = 1e-4;
/// The seed of most encoders here, and that of another one.
const SEEDS: (i64, i64) = (7, 8);

/// Checks the encoder `name`.
pub(super) fn check(registry: &Registry, name: &str, options: &Map<String, Value>, verdicts: &mut Verdicts) {
    let make = |(channels, side): (usize, usize), seed: i64, more: Option<&str>| {
        let mut options = options.clone();
        options.extend(more.map(|option| (option.to_owned(), Value::from(1))));
        let (name, options) = (name.to_owned(), Value::Object(options));
        tch::manual_seed(seed);
        let request = EncoderRequest { name, channels, image_size: (side, side), stem: None, options };
        registry.create_encoder(&request, Device::Cpu)
    };
    let unknown = || refuses_unknown(make(INPUTS[0], SEEDS.0, Some(UNKNOWN_OPTION)));
    verdicts.note("an unknown option is refused", unknown);
    let made = || make_all(|input| make(input, SEEDS.0, None));
    let Some(made) = verdicts.note("it is made for several inputs", made) else { return };
    let mut whole = true;
    for (input, encoder) in &made {
        let check = format!("embeddings of {} × {1} × {1}", input.0, input.1);
        whole &= verdicts.note(&check, || embeds(encoder.as_ref(), *input)).is_some();
    }
    let Some((input, encoder)) = made.first().filter(|_| whole) else {
        return verdicts.skip("everything else", "embeddings come first");
    };
    let (input, encoder) = (*input, encoder.as_ref());
    verdicts.note("eval is deterministic", || is_deterministic(encoder, input));
    verdicts.note("an embedding does not depend on the batch", || is_independent(encoder, input));
    verdicts.note("channels-last input", || takes_channels_last(encoder, input));
    verdicts.note("bfloat16 autocast", || takes_autocast(encoder, input));
    let equal = || has_equal_weights(encoder, make(input, SEEDS.0, None).map_err(text)?.as_ref());
    verdicts.note("the seed decides the weights", equal);
    verdicts.note("buffers move only in training", || moves_buffers_in_training(encoder, input));
    verdicts.note("a gradient reaches every parameter", || reaches_parameters(encoder, input));
    let load = || loads(encoder, make(input, SEEDS.1, None).map_err(text)?.as_ref(), input);
    verdicts.note("saved and loaded", load);
}

type Made = Vec<((usize, usize), Box<dyn Encoder>)>;

/// An encoder may refuse some inputs, but not all, and by a configuration error.
fn make_all(make: impl Fn((usize, usize)) -> Result<Box<dyn Encoder>, PluginFailure>) -> Outcome<Made> {
    let (mut made, mut refused) = (Vec::new(), Vec::new());
    for input in INPUTS {
        let shape = format!("{} × {1} × {1}", input.0, input.1);
        match make(input) {
            Ok(encoder) => made.push((input, encoder)),
            Err(error) if error.kind() == ErrorKind::Configuration => refused.push(format!("{shape} ({error})")),
            Err(error) => return Err(format!("{shape}: {error}")),
        }
    }
    if made.is_empty() {
        return Err(format!("it takes none of: {}", refused.join("; ")));
    }
    let refused = if refused.is_empty() { String::new() } else { format!("refused: {}", refused.join("; ")) };
    Ok((made, refused))
}

/// The same images for every call; `[B, C, H, W]`.
fn images(count: i64, (channels, side): (usize, usize)) -> Tensor {
    let (channels, side) = (channels as i64, side as i64);
    let ramp = Tensor::arange(count * channels * side * side, (Kind::Float, Device::Cpu));
    (ramp * 0.37).sin().reshape([count, channels, side, side])
}

fn embed(encoder: &dyn Encoder, x: &Tensor) -> Result<Tensor, String> {
    no_grad(|| encoder.forward(x, false)).map_err(text)
}

fn is_equal(a: &Tensor, b: &Tensor) -> Result<bool, String> {
    Ok(a.size() == b.size() && a.f_equal(b).map_err(text)?)
}

/// Largest difference, relative to the largest value of `a`.
fn difference(a: &Tensor, b: &Tensor) -> f64 {
    let largest = |tensor: &Tensor| tensor.to_kind(Kind::Double).abs().max().double_value(&[]);
    largest(&(a - b)) / largest(a).max(1e-30)
}

fn agree(a: &Tensor, b: &Tensor, what: &str) -> Outcome<()> {
    let difference = difference(a, b);
    match difference <= ROUNDING {
        true => Ok(((), format!("difference {difference:.1e}"))),
        false => Err(format!("{what} by {difference:.1e} of the largest value")),
    }
}

/// Shape, kind, finite values and an untouched input are what the boundary itself checks.
fn embeds(encoder: &dyn Encoder, input: (usize, usize)) -> Outcome<()> {
    for count in BATCHES {
        let (x, before) = (images(count, input), images(count, input));
        let _embedded = embed(encoder, &x)?;
        if !is_equal(&x, &before)? {
            return Err("`forward` changed its input; it may only read it".into());
        }
    }
    Ok(((), format!("{} values each", encoder.feature_dim())))
}

fn is_deterministic(encoder: &dyn Encoder, input: (usize, usize)) -> Outcome<()> {
    let x = images(3, input);
    agree(&embed(encoder, &x)?, &embed(encoder, &x)?, "the same images give embeddings that differ")
}

fn is_independent(encoder: &dyn Encoder, input: (usize, usize)) -> Outcome<()> {
    let x = images(3, input);
    let alone: Result<Vec<_>, _> = (0..3).map(|at| embed(encoder, &x.narrow(0, at, 1))).collect();
    agree(
        &embed(encoder, &x)?,
        &Tensor::cat(&alone?, 0),
        "an image alone and in a batch of 3 give embeddings that differ",
    )
}

fn takes_channels_last(encoder: &dyn Encoder, input: (usize, usize)) -> Outcome<()> {
    let x = images(2, input);
    let last = native::to_channels_last(&x).map_err(text)?;
    agree(&embed(encoder, &x)?, &embed(encoder, &last)?, "the embedding depends on the memory format:")
}

fn takes_autocast(encoder: &dyn Encoder, input: (usize, usize)) -> Outcome<()> {
    let _autocast = native::autocast(Device::Cpu, Some(Kind::BFloat16)).map_err(text)?;
    let embedded = embed(encoder, &images(2, input))?;
    Ok(((), format!("answers {:?}", embedded.kind())))
}

/// Names and tensors of all that is saved.
fn tensors(encoder: &dyn Encoder) -> Vec<(String, Tensor)> {
    let parameters = encoder.parameters().into_iter().map(|parameter| (parameter.name, parameter.tensor));
    let buffers = encoder.buffers().into_iter().map(|buffer| (buffer.name, buffer.tensor));
    parameters.chain(buffers).collect()
}

fn has_equal_weights(encoder: &dyn Encoder, again: &dyn Encoder) -> Outcome<()> {
    let (first, second) = (tensors(encoder), tensors(again));
    let names = |list: &[(String, Tensor)]| list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if names(&first) != names(&second) {
        return Err("two encoders have other parameters or buffers, or another order of them".into());
    }
    for ((name, a), (_, b)) in first.iter().zip(&second) {
        if !is_equal(a, b)? {
            return Err(format!("`{name}` differs under the same seed of libtorch's generator"));
        }
    }
    Ok(((), String::new()))
}

fn moves_buffers_in_training(encoder: &dyn Encoder, input: (usize, usize)) -> Outcome<()> {
    let buffers = encoder.buffers();
    let copies = || buffers.iter().map(|buffer| buffer.tensor.copy()).collect::<Vec<_>>();
    let moved = |before: &[Tensor]| -> Result<Vec<&str>, String> {
        let mut moved = Vec::new();
        for (now, before) in buffers.iter().zip(before) {
            if !is_equal(&now.tensor, before)? {
                moved.push(now.name.as_str());
            }
        }
        Ok(moved)
    };
    let before = copies();
    let _embedded = embed(encoder, &images(4, input))?;
    let wrong = moved(&before)?;
    if !wrong.is_empty() {
        return Err(format!("they change in eval: {}", wrong.join(", ")));
    }
    let _embedded = no_grad(|| encoder.forward(&images(4, input), true)).map_err(text)?;
    Ok(((), format!("{} of {} move in training", moved(&before)?.len(), buffers.len())))
}

fn reaches_parameters(encoder: &dyn Encoder, input: (usize, usize)) -> Outcome<()> {
    let embedded = encoder.forward(&images(4, input), true).map_err(text)?;
    let parameters = encoder.parameters();
    if parameters.is_empty() {
        return Err("it has no parameters".into());
    }
    if embedded.requires_grad() {
        // A weighted sum, because normalisation makes the gradient of a plain one vanish.
        (&embedded * (embedded.detach() * 3.0 + 1.0).sin()).sum(Kind::Float).f_backward().map_err(text)?;
    }
    let (frozen, learning): (Vec<_>, Vec<_>) = parameters.iter().partition(|p| encoder.is_frozen(&p.name));
    let reached = |tensor: &Tensor| tensor.grad().defined();
    if let Some(parameter) = frozen.iter().find(|p| reached(&p.tensor)) {
        return Err(format!("`{}` is declared frozen, and a gradient reaches it", parameter.name));
    }
    let missed: Vec<_> = learning.iter().filter(|p| !reached(&p.tensor)).map(|p| p.name.as_str()).collect();
    let aside = if frozen.is_empty() { String::new() } else { format!(", {} declared frozen", frozen.len()) };
    match missed.len() {
        0 => Ok(((), format!("{} parameters{aside}", learning.len()))),
        count if count == learning.len() => Err(format!("none of its {count} parameters; is the answer detached?")),
        count => Err(format!(
            "{count} of {} parameters are missed: {}; declare in `is_frozen` what is not to learn",
            learning.len(),
            missed.join(", ")
        )),
    }
}

/// Copies every tensor into a fresh encoder, as loading a run does.
fn loads(trained: &dyn Encoder, fresh: &dyn Encoder, input: (usize, usize)) -> Outcome<()> {
    no_grad(|| -> Result<(), String> {
        for (_, mut tensor) in tensors(trained) {
            if tensor.is_floating_point() {
                let _ = tensor.f_mul_scalar_(0.9).map_err(text)?;
            }
        }
        for ((_, from), (_, mut to)) in tensors(trained).into_iter().zip(tensors(fresh)) {
            to.f_copy_(&from).map_err(text)?;
        }
        Ok(())
    })?;
    let x = images(3, input);
    agree(&embed(trained, &x)?, &embed(fresh, &x)?, "the same weights give embeddings that differ")
}
