//! Linear evaluation on frozen features.

use super::embedder::select;
use super::lbfgs;
use super::logistic::{LogisticLoss, split};
use super::objective::Objective;
use super::scored_predictions::ScoredPredictions;
use crate::metric::{ACCURACY, AUROC, Metric};
use crate::model::{Error, Result};
use selfsame_plugin_api::Task;
use tch::{Kind, Tensor};

/// The strengths of L2 regularisation that are tried, strongest first: λ in mean loss + λ/2·‖W‖².
pub const L2_GRID: [f64; 8] = [10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

/// The largest partial derivative of the mean loss at the end of a fit.
pub const EXACT: f64 = 1e-5;
/// As [`EXACT`], of a fit that helps to choose: scikit-learn's default.
pub const GOOD_ENOUGH: f64 = 1e-4;

/// A linear classifier of standardised features: what `(x − mean) / std` has to be multiplied with.
#[derive(Debug)]
pub struct LinearModel {
    pub(super) mean: Tensor,
    pub(super) std: Tensor,
    pub(super) weight: Tensor,
    pub(super) bias: Tensor,
}

impl LinearModel {
    /// Logits `[M, classes]` of features `[M, D]`.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn logits(&self, features: &Tensor) -> Result<Tensor> {
        let x = features.f_to_kind(Kind::Float)?.f_sub(&self.mean)?.f_div(&self.std)?;
        Ok(x.f_linear(&self.weight, Some(&self.bias))?)
    }

    /// The same classifier of features as they are: weight `[classes, D]` and bias `[classes]`.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn on_raw_features(&self) -> Result<(Tensor, Tensor)> {
        let weight = self.weight.f_div(&self.std)?;
        let bias = self.bias.f_sub(&weight.f_mv(&self.mean.f_flatten(0, -1)?)?)?;
        Ok((weight, bias))
    }

    /// Mean and standard deviation of each feature over the rows, `[1, D]`.
    pub(super) fn statistics(features: &Tensor) -> Result<(Tensor, Tensor)> {
        let mean = features.f_mean_dim(0, true, None)?;
        let std = features.f_std_dim(0, false, true)?;
        // A constant feature tells nothing; dividing it by 1 leaves zeros.
        let std = std.f_masked_fill(&std.f_lt(1e-6)?, 1.0)?;
        Ok((mean, std))
    }
}

/// Logistic regression: fits one L2 strength after the other, each from the solution before it.
pub struct LinearFit<'a> {
    objective: &'a Objective,
    features: Tensor,
    targets: &'a Tensor,
    mean: Tensor,
    std: Tensor,
    solution: Tensor,
}

impl<'a> LinearFit<'a> {
    /// On features `[N, D]`, standardised by their own mean and standard deviation; starts from zero weights.
    ///
    /// # Errors
    /// No features, or labels that do not match them in number; anything libtorch refuses.
    pub fn new(objective: &'a Objective, features: &Tensor, targets: &'a Tensor) -> Result<Self> {
        let (rows, dim) = features.size2()?;
        let labelled = targets.size().first().copied().unwrap_or(0);
        if rows == 0 || rows != labelled {
            return Err(Error::Input(format!("linear probe: {rows} training features and {labelled} labels")));
        }
        let features = features.f_detach()?.f_to_kind(Kind::Float)?;
        let (mean, std) = LinearModel::statistics(&features)?;
        let classes = objective.classes() as i64;
        let solution = Tensor::f_zeros(classes * (dim + 1), (Kind::Float, features.device()))?;
        Ok(Self { objective, features: features.f_sub(&mean)?.f_div(&std)?, targets, mean, std, solution })
    }

    /// The minimum of the mean loss + `l2`/2·‖W‖², for each label by itself where there are several; the bias is not decayed.
    /// `tolerance`: the largest partial derivative at the end, as 1e-5. Draws nothing at random.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn minimize(&mut self, l2: f64, tolerance: f64) -> Result<LinearModel> {
        let loss = LogisticLoss::new(self.objective, &self.features, self.targets, l2)?;
        self.solution = lbfgs::minimize(&self.solution, tolerance, |point| loss.at(point))?;
        let (weight, bias) = split(&self.solution, self.objective.classes() as i64)?;
        let (mean, std) = (self.mean.shallow_clone(), self.std.shallow_clone());
        Ok(LinearModel { mean, std, weight, bias })
    }
}

/// Logistic regression on standardised features: minimises mean loss + ‖W‖²/2N, the objective of scikit-learn's
/// `LogisticRegression(C=1)`. Draws nothing at random.
///
/// `train` is features `[N, D]` with their labels, on the device of `queries` (`[M, D]`). Mean and standard deviation come
/// from `train`. Returns the probabilities of `queries`, `[M, classes]`.
///
/// # Errors
/// No features, or labels that do not match them in number; anything libtorch refuses.
pub fn linear_probe(objective: &Objective, train: (&Tensor, &Tensor), queries: &Tensor) -> Result<Tensor> {
    let model = LinearFit::new(objective, train.0, train.1)?.minimize(1.0 / train.0.size2()?.0 as f64, EXACT)?;
    let _no_grad = tch::no_grad_guard();
    objective.probabilities(&model.logits(queries)?)
}

/// Rows to learn from and rows to choose by, of one training split.
#[derive(Debug, Clone, Default)]
pub struct Cut {
    /// Rows to learn from.
    pub fit: Vec<usize>,
    /// Rows to choose by.
    pub held: Vec<usize>,
}

/// The linear protocol (Kornblith et al. 2019, appendix A.3): L-BFGS logistic regression on frozen features, whose L2
/// strength is the one of [`L2_GRID`] that scores best on the held-out rows of the training split ([`choice_score`]); then a fit on all rows. Returns the model and its L2.
///
/// Without rows to choose by, L2 is 1/N.
///
/// # Errors
/// As [`LinearFit::new`].
pub fn tuned_linear(
    objective: &Objective,
    features: &Tensor,
    targets: &Tensor,
    cut: &Cut,
) -> Result<(LinearModel, f64)> {
    let l2 = if cut.held.is_empty() || cut.fit.is_empty() {
        1.0 / features.size2()?.0.max(1) as f64
    } else {
        let (known, held) = (select(targets, &cut.fit)?, select(targets, &cut.held)?);
        let held_features = select(features, &cut.held)?;
        let mut fit = LinearFit::new(objective, &select(features, &cut.fit)?, &known)?;
        let mut best = ((f64::NEG_INFINITY, f64::NEG_INFINITY), L2_GRID[0]);
        for l2 in L2_GRID {
            let logits = fit.minimize(l2, GOOD_ENOUGH)?.logits(&held_features)?;
            let score = choice_score(objective, &logits, &held)?;
            if score > best.0 {
                best = (score, l2);
            }
        }
        best.1
    };
    Ok((LinearFit::new(objective, features, targets)?.minimize(l2, EXACT)?, l2))
}

/// What a choice is made by: accuracy for multiclass tasks, AUROC for the others (accuracy where it is not defined), and
/// among equals the smallest loss, since an AUROC says nothing of the threshold.
///
/// # Errors
/// As [`ScoredPredictions::new`].
pub fn choice_score(objective: &Objective, logits: &Tensor, targets: &Tensor) -> Result<(f64, f64)> {
    let scores =
        ScoredPredictions::new(objective.task(), &objective.probabilities(&logits.f_detach()?)?, targets)?.scores();
    let find = |wanted: &Metric| scores.iter().find(|(found, _)| found.name == wanted.name)?.1;
    let ranked = if objective.task() == Task::Multiclass { None } else { find(&AUROC) };
    let score = ranked.or_else(|| find(&ACCURACY)).unwrap_or(f64::NEG_INFINITY);
    Ok((score, -objective.loss(&logits.f_detach()?, targets)?.f_double_value(&[])?))
}
