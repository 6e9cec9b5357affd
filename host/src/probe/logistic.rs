//! The loss of a linear classifier with its gradient written out: a few operations a point, where automatic differentiation
//! takes dozens.

use super::lbfgs::Evaluation;
use super::objective::Objective;
use crate::model::Result;
use selfsame_plugin_api::Task;
use tch::{Kind, Tensor};

/// The mean loss of logits X·Wᵀ + b with λ/2·‖W‖², as a function of W and b.
pub struct LogisticLoss<'a> {
    /// `[N, D]`.
    features: &'a Tensor,
    /// What each row's loss counts: `[N, 1]` for classes, `[N, classes]` for labels by themselves.
    weights: Tensor,
    /// The weight where a class or label is the right one, else 0, negative: `[N, classes]`.
    unwanted: Tensor,
    l2: f64,
    /// λ for each weight, 0 for each bias: `[classes · (D + 1)]`.
    decay: Tensor,
    classes: i64,
    task: Task,
}

impl<'a> LogisticLoss<'a> {
    /// Of float32 features `[N, D]` and the targets that `objective` takes; `l2` is λ.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn new(objective: &Objective, features: &'a Tensor, targets: &Tensor, l2: f64) -> Result<Self> {
        let (rows, dim) = features.size2()?;
        let classes = objective.classes() as i64;
        let (weights, wanted) = match objective.task() {
            Task::Multilabel => {
                let positive = targets.f_to_kind(Kind::Float)?.f_div_scalar(rows as f64)?;
                let wanted = match objective.weights() {
                    Some(weights) => positive.f_mul(weights)?,
                    None => positive.shallow_clone(),
                };
                let negative = positive.f_neg()?.f_add_scalar(1.0 / rows as f64)?;
                (wanted.f_add(&negative)?, wanted)
            }
            _ => {
                let weights = match objective.weights() {
                    Some(weights) => weights.f_index_select(0, targets)?,
                    None => Tensor::f_ones(rows, (Kind::Float, features.device()))?,
                };
                let weights = weights.f_div(&weights.f_sum(Kind::Float)?)?.f_unsqueeze(1)?;
                let wanted = targets.f_one_hot(classes)?.f_to_kind(Kind::Float)?.f_mul(&weights)?;
                (weights, wanted)
            }
        };
        let decay = Tensor::f_full(classes * dim, l2, (Kind::Float, features.device()))?;
        let decay = decay.f_constant_pad_nd([0, classes])?;
        Ok(Self { features, weights, unwanted: wanted.f_neg()?, l2, decay, classes, task: objective.task() })
    }

    /// Value and gradient at W and b, one after the other: float32 `[classes · (D + 1)]`.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn at(&self, point: &Tensor) -> Result<Evaluation> {
        let (weight, bias) = split(point, self.classes)?;
        let logits = self.features.f_linear(&weight, Some(&bias))?;
        // In float64: the rounding of a float32 sum is larger than what the last steps gain, and would end the search before them.
        let dot = |a: &Tensor, b: &Tensor| a.f_mul(b)?.f_sum(Kind::Double);
        let mut terms = vec![(self.l2 / 2.0, dot(&weight, &weight)?)];
        let probabilities = if self.task == Task::Multilabel {
            // −log σ(z) = softplus(−z) and −log(1 − σ(z)) = softplus(z).
            terms.push((-1.0, dot(&self.unwanted, &logits.f_neg()?.f_softplus()?)?));
            terms.push((1.0, dot(&self.weights.f_add(&self.unwanted)?, &logits.f_softplus()?)?));
            logits.f_sigmoid()?
        } else {
            let log_probabilities = logits.f_log_softmax(1, Kind::Float)?;
            terms.push((1.0, dot(&self.unwanted, &log_probabilities)?));
            log_probabilities.f_exp()?
        };
        let off = self.unwanted.f_addcmul(&probabilities, &self.weights)?;
        let parts = [off.f_tr()?.f_mm(self.features)?.f_flatten(0, -1)?, off.f_sum_dim_intlist(0, false, Kind::Float)?];
        Ok(Evaluation { terms, gradient: Tensor::f_cat(&parts, 0)?.f_addcmul(point, &self.decay)? })
    }
}

/// W `[classes, D]` and b `[classes]` out of `[classes · (D + 1)]`.
///
/// # Errors
/// Anything libtorch refuses.
pub fn split(point: &Tensor, classes: i64) -> Result<(Tensor, Tensor)> {
    let weights = point.size1()? - classes;
    Ok((point.f_narrow(0, 0, weights)?.f_view([classes, -1])?, point.f_narrow(0, weights, classes)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// The objective's own value, and the gradient by automatic differentiation.
    fn expected(objective: &Objective, features: &Tensor, targets: &Tensor, l2: f64, at: &Tensor) -> (f64, Tensor) {
        let point = at.detach().set_requires_grad(true);
        let (weight, bias) = split(&point, objective.classes() as i64).unwrap();
        let loss = objective.loss(&features.linear(&weight, Some(&bias)), targets).unwrap();
        // That of labels is a mean over all of them, and each has a classifier of its own.
        let classifiers = if objective.task() == Task::Multilabel { objective.classes() } else { 1 };
        let loss = loss * classifiers as f64 + weight.square().sum(Kind::Float) * (l2 / 2.0);
        loss.backward();
        (loss.double_value(&[]), point.grad())
    }

    #[test]
    fn value_and_gradient_are_those_of_the_objective_and_of_automatic_differentiation() {
        tch::manual_seed(3);
        let (n, dim) = (12, 4);
        let features = Tensor::randn([n, dim], FLOAT);
        for (task, classes) in [(Task::Binary, 2), (Task::Multiclass, 5), (Task::Multilabel, 3)] {
            let targets = match task {
                Task::Multilabel => Tensor::rand([n, classes], FLOAT).ge(0.6).to_kind(Kind::Int64),
                _ => Tensor::arange(n, (Kind::Int64, Device::Cpu)).remainder(classes - 1),
            };
            for balanced in [None, Some(&targets)] {
                let objective = Objective::new(task, classes as usize, balanced).unwrap();
                let point = Tensor::randn(classes * (dim + 1), FLOAT);
                let loss = LogisticLoss::new(&objective, &features, &targets, 0.3).unwrap();
                let got = loss.at(&point).unwrap();
                let value: f64 = got.terms.iter().map(|(factor, term)| factor * term.double_value(&[])).sum();
                let (expected, gradient) = expected(&objective, &features, &targets, 0.3, &point);
                assert!((value - expected).abs() < 1e-5 * expected, "{task:?} {balanced:?}: {value}, {expected}");
                assert!((got.gradient - gradient).abs().max().double_value(&[]) < 1e-6, "{task:?}");
            }
        }
    }

    #[test]
    fn a_far_point_has_a_finite_value() {
        for (task, targets) in
            [(Task::Multilabel, Tensor::from_slice2(&[[1i64, 0]])), (Task::Multiclass, Tensor::from_slice(&[1i64]))]
        {
            let objective = Objective::new(task, 2, None).unwrap();
            let features = Tensor::ones([1, 1], FLOAT);
            let loss = LogisticLoss::new(&objective, &features, &targets, 0.0).unwrap();
            let got = loss.at(&Tensor::from_slice(&[500.0f32, -500.0, 0.0, 0.0])).unwrap();
            let value: f64 = got.terms.iter().map(|(factor, term)| factor * term.double_value(&[])).sum();
            let expected = if task == Task::Multilabel { 0.0 } else { 1000.0 };
            assert!((value - expected).abs() < 1e-3, "{task:?}: {value}");
        }
    }
}
