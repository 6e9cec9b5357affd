//! VICReg (Bardes et al. 2022).

use super::{Definition, Loss, MakeEncoder, Method, MethodConfig, Outputs, StepContext, each_view, pair};
use crate::model::{Error, Network, ProjectionConfig, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Reduction, Tensor};

/// VICReg: the weights of its three terms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VicRegConfig {
    /// Weight of the invariance term, at least 0.
    #[schemars(range(min = 0))]
    pub invariance: f64,
    /// Weight of the variance term, which is the mean over both views, at least 0.
    #[schemars(range(min = 0))]
    pub variance: f64,
    /// Weight of the covariance term, which is the sum over both views, at least 0.
    #[schemars(range(min = 0))]
    pub covariance: f64,
}

impl Default for VicRegConfig {
    fn default() -> Self {
        Self { invariance: 25.0, variance: 25.0, covariance: 1.0 }
    }
}

/// One network; each view passes it for itself, as in the authors' code.
pub struct VicReg {
    network: Network,
    weights: VicRegConfig,
}

impl Definition for VicReg {
    const PROJECTION: ProjectionConfig =
        ProjectionConfig { layers: 3, hidden_dim: 8192, output_dim: 8192, batch_norm: true };

    fn create<E: From<Error>>(config: &MethodConfig, encoder: MakeEncoder<E>, device: Device) -> Result<Self, E> {
        let network = Network::new(encoder()?, &config.projection.head(), device)?;
        Ok(Self { network, weights: config.vicreg.clone() })
    }
}

impl Method for VicReg {
    fn network(&self) -> &Network {
        &self.network
    }

    fn outputs(&mut self, views: &[Tensor], context: &StepContext) -> Result<Outputs> {
        let (features, projections) = each_view(&self.network, views, context)?;
        Ok(Outputs { projections, targets: Vec::new(), features })
    }

    fn loss(&self, projections: &[Tensor], _targets: &[Tensor], _context: &StepContext) -> Result<Loss> {
        let [z1, z2] = pair(projections)?;
        let [invariance, variance, covariance] = vicreg_terms(z1, z2)?;
        let weights = &self.weights;
        let value = invariance
            .f_mul_scalar(weights.invariance)?
            .f_add(&variance.f_mul_scalar(weights.variance)?)?
            .f_add(&covariance.f_mul_scalar(weights.covariance)?)?;
        let metrics = [("invariance", invariance), ("variance", variance), ("covariance", covariance)];
        Ok(Loss { value, metrics: metrics.into_iter().map(|(name, term)| (name, term.detach())).collect() })
    }
}

/// Invariance, variance and covariance of two views' projections, `[B, d]` each; three scalars, unweighted, as the authors'
/// code computes them.
///
/// * invariance: the mean over all elements of (z1 − z2)²; the paper's equation 5 sums over d instead.
/// * variance: mean over columns of max(0, 1 − √(Var + 1e-4)), equation 1 with γ = 1, averaged over both views; the
///   paper's equation 6 sums over them.
/// * covariance: Σᵢ Σⱼ≠ᵢ Cov²ᵢⱼ / d, equation 4, summed over both views.
///
/// # Errors
/// Shapes that differ; anything else libtorch refuses.
pub fn vicreg_terms(z1: &Tensor, z2: &Tensor) -> Result<[Tensor; 3]> {
    let spread = |z: &Tensor| -> Result<(Tensor, Tensor)> {
        let (rows, columns) = z.size2()?;
        let centred = z.f_sub(&z.f_mean_dim(0, true, None)?)?;
        let covariance = centred.f_tr()?.f_mm(&centred)?.f_div_scalar(rows as f64 - 1.0)?;
        let diagonal = covariance.f_diagonal(0, 0, 1)?;
        let deviation = diagonal.f_add_scalar(1e-4)?.f_sqrt()?;
        let variance = deviation.f_neg()?.f_add_scalar(1.0)?.f_relu()?.f_mean(None)?;
        let off = covariance.f_square()?.f_sum(None)?.f_sub(&diagonal.f_square()?.f_sum(None)?)?;
        Ok((variance, off.f_div_scalar(columns as f64)?))
    };
    let ((variance1, covariance1), (variance2, covariance2)) = (spread(z1)?, spread(z2)?);
    Ok([
        z1.f_mse_loss(z2, Reduction::Mean)?,
        variance1.f_add(&variance2)?.f_mul_scalar(0.5)?,
        covariance1.f_add(&covariance2)?,
    ])
}
