//! The schema of a run: every key, its type, default and meaning.
//!
//! The doc comments are what `selfsame config explain` prints; the `schemars` attributes are the ranges that loading enforces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// A whole run, resolved.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The images to learn from.
    pub dataset: DatasetConfig,
    /// How samples are split, limited and held.
    pub data: DataConfig,
    /// The training run.
    pub train: TrainConfig,
    /// The length and the shape of the learning rate schedule.
    pub scheduler: SchedulerConfig,
    /// The optimiser of encoder and heads.
    pub optimizer: OptimizerConfig,
    /// The loss and the projection head of the self-supervised method.
    pub method: MethodConfig,
    /// The encoder's architecture.
    pub encoder: EncoderConfig,
    /// The size of the images that the encoder sees.
    pub preprocess: PreprocessConfig,
    /// The random views.
    pub augmentation: AugmentationConfig,
    /// The online linear head, which learns from detached features while the encoder trains.
    pub linear_head: LinearHeadConfig,
    /// The k-nearest-neighbour score on the validation split.
    pub knn: KnnConfig,
}

/// The images to learn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatasetConfig {
    /// Name of a data set that a plugin provides; `selfsame plugins list` shows them.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Folder with the data; without it, the data set's own folder in the user's cache, filled by download where the
    /// data set can do that.
    #[schemars(length(min = 1))]
    pub dataset_dir: Option<PathBuf>,
    /// Threads that read samples, at least 1; without it, one per core.
    #[schemars(range(min = 1))]
    pub num_workers: Option<usize>,
    /// Options of the data set itself; `selfsame plugins inspect` lists them.
    pub options: Map<String, Value>,
}

impl Default for DatasetConfig {
    fn default() -> Self {
        Self { name: "CIFAR10".into(), dataset_dir: None, num_workers: None, options: Map::new() }
    }
}

/// How samples are split, limited and held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Share of the training split held out for validation, stratified by class and grouped by patient; in [0, 1). 0
    /// trains on everything. Unused when the data set publishes its own validation split.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub val_fraction: f64,
    /// First N samples of each split after the seeded shuffle, for trying things out.
    pub limit: LimitConfig,
    /// Where decoded pixels live: `device` (beside the encoder), `host`, or `auto` (device when they fit there).
    pub cache: CachePlace,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { val_fraction: 0.1, limit: LimitConfig::default(), cache: CachePlace::Auto }
    }
}

/// Number of samples kept of each split; none keeps all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitConfig {
    /// Training samples kept, at least 1.
    #[schemars(range(min = 1))]
    pub train: Option<usize>,
    /// Validation samples kept, at least 1.
    #[schemars(range(min = 1))]
    pub val: Option<usize>,
    /// Test samples kept, at least 1.
    #[schemars(range(min = 1))]
    pub test: Option<usize>,
}

/// Where decoded pixels live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CachePlace {
    /// On the device when they fit there, else in the host's memory.
    Auto,
    /// On the device.
    Device,
    /// In the host's memory.
    Host,
}

/// The training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed of everything random: split, initialisation, order, augmentation.
    pub seed: u64,
    /// Images per step, at least 2. Stated for the whole run, whatever the hardware.
    #[schemars(range(min = 2))]
    pub batch_size: usize,
    /// Peak learning rate, above 0; see `optimizer.lr_scaling`.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub base_lr: f64,
    /// The run's folder; `--output-dir` wins. Relative to the working directory.
    #[schemars(length(min = 1))]
    pub output_dir: PathBuf,
    /// Continue from the newest checkpoint in `output_dir` when there is one; same as `--resume`.
    pub resume_from_last_checkpoint: bool,
    /// Keep the checkpoint of every Nth epoch for good; the newest one is always kept. 0 keeps the newest only.
    pub checkpoint_period: usize,
    /// Write a checkpoint every N steps besides the one at the end of each epoch; 0 does not.
    pub checkpoint_every_steps: u64,
    /// Arithmetic of encoder and heads: `fp32`, `bf16` (autocast; losses stay in float32), or `auto` (bf16 on CUDA,
    /// fp32 on CPU).
    pub precision: Precision,
    /// `auto` (CUDA when it works, else CPU), `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// The self-supervised method and its encoder.
    pub self_supervision: SelfSupervisionConfig,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            batch_size: 512,
            base_lr: 0.03,
            output_dir: "runs/default".into(),
            resume_from_last_checkpoint: false,
            checkpoint_period: 200,
            checkpoint_every_steps: 0,
            precision: Precision::Auto,
            device: "auto".into(),
            self_supervision: SelfSupervisionConfig::default(),
        }
    }
}

/// Arithmetic of encoder and heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point.
    Fp32,
    /// bfloat16 autocast.
    Bf16,
    /// bf16 on CUDA, fp32 on CPU.
    Auto,
}

/// The self-supervised method and its encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SelfSupervisionConfig {
    /// The method: `simclr`.
    #[serde(rename = "type")]
    pub method: MethodName,
    /// Name of an encoder that a plugin provides; `selfsame plugins list` shows them.
    #[schemars(length(min = 1))]
    pub encoder_name: String,
    /// Weigh the online head's loss by inverse class frequency, counted on the training split.
    pub use_balanced_binary_loss_for_linear_head: bool,
}

impl Default for SelfSupervisionConfig {
    fn default() -> Self {
        Self {
            method: MethodName::Simclr,
            encoder_name: "resnet18".into(),
            use_balanced_binary_loss_for_linear_head: false,
        }
    }
}

/// The self-supervised methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MethodName {
    /// SimCLR (Chen et al. 2020).
    Simclr,
}

impl std::fmt::Display for MethodName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            MethodName::Simclr => "simclr",
        })
    }
}

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
    /// β₁ and β₂ of Adam and AdamW, each in [0, 1).
    #[schemars(extend("items" = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}))]
    pub betas: [f64; 2],
    /// ε of Adam, AdamW, above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub eps: f64,
    /// Trust coefficient η of LARS, above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub trust_coefficient: f64,
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
            betas: [0.9, 0.999],
            eps: 1e-8,
            trust_coefficient: 0.001,
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

/// The loss and the projection head of the self-supervised method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MethodConfig {
    /// Temperature τ of NT-Xent, above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub temperature: f64,
    /// The projection head.
    pub projection: ProjectionConfig,
}

impl Default for MethodConfig {
    fn default() -> Self {
        Self { temperature: 0.5, projection: ProjectionConfig::default() }
    }
}

/// A two-layer projection head: linear, (batch norm), ReLU, linear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectionConfig {
    /// Width of the hidden layer, at least 1.
    #[schemars(range(min = 1))]
    pub hidden_dim: usize,
    /// Length of a projection, at least 2.
    #[schemars(range(min = 2))]
    pub output_dim: usize,
    /// Batch norm after the hidden layer.
    pub batch_norm: bool,
}

impl Default for ProjectionConfig {
    fn default() -> Self {
        Self { hidden_dim: 1024, output_dim: 128, batch_norm: false }
    }
}

/// The encoder's architecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderConfig {
    /// `cifar` (3×3, no max-pooling), `imagenet` (7×7 stride 2, max-pooling), or `auto`: `cifar` for images of up to 64
    /// pixels.
    pub stem: StemChoice,
    /// Options of the encoder itself; `selfsame plugins inspect` lists them.
    pub options: Map<String, Value>,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self { stem: StemChoice::Auto, options: Map::new() }
    }
}

/// The first layers of a convolutional encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StemChoice {
    /// By the size of the images.
    Auto,
    /// 3×3 convolution, stride 1, no max-pooling.
    Cifar,
    /// 7×7 convolution, stride 2, max-pooling.
    Imagenet,
}

/// The size of the images that the encoder sees.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PreprocessConfig {
    /// Output side of the random resized crop and of the evaluation's resize, in pixels; without it, the data set's
    /// nominal size.
    #[schemars(range(min = 1))]
    pub resize: Option<usize>,
    /// Side of the centre crop taken after `resize`, at most `resize`; without it, images keep `resize`, and those that
    /// are not square are cropped to a square.
    #[schemars(range(min = 1))]
    pub center_crop_size: Option<usize>,
}

/// The random views. Each operation is on when its `use_` key is; they run in the order listed here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentationConfig {
    /// Random resized crop instead of a plain resize.
    pub use_random_crop: bool,
    /// Its parameters.
    pub random_crop: RandomCropConfig,
    /// Horizontal flip.
    pub use_random_horizontal_flip: bool,
    /// Its parameters.
    pub random_horizontal_flip: ProbabilityConfig,
    /// Colour jitter: brightness, contrast, saturation and hue in a random order.
    pub use_random_color: bool,
    /// Its parameters.
    pub random_color: RandomColorConfig,
    /// Conversion to grayscale.
    pub use_random_grayscale: bool,
    /// Its parameters.
    pub random_grayscale: GrayscaleConfig,
    /// Gaussian blur.
    pub use_gaussian_blur: bool,
    /// Its parameters.
    pub gaussian_blur: GaussianBlurConfig,
    /// Solarisation: values at or above the threshold are inverted.
    pub use_solarize: bool,
    /// Its parameters.
    pub solarize: SolarizeConfig,
    /// Mean and standard deviation taken from each channel at the end: `dataset` (the data set's own), `imagenet`, or
    /// `none` (values stay in 0–1).
    pub normalize: NormalizeChoice,
}

impl Default for AugmentationConfig {
    fn default() -> Self {
        Self {
            use_random_crop: false,
            random_crop: RandomCropConfig::default(),
            use_random_horizontal_flip: false,
            random_horizontal_flip: ProbabilityConfig::default(),
            use_random_color: false,
            random_color: RandomColorConfig::default(),
            use_random_grayscale: false,
            random_grayscale: GrayscaleConfig::default(),
            use_gaussian_blur: false,
            gaussian_blur: GaussianBlurConfig::default(),
            use_solarize: false,
            solarize: SolarizeConfig::default(),
            normalize: NormalizeChoice::Dataset,
        }
    }
}

/// Random resized crop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomCropConfig {
    /// Smallest and largest share of the image's area, in (0, 1].
    #[schemars(extend("items" = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}))]
    pub scale: [f64; 2],
    /// Smallest and largest aspect ratio, above 0.
    #[schemars(extend("items" = {"type": "number", "exclusiveMinimum": 0}))]
    pub ratio: [f64; 2],
    /// `bilinear` or `bicubic`.
    pub interpolation: Interpolation,
}

impl Default for RandomCropConfig {
    fn default() -> Self {
        Self { scale: [0.9, 1.0], ratio: [0.75, 4.0 / 3.0], interpolation: Interpolation::Bilinear }
    }
}

/// How pixels between pixels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// From the 2×2 nearest pixels.
    Bilinear,
    /// From the 4×4 nearest pixels.
    Bicubic,
}

/// An operation with nothing but a probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProbabilityConfig {
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for ProbabilityConfig {
    fn default() -> Self {
        Self { prob: 0.5 }
    }
}

/// Colour jitter. A strength s draws its factor from [max(0, 1 − s), 1 + s].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomColorConfig {
    /// Strength of brightness, at least 0.
    #[schemars(range(min = 0))]
    pub brightness: f64,
    /// Strength of contrast, at least 0.
    #[schemars(range(min = 0))]
    pub contrast: f64,
    /// Strength of saturation, at least 0.
    #[schemars(range(min = 0))]
    pub saturation: f64,
    /// Largest shift of hue, as a share of the colour circle, in [0, 0.5].
    #[schemars(range(min = 0, max = 0.5))]
    pub hue: f64,
    /// Probability that the image is jittered at all, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for RandomColorConfig {
    fn default() -> Self {
        Self { brightness: 0.0, contrast: 0.1, saturation: 0.0, hue: 0.0, prob: 1.0 }
    }
}

/// Grayscale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GrayscaleConfig {
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for GrayscaleConfig {
    fn default() -> Self {
        Self { prob: 0.2 }
    }
}

/// Gaussian blur.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianBlurConfig {
    /// Smallest and largest standard deviation, in pixels, above 0.
    #[schemars(extend("items" = {"type": "number", "exclusiveMinimum": 0}))]
    pub sigma: [f64; 2],
    /// Side of the kernel in pixels, odd; without it, the odd number nearest to a tenth of the image's side, at least 3.
    #[schemars(range(min = 1))]
    pub kernel_size: Option<usize>,
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for GaussianBlurConfig {
    fn default() -> Self {
        Self { sigma: [0.1, 2.0], kernel_size: None, prob: 0.5 }
    }
}

/// Solarisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SolarizeConfig {
    /// Values at or above it are inverted, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub threshold: f64,
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for SolarizeConfig {
    fn default() -> Self {
        Self { threshold: 0.5, prob: 0.2 }
    }
}

/// What is taken from each channel at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NormalizeChoice {
    /// The data set's mean and standard deviation; 0–1 where its card has none.
    Dataset,
    /// ImageNet's mean and standard deviation.
    Imagenet,
    /// Nothing: values stay in 0–1.
    None,
}

/// The online linear head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinearHeadConfig {
    /// Whether there is one; it needs labels.
    pub enabled: bool,
    /// Learning rate of the head's Adam, constant, above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Weight decay of the head, at least 0.
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
}

impl Default for LinearHeadConfig {
    fn default() -> Self {
        Self { enabled: true, learning_rate: 1e-3, weight_decay: 0.0 }
    }
}

/// The k-nearest-neighbour score (Wu et al. 2018), cosine similarity weighted by exp(s / temperature).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KnnConfig {
    /// Neighbours, at least 1.
    #[schemars(range(min = 1))]
    pub k: usize,
    /// Temperature of the votes, above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub temperature: f64,
    /// Measure after every Nth epoch, besides the untrained encoder and the last epoch, which are always measured; 0
    /// measures only these two.
    pub every_epochs: usize,
}

impl Default for KnnConfig {
    fn default() -> Self {
        Self { k: 20, temperature: 0.1, every_epochs: 1 }
    }
}
