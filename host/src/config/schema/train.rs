//! Keys of the training run.

use crate::method::MethodName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed of everything random: split, initialisation, order, augmentation.
    #[schemars(extend("x-role" = "identity"))]
    pub seed: u64,
    /// Images per step, at least 2. Stated for the whole run, whatever the hardware.
    #[schemars(range(min = 2))]
    #[schemars(extend("x-role" = "batches"))]
    pub batch_size: usize,
    /// Images that pass the network at a time, at least 2 and a divisor of `batch_size`; without it, the whole batch.
    /// Takes the memory of so many images; the loss still sees the whole batch, at the price of a second forward pass.
    #[schemars(range(min = 2))]
    #[schemars(extend("x-role" = "batches"))]
    pub micro_batch_size: Option<usize>,
    /// Decay of a moving average of the encoder over the steps, above 0 and below 1, such as 0.999; the average is
    /// evaluated and exported. Without it, there is none, and the encoder itself is.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    #[schemars(extend("x-role" = "identity"))]
    pub encoder_ema_decay: Option<f64>,
    /// Peak learning rate, above 0; see `optimizer.lr_scaling`.
    #[schemars(extend("exclusiveMinimum" = 0))]
    #[schemars(extend("x-role" = "training"))]
    pub base_lr: f64,
    /// The run's folder; `--output-dir` wins. Relative to the working directory; in the `config.yaml` that lies in a run's
    /// folder, it stands for that folder.
    #[schemars(length(min = 1))]
    #[schemars(extend("x-role" = "upkeep"))]
    pub output_dir: PathBuf,
    /// Continue from the newest checkpoint in `output_dir` when there is one; same as `--resume`.
    #[schemars(extend("x-role" = "upkeep"))]
    pub resume_from_last_checkpoint: bool,
    /// Keep the checkpoint of every Nth epoch for good; the newest one is always kept. 0 keeps the newest only.
    #[schemars(extend("x-role" = "upkeep"))]
    pub checkpoint_period: usize,
    /// Write a checkpoint every N steps besides the one at the end of each epoch; 0 does not.
    #[schemars(extend("x-role" = "upkeep"))]
    pub checkpoint_every_steps: u64,
    /// Whether the run's page shows images: small copies of up to 480 scored and training ones, within the file. Set it to false
    /// where the page goes to people who must not see them.
    #[schemars(extend("x-role" = "upkeep"))]
    pub report_images: bool,
    /// Of several processes: seconds after which one that does not answer ends the run, at least 1; twice that for the
    /// first meeting.
    #[schemars(range(min = 1), extend("x-role" = "upkeep"))]
    pub collective_timeout: u64,
    /// By what several processes exchange tensors: `gloo` (through the host's memory), `nccl` (from GPU to GPU, of which each
    /// process has its own), or `auto` (NCCL where it can be, Gloo elsewhere). What decides how a run goes on, always goes by
    /// Gloo.
    #[schemars(extend("x-role" = "computation"))]
    pub collectives: Collectives,
    /// Arithmetic of encoder and heads: `fp32`, `tf32` (fp32, but GPUs from compute capability 8.0 round the factors of
    /// products and convolutions to 10 bits), `bf16` (autocast; losses stay in float32), `fp16` (as bf16, with a
    /// scaled loss, for GPUs before compute capability 8.0), or `auto` (bf16 on GPUs from compute capability 8.0, fp32
    /// elsewhere).
    #[schemars(extend("x-role" = "setting"))]
    pub precision: Precision,
    /// Whether cuDNN must use algorithms that give the same bits each time, at some loss of speed. On the CPU a run has the
    /// same bits anyway.
    #[schemars(extend("x-role" = "computation"))]
    pub deterministic: bool,
    /// `auto` (CUDA when it works, else CPU), `cpu`, `cuda` or `cuda:N`.
    #[schemars(extend("x-role" = "computation"))]
    pub device: String,
    /// The self-supervised method and its encoder.
    pub self_supervision: SelfSupervisionConfig,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            batch_size: 512,
            micro_batch_size: None,
            encoder_ema_decay: None,
            base_lr: 0.03,
            output_dir: "runs/default".into(),
            resume_from_last_checkpoint: false,
            checkpoint_period: 200,
            checkpoint_every_steps: 0,
            report_images: true,
            collective_timeout: 300,
            collectives: Collectives::Auto,
            precision: Precision::Auto,
            deterministic: false,
            device: "auto".into(),
            self_supervision: SelfSupervisionConfig::default(),
        }
    }
}

/// By what several processes exchange tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Collectives {
    /// NCCL where every process has a GPU of its own and libtorch has NCCL, Gloo elsewhere.
    Auto,
    /// Through the host's memory, by TCP.
    Gloo,
    /// From GPU to GPU.
    Nccl,
}

/// Arithmetic of encoder and heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point.
    Fp32,
    /// 32-bit floating point whose factors GPUs round to 10 bits.
    Tf32,
    /// bfloat16 autocast.
    Bf16,
    /// float16 autocast, with a loss that is scaled so that gradients do not vanish.
    Fp16,
    /// bf16 on GPUs from compute capability 8.0, fp32 elsewhere.
    Auto,
}

/// The self-supervised method and its encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SelfSupervisionConfig {
    /// The self-supervised method.
    #[schemars(extend("x-role" = "identity"))]
    #[serde(rename = "type")]
    pub method: MethodName,
    /// Name of an encoder that a plugin provides; `selfsame plugins list` shows them.
    #[schemars(length(min = 1))]
    #[schemars(extend("x-role" = "plugin"))]
    pub encoder_name: String,
    /// Weights that the encoder starts from instead of random ones: a safetensors file with torchvision's or timm's
    /// names, or an `encoder.safetensors` of this program. Not read when a run is continued.
    #[schemars(length(min = 1))]
    #[schemars(extend("x-role" = "identity"))]
    pub init: Option<PathBuf>,
    /// What stands before the encoder's names in the file of `init`, such as `model.image_encoder.`; without it, the prefixes of
    /// other programs in common use are known.
    #[schemars(extend("x-role" = "identity"))]
    pub init_prefix: Option<String>,
    /// Weigh the online head's loss by inverse class frequency, counted on the training split.
    #[schemars(extend("x-role" = "setting"))]
    pub use_balanced_binary_loss_for_linear_head: bool,
}

impl Default for SelfSupervisionConfig {
    fn default() -> Self {
        Self {
            method: MethodName::default(),
            encoder_name: "resnet18".into(),
            init: None,
            init_prefix: None,
            use_balanced_binary_loss_for_linear_head: false,
        }
    }
}
