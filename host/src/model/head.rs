//! Heads: small networks on embeddings, built from a list of layers.

use super::{BatchNorm1d, Linear, Result, WeightNorm, normalized, prefix_buffers, prefix_parameters};
use selfsame_encoder_api::{Buffer, Parameter};
use tch::{Device, Tensor};

/// One layer of a head; its inputs follow from the layers before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// An affine map to so many outputs.
    Linear(usize),
    /// A linear map to so many outputs, without bias.
    LinearWithoutBias(usize),
    /// Batch normalisation.
    BatchNorm,
    /// Batch normalisation without scale and shift.
    BatchNormWithoutAffine,
    /// max(0, x).
    Relu,
    /// x·Φ(x) (Hendrycks & Gimpel 2016).
    Gelu,
    /// Each row divided by its Euclidean length.
    L2,
    /// A linear map to so many outputs, whose rows have length 1.
    WeightNorm(usize),
}

/// Layers one after the other. Their tensors are named by their place, as those of PyTorch's `Sequential` are: a linear
/// layer, batch norm, ReLU and a linear layer have `0.weight`, `0.bias`, `1.*` and `3.*`.
#[derive(Debug)]
pub struct Head {
    layers: Vec<Built>,
}

#[derive(Debug)]
enum Built {
    Linear(Linear),
    BatchNorm(BatchNorm1d),
    Relu,
    Gelu,
    L2,
    WeightNorm(WeightNorm),
}

impl Head {
    /// A head for embeddings of length `inputs`, initialised from libtorch's global generator in the order of the layers.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(inputs: usize, layers: &[Layer], device: Device) -> Result<Self> {
        let mut width = inputs as i64;
        let mut built = Vec::with_capacity(layers.len());
        for &layer in layers {
            let from = width;
            if let Layer::Linear(outputs) | Layer::LinearWithoutBias(outputs) | Layer::WeightNorm(outputs) = layer {
                width = outputs as i64;
            }
            built.push(match layer {
                Layer::Linear(_) => Built::Linear(Linear::new(from, width, device)?),
                Layer::LinearWithoutBias(_) => Built::Linear(Linear::without_bias(from, width, device)?),
                Layer::BatchNorm => Built::BatchNorm(BatchNorm1d::new(width, device)?),
                Layer::BatchNormWithoutAffine => Built::BatchNorm(BatchNorm1d::without_affine(width, device)?),
                Layer::Relu => Built::Relu,
                Layer::Gelu => Built::Gelu,
                Layer::L2 => Built::L2,
                Layer::WeightNorm(_) => Built::WeightNorm(WeightNorm::new(from, width, device)?),
            });
        }
        Ok(Self { layers: built })
    }

    /// What the last layer makes of embeddings (`[B, inputs]`), `[B, outputs]`; `train` chooses batch statistics.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as embeddings of another length.
    pub fn forward(&self, embeddings: &Tensor, train: bool) -> Result<Tensor> {
        self.layers.iter().try_fold(embeddings.shallow_clone(), |x, layer| match layer {
            Built::Linear(linear) => linear.forward(&x),
            Built::BatchNorm(norm) => norm.forward(&x, train),
            Built::Relu => Ok(x.f_relu()?),
            Built::Gelu => Ok(x.f_gelu("none")?),
            Built::L2 => normalized(&x),
            Built::WeightNorm(linear) => linear.forward(&x),
        })
    }

    /// All trainable tensors, in the order of the layers.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let of = |(place, layer): (usize, &Built)| {
            let parameters = match layer {
                Built::Linear(linear) => linear.parameters(),
                Built::BatchNorm(norm) => norm.parameters(),
                Built::WeightNorm(linear) => linear.parameters(),
                Built::Relu | Built::Gelu | Built::L2 => Vec::new(),
            };
            prefix_parameters(&place.to_string(), parameters)
        };
        self.layers.iter().enumerate().flat_map(of).collect()
    }

    /// The running statistics, in the order of the layers.
    #[must_use]
    pub fn buffers(&self) -> Vec<Buffer> {
        let of = |(place, layer): (usize, &Built)| match layer {
            Built::BatchNorm(norm) => prefix_buffers(&place.to_string(), norm.buffers()),
            _ => Vec::new(),
        };
        self.layers.iter().enumerate().flat_map(of).collect()
    }
}
