//! Colour jitter: brightness, contrast, saturation and hue in a random order, with torchvision's semantics.

use super::draw::{BatchDraws, Sample};
use super::operation::{Misfit, Operation};
use super::{Result, change_some, grayscale, upload};
use crate::data::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

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

impl Operation for RandomColorConfig {
    fn describe(&self) -> String {
        let strengths = [
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("saturation", self.saturation),
            ("hue", self.hue),
        ];
        let strengths = strengths.into_iter().filter(|(_, strength)| *strength > 0.0);
        let strengths: String = strengths.map(|(name, strength)| format!(" {name} {strength}")).collect();
        format!("colour{strengths} p {}", self.prob)
    }

    fn change(&self, view: Tensor, draws: &BatchDraws) -> Result<Tensor> {
        apply(view, &draws.each("color", |_, sample| draw(sample, self)))
    }

    fn misfit(&self, channels: usize, _: Size) -> Option<Misfit> {
        grayscale::without_grey("use_random_color", channels)
    }
}

/// One of the four changes with its factor (for hue: its shift, as a share of the colour circle).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// x ← f·x.
    Brightness(f64),
    /// x ← f·x + (1 − f)·m, with m the mean of the grey image.
    Contrast(f64),
    /// x ← f·x + (1 − f)·g, with g the grey image.
    Saturation(f64),
    /// The hue turned by the shift.
    Hue(f64),
}

/// The changes of one image in their order; [`None`] where one is off.
pub type Params = [Option<Change>; 4];

/// No change at all.
pub const NOTHING: Params = [None; 4];

/// Draws one image's changes; a strength of 0 is no change.
pub fn draw(sample: &mut Sample, config: &RandomColorConfig) -> Params {
    if !sample.chance(config.prob) {
        return NOTHING;
    }
    let mut factor = |strength: f64| sample.uniform((1.0 - strength).max(0.0), 1.0 + strength);
    let mut changes = [
        Some(Change::Brightness(factor(config.brightness))).filter(|_| config.brightness > 0.0),
        Some(Change::Contrast(factor(config.contrast))).filter(|_| config.contrast > 0.0),
        Some(Change::Saturation(factor(config.saturation))).filter(|_| config.saturation > 0.0),
        Some(Change::Hue(sample.uniform(-config.hue, config.hue))).filter(|_| config.hue > 0.0),
    ];
    for last in (1..changes.len()).rev() {
        changes.swap(last, sample.below(last + 1));
    }
    changes
}

/// Changes each image by its own parameters; `images`: float32 `[B, C, H, W]` in 0–1 with C 1 or 3.
///
/// With one channel saturation and hue do nothing, as in torchvision.
pub fn apply(mut images: Tensor, params: &[Params]) -> Result<Tensor> {
    for position in 0..4 {
        let changes: Vec<Option<Change>> = params.iter().map(|changes| changes[position]).collect();
        images = apply_one(images, &changes)?;
    }
    Ok(images)
}

/// One change per image. Brightness, contrast and saturation are all blends, x ← clamp(f·x + a·grey + b·mean(grey)),
/// which the whole batch takes together (f = 1, a = b = 0 where nothing is to be done); hue is apart.
fn apply_one(images: Tensor, changes: &[Option<Change>]) -> Result<Tensor> {
    let (batch, channels, _, _) = images.size4()?;
    let colour = channels == 3;
    let n = batch as usize;
    let mut numbers = vec![1.0; n];
    numbers.resize(3 * n, 0.0);
    let (mut turned, mut shifts) = (Vec::new(), Vec::new());
    for (i, change) in changes.iter().enumerate() {
        match *change {
            Some(Change::Brightness(f)) => numbers[i] = f as f32,
            Some(Change::Contrast(f)) => (numbers[i], numbers[2 * n + i]) = (f as f32, (1.0 - f) as f32),
            Some(Change::Saturation(f)) if colour => (numbers[i], numbers[n + i]) = (f as f32, (1.0 - f) as f32),
            Some(Change::Hue(shift)) if colour => {
                turned.push(i as f32);
                shifts.push(shift as f32);
            }
            _ => {}
        }
    }
    let blends = numbers[..n].iter().any(|&f| f != 1.0);
    let hues = turned.len() as i64;
    numbers.append(&mut turned);
    numbers.append(&mut shifts);
    numbers.extend(WAVES.as_flattened());
    let numbers = upload(&numbers, images.device())?;
    let mut images = if blends { blend(&images, &numbers.f_narrow(0, 0, 3 * batch)?)? } else { images };
    if hues > 0 {
        let shifts = numbers.f_narrow(0, 3 * batch + hues, hues)?;
        let waves = numbers.f_narrow(0, 3 * batch + 2 * hues, 9)?;
        change_some(&mut images, &numbers.f_narrow(0, 3 * batch, hues)?, |some| turn_hue(&some, &shifts, &waves))?;
    }
    Ok(images)
}

/// clamp(f·x + a·grey + b·mean(grey)); `numbers`: f, a and b of every image, `[3 · B]`.
fn blend(images: &Tensor, numbers: &Tensor) -> Result<Tensor> {
    let numbers = numbers.f_view([3, -1, 1, 1, 1])?;
    let grey = grayscale::grey(images)?;
    let mean = grey.f_mean_dim([2i64, 3].as_slice(), true, Kind::Float)?;
    let other = mean.f_mul(&numbers.f_select(0, 2)?)?.f_addcmul(&grey, &numbers.f_select(0, 1)?)?;
    Ok(other.f_addcmul(images, &numbers.f_select(0, 0)?)?.f_clamp_(0.0, 1.0)?)
}

/// For red, green and blue each: the hue in the middle of its wave, then the factor and the term that make the distance
/// to it a wave; see [`turn_hue`].
const WAVES: [[f32; 3]; 3] = [[3.0, 2.0, 4.0], [1.0, -1.0, -1.0], [-1.0, 2.0, 2.0]];

/// Turns hues by `shifts` `[B]` of the circle; `images` `[B, 3, H, W]`, `waves`: [`WAVES`].
///
/// With v the largest, m the smallest channel, c = v − m and h in [0, 6) the hue, each channel of HSV → RGB is
/// m + c·clamp(w(h), 0, 1), with w = |h − 3| − 1 for red, 2 − |h − 2| for green and 2 − |h − 4| for blue.
fn turn_hue(images: &Tensor, shifts: &Tensor, waves: &Tensor) -> Result<Tensor> {
    let [r, g, b] = [images.f_select(1, 0)?, images.f_select(1, 1)?, images.f_select(1, 2)?];
    let v = r.f_maximum(&g)?.f_maximum(&b)?;
    let m = r.f_minimum(&g)?.f_minimum(&b)?;
    let c = v.f_sub(&m)?;
    // Grey has no hue; c = 0 then takes any hue back to grey.
    let inverse = c.f_clamp_min(1e-12)?.f_reciprocal_()?;
    let at_red = g.f_sub(&b)?.f_mul_(&inverse)?;
    let at_green = b.f_sub(&r)?.f_mul_(&inverse)?.f_add_scalar_(2.0)?;
    let at_blue = r.f_sub(&g)?.f_mul_(&inverse)?.f_add_scalar_(4.0)?;
    let mut h = at_red.f_where_self(&v.f_eq_tensor(&r)?, &at_green.f_where_self(&v.f_eq_tensor(&g)?, &at_blue)?)?;
    let h = h.f_add_(&shifts.f_view([-1, 1, 1])?.f_mul_scalar(6.0)?)?;
    let turns = h.f_div_scalar(6.0)?.f_floor_()?.f_mul_scalar_(6.0)?;
    let h = h.f_sub(&turns)?.f_unsqueeze(1)?;
    let waves = waves.f_view([3, 3, 1, 1])?;
    let mut w = h.f_sub(&waves.f_select(0, 0)?)?.f_abs_()?;
    let w = w.f_mul_(&waves.f_select(0, 1)?)?.f_add_(&waves.f_select(0, 2)?)?.f_clamp_(0.0, 1.0)?;
    Ok(m.f_unsqueeze(1)?.f_addcmul(&c.f_unsqueeze(1)?, &w)?)
}
