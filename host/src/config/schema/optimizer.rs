//! Keys of the schedule and the optimiser.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The length and the shape of the learning rate schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SchedulerConfig {
    /// Passes over the training split, at least 1.
    #[schemars(range(min = 1))]
    pub epochs: usize,
    /// Epochs of linear warm-up from 0, counted per step; may be a fraction; at most `epochs`.
    #[schemars(range(min = 0))]
    pub warmup_epochs: f64,
    /// Learning rate at the end of the cosine, as a share of the peak, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub final_lr_fraction: f64,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self { epochs: 200, warmup_epochs: 0.0, final_lr_fraction: 0.0 }
    }
}

/// The optimiser of encoder and heads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// `sgd`, `adam` (L2 in the gradient), `adamw` (decoupled decay) or `lars`.
    pub name: OptimizerName,
    /// Momentum of SGD and LARS, in [0, 1).
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub momentum: f64,
    /// Nesterov momentum for SGD.
    pub nesterov: bool,
    /// Weight decay, at least 0; biases and normalisation layers are never decayed.
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
    /// Weight decay at the end of the run, at least 0; it goes there from `weight_decay` by half a cosine. Without it, it stays
    /// as it is.
    #[schemars(range(min = 0))]
    pub final_weight_decay: Option<f64>,
    /// β₁ and β₂ of Adam and AdamW, each in [0, 1).
    #[schemars(extend("items" = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}))]
    pub betas: [f64; 2],
    /// ε of Adam, AdamW, above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub eps: f64,
    /// Trust coefficient η of LARS, above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub trust_coefficient: f64,
    /// Let LARS never take longer steps than SGD would: its trust ratio, divided by the learning rate, is at most 1.
    pub clip_trust_ratio: bool,
    /// Largest L2 norm of all gradients together, above 0; longer ones are scaled down to it. Without it, they are not.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub clip_grad_norm: Option<f64>,
    /// `none`: the peak learning rate is `train.base_lr`; `linear`: it is `train.base_lr` × `train.batch_size` / 256.
    pub lr_scaling: LrScaling,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            name: OptimizerName::Sgd,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 5e-4,
            final_weight_decay: None,
            betas: [0.9, 0.999],
            eps: 1e-8,
            trust_coefficient: 0.001,
            clip_trust_ratio: false,
            clip_grad_norm: None,
            lr_scaling: LrScaling::None,
        }
    }
}

/// The optimisers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerName {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Adam (Kingma & Ba 2015), weight decay added to the gradient.
    Adam,
    /// AdamW (Loshchilov & Hutter 2019), decoupled weight decay.
    Adamw,
    /// LARS (You et al. 2017).
    Lars,
}

/// How the peak learning rate follows the batch size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LrScaling {
    /// Not at all.
    None,
    /// Times batch size / 256 (Goyal et al. 2017).
    Linear,
}
