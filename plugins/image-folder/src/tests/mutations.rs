//! Damaged files: an answer or an error that names the file; no panic, no endless work, no memory without bound.

use super::images::exif;
use super::*;
use image::codecs::{png::PngEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageBuffer, ImageEncoder};
use peak_alloc::PeakAlloc;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Held while memory is measured; all other tests together take a few MiB.
static MEASURING: Mutex<()> = Mutex::new(());

/// What one image may take, for each pixel that it may have: docs/image-folders.md.
const BYTES_A_PIXEL: usize = 32;
/// And besides, in bytes.
const BESIDES: usize = 64 << 20;
/// What the tiff crate may take for values of a header before it knows its limits (its default for decoding), in bytes.
const TIFF_HEADER: usize = 256 << 20;
const MUTANTS_OF_EACH: usize = 200;

/// A few flipped bits, a cut, a run of one value, or a changed length: one to three of these.
fn mutate(bytes: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..=3) {
        if bytes.is_empty() {
            break;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..5) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes.truncate(at),
            2 => {
                let end = (at + random.random_range(1..16)).min(bytes.len());
                bytes[at..end].fill([0, 0xFF, 0x7F][random.random_range(0..3)]);
            }
            3 => {
                let end = (at + 4).min(bytes.len());
                random.fill_bytes(&mut bytes[at..end]);
            }
            _ => {
                let byte = bytes[at];
                bytes.insert(at, byte);
            }
        }
    }
    bytes
}

fn textured() -> DynamicImage {
    RgbImage::from_fn(24, 17, |x, y| Rgb([(x * 10) as u8, (y * 13) as u8, (x * y) as u8])).into()
}

/// Runs `work` on a thread of its own and fails when it takes far longer than any file may.
fn within_a_minute(name: String, work: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        work();
        let _ = sender.send(());
    });
    let outcome = receiver.recv_timeout(Duration::from_secs(60));
    assert!(!matches!(outcome, Err(std::sync::mpsc::RecvTimeoutError::Timeout)), "{name} hangs");
    thread.join().unwrap();
}

#[test]
fn mutated_images_give_pixels_or_an_error_with_the_files_name() {
    let mut random = ChaCha8Rng::seed_from_u64(20_240_611);
    let formats = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Bmp];
    let (mut read, mut refused, mut most) = (0, 0, 0);
    let folder = Folder::new();
    folder.image("a_whole.png", textured(), ImageFormat::Png);
    for format in formats {
        let whole = encoded(&textured(), format);
        for number in 0..MUTANTS_OF_EACH {
            folder.write(&format!("{format:?}_{number:03}.png"), mutate(&whole, &mut random));
        }
    }
    // Far less than a header can promise: what is promised must not be believed.
    const MOST_PIXELS: usize = 100_000;
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    MEMORY.reset_peak_usage();
    let options = json!({ "channels": 3, "bit_depth": 8, "max_pixels": MOST_PIXELS });
    let samples = folder.samples(options, Split::Train);
    // Headers of all formats are read to decide the form.
    assert!(MEMORY.peak_usage() < TIFF_HEADER + BESIDES, "{} bytes", MEMORY.peak_usage());
    MEMORY.reset_peak_usage();
    let ids = samples.ids().unwrap();
    let samples = std::sync::Arc::new(samples);
    for (index, id) in ids.iter().enumerate() {
        let (samples, name) = (samples.clone(), id.clone());
        let outcome = std::sync::Arc::new(std::sync::Mutex::new(None));
        let slot = outcome.clone();
        within_a_minute(id.clone(), move || {
            let facts = samples.facts(index);
            *slot.lock().unwrap() = Some((samples.read(&[index]), facts));
        });
        let (result, facts) = outcome.lock().unwrap().take().unwrap();
        let header = if id.starts_with("Tiff") { TIFF_HEADER } else { 0 };
        let taken = MEMORY.peak_usage();
        assert!(taken < BYTES_A_PIXEL * MOST_PIXELS + BESIDES + header, "{name}: {taken} bytes");
        most = most.max(taken);
        MEMORY.reset_peak_usage();
        match result {
            Ok(images) => {
                let image = &images[0];
                assert_eq!(image.data.len(), 3 * image.height * image.width);
                assert!(image.height * image.width <= MOST_PIXELS && facts.is_ok());
                read += 1;
            }
            Err(error) => {
                assert!(error.message.contains(&name), "{name} is not in: {error}");
                assert!(error.message.len() < 1000, "{error}");
                assert!(facts.map_or_else(|error| error.message.contains(&name), |_| true));
                refused += 1;
            }
        }
    }
    println!("{} mutants: {read} read, {refused} refused, {} MiB at most", read + refused, most >> 20);
    assert_eq!(read + refused, 5 * MUTANTS_OF_EACH + 1);
    assert!(refused > MUTANTS_OF_EACH && read > MUTANTS_OF_EACH, "{read} read, {refused} refused");
}

#[test]
fn mutated_lists_are_read_or_refused_with_the_files_name() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let folder = Folder::with(&["x/a.png", "x/b.png", "y/c.png", "y/d.png"]);
    let whole =
        "\u{feff}path,\"label\",patient\r\nx/a.png,0,1\r\n\"x/b.png\",1,2\r\ny/c.png,1,\"3\"\r\ny/d.png,0,1\r\n";
    let options = json!({ "csv": "list.csv", "label_column": "label", "group_column": "patient" });
    let mut refused = 0;
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    MEMORY.reset_peak_usage();
    for _ in 0..MUTANTS_OF_EACH {
        folder.write("list.csv", mutate(whole.as_bytes(), &mut random));
        match folder.read(options.clone()) {
            Ok(dataset) => assert!(dataset.open(Split::Train).unwrap().len() <= 4),
            Err(error) => {
                assert!(error.message.contains("list.csv"), "{error}");
                assert!(error.message.len() < 1500, "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0 && refused < MUTANTS_OF_EACH);
    assert!(MEMORY.peak_usage() < BESIDES, "{} bytes", MEMORY.peak_usage());
}

#[test]
fn promises_of_a_small_file_do_not_fill_the_memory() {
    // PNG: 60 000 × 60 000 pixels in 100 bytes; BMP and TIFF the same by their own headers.
    let mut png = encoded(&GrayImage::new(1, 1).into(), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let crc = png_crc(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    let mut bmp = encoded(&RgbImage::new(1, 1).into(), ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[0x60, 0xEA, 0, 0, 0x60, 0xEA, 0, 0]);
    let folder = Folder::with(&["a.png"]);
    folder.write("b.png", png);
    folder.write("c.bmp", bmp);
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    MEMORY.reset_peak_usage();
    let samples = folder.samples(json!({}), Split::Train);
    for index in [1, 2] {
        let error = samples.read(&[index]).unwrap_err();
        assert!(error.message.contains("60000×60000") && error.message.contains("max_pixels"), "{error}");
    }
    assert!(MEMORY.peak_usage() < BESIDES, "{} bytes", MEMORY.peak_usage());
}

/// The largest files of each format for an image of `side` × `side`: noise, with as many channels and bits as it has, turned
/// by EXIF where that is possible.
fn large_files(side: u32) -> Vec<Vec<u8>> {
    let pixels = (side * side) as usize;
    let mut noise = vec![0; pixels * 8];
    ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut noise);
    let (mut png, mut webp) = (Vec::new(), Vec::new());
    let mut encoder = PngEncoder::new(&mut png);
    encoder.set_exif_metadata(exif(6)).unwrap();
    encoder.write_image(&noise, side, side, ExtendedColorType::Rgba16).unwrap();
    let mut encoder = WebPEncoder::new_lossless(&mut webp);
    encoder.set_exif_metadata(exif(6)).unwrap();
    encoder.write_image(&noise[..pixels * 4], side, side, ExtendedColorType::Rgba8).unwrap();
    let mut files = vec![png, webp];
    for is_progressive in [true, false] {
        let mut jpeg = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut jpeg, 100);
        encoder.set_progressive(is_progressive);
        encoder.add_app_segment(1, [b"Exif\0\0".to_vec(), exif(6)].concat()).unwrap();
        let size = side as u16;
        encoder.encode(&noise[..pixels * 4], size, size, jpeg_encoder::ColorType::CmykAsYcck).unwrap();
        // Something behind the image, as much as a file may have.
        jpeg.resize(pixels * 8, 0);
        files.push(jpeg);
    }
    let words = noise.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let wide = DynamicImage::ImageRgba16(ImageBuffer::from_raw(side, side, words).unwrap());
    files.push(encoded(&wide, ImageFormat::Tiff));
    files.push(encoded(&wide.to_rgba8().into(), ImageFormat::Bmp));
    files
}

#[test]
fn reading_an_image_takes_as_much_memory_as_the_documentation_says() {
    const SIDE: u32 = 1000;
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Folder::new();
    for (number, bytes) in large_files(SIDE).iter().enumerate() {
        folder.write(&format!("{number}.img"), bytes);
    }
    let pixels = (SIDE * SIDE) as usize;
    let samples = folder.samples(json!({ "channels": 3, "bit_depth": 16, "max_pixels": pixels }), Split::Train);
    assert_eq!(samples.len(), 6);
    for index in 0..samples.len() {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        samples.read(&[index]).unwrap();
        let taken = MEMORY.peak_usage() - before;
        println!("file {index}: {:.1} bytes a pixel", taken as f64 / pixels as f64);
        // Much less than 64 MiB besides, so that a few bytes a pixel more would be noticed.
        assert!(taken < BYTES_A_PIXEL * pixels + (4 << 20), "file {index}: {taken} bytes");
    }
}

/// CRC-32 of ISO 3309, bit by bit.
fn png_crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}
