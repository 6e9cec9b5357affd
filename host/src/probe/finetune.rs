//! Fine-tuning: the encoder learns the labels too, from its pretrained weights.

use super::embedder::{Embedder, Labelled, Progress, select};
use super::linear_probe::LinearModel;
use super::objective::Objective;
use crate::augment::{Purpose, ViewKey};
use crate::config::schema::{LrScaling, SchedulerConfig};
use crate::model::{Error, Result};
use crate::optim::{Adam, Decay, Optimizer, Rates, Schedule};
use crate::random;
use selfsame_encoder_api::{Parameter, ParameterKind};
use serde::Serialize;
use tch::Tensor;

/// How encoder and classifier learn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FinetuneRecipe {
    /// Passes over the training split.
    pub epochs: usize,
    /// Images per step.
    pub batch_size: usize,
    /// Peak of the cosine schedule of AdamW, after a warm-up of a tenth of the epochs.
    pub learning_rate: f64,
    /// Decoupled weight decay, of weights alone.
    pub weight_decay: f64,
}

impl Default for FinetuneRecipe {
    fn default() -> Self {
        Self { epochs: 30, batch_size: 128, learning_rate: 1e-4, weight_decay: 0.01 }
    }
}

/// Trains the embedder's encoder **in place**, and a linear classifier on it that starts as `start`, the probe of the
/// frozen encoder (Kumar et al. 2022: a random classifier's first gradients would distort the features). Returns the
/// classifier of raw features: weight `[classes, D]` and bias `[classes]`.
///
/// Batch norm uses batch statistics while training, so a last batch of one image is left out. Order, views and what the
/// encoder draws itself come from `seed`.
///
/// # Errors
/// Fewer than two samples, a loss that is not finite; what the encoder or libtorch refuses.
pub fn finetune(
    objective: &Objective,
    embedder: &Embedder<'_>,
    train: Labelled<'_>,
    start: &LinearModel,
    recipe: &FinetuneRecipe,
    seed: u64,
    progress: &Progress<'_>,
) -> Result<(Tensor, Tensor)> {
    if train.source.len() < 2 {
        return Err(Error::Input("finetune: batch norm needs at least 2 training samples".into()));
    }
    let (weight, bias) = start.on_raw_features()?;
    let leaf = |x: Tensor| -> Result<Tensor> { Ok(x.f_detach_copy()?.f_set_requires_grad(true)?) };
    let (weight, bias) = (leaf(weight)?, leaf(bias)?);
    let mut parameters = embedder.encoder.parameters();
    for parameter in &mut parameters {
        // A target network's parameters do not require gradients.
        let _ = parameter.tensor.f_requires_grad_(true)?;
    }
    let own = |name: &str, kind, tensor: &Tensor| Parameter { name: name.into(), kind, tensor: tensor.shallow_clone() };
    parameters.push(own("classifier.weight", ParameterKind::Weight, &weight));
    parameters.push(own("classifier.bias", ParameterKind::Bias, &bias));
    let mut optimizer = Adam::new(parameters, [0.9, 0.999], 1e-8, Decay::Decoupled)?;
    let places = |order: &[usize]| -> Vec<Vec<usize>> {
        order.chunks(recipe.batch_size).filter(|places| places.len() > 1).map(<[usize]>::to_vec).collect()
    };
    let order = |epoch: u64| random::permutation(train.source.len(), seed, "finetune order", &[epoch]);
    let cosine =
        SchedulerConfig { epochs: recipe.epochs, warmup_epochs: 0.1 * recipe.epochs as f64, final_lr_fraction: 0.0 };
    let steps_per_epoch = places(&order(0)).len() as u64;
    let schedule = Schedule::new(&cosine, recipe.learning_rate, LrScaling::None, 0, steps_per_epoch);
    let (view_seed, mut step) = (random::derive_seed(seed, "finetune views", &[]), 0);
    for epoch in 0..recipe.epochs as u64 {
        progress("finetune: epochs", epoch as usize, recipe.epochs);
        let mut last = None;
        for places in places(&order(epoch)) {
            let batch = train.source.batch(&places, embedder.device)?;
            let key = ViewKey { seed: view_seed, epoch, purpose: Purpose::Probe };
            let views = embedder.views.crop(&batch.images, &batch.ids, key)?;
            tch::manual_seed(random::derive_seed(seed, "finetune step", &[step]) as i64);
            let logits = embedder.forward(&views, true)?.f_linear(&weight, Some(&bias))?;
            let loss = objective.loss(&logits, &select(train.labels, &places)?)?;
            optimizer.zero_grad();
            loss.f_backward()?;
            optimizer.step(Rates { lr: schedule.lr(step), weight_decay: recipe.weight_decay })?;
            last = Some(loss.f_detach()?);
            step += 1;
        }
        if let Some(loss) = last.map(|loss| loss.f_double_value(&[])).transpose()?.filter(|loss| !loss.is_finite()) {
            return Err(Error::Input(format!("finetune: the loss is {loss} in epoch {}; lower `--lr`", epoch + 1)));
        }
    }
    Ok((weight.f_detach()?, bias.f_detach()?))
}
