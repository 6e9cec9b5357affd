//! Damaged files: an answer or an error that names the file; no panic, no endless work, no memory without bound.

use super::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::time::Duration;

const MUTANTS_OF_EACH: usize = 60;

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
    let (mut read, mut refused) = (0, 0);
    let folder = Folder::new();
    folder.image("a_whole.png", textured(), ImageFormat::Png);
    for format in formats {
        let whole = encoded(&textured(), format);
        for number in 0..MUTANTS_OF_EACH {
            folder.write(&format!("{format:?}_{number:03}.png"), mutate(&whole, &mut random));
        }
    }
    // Far less than a header can promise: what is promised must not be believed.
    let samples = folder.samples(json!({ "channels": 3, "bit_depth": 8, "max_pixels": 100_000 }), Split::Train);
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
        match result {
            Ok(images) => {
                let image = &images[0];
                assert_eq!(image.data.len(), 3 * image.height * image.width);
                assert!(image.height * image.width <= 100_000 && facts.is_ok());
                read += 1;
            }
            Err(error) => {
                assert!(error.message.contains(&name), "{name} is not in: {error}");
                assert!(error.message.len() < 1000, "{error}");
                refused += 1;
            }
        }
    }
    println!("{} mutants: {read} read, {refused} refused", read + refused);
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
    for _ in 0..2 * MUTANTS_OF_EACH {
        folder.write("list.csv", mutate(whole.as_bytes(), &mut random));
        match folder.read(options.clone()) {
            Ok(dataset) => assert!(dataset.open(Split::Train).unwrap().len() <= 4),
            Err(error) => {
                let is_about_labels =
                    error.message.contains("class only") || error.message.contains("different classes");
                assert!(error.message.contains("list.csv") || is_about_labels, "{error}");
                assert!(error.message.len() < 1500, "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
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
    let samples = folder.samples(json!({}), Split::Train);
    for index in [1, 2] {
        let error = samples.read(&[index]).unwrap_err();
        assert!(error.message.contains("60000×60000") && error.message.contains("max_pixels"), "{error}");
    }
}

/// CRC-32 of ISO 3309, bit by bit.
fn png_crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}
