//! A synthetic folder in the form of the RSNA Pneumonia Detection Challenge: 8-bit JPEG DICOM films of drawn chests.
//!
//! Pose, build, exposure, ribs, heart, soft tissue and noise are drawn alike for all; the positive half has one or two
//! soft opacities in a lung. Broad shadows of the same brightness, outside of the lungs or across their borders, stand
//! in both halves, so that mean brightness does not tell them apart.

use crate::dicom::{self, Stored};
use jpeg_encoder::{ColorType, Encoder};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::fs;
use std::io;
use std::path::Path;

/// How the folder names its labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// `dataset.csv` with `subject,label`.
    Subjects,
    /// `stage_2_train_labels.csv`, a row for each opacity, and `stage_2_detailed_class_info.csv`.
    Boxes,
}

/// Makes a film of 1024×1024 pixels about as long as the challenge's, whose 3.7 GB hold 30 000 films.
const QUALITY: u8 = 75;
/// Anatomy is drawn on a grid this much coarser than the film.
const COARSE: usize = 4;

/// Writes `count` films of `size`×`size` pixels, every second one with an opacity. The same arguments write the same
/// bytes.
///
/// # Errors
/// Files that cannot be written.
pub fn write(folder: &Path, count: usize, size: usize, labels: Labels, seed: u64) -> io::Result<()> {
    let images = folder.join("stage_2_train_images");
    fs::create_dir_all(&images)?;
    let mut subjects = String::from("subject,label\n");
    let mut boxes = String::from("patientId,x,y,width,height,Target\n");
    let mut classes = String::from("patientId,class\n");
    for index in 0..count {
        let mut random = Random(ChaCha8Rng::seed_from_u64(seed));
        random.0.set_stream(index as u64);
        let patient = format!("{:016x}{index:08x}", random.0.next_u64());
        let is_positive = index % 2 == 1;
        let chest = Chest::draw(&mut random, is_positive);
        let levels = film(&chest, size, &mut random);
        fs::write(images.join(format!("{patient}.dcm")), film_file(&patient, &levels, size)?)?;
        subjects += &format!("{patient},{}\n", if is_positive { "TRUE" } else { "FALSE" });
        let class = match (is_positive, chest.shadows.is_empty()) {
            (true, _) => "Lung Opacity",
            (false, true) => "Normal",
            (false, false) => "No Lung Opacity / Not Normal",
        };
        for spot in &chest.opacities {
            let pixel = |fraction: f64| fraction * size as f64;
            let (x, y) = (pixel(spot.x - 2.0 * spot.wide), pixel(spot.y - 2.0 * spot.high));
            let (width, height) = (pixel(4.0 * spot.wide), pixel(4.0 * spot.high));
            boxes += &format!("{patient},{x:.0},{y:.0},{width:.0},{height:.0},1\n");
            classes += &format!("{patient},{class}\n");
        }
        if !is_positive {
            boxes += &format!("{patient},,,,,0\n");
            classes += &format!("{patient},{class}\n");
        }
    }
    match labels {
        Labels::Subjects => fs::write(folder.join("dataset.csv"), subjects),
        Labels::Boxes => {
            fs::write(folder.join("stage_2_train_labels.csv"), boxes)?;
            fs::write(folder.join("stage_2_detailed_class_info.csv"), classes)
        }
    }
}

struct Random(ChaCha8Rng);

impl Random {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (f64::from(self.0.next_u32()) / f64::from(u32::MAX))
    }
}

/// A soft ellipse: place, extent and brightness in fractions of the film and of its range.
#[derive(Debug, Clone, Copy)]
struct Spot {
    x: f64,
    y: f64,
    wide: f64,
    high: f64,
    light: f64,
}

impl Spot {
    /// 1 in the middle, falling like a Gaussian.
    fn at(&self, x: f64, y: f64) -> f64 {
        let (x, y) = ((x - self.x) / self.wide, (y - self.y) / self.high);
        (-0.5 * (x * x + y * y)).exp()
    }

    /// 1 inside, 0 outside, with a soft border.
    fn inside(&self, x: f64, y: f64) -> f64 {
        let (x, y) = ((x - self.x) / self.wide, (y - self.y) / self.high);
        1.0 / (1.0 + (14.0 * ((x * x + y * y).sqrt() - 1.0)).exp())
    }
}

struct Chest {
    lungs: [Spot; 2],
    heart: Spot,
    /// In the lungs, of the positive class.
    opacities: Vec<Spot>,
    /// Soft tissue of both classes.
    shadows: Vec<Spot>,
    tilt: f64,
    ribs: f64,
    phase: f64,
    brightness: f64,
    contrast: f64,
    noise: f64,
}

impl Chest {
    fn draw(random: &mut Random, is_positive: bool) -> Self {
        let (x, y) = (random.between(0.46, 0.54), random.between(0.44, 0.54));
        let (wide, high) = (random.between(0.12, 0.16), random.between(0.24, 0.31));
        let gap = random.between(0.185, 0.215);
        let lung = |side: f64| Spot { x: x + side * gap, y, wide, high, light: 0.0 };
        let lungs = [lung(-1.0), lung(1.0)];
        let mut opacities = Vec::new();
        for _ in 0..if is_positive { 1 + random.0.next_u32() % 2 } else { 0 } {
            let lung = lungs[random.0.next_u32() as usize % 2];
            opacities.push(Spot {
                x: lung.x + lung.wide * random.between(-0.4, 0.4),
                y: lung.y + lung.high * random.between(-0.4, 0.6),
                wide: random.between(0.045, 0.075),
                high: random.between(0.055, 0.1),
                light: random.between(0.22, 0.36),
            });
        }
        let mut shadows = Vec::new();
        for _ in 0..random.0.next_u32() % 3 {
            let side = if random.0.next_u32().is_multiple_of(2) { -1.0 } else { 1.0 };
            shadows.push(Spot {
                x: x + side * random.between(0.22, 0.4),
                y: y + high * random.between(0.75, 1.1),
                wide: random.between(0.08, 0.13),
                high: random.between(0.05, 0.1),
                light: random.between(0.12, 0.3),
            });
        }
        Self {
            lungs,
            heart: Spot {
                x: x + random.between(0.03, 0.06),
                y: y + high * random.between(0.4, 0.6),
                wide: random.between(0.09, 0.13),
                high: random.between(0.09, 0.13),
                light: random.between(0.2, 0.3),
            },
            opacities,
            shadows,
            tilt: random.between(-0.06, 0.06),
            ribs: random.between(0.05, 0.09),
            phase: random.between(0.0, std::f64::consts::TAU),
            brightness: random.between(0.45, 0.6),
            contrast: random.between(0.75, 1.1),
            noise: random.between(4.0, 9.0),
        }
    }

    /// Brightness without noise; bone and tissue are bright, air is dark.
    fn light(&self, x: f64, y: f64) -> f64 {
        let (x, y) = (x + self.tilt * (y - 0.5), y - self.tilt * (x - 0.5));
        let body = Spot { x: 0.5, y: 0.62, wide: 0.46, high: 0.62, light: 0.0 }.inside(x, y);
        let lung = self.lungs.iter().map(|lung| lung.inside(x, y)).fold(0.0, f64::max);
        let spine = (-((x - 0.5) / 0.045).powi(2)).exp();
        let arch = 60.0 * (y + 0.9 * (x - 0.5).powi(2)) + self.phase;
        let ribs = self.ribs * arch.sin().max(0.0) * (1.0 - spine);
        let mut light = 0.12 + body * (self.brightness - 0.12) + body * (0.2 * spine + ribs) - 0.34 * lung;
        light += self.heart.light * self.heart.inside(x, y) * body;
        light += self.opacities.iter().map(|spot| spot.light * spot.at(x, y)).sum::<f64>();
        light += self.shadows.iter().map(|spot| spot.light * spot.at(x, y)).sum::<f64>();
        0.5 + self.contrast * (light - 0.5)
    }
}

/// Grey levels, row-major.
fn film(chest: &Chest, size: usize, random: &mut Random) -> Vec<u8> {
    let side = size.div_ceil(COARSE) + 2;
    let place = |index: usize| (index * COARSE) as f64 / size as f64;
    let coarse: Vec<f32> =
        (0..side * side).map(|at| (chest.light(place(at % side), place(at / side)) * 255.0) as f32).collect();
    let noise = chest.noise as f32;
    let mut levels = Vec::with_capacity(size * size);
    for y in 0..size {
        let (row, down) = (y / COARSE, (y % COARSE) as f32 / COARSE as f32);
        for x in 0..size {
            let (at, right) = (row * side + x / COARSE, (x % COARSE) as f32 / COARSE as f32);
            let upper = coarse[at] + right * (coarse[at + 1] - coarse[at]);
            let lower = coarse[at + side] + right * (coarse[at + side + 1] - coarse[at + side]);
            // The sum of four uniform numbers is nearly normal; its standard deviation is 147.8.
            let sum: u32 = random.0.next_u32().to_le_bytes().into_iter().map(u32::from).sum();
            let level = upper + down * (lower - upper) + noise * (sum as f32 - 510.0) / 147.8;
            levels.push(level.clamp(0.0, 255.0) as u8);
        }
    }
    levels
}

/// A DICOM file in JPEG Baseline with the attributes that the challenge's files have.
fn film_file(patient: &str, levels: &[u8], size: usize) -> io::Result<Vec<u8>> {
    let side = u16::try_from(size).map_err(io::Error::other)?;
    let mut code = Vec::new();
    Encoder::new(&mut code, QUALITY).encode(levels, side, side, ColorType::Luma).map_err(io::Error::other)?;
    Ok(dicom::file(patient, (side, side), &Stored::Jpeg(&code)))
}
