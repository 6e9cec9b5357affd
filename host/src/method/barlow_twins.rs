//! Barlow Twins (Zbontar et al. 2021).

use super::{Definition, Loss, MakeEncoder, Method, MethodConfig, Outputs, StepContext, each_view, pair};
use crate::model::{Error, Network, ProjectionConfig, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

/// Barlow Twins: the weights of its loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BarlowTwinsConfig {
    /// λ, the weight of the off-diagonal terms, at least 0.
    #[schemars(range(min = 0))]
    pub lambda: f64,
    /// Factor on the whole loss, above 0; it matters where steps grow with the gradient, as in SGD.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub loss_scale: f64,
}

impl Default for BarlowTwinsConfig {
    fn default() -> Self {
        Self { lambda: 0.005, loss_scale: 1.0 }
    }
}

/// One network; each view passes it for itself, as in the authors' code.
pub struct BarlowTwins {
    network: Network,
    config: BarlowTwinsConfig,
}

impl Definition for BarlowTwins {
    const PROJECTION: ProjectionConfig =
        ProjectionConfig { layers: 3, hidden_dim: 8192, output_dim: 8192, batch_norm: true };

    fn create<E: From<Error>>(config: &MethodConfig, encoder: MakeEncoder<E>, device: Device) -> Result<Self, E> {
        let network = Network::new(encoder()?, &config.projection.head(), device)?;
        Ok(Self { network, config: config.barlow_twins.clone() })
    }
}

impl Method for BarlowTwins {
    fn network(&self) -> &Network {
        &self.network
    }

    fn outputs(&mut self, views: &[Tensor], context: &StepContext) -> Result<Outputs> {
        let (features, projections) = each_view(&self.network, views, context)?;
        Ok(Outputs { projections, targets: Vec::new(), features })
    }

    fn loss(&self, projections: &[Tensor], _targets: &[Tensor], _context: &StepContext) -> Result<Loss> {
        let [z1, z2] = pair(projections)?;
        let value = barlow_twins_loss(z1, z2, self.config.lambda)?.f_mul_scalar(self.config.loss_scale)?;
        Ok(Loss { value, metrics: Vec::new() })
    }
}

/// Σᵢ (1 − Cᵢᵢ)² + λ·Σᵢ Σⱼ≠ᵢ Cᵢⱼ², equation 1, where C is the correlation of the columns of `z1` with those of `z2` over
/// the batch, `[B, d]` each. The result is a scalar.
///
/// Columns are standardised by the batch's mean and biased variance with ε = 1e-5: the authors' batch norm in training.
///
/// # Errors
/// Shapes that differ; anything else libtorch refuses.
pub fn barlow_twins_loss(z1: &Tensor, z2: &Tensor, lambda: f64) -> Result<Tensor> {
    let (rows, _) = z1.size2()?;
    let standardised = |z: &Tensor| -> Result<Tensor> {
        let centred = z.f_sub(&z.f_mean_dim(0, true, None)?)?;
        let variance = centred.f_square()?.f_mean_dim(0, true, None)?;
        Ok(centred.f_mul(&variance.f_add_scalar(1e-5)?.f_rsqrt()?)?)
    };
    let c = standardised(z1)?.f_tr()?.f_mm(&standardised(z2)?)?.f_div_scalar(rows as f64)?;
    let diagonal = c.f_diagonal(0, 0, 1)?;
    let on = diagonal.f_sub_scalar(1.0)?.f_square()?.f_sum(None)?;
    let off = c.f_square()?.f_sum(None)?.f_sub(&diagonal.f_square()?.f_sum(None)?)?;
    Ok(on.f_add(&off.f_mul_scalar(lambda)?)?)
}
