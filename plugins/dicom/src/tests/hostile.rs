//! Damaged and malicious files: mutations with a fixed seed, and declared sizes that are lies.

use super::streams::{greedy, thirsty};
use super::writer::{
    BASELINE, BIG, DEFLATED, IMPLICIT, JPEG_2000, JPEG_LS, LITTLE, Picture, RLE, element, head, rough,
};
use super::{Silent, dataset, stored};
use crate::coding::EXPLICIT_LITTLE;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use selfsame_plugin_api::{Dataset, Split};
use serde_json::json;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

/// Set for a test that runs in a process of its own, so that nothing else is measured with it.
const ALONE: &str = "SELFSAME_TEST_ALONE";
/// Most resident memory that a process takes to read mutated files of a few kilobytes, in KiB, the C heap of the JPEG 2000
/// decoder included.
const MOST_MEMORY: u64 = 32 << 10;
/// Of one that reads a legal image of 4 million samples which asks for all that the bounds allow.
const MOST_AT_BOUNDS: u64 = 96 << 10;
const MUTATED_IMAGES: usize = 1500;
const MUTATED_TABLES: usize = 300;

/// Runs a part of the test `name` in a process of its own, which must not take `most` KiB more for it at any time.
fn alone(name: &str, most: u64, run: impl FnOnce()) {
    if std::env::var_os(ALONE).is_none() {
        let program = std::env::current_exe().unwrap();
        let arguments = ["--exact", &format!("tests::hostile::{name}"), "--nocapture"];
        let output = Command::new(program).args(arguments).env(ALONE, "1").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains(" KiB at most"), "{}: {text}", output.status);
        return;
    }
    // The program itself takes more where its neighbours in the workspace link libtorch.
    let before = peak();
    run();
    let taken = peak() - before;
    println!("{taken} KiB at most");
    assert!(taken < most, "{taken} KiB, expected less than {most}");
}

/// The most resident memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

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
pub fn mutate(bytes: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
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

/// Where the code of each fragment stands in a file.
fn fragments(file: &[u8]) -> Vec<Range<usize>> {
    let head = head(EXPLICIT_LITTLE, 0x7fe0_0010, b"OB", u32::MAX);
    let Some(begin) = file.windows(head.len()).position(|part| part == head) else { return Vec::new() };
    let mut at = begin + head.len();
    let mut found = Vec::new();
    while let Some([0xfe, 0xff, 0x00, 0xe0, length @ ..]) = file.get(at..at + 8) {
        let end = at + 8 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        found.push(at + 8..end);
        at = end;
    }
    // The first is the offset table.
    found.split_off(1.min(found.len()))
}

/// Damages the code of one fragment and leaves every length of the file as it is, so that it is the decoder that meets it.
fn mutate_code(file: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = file.to_vec();
    let mut below = |limit: usize| random.next_u64() as usize % limit.max(1);
    let found = fragments(file);
    let code = &mut bytes[found[below(found.len())].clone()];
    for _ in 0..1 + below(4) {
        // Headers come first and are short: half of the changes meet them.
        let at = if below(2) == 0 { below(code.len().min(120)) } else { below(code.len()) };
        let end = code.len().min(at + 1 + below(8));
        match below(5) {
            0 => code[at] ^= 1 << below(8),
            1 => code[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)],
            2 => code[at..end].fill(0xff),
            3 => code[at..end].iter_mut().for_each(|byte| *byte = below(256) as u8),
            _ => code.copy_within(at..end, below(code.len() - (end - at))),
        }
    }
    bytes
}

/// How many samples of a data set can be read; every failure must name one of the files.
fn read_all(dataset: &dyn Dataset, files: &[&str]) -> usize {
    let check = |message: String| {
        assert!(files.iter().any(|file| message.contains(file)), "`{message}` does not name any of {files:?}");
        assert!(message.len() < 2000, "{} bytes of message", message.len());
        assert!(!message.contains("panic"), "{message}");
    };
    if let Err(error) = dataset.prepare(&Silent) {
        check(error.message);
        return 0;
    }
    dataset.card().unwrap();
    let samples = dataset.open(Split::Train).unwrap();
    let ids = samples.ids().unwrap();
    let mut read = 0;
    for (index, id) in ids.iter().enumerate() {
        let name = id.split('#').next().unwrap();
        if let Err(error) = samples.facts(index) {
            assert!(error.message.contains(name), "{error}");
        }
        match samples.read(&[index]) {
            Ok(images) => {
                assert_eq!(images[0].data.len(), images[0].height * images[0].width);
                read += 1;
            }
            Err(error) => {
                assert!(error.message.contains(name), "{error}");
                check(error.message);
            }
        }
    }
    read
}

#[test]
fn mutated_images_fail_by_name_or_decode_and_never_ask_for_much_memory() {
    alone("mutated_images_fail_by_name_or_decode_and_never_ask_for_much_memory", MOST_MEMORY, || {
        let originals = originals();
        let compressed: Vec<_> = originals.iter().filter(|file| !fragments(file).is_empty()).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mutated.dcm");
        std::fs::write(folder.path().join("dataset.csv"), "subject,label\nmutated,1\nsound,0\n").unwrap();
        // Beside it a file that is always read, so that a folder without images is never the reason.
        let sound = Picture::grey(2, 2, 8, vec![0, 1, 2, 3]).file(LITTLE, &[]);
        std::fs::write(folder.path().join("sound.dcm"), sound).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(20_260_101);
        let mut decoded = [0, 0];
        for run in 0..MUTATED_IMAGES {
            let is_code = run % 3 == 0;
            let bytes = match is_code {
                true => mutate_code(compressed[run / 3 % compressed.len()], &mut random),
                false => mutate(&originals[run % originals.len()], &mut random),
            };
            std::fs::write(&path, bytes).unwrap();
            let (name, options) = match run % 2 {
                0 => ("RSNAKaggle", json!({ "test_fraction": 0.0, "voi": "percentile" })),
                _ => ("DicomFolder", json!({ "frames": "all" })),
            };
            let read = read_all(&*dataset(name, folder.path(), options), &["mutated.dcm"]);
            decoded[usize::from(is_code)] += usize::from(read > 1);
        }
        println!("{MUTATED_IMAGES} runs, {decoded:?} decoded");
        // Neither is every change harmless, nor is every file refused before its decoder sees it.
        assert!(decoded[0] > MUTATED_IMAGES / 20 && decoded[0] < MUTATED_IMAGES * 2 / 3);
        assert!(decoded[1] > MUTATED_IMAGES / 20 && decoded[1] < MUTATED_IMAGES / 3);
    });
}

#[test]
fn streams_that_ask_for_far_more_than_they_are_long_get_no_memory() {
    alone("streams_that_ask_for_far_more_than_they_are_long_get_no_memory", MOST_MEMORY, || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        for (_, rows, columns, syntax, code) in greedy() {
            let picture = Picture { rows, columns, ..Picture::grey(1, 1, 8, vec![0]) };
            std::fs::write(&path, picture.file(syntax, &[code])).unwrap();
            stored(&path, 0).unwrap_err();
        }
    });
}

#[test]
fn streams_that_ask_for_all_that_is_allowed_get_no_more_than_is_said() {
    alone("streams_that_ask_for_all_that_is_allowed_get_no_more_than_is_said", MOST_AT_BOUNDS, || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        for code in thirsty() {
            let picture = Picture { rows: 2000, columns: 2000, ..Picture::grey(1, 1, 8, vec![0]) };
            std::fs::write(&path, picture.file(JPEG_2000, &[code])).unwrap();
            stored(&path, 0).unwrap();
        }
    });
}

/// Most resident memory of a process that reads frames of a file which inflates to 96 MiB, in KiB.
const MOST_INFLATED: u64 = (96 + 32) << 10;

#[test]
fn a_deflated_file_takes_no_more_than_its_inflated_bytes() {
    alone("a_deflated_file_takes_no_more_than_its_inflated_bytes", MOST_INFLATED, || {
        let film = Picture { rows: 1024, columns: 1024, frames: 96, ..Picture::grey(1, 1, 8, vec![0]) };
        let whole = Picture { rows: 1, columns: 1, frames: 1, ..film.clone() }.file(DEFLATED, &[]);
        let meta = 132 + 12 + 8 + DEFLATED.len();
        let folder = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(folder.path().join("film")).unwrap();
        let mut file = std::io::BufWriter::new(file);
        file.write_all(&whole[..meta]).unwrap();
        let mut deflated = DeflateEncoder::new(file, Compression::fast());
        deflated.write_all(&film.attributes(EXPLICIT_LITTLE)).unwrap();
        deflated.write_all(&head(EXPLICIT_LITTLE, 0x7fe0_0010, b"OB", 96 << 20)).unwrap();
        (0..96).for_each(|_| deflated.write_all(&[7; 1 << 20]).unwrap());
        deflated.finish().unwrap().flush().unwrap();
        let dataset = dataset("DicomFolder", folder.path(), json!({ "frames": "all", "voi": "none" }));
        dataset.prepare(&Silent).unwrap();
        let samples = dataset.open(Split::Train).unwrap();
        for frame in 0..96 {
            assert_eq!(samples.read(&[frame]).unwrap()[0].data[0], 7);
        }
    });
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
                json!({ "csv": name, "label_column": "class", "split_column": "split", "unmatched": "skip" }),
            ),
            _ => ("RSNAKaggle", json!({ "test_fraction": 0.0, "unmatched": "skip" })),
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
        let look = crate::options::RenderOptions {
            voi: crate::options::Voi::Window,
            color: crate::options::Color::Grey,
            bit_depth: 8,
        };
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
    // Sequences that do not end.
    let mut endless = picture.attributes(EXPLICIT_LITTLE);
    endless.extend(head(EXPLICIT_LITTLE, 0x5200_9229, b"SQ", u32::MAX));
    refused(&endless, "at byte");
    let mut unknown = picture.attributes(EXPLICIT_LITTLE);
    unknown.extend(head(EXPLICIT_LITTLE, 0x5200_9229, b"UN", u32::MAX));
    refused(&unknown, "at byte");
    // A text of so many parts that each would cost more than it is long.
    let texts = vec![(0x0028_1050, *b"DS", "\\".repeat(1 << 20))];
    refused(&Picture { texts, ..picture }.file(IMPLICIT, &[]), "elements and values");
}

#[test]
fn a_panic_is_an_error_with_its_words() {
    let error = crate::guard::caught::<()>(|| panic!("index {}", 7)).unwrap_err();
    assert_eq!(error, "made its decoder panic (index 7); the file is most likely damaged");
}
