//! Images of many channels, drawn: tiles of a satellite with 13 bands, and cells in six channels of a microscope.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use tiff::TiffError;
use tiff::encoder::TiffEncoder;
use tiff::encoder::colortype::Gray16;
use tiff::tags::ExtraSamples::Unspecified;

/// Reflectance times 10 000 of Sentinel-2's 13 bands for each class; grass and lawn differ beyond what eyes see (band 8 on).
pub const SURFACES: [(&str, [u16; 13]); 4] = [
    ("water", [900, 700, 550, 350, 300, 260, 250, 240, 220, 120, 30, 120, 80]),
    ("town", [1500, 1400, 1450, 1550, 1700, 1900, 2050, 2100, 2150, 900, 60, 2300, 2100]),
    ("grass", [1000, 750, 850, 700, 1200, 2500, 3000, 3200, 3350, 1100, 40, 2000, 1100]),
    ("lawn", [1000, 750, 850, 700, 750, 800, 800, 820, 830, 700, 40, 900, 850]),
];

/// Numbers from 0 to 1.
struct Draw(ChaCha8Rng);

impl Draw {
    fn share(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }

    /// A smooth field from −1 to 1, a function of row and column.
    fn field(&mut self, side: u32) -> impl Fn(u32, u32) -> f64 + use<> {
        let waves: Vec<[f64; 3]> =
            (0..4).map(|_| [self.share() * 3.0, self.share() * 3.0, self.share() * std::f64::consts::TAU]).collect();
        move |row, column| {
            let (y, x) = (f64::from(row) / f64::from(side), f64::from(column) / f64::from(side));
            let sum: f64 =
                waves.iter().map(|[v, u, phase]| (std::f64::consts::TAU * (v * y + u * x) + phase).sin()).sum();
            sum / waves.len() as f64
        }
    }
}

/// Writes `count` tiles of each of the [`SURFACES`] into class folders: TIFF files of 13 channels of 16 bits, `side` × `side`, as
/// EuroSAT's.
///
/// # Errors
/// Files that cannot be written.
pub fn satellite(folder: &Path, count: usize, side: u32) -> io::Result<()> {
    for (class, (name, spectrum)) in (0..).zip(SURFACES) {
        fs::create_dir_all(folder.join(name))?;
        for number in 0..count {
            let mut draw = Draw(ChaCha8Rng::seed_from_u64(1000 * class + number as u64));
            let (brightness, texture) = (0.8 + 0.4 * draw.share(), draw.field(side));
            let mut values = Vec::with_capacity((side * side) as usize * spectrum.len());
            for (row, column) in (0..side * side).map(|pixel| (pixel / side, pixel % side)) {
                let light = brightness * (1.0 + 0.25 * texture(row, column));
                values.extend(spectrum.iter().map(|band| (f64::from(*band) * light + 60.0 * draw.share()) as u16));
            }
            let file = File::create(folder.join(name).join(format!("{name}_{number}.tif")))?;
            let mut encoder = TiffEncoder::new(file).map_err(failed)?;
            let mut image = encoder.new_image::<Gray16>(side, side).map_err(failed)?;
            image.extra_samples(&[Unspecified; 12]).map_err(failed)?;
            image.write_data(&values).map_err(failed)?;
        }
    }
    Ok(())
}

/// Writes `count` fields of cells of each of two treatments into class folders: TIFF files of six pages, one a stain, of 16 bits,
/// `side` × `side`, as ImageJ's. Treated cells have their last two stains in the same places, others do not.
///
/// # Errors
/// Files that cannot be written.
pub fn microscope(folder: &Path, count: usize, side: u32) -> io::Result<()> {
    for (class, name) in (0..).zip(["control", "treated"]) {
        fs::create_dir_all(folder.join(name))?;
        for number in 0..count {
            let mut draw = Draw(ChaCha8Rng::seed_from_u64(1_000_000 + 1000 * class + number as u64));
            let mut fields: Vec<_> = (0..5).map(|_| draw.field(side)).collect();
            fields.push(if name == "treated" {
                let mut again = Draw(ChaCha8Rng::seed_from_u64(1_000_000 + 1000 * class + number as u64));
                (0..5).map(|_| again.field(side)).last().ok_or_else(|| io::Error::other("five fields"))?
            } else {
                draw.field(side)
            });
            let file = File::create(folder.join(name).join(format!("{name}_{number}.tif")))?;
            let mut encoder = TiffEncoder::new(file).map_err(failed)?;
            for field in &fields {
                let pixels = (0..side * side).map(|pixel| (pixel / side, pixel % side));
                let light =
                    |(row, column)| (200.0 + 3000.0 * field(row, column).max(0.0) + 100.0 * draw.share()) as u16;
                let values: Vec<u16> = pixels.map(light).collect();
                encoder.write_image::<Gray16>(side, side, &values).map_err(failed)?;
            }
        }
    }
    Ok(())
}

fn failed(error: TiffError) -> io::Error {
    io::Error::other(error.to_string())
}
