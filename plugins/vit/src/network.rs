//! The vision transformer itself (Dosovitskiy et al. 2021), normalising before each half of a block.

use crate::layers::{Affine, normal, position_embedding};
use schemars::JsonSchema;
use selfsame_encoder_api::{Buffer, Encoder, EncoderError, Parameter, ParameterKind, Result};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

/// Width of the hidden layer of a block's MLP, in units of the embedding.
const MLP_RATIO: i64 = 4;
const DEPTH: usize = 12;

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
    norm1: Affine,
    qkv: Affine,
    proj: Affine,
    norm2: Affine,
    fc1: Affine,
    fc2: Affine,
}

impl Block {
    fn new(dim: i64, device: Device) -> Result<Self> {
        Ok(Self {
            norm1: Affine::norm(dim, device)?,
            qkv: Affine::linear(dim, 3 * dim, device)?,
            proj: Affine::linear(dim, dim, device)?,
            norm2: Affine::norm(dim, device)?,
            fc1: Affine::linear(dim, MLP_RATIO * dim, device)?,
            fc2: Affine::linear(MLP_RATIO * dim, dim, device)?,
        })
    }

    /// `[B, N, D]` to the same; the batch's size is never read, so that the network can be traced.
    fn forward(&self, x: &Tensor, tokens: i64, heads: i64) -> Result<Tensor> {
        let dim = self.norm1.bias.size()[0];
        let qkv = self.qkv.apply_linear(&self.norm1.apply_norm(x)?)?;
        let qkv = qkv.f_reshape([-1, tokens, 3, heads, dim / heads])?.f_permute([2, 0, 3, 1, 4])?;
        let (q, k, v) = (qkv.f_select(0, 0)?, qkv.f_select(0, 1)?, qkv.f_select(0, 2)?);
        let mixed = Tensor::f_scaled_dot_product_attention(&q, &k, &v, None::<&Tensor>, 0.0, false, None, false)?;
        let mixed = mixed.f_transpose(1, 2)?.f_reshape([-1, tokens, dim])?;
        let x = x.f_add(&self.proj.apply_linear(&mixed)?)?;
        let hidden = self.fc1.apply_linear(&self.norm2.apply_norm(&x)?)?.f_gelu("none")?;
        Ok(x.f_add(&self.fc2.apply_linear(&hidden)?)?)
    }

    fn parameters(&self, name: &str) -> Vec<Parameter> {
        let named = [
            ("norm1", &self.norm1),
            ("attn.qkv", &self.qkv),
            ("attn.proj", &self.proj),
            ("norm2", &self.norm2),
            ("mlp.fc1", &self.fc1),
            ("mlp.fc2", &self.fc2),
        ];
        named.into_iter().flat_map(|(part, layer)| layer.parameters(&format!("{name}.{part}"))).collect()
    }
}

/// A vision transformer without its classifier.
pub struct VisionTransformer {
    cls_token: Tensor,
    pos_embed: Tensor,
    patch_embed: Affine,
    blocks: Vec<Block>,
    norm: Affine,
    name: &'static str,
    /// Rows and columns of patches that `pos_embed` was made for.
    grid: [i64; 2],
    patch: i64,
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
        Ok(Self {
            cls_token: normal(&[1, 1, dim], 1e-6, device)?,
            pos_embed: position_embedding(1 + grid[0] * grid[1], dim, device)?,
            patch_embed: Affine::patches(channels as i64, dim, patch as i64, device)?,
            blocks: (0..DEPTH).map(|_| Block::new(dim, device)).collect::<Result<_>>()?,
            norm: Affine::norm(dim, device)?,
            name,
            grid,
            patch: patch as i64,
            heads,
            pool,
        })
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
        let (weight, bias) = (&self.patch_embed.weight, Some(&self.patch_embed.bias));
        let patches =
            x.f_conv2d(weight, bias, [self.patch; 2], [0, 0], [1, 1], 1)?.f_flatten(2, -1)?.f_transpose(1, 2)?;
        // Of another kind under autocast; libtorch's `cat` takes both.
        let class = self.cls_token.f_expand_as(&patches.f_slice(1, 0, 1, 1)?)?;
        let mut x = Tensor::f_cat(&[class, patches], 1)?.f_add(&self.positions(grid)?)?;
        let tokens = 1 + grid[0] * grid[1];
        for block in &self.blocks {
            x = block.forward(&x, tokens, self.heads)?;
        }
        match self.pool {
            // Each token is normalised by itself, so that the others need not be.
            Pool::Token => self.norm.apply_norm(&x.f_select(1, 0)?),
            Pool::Avg => self.norm.apply_norm(&x.f_slice(1, 1, None, 1)?.f_mean_dim(1, false, None)?),
        }
    }

    fn feature_dim(&self) -> usize {
        self.norm.bias.size()[0] as usize
    }

    fn parameters(&self) -> Vec<Parameter> {
        let embedding = |name: &str, tensor: &Tensor| Parameter {
            name: name.into(),
            kind: ParameterKind::Embedding,
            tensor: tensor.shallow_clone(),
        };
        let mut all = vec![embedding("cls_token", &self.cls_token), embedding("pos_embed", &self.pos_embed)];
        all.extend(self.patch_embed.parameters("patch_embed.proj"));
        for (number, block) in self.blocks.iter().enumerate() {
            all.extend(block.parameters(&format!("blocks.{number}")));
        }
        all.extend(self.norm.parameters(if self.pool == Pool::Token { "norm" } else { "fc_norm" }));
        all
    }

    fn buffers(&self) -> Vec<Buffer> {
        Vec::new()
    }
}
