//! Convolution and batch normalisation with torchvision's initialisation.

use selfsame_plugin_api::Result;
use tch::{Device, Kind, Tensor};

/// A convolution without bias; padding keeps the size at stride 1.
pub struct Conv2d {
    /// `[out, in, kernel, kernel]`.
    pub weight: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv2d {
    /// Weights from N(0, 2 / (in · kernel²)): Kaiming-normal for ReLU with the fan-in (He et al. 2015, eq. 10).
    ///
    /// They are drawn on the CPU, so that a seed gives the same weights on every device.
    pub fn new(inputs: i64, outputs: i64, kernel: i64, stride: i64, device: Device) -> Result<Self> {
        let deviation = (2.0 / (inputs * kernel * kernel) as f64).sqrt();
        let mut weight = Tensor::f_empty([outputs, inputs, kernel, kernel], (Kind::Float, Device::Cpu))?;
        let mut weight = weight.f_normal_(0.0, deviation)?.f_to_device(device)?;
        Ok(Self { weight: weight.f_requires_grad_(true)?, stride, padding: kernel / 2 })
    }

    /// `[B, in, H, W]` to `[B, out, ⌈H / stride⌉, ⌈W / stride⌉]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        Ok(x.f_conv2d(&self.weight, None::<&Tensor>, stride, padding, [1, 1], 1)?)
    }
}

/// Batch normalisation over N, H and W (Ioffe and Szegedy 2015), momentum 0.1, ε = 10⁻⁵.
pub struct BatchNorm2d {
    /// γ, `[C]`.
    pub weight: Tensor,
    /// β, `[C]`.
    pub bias: Tensor,
    /// `[C]`.
    pub running_mean: Tensor,
    /// Unbiased, `[C]`.
    pub running_var: Tensor,
    /// Training forwards so far, an Int64 scalar.
    pub num_batches_tracked: Tensor,
}

impl BatchNorm2d {
    /// γ = 1, β = 0, running statistics of a standard normal.
    pub fn new(channels: i64, device: Device) -> Result<Self> {
        let float = (Kind::Float, device);
        Ok(Self {
            weight: Tensor::f_ones([channels], float)?.f_requires_grad_(true)?,
            bias: Tensor::f_zeros([channels], float)?.f_requires_grad_(true)?,
            running_mean: Tensor::f_zeros([channels], float)?,
            running_var: Tensor::f_ones([channels], float)?,
            num_batches_tracked: Tensor::f_zeros([0_i64; 0], (Kind::Int64, device))?,
        })
    }

    /// Normalises `[B, C, H, W]` and applies ReLU: with the batch's statistics when `train`, which also moves the
    /// running ones.
    pub fn forward_relu(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        if train {
            let _ = self.num_batches_tracked.shallow_clone().f_add_scalar_(1)?;
        }
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        let (mean, variance) = (Some(&self.running_mean), Some(&self.running_var));
        Ok(x.f_batch_norm(weight, bias, mean, variance, train, 0.1, 1e-5, true)?.f_relu_()?)
    }
}
