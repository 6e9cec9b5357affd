//! Linear evaluation on frozen features.

use crate::config::schema::{LrScaling, SchedulerConfig};
use crate::model::{Error, Result};
use crate::optim::{Adam, Decay, Optimizer, Schedule};
use selfsame_plugin_api::{Parameter, ParameterKind};
use tch::{Kind, Reduction, Tensor};

const STEPS: usize = 300;
const PEAK_LR: f64 = 0.05;

/// Multinomial logistic regression on standardised features: minimises mean cross-entropy + ‖W‖²/2N, the objective of
/// scikit-learn's `LogisticRegression(C=1)`, by 300 full-batch Adam steps from zero weights. Draws nothing at random.
///
/// `train` and `eval` are features (`[N, D]`, `[M, D]`) with int64 labels in 0..`classes`, all on one device. Mean and
/// standard deviation come from `train`. Returns the share of `eval` that is predicted right, in [0, 1].
///
/// # Errors
/// No features, or labels that do not match them in number; anything libtorch refuses.
pub fn linear_probe(classes: usize, train: (&Tensor, &Tensor), eval: (&Tensor, &Tensor)) -> Result<f64> {
    for (what, (features, labels)) in [("training", train), ("evaluation", eval)] {
        let (rows, labelled) = (features.size2()?.0, labels.size1()?);
        if rows == 0 || rows != labelled {
            return Err(Error::Input(format!("linear probe: {rows} {what} features and {labelled} labels")));
        }
    }
    let features = train.0.f_detach()?.f_to_kind(Kind::Float)?;
    let (n, dim) = features.size2()?;
    let mean = features.f_mean_dim(0, true, None)?;
    let std = features.f_std_dim(0, false, true)?;
    // A constant feature tells nothing; dividing it by 1 leaves zeros.
    let std = std.f_masked_fill(&std.f_lt(1e-6)?, 1.0)?;
    let standardize = |x: &Tensor| -> Result<Tensor> { Ok(x.f_sub(&mean)?.f_div(&std)?) };
    let features = standardize(&features)?;

    let zeros = |size: &[i64]| Tensor::f_zeros(size, (Kind::Float, features.device()))?.f_set_requires_grad(true);
    let (weight, bias) = (zeros(&[classes as i64, dim])?, zeros(&[classes as i64])?);
    let parameters = vec![
        Parameter { name: "weight".into(), kind: ParameterKind::Weight, tensor: weight.shallow_clone() },
        Parameter { name: "bias".into(), kind: ParameterKind::Bias, tensor: bias.shallow_clone() },
    ];
    let mut optimizer = Adam::new(parameters, [0.9, 0.999], 1e-8, Decay::L2(1.0 / n as f64))?;
    let cosine = SchedulerConfig { epochs: STEPS, ..SchedulerConfig::default() };
    let schedule = Schedule::new(&cosine, PEAK_LR, LrScaling::None, 0, 1);
    for step in 0..schedule.total_steps() {
        let logits = features.f_linear(&weight, Some(&bias))?;
        let loss = logits.f_cross_entropy_loss(train.1, None::<&Tensor>, Reduction::Mean, -100, 0.0)?;
        optimizer.zero_grad();
        loss.f_backward()?;
        optimizer.step(schedule.lr(step))?;
    }

    let _no_grad = tch::no_grad_guard();
    let logits = standardize(&eval.0.f_to_kind(Kind::Float)?)?.f_linear(&weight, Some(&bias))?;
    let correct = logits.f_argmax(1, false)?.f_eq_tensor(eval.1)?;
    Ok(correct.f_to_kind(Kind::Double)?.f_mean(None)?.f_double_value(&[])?)
}
