//! Encoders: image to embedding, computed with libtorch inside the plugin.

use crate::{option_specs, read_options, EncoderError, OptionSpec, Result};
use schemars::JsonSchema;
use serde::{de::DeserializeOwned, Deserialize, Serialize};
use tch::Tensor;

/// The first layers of a convolutional encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stem {
    /// 3×3 convolution with stride 1, no max-pooling: for images of about 32 pixels.
    Cifar,
    /// 7×7 convolution with stride 2 and max-pooling: for images of about 224 pixels.
    Imagenet,
}

/// Facts about an encoder. Crosses the boundary as JSON. [`EncoderCard::new`] makes one, so that a field that comes later
/// changes no plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EncoderCard {
    /// The name that users write in `train.self_supervision.encoder_name`.
    pub name: String,
    /// One sentence for lists.
    pub summary: String,
    /// Licence of the code and of any weights in it, or that none is stated.
    #[serde(default)]
    pub licence: String,
    /// What to cite.
    pub citation: String,
    /// The known keys of `encoder.options`.
    pub options: Vec<OptionSpec>,
    /// Configuration values that suit this encoder; they rank below everything that the user writes.
    pub recommended: serde_json::Value,
    /// What timm calls this network, in each of its forms; empty where timm has none like it.
    #[serde(default)]
    pub timm: Vec<TimmForm>,
    /// For which runs `selfsame init` suggests it; empty: only who names it gets it.
    #[serde(default)]
    pub suits: Vec<Suits>,
}

/// Runs that an encoder is a good first choice for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suits {
    /// On a GPU, or on a CPU.
    pub gpu: bool,
    /// Training images from which on it is worth its time. Of several encoders that suit, the one that asks for the most is
    /// suggested.
    pub least_images: usize,
    /// Why, in one sentence without a full stop.
    pub reason: String,
}

/// How `timm.create_model` makes a network with the same parameters, so that `selfsame export --format timm` can say so.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TimmForm {
    /// timm's name.
    pub architecture: String,
    /// Arguments besides the number of channels and classes.
    pub arguments: serde_json::Map<String, serde_json::Value>,
    /// A tensor that only this form has, and how its shape ends; none: no other form is like it.
    pub tensor: Option<(String, Vec<i64>)>,
    /// Whether the network is made for images of one size.
    pub fixed_input_size: bool,
    /// The modules that differ from timm's, in the form for small images.
    pub small_stem: Option<SmallStem>,
}

/// The stem [`Stem::Cifar`] in place of [`Stem::Imagenet`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmallStem {
    /// The module of the first convolution, which becomes 3×3 with stride 1.
    pub convolution: String,
    /// The module of the max-pooling, which goes.
    pub pooling: String,
}

impl TimmForm {
    /// timm's own network of this name.
    pub fn new(architecture: &str) -> Self {
        Self { architecture: architecture.into(), ..Self::default() }
    }

    /// The form that has a tensor of this name whose shape ends so.
    #[must_use]
    pub fn told_by(self, tensor: &str, shape_ends: &[i64]) -> Self {
        Self { tensor: Some((tensor.into(), shape_ends.to_vec())), ..self }
    }

    /// A convolutional network's two forms: with [`Stem::Imagenet`], as timm's, and with [`Stem::Cifar`]. `convolution` and
    /// `pooling` are the modules that differ.
    pub fn with_both_stems(architecture: &str, convolution: &str, pooling: &str) -> Vec<Self> {
        let weight = format!("{convolution}.weight");
        let small_stem = Some(SmallStem { convolution: convolution.into(), pooling: pooling.into() });
        vec![
            Self::new(architecture).told_by(&weight, &[7, 7]),
            Self { small_stem, ..Self::new(architecture).told_by(&weight, &[3, 3]) },
        ]
    }
}

impl EncoderCard {
    /// An encoder without options; what follows changes that. No licence is stated, and there is nothing to cite.
    ///
    /// ```no_run
    /// use selfsame_encoder_api::EncoderCard;
    ///
    /// let card = EncoderCard::new("tiny", "Three convolutions").licence("MIT").citation("LeCun et al. 1998");
    /// assert_eq!(card.licence, "MIT");
    /// ```
    pub fn new(name: &str, summary: &str) -> Self {
        Self {
            name: name.into(),
            summary: summary.into(),
            licence: "none stated".into(),
            citation: "none".into(),
            options: Vec::new(),
            recommended: serde_json::json!({}),
            timm: Vec::new(),
            suits: Vec::new(),
        }
    }

    /// One kind of run that `selfsame init` suggests it for: on a GPU or on a CPU, with at least so many training images.
    #[must_use]
    pub fn suits(mut self, gpu: bool, least_images: usize, reason: &str) -> Self {
        self.suits.push(Suits { gpu, least_images, reason: reason.into() });
        self
    }

    /// The licence of the code and of any weights in it.
    #[must_use]
    pub fn licence(self, licence: &str) -> Self {
        Self { licence: licence.into(), ..self }
    }

    /// What to cite.
    #[must_use]
    pub fn citation(self, citation: &str) -> Self {
        Self { citation: citation.into(), ..self }
    }

    /// The options of a struct; see [`option_specs`].
    #[must_use]
    pub fn options<T: JsonSchema>(self) -> Self {
        Self { options: option_specs::<T>(), ..self }
    }

    /// What timm calls this network.
    #[must_use]
    pub fn timm(self, forms: Vec<TimmForm>) -> Self {
        Self { timm: forms, ..self }
    }

    /// Values of a run file that suit this encoder: a nested mapping.
    #[must_use]
    pub fn recommended(self, values: serde_json::Value) -> Self {
        Self { recommended: values, ..self }
    }
}

/// What the host asks for when it makes an encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderRequest {
    /// The encoder's name, one of those that the plugin exports.
    pub name: String,
    /// Channels of the input, at least 1.
    pub channels: usize,
    /// Height and width of the input in pixels.
    pub image_size: (usize, usize),
    /// The stem that the user asked for; none: the encoder's documented rule decides.
    pub stem: Option<Stem>,
    /// The user's `encoder.options`.
    pub options: serde_json::Value,
}

impl EncoderRequest {
    /// The user's options in a struct; see [`option_specs`].
    ///
    /// # Errors
    /// An option that the struct does not have, or a value that cannot be; named.
    pub fn options<T: DeserializeOwned + JsonSchema>(&self) -> Result<T> {
        Ok(read_options(&self.options)?)
    }

    /// The one among `known` that the request names.
    ///
    /// # Errors
    /// A configuration error with the known names when there is none.
    pub fn find<'a, T>(&self, known: &'a [T], name: impl Fn(&T) -> &str) -> Result<&'a T> {
        known.iter().find(|one| name(one) == self.name).ok_or_else(|| {
            let names = known.iter().map(&name).collect::<Vec<_>>().join(", ");
            EncoderError::configuration(format!("unknown encoder `{}`; this plugin provides {names}", self.name))
        })
    }
}

/// What a parameter is, for the optimiser: only `Weight` is decayed and adapted by LARS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    /// A convolution's or linear layer's weight.
    Weight,
    /// Any bias.
    Bias,
    /// Scale of a normalisation layer.
    Norm,
    /// Tokens and position embeddings.
    Embedding,
}

/// A trainable tensor; a handle, not a copy.
#[derive(Debug)]
pub struct Parameter {
    /// torchvision's or timm's name.
    pub name: String,
    /// What it is.
    pub kind: ParameterKind,
    /// A leaf that requires gradients.
    pub tensor: Tensor,
}

/// A tensor that is saved but not trained (running statistics); a handle, not a copy.
#[derive(Debug)]
pub struct Buffer {
    /// torchvision's or timm's name.
    pub name: String,
    /// The tensor itself.
    pub tensor: Tensor,
}

/// An encoder. Standard initialisation, drawn from libtorch's global generator, which the host has seeded.
pub trait Encoder: Send {
    /// Embeds `x` (`[B, C, H, W]`, float32, normalised) as `[B, D]`: float32, or bfloat16 where the host has turned
    /// autocast on. `x` itself stays as it is. `train` chooses batch statistics; without it, the answer for an image does
    /// not depend on the others.
    ///
    /// # Errors
    /// Anything libtorch refuses, without its backtrace.
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor>;

    /// D, the length of an embedding.
    fn feature_dim(&self) -> usize;

    /// All trainable tensors, in a fixed order. The host asks once and keeps the handles: a tensor may change in place,
    /// but must not be replaced. The same holds for [`Encoder::buffers`] and [`Encoder::feature_dim`].
    fn parameters(&self) -> Vec<Parameter>;

    /// All saved tensors that are not trained, in a fixed order.
    fn buffers(&self) -> Vec<Buffer>;

    /// Whether the parameter of this name is not to learn, so that no gradient reaching it is right. The host asks for every
    /// parameter, once.
    fn is_frozen(&self, name: &str) -> bool {
        let _ = name;
        false
    }
}
