//! Barlow Twins (Zbontar et al. 2021).

use super::{Loss, Method, Outputs, StepContext, each_view, pair};
use crate::config::schema::{BarlowTwinsConfig, MethodConfig};
use crate::model::{Network, Result};
use selfsame_encoder_api::Encoder;
use tch::{Device, Tensor};

/// One network; each view passes it for itself, as in the authors' code.
pub struct BarlowTwins {
    network: Network,
    config: BarlowTwinsConfig,
}

impl BarlowTwins {
    /// A projection head on top of `encoder`, on the same device.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(config: &MethodConfig, encoder: Box<dyn Encoder>, device: Device) -> Result<Self> {
        let network = Network::new(encoder, &config.projection, device)?;
        Ok(Self { network, config: config.barlow_twins.clone() })
    }
}

impl Method for BarlowTwins {
    fn network(&self) -> &Network {
        &self.network
    }

    fn outputs(&mut self, views: &[Tensor; 2], context: &StepContext) -> Result<Outputs> {
        each_view(&self.network, views, context)
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
