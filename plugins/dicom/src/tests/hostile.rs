//! Damaged and malicious files: mutations with a fixed seed, and declared sizes that are lies.

use super::writer::{BASELINE, BIG, DEFLATED, IMPLICIT, JPEG_LS, LITTLE, Picture, RLE, element, head, rough};
use super::{Silent, dataset};
use crate::source::EXPLICIT_LITTLE;
use peak_alloc::PeakAlloc;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use selfsame_plugin_api::{Dataset, Split};
use serde_json::json;
use std::path::Path;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Most memory that all the tests together may hold at once, in bytes; each file is a few kilobytes.
const MOST_MEMORY: usize = 64 << 20;
const MUTATED_IMAGES: usize = 1500;
const MUTATED_TABLES: usize = 300;

/// One valid file of each kind, and the fixtures.
fn originals() -> Vec<Vec<u8>> {
    let picture = Picture::grey(24, 20, 12, rough(24, 20, 12));
    let mut windowed = picture.clone();
    windowed.texts.extend([(0x0028_1050, *b"DS", "40".into()), (0x0028_1051, *b"DS", "400".into())]);
    windowed.tables.push((0x0028_3010, vec![(0x0028_3002, vec![4, 10, 8]), (0x0028_3006, vec![0, 100, 200, 255])]));
    let mut originals: Vec<_> = [IMPLICIT, LITTLE, DEFLATED, BIG].map(|syntax| windowed.file(syntax, &[])).into();
    originals.push(picture.file(RLE, &[picture.rle()]));
    let bytes: Vec<u8> = picture.values.iter().map(|&value| value as u8).collect();
    let mut code = Vec::new();
    jpeg_encoder::Encoder::new(&mut code, 90).encode(&bytes, 20, 24, jpeg_encoder::ColorType::Luma).unwrap();
    let narrow = Picture::grey(24, 20, 8, rough(24, 20, 8));
    originals.push(narrow.file(BASELINE, &[code]));
    let wide: Vec<u16> = picture.values.iter().map(|&value| value as u16).collect();
    let mut code = Vec::new();
    ::jpegls::encode(&wide, 20, 24, &mut code).unwrap();
    originals.push(picture.file(JPEG_LS, &[code]));
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/fixtures");
    let mut names: Vec<_> = fixtures.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let images = names.iter().filter(|path| path.extension().is_some_and(|ending| ending == "dcm"));
    originals.extend(images.map(|path| std::fs::read(path).unwrap()));
    originals
}

/// Flips bits, cuts the end, writes wrong lengths, removes or repeats parts; one to three of them.
fn mutate(bytes: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random.next_u32() % 3 {
        let mut below = |limit: usize| random.next_u64() as usize % limit.max(1);
        let at = below(bytes.len());
        match below(6) {
            0 => bytes[at] ^= 1 << below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)],
            2 => bytes.truncate(at.max(1)),
            3 => {
                let lie = [0u32, 1, 0xff, 0xffff, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff][below(7)].to_le_bytes();
                let end = bytes.len().min(at + 4);
                bytes[at..end].copy_from_slice(&lie[..end - at]);
            }
            4 => drop(bytes.drain(at..at + below((bytes.len() - at).min(64)))),
            _ => {
                let part = bytes[at..at + below((bytes.len() - at).min(64))].to_vec();
                bytes.splice(at..at, part);
            }
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    bytes
}

/// Whether reading all of a prepared data set works; every failure must name `file`.
fn read_all(dataset: &dyn Dataset, file: &str) -> bool {
    let mut is_whole = true;
    let mut check = |message: String| {
        is_whole = false;
        assert!(message.contains(file), "`{message}` does not name {file}");
        assert!(message.len() < 2000, "{} bytes of message", message.len());
        assert!(!message.contains("panic"), "{message}");
    };
    if let Err(error) = dataset.prepare(&Silent) {
        check(error.message);
        return false;
    }
    dataset.card().unwrap();
    let samples = dataset.open(Split::Train).unwrap();
    for index in 0..samples.len() {
        if let Err(error) = samples.facts(index) {
            check(error.message);
        }
        match samples.read(&[index]) {
            Ok(images) => assert_eq!(images[0].data.len(), images[0].height * images[0].width),
            Err(error) => check(error.message),
        }
    }
    is_whole
}

#[test]
fn mutated_images_fail_by_name_or_decode_and_never_ask_for_much_memory() {
    let originals = originals();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.dcm");
    std::fs::write(folder.path().join("dataset.csv"), "subject,label\nimage,1\n").unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(20_260_101);
    let mut decoded = 0;
    MEMORY.reset_peak_usage();
    for run in 0..MUTATED_IMAGES {
        std::fs::write(&path, mutate(&originals[run % originals.len()], &mut random)).unwrap();
        let (name, options) = match run % 2 {
            0 => ("RSNAKaggle", json!({ "test_fraction": 0.0, "voi": "percentile" })),
            _ => ("DicomFolder", json!({ "frames": "all" })),
        };
        decoded += usize::from(read_all(&*dataset(name, folder.path(), options), &folder.path().display().to_string()));
    }
    println!("{MUTATED_IMAGES} runs, {decoded} decoded, {} MiB at most", MEMORY.peak_usage() >> 20);
    assert!(decoded > MUTATED_IMAGES / 20 && decoded < MUTATED_IMAGES);
    assert!(MEMORY.peak_usage() < MOST_MEMORY, "{} bytes", MEMORY.peak_usage());
}

#[test]
fn mutated_tables_fail_by_name_or_are_read() {
    let picture = Picture::grey(2, 2, 8, vec![0, 1, 2, 3]);
    let tables = [
        ("dataset.csv", "subject,label\na,TRUE\nb,FALSE\nc,0\n"),
        ("stage_2_train_labels.csv", "patientId,x,y,width,height,Target\na,1,2,3,4,1\na,5,6,7,8,1\nb,,,,,0\nc,,,,,0\n"),
        ("list.csv", "file,class,split\na.dcm,\"x, y\",train\nb.dcm,z,test\nc.dcm,z,train\n"),
    ];
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut read = 0;
    for run in 0..MUTATED_TABLES {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            std::fs::write(folder.path().join(format!("{name}.dcm")), picture.file(LITTLE, &[])).unwrap();
        }
        let (name, text) = tables[run % tables.len()];
        std::fs::write(folder.path().join(name), mutate(text.as_bytes(), &mut random)).unwrap();
        let (kind, options) = match name {
            "list.csv" => (
                "DicomFolder",
                json!({ "csv": name, "label_column": "class", "split_column": "split", "unmatched": "leave_out" }),
            ),
            _ => ("RSNAKaggle", json!({ "test_fraction": 0.0, "unmatched": "leave_out" })),
        };
        let dataset = dataset(kind, folder.path(), options);
        match dataset.prepare(&Silent) {
            Ok(()) => read += 1,
            // Patients in two splits are named, not the table.
            Err(error) if error.message.starts_with("patient") => {}
            Err(error) => {
                let root = folder.path().display().to_string();
                assert!(error.message.contains(&root) && !error.message.contains("panic"), "{error}");
            }
        }
    }
    println!("{MUTATED_TABLES} runs, {read} read");
    assert!(read > 5 && read < MUTATED_TABLES);
}

#[test]
fn declared_sizes_are_checked_before_memory_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let refused = |bytes: &[u8], part: &str| {
        std::fs::write(&path, bytes).unwrap();
        let look =
            crate::options::Look { voi: crate::options::Voi::Window, color: crate::options::Color::Grey, bit_depth: 8 };
        let error = super::frame(&path, 0, look).unwrap_err();
        assert!(error.contains(part), "{error}");
    };
    let picture = Picture::grey(2, 2, 16, vec![1, 2, 3, 4]);
    let mut file = picture.file(LITTLE, &[]);
    let end = file.len();
    file[end - 12..end - 8].copy_from_slice(&u32::to_le_bytes(0xffff_fff0));
    refused(&file, "(7fe0,0010) declares 4294967280 bytes");
    let mut value = picture.file(LITTLE, &[]);
    let text = element(EXPLICIT_LITTLE, 0x0010_0020, b"LO", b"someone");
    let at = value.windows(text.len()).position(|part| part == text).unwrap();
    value[at + 6..at + 8].copy_from_slice(&u16::to_le_bytes(0xfff0));
    refused(&value, "(0010,0020) declares 65520 bytes");
    // Compressed frames of 64 million samples from nothing.
    let huge = Picture { rows: 8000, columns: 8000, ..Picture::grey(1, 1, 8, vec![0]) };
    for syntax in [BASELINE, JPEG_LS, RLE] {
        refused(&huge.file(syntax, &[vec![0; 1000]]), "1000 bytes of code");
    }
    // Sequences in sequences without end.
    let mut deep = picture.attributes(EXPLICIT_LITTLE);
    for _ in 0..1000 {
        deep.extend(head(EXPLICIT_LITTLE, 0x5200_9229, b"SQ", u32::MAX));
        deep.extend(head(EXPLICIT_LITTLE, 0xfffe_e000, b"UN", u32::MAX));
    }
    refused(&deep, "nested more than");
    // A sequence that does not end, and one that dicom-rs would misread.
    let mut endless = picture.attributes(EXPLICIT_LITTLE);
    endless.extend(head(EXPLICIT_LITTLE, 0x5200_9229, b"SQ", u32::MAX));
    refused(&endless, "at byte");
    let mut unknown = picture.attributes(EXPLICIT_LITTLE);
    unknown.extend(head(EXPLICIT_LITTLE, 0x5200_9229, b"UN", u32::MAX));
    refused(&unknown, "(5200,9229) is a sequence of the value representation UN");
    // A text of so many parts that each would cost more than it is long.
    let texts = vec![(0x0028_1050, *b"DS", "\\".repeat(1 << 20))];
    refused(&Picture { texts, ..picture }.file(IMPLICIT, &[]), "elements and values");
}

#[test]
fn a_panic_is_an_error_with_its_words() {
    let error = crate::guard::caught::<()>(|| panic!("index {}", 7)).unwrap_err();
    assert_eq!(error, "made its decoder panic (index 7); the file is most likely damaged");
}
