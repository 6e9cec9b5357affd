//! The vision transformer itself (Dosovitskiy et al. 2021), normalising before each half of a block.

use schemars::JsonSchema;
use selfsame_encoder_api::layers::{Conv, Conv2d, Init, LayerNorm, Layers, Linear};
use selfsame_encoder_api::{Buffer, Encoder, EncoderError, Parameter, ParameterKind, Result};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Width of the hidden layer of a block's MLP, in units of the embedding.
const MLP_RATIO: i64 = 4;
const DEPTH: usize = 12;
/// Standard deviation of linear weights and position embeddings.
const DEVIATION: f64 = 0.02;
const INIT: Init = Init::Normal(DEVIATION);
/// Of layer normalisation.
const EPSILON: f64 = 1e-6;

/// What distinguishes one network from another.
pub struct Architecture {
    /// The name that users write.
    pub name: &'static str,
    /// Side of a patch in pixels.
    pub patch: usize,
    /// D, the length of a token.
    pub dim: i64,
    /// Heads of attention.
    pub heads: i64,
}

/// Which tokens make the embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// The class token.
    Token,
    /// The mean of the patches' tokens.
    Avg,
}

struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    proj: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    dim: i64,
}

impl Block {
    fn new(layers: &mut Layers, name: &str, dim: i64) -> Result<Self> {
        let of = |part: &str| format!("{name}.{part}");
        Ok(Self {
            norm1: layers.layer_norm(&of("norm1"), dim, EPSILON)?,
            qkv: layers.linear(&of("attn.qkv"), dim, 3 * dim, INIT)?,
            proj: layers.linear(&of("attn.proj"), dim, dim, INIT)?,
            norm2: layers.layer_norm(&of("norm2"), dim, EPSILON)?,
            fc1: layers.linear(&of("mlp.fc1"), dim, MLP_RATIO * dim, INIT)?,
            fc2: layers.linear(&of("mlp.fc2"), MLP_RATIO * dim, dim, INIT)?,
            dim,
        })
    }

    /// `[B, N, D]` to the same; the batch's size is never read, so that the network can be traced.
    fn forward(&self, x: &Tensor, tokens: i64, heads: i64) -> Result<Tensor> {
        let dim = self.dim;
        let qkv = self.qkv.forward(&self.norm1.forward(x)?)?;
        let qkv = qkv.f_reshape([-1, tokens, 3, heads, dim / heads])?.f_permute([2, 0, 3, 1, 4])?;
        let (q, k, v) = (qkv.f_select(0, 0)?, qkv.f_select(0, 1)?, qkv.f_select(0, 2)?);
        let mixed = Tensor::f_scaled_dot_product_attention(&q, &k, &v, None::<&Tensor>, 0.0, false, None, false)?;
        let mixed = mixed.f_transpose(1, 2)?.f_reshape([-1, tokens, dim])?;
        let x = x.f_add(&self.proj.forward(&mixed)?)?;
        let hidden = self.fc1.forward(&self.norm2.forward(&x)?)?.f_gelu("none")?;
        Ok(x.f_add(&self.fc2.forward(&hidden)?)?)
    }
}

/// A vision transformer without its classifier.
pub struct VisionTransformer {
    layers: Layers,
    cls_token: Tensor,
    pos_embed: Tensor,
    patch_embed: Conv2d,
    blocks: Vec<Block>,
    norm: LayerNorm,
    name: &'static str,
    /// Rows and columns of patches that `pos_embed` was made for.
    grid: [i64; 2],
    patch: i64,
    dim: i64,
    heads: i64,
    pool: Pool,
}

impl VisionTransformer {
    /// For images of `grid` patches (rows, columns); those of another size get its positions resampled. Draws the initial weights from libtorch's global generator, in the
    /// order of [`Encoder::parameters`].
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn new(
        architecture: &Architecture,
        channels: usize,
        grid: (usize, usize),
        pool: Pool,
        device: Device,
    ) -> Result<Self> {
        let Architecture { name, patch, dim, heads } = *architecture;
        let grid = [grid.0 as i64, grid.1 as i64];
        let mut layers = Layers::on(device);
        let mut embedding = |name: &str, tokens: i64, deviation: f64| -> Result<Tensor> {
            let mut values = Tensor::f_empty([1, tokens, dim], (Kind::Float, Device::Cpu))?;
            layers.parameter(name, ParameterKind::Embedding, &values.f_normal_(0.0, deviation)?)
        };
        let cls_token = embedding("cls_token", 1, 1e-6)?;
        let pos_embed = embedding("pos_embed", 1 + grid[0] * grid[1], DEVIATION)?;
        let patches = Conv::new(channels as i64, dim, patch as i64).stride(patch as i64).padding(0);
        let patch_embed = layers.conv2d("patch_embed.proj", patches.with_bias().init(Init::Uniform))?;
        let block = |number| Block::new(&mut layers, &format!("blocks.{number}"), dim);
        let blocks = (0..DEPTH).map(block).collect::<Result<_>>()?;
        let norm = layers.layer_norm(if pool == Pool::Token { "norm" } else { "fc_norm" }, dim, EPSILON)?;
        let patch = patch as i64;
        Ok(Self { layers, cls_token, pos_embed, patch_embed, blocks, norm, name, grid, patch, dim, heads, pool })
    }

    /// Rows and columns of patches of images `[B, C, H, W]`.
    fn grid_of(&self, x: &Tensor) -> Result<[i64; 2]> {
        let (_, _, height, width) = x.size4()?;
        let patch = self.patch;
        if height < patch || width < patch || height % patch != 0 || width % patch != 0 {
            return Err(EncoderError::data(format!(
                "encoder `{}` cuts images into patches of {patch} × {patch} pixels, and got images of {height} × {width}, \
                 which is no multiple of that",
                self.name
            )));
        }
        Ok([height / patch, width / patch])
    }

    /// The position embedding for `grid`, `[1, 1 + rows · columns, D]`: that of the patches is resampled like an image where
    /// they are not those that it was made for, bicubically with antialiasing, as timm's `resample_abs_pos_embed` does.
    fn positions(&self, grid: [i64; 2]) -> Result<Tensor> {
        if grid == self.grid {
            return Ok(self.pos_embed.shallow_clone());
        }
        let (class, patches) = (self.pos_embed.f_slice(1, 0, 1, 1)?, self.pos_embed.f_slice(1, 1, None, 1)?);
        let image = patches.f_transpose(1, 2)?.f_unflatten(2, self.grid)?;
        let resampled = image.f_internal_upsample_bicubic2d_aa(grid, false, None, None)?;
        Ok(Tensor::f_cat(&[class, resampled.f_flatten(2, -1)?.f_transpose(1, 2)?], 1)?)
    }
}

impl Encoder for VisionTransformer {
    fn forward(&self, x: &Tensor, _train: bool) -> Result<Tensor> {
        let grid = self.grid_of(x)?;
        let patches = self.patch_embed.forward(x)?.f_flatten(2, -1)?.f_transpose(1, 2)?;
        // Of another kind under autocast; libtorch's `cat` takes both.
        let class = self.cls_token.f_expand_as(&patches.f_slice(1, 0, 1, 1)?)?;
        let mut x = Tensor::f_cat(&[class, patches], 1)?.f_add(&self.positions(grid)?)?;
        let tokens = 1 + grid[0] * grid[1];
        for block in &self.blocks {
            x = block.forward(&x, tokens, self.heads)?;
        }
        match self.pool {
            // Each token is normalised by itself, so that the others need not be.
            Pool::Token => self.norm.forward(&x.f_select(1, 0)?),
            Pool::Avg => self.norm.forward(&x.f_slice(1, 1, None, 1)?.f_mean_dim(1, false, None)?),
        }
    }

    fn feature_dim(&self) -> usize {
        self.dim as usize
    }

    fn parameters(&self) -> Vec<Parameter> {
        self.layers.parameters()
    }

    fn buffers(&self) -> Vec<Buffer> {
        self.layers.buffers()
    }
}
