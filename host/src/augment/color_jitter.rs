//! Colour jitter: brightness, contrast, saturation and hue in a random order, with torchvision's semantics.

use super::draw::{BatchDraws, Sample};
use super::operation::{Apply, Misfit, Operation};
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

    fn draw(&self, draws: &BatchDraws, _: usize, _: Size) -> Apply {
        let params = draws.each("color", |_, sample| draw(sample, self));
        Box::new(move |view| apply(view, &params))
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

/// The order in which a batch takes its changes: whatever the order of an image's own, each finds its place in here, one
/// after the other, since three of the four are blends.
const ROUNDS: [Round; 6] = [Round::Blend, Round::Hue, Round::Blend, Round::Blend, Round::Hue, Round::Blend];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Round {
    /// Brightness, contrast and saturation.
    Blend,
    Hue,
}

/// Changes each image by its own parameters; `images`: float32 `[B, C, H, W]` in 0–1 with C 1 or 3.
///
/// With one channel saturation and hue do nothing, as in torchvision.
pub fn apply(mut images: Tensor, params: &[Params]) -> Result<Tensor> {
    let (batch, channels, _, _) = images.size4()?;
    let works = |change: &&Change| channels == 3 || !matches!(change, Change::Saturation(_) | Change::Hue(_));
    let mut left: Vec<_> = params.iter().map(|changes| changes.iter().flatten().filter(works).peekable()).collect();
    let mut numbers = [WAVES.as_flattened(), &OFFSETS, &grayscale::WEIGHTS].concat();
    let mut rounds = Vec::new();
    for round in ROUNDS {
        let is_hue = |change: &&Change| matches!(change, Change::Hue(_));
        let taken = left.iter_mut().map(|changes| changes.next_if(|change| is_hue(change) == (round == Round::Hue)));
        let taken: Vec<Option<Change>> = taken.map(Option::<&Change>::copied).collect();
        let some = taken.iter().flatten().count();
        if some > 0 {
            rounds.push((round, numbers.len() as i64, some as i64));
            numbers.extend(if round == Round::Hue { turns(&taken) } else { factors(&taken) });
        }
    }
    if rounds.is_empty() {
        return Ok(images);
    }
    let numbers = upload(&numbers, images.device())?;
    let constants = |first: i64, rows: i64| -> Result<Tensor> {
        Ok(numbers.f_narrow(0, first, 3 * rows)?.f_view([rows, 3, 1, 1])?)
    };
    let (waves, offsets, weights) = (constants(0, 3)?, constants(9, 1)?, constants(12, 1)?);
    for (round, first, some) in rounds {
        match round {
            Round::Blend => images = blend(&images, &numbers.f_narrow(0, first, 3 * batch)?, &weights)?,
            Round::Hue => {
                let shifts = numbers.f_narrow(0, first + some, some)?;
                let turn = |images: Tensor| turn_hue(&images, &shifts, &waves, &offsets);
                change_some(&mut images, &numbers.f_narrow(0, first, some)?, turn)?;
            }
        }
    }
    Ok(images)
}

/// f, a and b of every image, so that brightness, contrast and saturation are all x ← clamp(f·x + a·grey + b·mean(grey)):
/// 1, 0 and 0 where nothing is to be done.
fn factors(changes: &[Option<Change>]) -> Vec<f32> {
    let n = changes.len();
    let mut numbers = vec![1.0; n];
    numbers.resize(3 * n, 0.0);
    for (i, change) in changes.iter().enumerate() {
        match *change {
            Some(Change::Brightness(f)) => numbers[i] = f as f32,
            Some(Change::Contrast(f)) => (numbers[i], numbers[2 * n + i]) = (f as f32, (1.0 - f) as f32),
            Some(Change::Saturation(f)) => (numbers[i], numbers[n + i]) = (f as f32, (1.0 - f) as f32),
            Some(Change::Hue(_)) | None => {}
        }
    }
    numbers
}

/// The positions of the images whose hue turns, then by how many sixths of the circle each.
fn turns(changes: &[Option<Change>]) -> Vec<f32> {
    let shifts = changes.iter().enumerate().filter_map(|(i, change)| match change {
        Some(Change::Hue(shift)) => Some((i as f32, *shift as f32 * 6.0)),
        _ => None,
    });
    let (mut numbers, shifts): (Vec<f32>, Vec<f32>) = shifts.unzip();
    numbers.extend(shifts);
    numbers
}

/// clamp(f·x + a·grey + b·mean(grey)); `numbers`: [`factors`], `weights`: of grey.
fn blend(images: &Tensor, numbers: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let numbers = numbers.f_view([3, -1, 1, 1, 1])?;
    let grey = grayscale::grey(images, weights)?;
    let mean = grey.f_mean_dim([2i64, 3].as_slice(), true, Kind::Float)?;
    let other = mean.f_mul(&numbers.f_select(0, 2)?)?.f_addcmul(&grey, &numbers.f_select(0, 1)?)?;
    Ok(other.f_addcmul(images, &numbers.f_select(0, 0)?)?.f_clamp_(0.0, 1.0)?)
}

/// The hue in the middle of the wave of red, green and blue, then the factors and the terms that make the distance to it a
/// wave; see [`turn_hue`].
const WAVES: [[f32; 3]; 3] = [[3.0, 2.0, 4.0], [1.0, -1.0, -1.0], [-1.0, 2.0, 2.0]];

/// The hues of red, green and blue.
const OFFSETS: [f32; 3] = [0.0, 2.0, 4.0];

/// Turns hues by `shifts` `[B]` sixths of the circle; `images` `[B, 3, H, W]`, `waves`: [`WAVES`], `offsets`: [`OFFSETS`].
///
/// With v the largest, m the smallest channel, c = v − m and h in [0, 6) the hue, each channel of HSV → RGB is
/// m + c·clamp(w(h), 0, 1), with w = |h − 3| − 1 for red, 2 − |h − 2| for green and 2 − |h − 4| for blue.
fn turn_hue(images: &Tensor, shifts: &Tensor, waves: &Tensor, offsets: &Tensor) -> Result<Tensor> {
    let v = images.f_amax([1i64].as_slice(), true)?;
    let m = images.f_amin([1i64].as_slice(), true)?;
    let c = v.f_sub(&m)?;
    // Grey has no hue; c = 0 then takes any hue back to grey.
    let inverse = c.f_clamp_min(1e-12)?.f_reciprocal_()?;
    // Green less blue, blue less red and red less green.
    let mut hues = images.f_roll([-1i64], [1i64])?.f_sub(&images.f_roll([-2i64], [1i64])?)?;
    let hues = hues.f_mul_(&inverse)?.f_add_(offsets)?;
    let is_largest = images.f_eq_tensor(&v)?;
    let of = |channel: i64| hues.f_narrow(1, channel, 1);
    let green_or_blue = of(1)?.f_where_self(&is_largest.f_narrow(1, 1, 1)?, &of(2)?)?;
    let mut h = of(0)?.f_where_self(&is_largest.f_narrow(1, 0, 1)?, &green_or_blue)?;
    let mut h = h.f_add_(&shifts.f_view([-1, 1, 1, 1])?)?;
    let turns = h.f_div_scalar(6.0)?.f_floor_()?.f_mul_scalar_(6.0)?;
    let h = h.f_sub_(&turns)?;
    let wave = |row: i64| waves.f_narrow(0, row, 1);
    let mut w = h.f_sub(&wave(0)?)?.f_abs_()?;
    let w = w.f_mul_(&wave(1)?)?.f_add_(&wave(2)?)?.f_clamp_(0.0, 1.0)?;
    Ok(m.f_addcmul(&c, &w)?)
}
