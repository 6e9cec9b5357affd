use super::{folder_with, hostile, request, scan};
use selfsame::plugin::{Registry, SearchDir, install, listing};
use selfsame_encoder_api::LIBTORCH_VERSION;
use selfsame_plugin_api::{ErrorKind, LAYOUT_DIGEST};
use serde_json::json;
use std::{fs, path::Path};

/// The reason why the only file of `folder` cannot be used.
fn reason(folder: &Path) -> String {
    let registry = scan(folder);
    registry.files()[0].provided.as_ref().err().cloned().expect("the file should be unusable")
}

#[test]
fn a_truncated_file_is_named_and_does_not_end_the_process() {
    let whole = fs::read(hostile()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libtried.so");
    fs::write(&path, &whole).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for step in (0..64).rev() {
        let size = whole.len() as u64 * step / 64;
        file.set_len(size).unwrap();
        let error = scan(folder.path()).create_dataset(&request(json!({}))).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let message = error.to_string();
        assert!(message.contains("libtried.so"), "{message}");
        if size > 0 {
            assert!(message.contains(&format!("the file has {size}")), "{message}");
            assert!(message.contains("truncated"), "{message}");
        }
    }
    for size in [1, 3, 4, 16, 63, 64, 65, 100] {
        let folder = folder_with(&whole[..size]);
        assert!(!reason(folder.path()).is_empty());
    }
}

#[test]
fn damaged_headers_are_errors() {
    let whole = fs::read(hostile()).unwrap();
    // Counts, offsets and sizes of both tables, all at their largest.
    for (offset, length) in [(32, 8), (40, 8), (54, 2), (56, 2), (58, 2), (60, 2), (62, 2)] {
        let mut bytes = whole.clone();
        bytes[offset..offset + length].fill(0xff);
        let folder = folder_with(&bytes);
        assert!(!reason(folder.path()).is_empty(), "offset {offset}");
    }
}

#[test]
fn a_library_for_another_machine_is_named() {
    let mut bytes = fs::read(hostile()).unwrap();
    bytes[18..20].copy_from_slice(&[0xf3, 0]);
    let folder = folder_with(&bytes);
    let reason = reason(folder.path());
    assert!(reason.contains("another machine") && reason.contains("243"), "{reason}");
}

#[test]
fn libraries_of_other_kinds_are_named() {
    let whole = fs::read(hostile()).unwrap();
    for (offset, byte, expected) in [
        (4, 1, "not a 64-bit little-endian library"),
        (5, 2, "not a 64-bit little-endian library"),
        (16, 2, "an ELF file, but not a dynamic library"),
    ] {
        let mut bytes = whole.clone();
        bytes[offset] = byte;
        assert_eq!(reason(folder_with(&bytes).path()), expected);
    }
}

#[test]
fn files_that_are_no_plugins_are_named() {
    assert_eq!(reason(folder_with(b"hello, I am text").path()), "not an ELF library");
    assert_eq!(reason(folder_with(b"").path()), "empty file");
    // 20 MB of noise, by itself and behind the beginning of a library.
    let mut state = 7_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let mut noise: Vec<u8> = noise.take(20_000_000).collect();
    assert_eq!(reason(folder_with(&noise).path()), "not an ELF library");
    noise[..64].copy_from_slice(&fs::read(hostile()).unwrap()[..64]);
    let behind = reason(folder_with(&noise).path());
    assert!(behind.contains("truncated") || behind.contains("damaged"), "{behind}");
    // Any library without the section will do.
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps.split_whitespace().find(|word| word.ends_with("libc.so.6")).unwrap();
    let reason = reason(folder_with(&fs::read(libc).unwrap()).path());
    assert!(reason.contains("no section .selfsame"), "{reason}");
}

#[test]
fn a_library_with_a_manifest_but_no_root_module_is_named() {
    let mut bytes = fs::read(hostile()).unwrap();
    let symbol = b"_1as_0lib_1header";
    let places: Vec<_> = (0..bytes.len() - symbol.len()).filter(|at| bytes[*at..].starts_with(symbol)).collect();
    places.iter().for_each(|at| bytes[*at] = b'x');
    let error = scan(folder_with(&bytes).path()).dataset_card("hostile").unwrap_err().to_string();
    assert!(error.contains("it exports no root module"), "{error}");
}

/// The plugin with one passage of its manifest replaced by another of the same length.
fn patched(from: &str, to: &str) -> tempfile::TempDir {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(hostile()).unwrap();
    let manifest = bytes.windows(8).position(|window| window == b"{\"abi\":1").unwrap();
    let at = bytes[manifest..].windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes[manifest + at..][..to.len()].copy_from_slice(to.as_bytes());
    folder_with(&bytes)
}

#[test]
fn each_difference_of_the_manifest_is_named_with_both_values() {
    let cases = [
        ("\"abi\":1", "\"abi\":9", ["plugin ABI 9", "this host has 1"]),
        (LAYOUT_DIGEST, "0123456789abcdef", ["layout 0123456789abcdef", LAYOUT_DIGEST]),
        // As a manifest of before the freeze: without the key.
        ("\"layout\"", "\"xayout\"", ["before plugin ABI 1 was frozen", "build it"]),
        (LIBTORCH_VERSION, "2.10.0", ["libtorch 2.10.0", LIBTORCH_VERSION]),
        ("\"unwind\"", "\"abort\" ", ["`abort`", "`unwind`"]),
        ("linux-gnu\"", "linux-abc\"", ["linux-abc", "linux-gnu"]),
        ("\"hostile\", ", "\"bad-card\",", ["data set `bad-card`", "twice"]),
        ("\"datasets\"", "\"datasetz\"", ["damaged", "`datasets`"]),
    ];
    for (from, to, expected) in cases {
        let reason = reason(patched(from, to).path());
        assert!(expected.iter().all(|part| reason.contains(part)), "{reason}");
    }
}

#[test]
fn a_removed_plugin_is_missed_by_name_and_works_again_when_it_is_back() {
    let folder = folder_with(&fs::read(hostile()).unwrap());
    let (path, away) = (folder.path().join("libtried.so"), folder.path().join("away"));
    assert!(scan(folder.path()).dataset_card("hostile").is_ok());

    fs::rename(&path, &away).unwrap();
    let error = scan(folder.path()).dataset_card("hostile").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let expected = format!(
        "no plugin provides the data set `hostile`\n  available data sets: none\n  searched:\n    {} (test)",
        folder.path().display()
    );
    assert_eq!(error.to_string(), expected);

    fs::rename(&away, &path).unwrap();
    assert!(scan(folder.path()).dataset_card("hostile").is_ok());
}

#[test]
fn an_unknown_name_shows_the_nearest_and_the_unusable_files() {
    let folder = folder_with(b"text");
    std::os::unix::fs::symlink(hostile(), folder.path().join("libhostile.so")).unwrap();
    let absent = folder.path().join("absent");
    let registry = Registry::scan(&[SearchDir::new(folder.path(), "test"), SearchDir::new(&absent, "--plugins")]);
    let message = registry.encoder_card("Tinny").unwrap_err().to_string();
    assert!(message.starts_with("no plugin provides the encoder `Tinny`; did you mean `tiny`?"), "{message}");
    assert!(message.contains("libtried.so: not an ELF library"), "{message}");
    assert!(message.contains("absent (--plugins, no such folder)"), "{message}");
    let message = registry.dataset_card("CIFAR10").unwrap_err().to_string();
    assert!(!message.contains("did you mean"), "{message}");
    assert!(message.contains("available data sets: bad-card, floats, hostile, panicking-card"), "{message}");
}

#[test]
fn two_plugins_with_the_same_name_are_ambiguous_but_copies_are_not() {
    let bytes = fs::read(hostile()).unwrap();
    let folder = folder_with(&bytes);
    fs::write(folder.path().join("libcopy.so"), &bytes).unwrap();
    // The same folder by two names.
    let link = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(folder.path(), link.path().join("again")).unwrap();
    let dirs = [SearchDir::new(folder.path(), "test"), SearchDir::new(link.path().join("again"), "test")];
    assert!(Registry::scan(&dirs).dataset_card("hostile").is_ok());

    let other = patched("\"version\":\"0.1.0\"", "\"version\":\"9.1.0\"");
    fs::copy(other.path().join("libtried.so"), folder.path().join("libother.so")).unwrap();
    let error = scan(folder.path()).dataset_card("hostile").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Plugin);
    let message = error.to_string();
    assert!(message.contains("libcopy.so") && message.contains("libother.so"), "{message}");
}

#[test]
fn the_listing_shows_usable_and_unusable_files() {
    let folder = folder_with(b"text");
    std::os::unix::fs::symlink(hostile(), folder.path().join("libhostile.so")).unwrap();
    let registry = scan(folder.path());
    let list = listing::json(&registry);
    let text = list.to_string();
    assert!(text.contains("not an ELF library") && text.contains("panicking-card"), "{text}");
    let ok: Vec<_> = list.as_array().unwrap().iter().map(|file| file["ok"].as_bool().unwrap()).collect();
    assert_eq!(ok.iter().filter(|ok| **ok).count(), 1);
    assert!(registry.used().is_empty(), "listing opens nothing");

    let inspection = listing::inspect(&hostile(), &[]).unwrap();
    let json = inspection.json();
    assert_eq!(json["manifest"]["name"], "selfsame-hostile-plugin");
    assert_eq!(json["datasets"][0]["classes"], json!(["even", "odd"]));
    assert!(json["datasets"][1]["error"].as_str().unwrap().contains("positive std"), "{json}");
    assert_eq!(json["encoders"][0]["options"][0]["name"], "fault");
    let text = inspection.text();
    assert!(text.contains("data set hostile") && text.contains("encoder tiny"), "{text}");
    let error = inspection.judge().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Plugin);
    for part in ["libselfsame_hostile_plugin.so", "`bad-card`", "positive std", "`panicking-card`", "no card today"] {
        assert!(error.to_string().contains(part), "`{part}` is not in: {error}");
    }
    assert!(listing::inspect(Path::new("absent.so"), &[]).unwrap_err().to_string().contains("absent.so"));
}

#[test]
fn a_plugin_with_a_broken_card_is_not_installed() {
    let folder = tempfile::tempdir().unwrap();
    let error = install::install(&hostile(), folder.path(), false, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Plugin);
    assert!(error.to_string().contains("no card today"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_is_found_by_each_of_its_names_and_by_its_path() {
    let folder = folder_with(&fs::read(hostile()).unwrap());
    let registry = scan(folder.path());
    let path = folder.path().join("libtried.so").canonicalize().unwrap();
    for name in ["hostile", "bad-card", "tiny", "selfsame-hostile-plugin"] {
        assert_eq!(registry.locate(Path::new(name)).unwrap(), path);
    }
    for file in ["libabsent.so", "./hostile", "some/where"] {
        assert_eq!(registry.locate(Path::new(file)).unwrap(), Path::new(file));
    }
    let error = registry.locate(Path::new("hostil")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let message = error.to_string();
    assert!(message.starts_with("no plugin provides the name `hostil`; did you mean `hostile`?"), "{message}");
    assert!(registry.used().is_empty(), "nothing is opened");
}
