//! Draws one sample: a shape whose place, size, colours and textures say nothing about its class.

use crate::{outline::Outline, random::Random};
use std::f32::consts::PI;

type Colour = [f32; 3];

/// Largest difference between the two colours of a paint, in each channel.
const TEXTURE_CONTRAST: f32 = 0.15;
/// Least distance in RGB between the colours of the shape and of the background.
const LEAST_CONTRAST: f32 = 0.7;
/// Area of a shape as a share of the image.
const AREA: [f32; 2] = [0.2, 0.3];
/// Rotation to either side, in radians.
const ROTATION: f32 = PI / 12.0;
/// Most discs scattered on the background.
const CLUTTER: usize = 2;
/// Standard deviation of the pixel noise.
const NOISE: [f32; 2] = [0.01, 0.03];

/// How an area is filled.
enum Texture {
    Solid,
    Stripes,
    Checker,
    Gradient,
}

/// Two colours and how they alternate.
struct Paint {
    texture: Texture,
    first: Colour,
    second: Colour,
    direction: [f32; 2],
    /// Radians per image width.
    frequency: f32,
    phase: f32,
}

impl Paint {
    fn random(random: &mut Random, first: Colour) -> Self {
        let angle = random.range(0.0, PI);
        Self {
            texture: match random.below(6) {
                0 => Texture::Stripes,
                1 => Texture::Checker,
                2 => Texture::Gradient,
                _ => Texture::Solid,
            },
            first,
            second: first.map(|value| (value + random.range(-TEXTURE_CONTRAST, TEXTURE_CONTRAST)).clamp(0.0, 1.0)),
            direction: [angle.cos(), angle.sin()],
            frequency: 2.0 * PI * random.range(3.0, 8.0),
            phase: random.range(0.0, 2.0 * PI),
        }
    }

    /// The colour at a place in units of the image's width.
    fn at(&self, x: f32, y: f32) -> Colour {
        let along = x * self.direction[0] + y * self.direction[1];
        let across = y * self.direction[0] - x * self.direction[1];
        let wave = |place: f32| (3.0 * (place * self.frequency + self.phase).sin()).clamp(-1.0, 1.0);
        let share = match self.texture {
            Texture::Solid => 0.0,
            Texture::Stripes => 0.5 + 0.5 * wave(along),
            Texture::Checker => 0.5 + 0.5 * wave(along) * wave(across),
            Texture::Gradient => (0.5 + 0.7 * (along - 0.5 * (self.direction[0] + self.direction[1]))).clamp(0.0, 1.0),
        };
        mix(self.first, self.second, share)
    }
}

/// Draws `outline` as `[3, size, size]` bytes; everything else comes from `random`.
pub fn draw(outline: &Outline, size: usize, random: &mut Random) -> Vec<u8> {
    let scale = random.range(AREA[0], AREA[1]).sqrt();
    let (sin, cos) = random.range(-ROTATION, ROTATION).sin_cos();
    // The whole shape stays inside where it fits.
    let margin = (outline.reach * scale).min(0.5);
    let centre = [random.range(margin, 1.0 - margin), random.range(margin, 1.0 - margin)];
    let (front, back) = contrasting(random);
    let front = Paint::random(random, front);
    let back = Paint::random(random, back);
    let clutter: Vec<_> = (0..random.below(CLUTTER + 1))
        .map(|_| {
            let place = [random.range(0.0, 1.0), random.range(0.0, 1.0)];
            (place, random.range(0.02, 0.08), colour(random))
        })
        .collect();
    let noise = random.range(NOISE[0], NOISE[1]);

    let pixels = size as f32;
    // Half a pixel on either side of an edge is blended: anti-aliasing by distance.
    let coverage = |distance: f32| (0.5 - distance * pixels).clamp(0.0, 1.0);
    let mut data = vec![0; 3 * size * size];
    for row in 0..size {
        for column in 0..size {
            let (x, y) = ((column as f32 + 0.5) / pixels, (row as f32 + 0.5) / pixels);
            let mut pixel = back.at(x, y);
            for (place, radius, colour) in &clutter {
                let distance = (x - place[0]).hypot(y - place[1]) - radius;
                pixel = mix(pixel, *colour, coverage(distance));
            }
            let (dx, dy) = (x - centre[0], y - centre[1]);
            if dx.hypot(dy) < outline.reach * scale + 1.0 / pixels {
                let point = [(dx * cos + dy * sin) / scale, (dy * cos - dx * sin) / scale];
                pixel = mix(pixel, front.at(x, y), coverage(outline.distance(point) * scale));
            }
            for (channel, value) in pixel.into_iter().enumerate() {
                let value = (value + noise * random.noise()).clamp(0.0, 1.0);
                data[(channel * size + row) * size + column] = (value * 255.0).round() as u8;
            }
        }
    }
    data
}

fn mix(from: Colour, to: Colour, share: f32) -> Colour {
    std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * share)
}

fn colour(random: &mut Random) -> Colour {
    std::array::from_fn(|_| random.range(0.0, 1.0))
}

/// Two colours that can be told apart; which of them is the brighter one is left to chance.
fn contrasting(random: &mut Random) -> (Colour, Colour) {
    loop {
        let (first, second) = (colour(random), colour(random));
        let squared: f32 = first.iter().zip(second).map(|(a, b)| (a - b).powi(2)).sum();
        if squared > LEAST_CONTRAST * LEAST_CONTRAST {
            return (first, second);
        }
    }
}
