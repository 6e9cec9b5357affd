//! The plugin boundary against a plugin that misbehaves on request (`tests/plugins/hostile`).

use selfsame::plugin::{PluginFailure, Registry, SearchDir, listing};
use selfsame_plugin_api::{
    Cancelled, Dataset, DatasetRequest, Encoder, EncoderRequest, ErrorKind, Image, LIBTORCH_VERSION, Services, Split,
    Targets,
};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex},
};
use tch::{Device, Kind, Tensor};

struct Quiet;

impl Services for Quiet {
    fn progress(&self, _: &str, _: u64, _: Option<u64>) -> Result<(), Cancelled> {
        Ok(())
    }
}

/// The built library, beside this test's executable.
fn hostile() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    let path = executable.ancestors().nth(2).unwrap().join("libselfsame_hostile_plugin.so");
    assert!(path.exists(), "{} is missing: run `cargo build --release -p selfsame-hostile-plugin`", path.display());
    path
}

/// A folder that holds one plugin file.
fn folder_with(bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("libtried.so"), bytes).unwrap();
    folder
}

fn scan(folder: &Path) -> Registry {
    Registry::scan(&[SearchDir::new(folder, "test")])
}

/// The hostile plugin, scanned in place and opened once.
fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(hostile(), folder.path().join("libhostile.so")).unwrap();
        scan(folder.path())
    });
    &REGISTRY
}

fn request(options: serde_json::Value) -> DatasetRequest {
    DatasetRequest { name: "hostile".into(), dataset_dir: None, cache_dir: "unused".into(), options }
}

fn dataset(fault: &str) -> Result<Box<dyn Dataset>, PluginFailure> {
    registry().create_dataset(&request(json!({ "fault": fault })))
}

/// Every call on a data set; the first error.
fn exercise(fault: &str) -> Result<Vec<Image>, PluginFailure> {
    let dataset = dataset(fault)?;
    dataset.prepare(&Quiet)?;
    Ok(dataset.open(Split::Train)?.read(&[2, 0])?)
}

fn encoder(fault: &str) -> Result<Box<dyn Encoder>, PluginFailure> {
    let request = EncoderRequest {
        name: "tiny".into(),
        channels: 1,
        image_size: (2, 2),
        stem: None,
        options: json!({ "fault": fault }),
    };
    registry().create_encoder(&request, Device::Cpu)
}

/// The reason why the only file of `folder` cannot be used.
fn reason(folder: &Path) -> String {
    let registry = scan(folder);
    registry.files()[0].manifest.clone().expect_err("the file should be unusable")
}

#[test]
fn a_data_set_arrives_unchanged() {
    let registry = registry();
    let card = registry.dataset_card("hostile").unwrap();
    assert_eq!((card.channels, card.nominal_size), (1, (2, 2)));
    let dataset = registry.create_dataset(&request(json!({}))).unwrap();
    dataset.prepare(&Quiet).unwrap();
    let samples = dataset.open(Split::Test).unwrap();
    assert_eq!(samples.len(), 4);
    assert_eq!(samples.targets(), Targets::Classes(vec![0, 1, 0, 1]));
    assert_eq!(samples.groups().unwrap(), ["a", "b", "c", "d"]);
    assert_eq!(samples.ids().unwrap(), ["a", "b", "c", "d"]);
    assert_eq!(samples.block().unwrap(), (0..16).collect::<Vec<u8>>());
    let images = samples.read(&[3, 1]).unwrap();
    assert_eq!(images[0], Image { channels: 1, height: 2, width: 2, bit_depth: 8, data: vec![12, 13, 14, 15] });
    assert_eq!(images[1].data, [4, 5, 6, 7]);
    assert_eq!(registry.used().len(), 1);
    assert_eq!(registry.used()[0].sha256.len(), 64);
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
        assert_eq!(error.kind(), ErrorKind::Plugin);
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
fn files_that_are_no_plugins_are_named() {
    assert_eq!(reason(folder_with(b"hello, I am text").path()), "not an ELF library");
    assert_eq!(reason(folder_with(b"").path()), "empty file");
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
fn a_panic_in_any_method_of_a_data_set_is_an_error_with_its_place() {
    let cases = [
        ("create", "create", "lib.rs"),
        ("prepare", "Dataset::prepare", "lib.rs"),
        ("open", "Dataset::open", "lib.rs"),
        ("len", "Samples::len", "lib.rs"),
        ("targets", "Samples::targets", "lib.rs"),
        ("groups", "Samples::groups", "lib.rs"),
        ("ids", "Samples::ids", "lib.rs"),
        ("block", "Samples::block", "lib.rs"),
        ("read", "Samples::read", "lib.rs"),
    ];
    for (fault, method, file) in cases {
        let error = exercise(&format!("panic:{fault}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Plugin);
        assert_place(&error.to_string(), method, file);
    }
    let error = registry().dataset_card("panicking-card").unwrap_err();
    assert_place(&error.to_string(), "card", "lib.rs");
    assert!(error.to_string().ends_with("no card today"), "{error}");
    exercise("panic:drop").unwrap();
}

#[test]
fn a_panic_in_any_method_of_an_encoder_is_an_error_with_its_place() {
    for method in ["create", "feature_dim", "parameters", "buffers"] {
        let error = encoder(&format!("panic:{method}")).err().unwrap();
        assert_place(&error.to_string(), method, "lib.rs");
    }
    let error =
        encoder("panic:forward").unwrap().forward(&Tensor::zeros([1, 1, 2, 2], (Kind::Float, Device::Cpu)), true);
    assert_place(&error.unwrap_err().to_string(), "Encoder::forward", "lib.rs");
}

/// The message names the plugin, the method, and a line of the file.
fn assert_place(message: &str, method: &str, file: &str) {
    assert!(message.contains("plugin `selfsame-hostile-plugin`"), "{message}");
    assert!(message.contains(&format!("{method}` panicked at ")), "{message}");
    let (_, line) = message.split_once(&format!("{file}:")).expect(message);
    assert!(line.starts_with(|c: char| c.is_ascii_digit()), "{message}");
}

#[test]
fn answers_that_break_the_contract_are_errors() {
    let cases = [
        ("targets", "`targets` has 3 labels for 4 samples"),
        ("class", "sample 3 has label 2, expected 0 to 1"),
        ("task", "do not fit the card's task Binary"),
        ("groups", "`groups` has 0 entries for 4 samples"),
        ("ids", "`ids` names a sample twice"),
        ("block", "`block` has 15 bytes, expected 4 × 1 × 2 × 2 of 8 bits"),
        ("count", "`read` answered 1 images for 2 indices"),
        ("bytes", "sample 2 (`c`) is 1 × 2 × 2 of 8 bits in 3 bytes"),
        ("channels", "sample 2 (`c`) is 3 × 2 × 2 of 8 bits in 4 bytes; the card says 1 channels"),
    ];
    for (fault, expected) in cases {
        let error = exercise(&format!("wrong:{fault}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Plugin);
        let message = error.to_string();
        assert!(message.contains("plugin `selfsame-hostile-plugin`, data set `hostile`"), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    let error = registry().dataset_card("bad-card").unwrap_err().to_string();
    assert!(error.contains("std [0.0]") && error.contains("positive std"), "{error}");
    let error = dataset("").unwrap().open(Split::Val).err().unwrap();
    assert!(error.message.contains("no split `val`; it has: train, test"), "{error}");
    let error = dataset("").unwrap().open(Split::Train).unwrap().read(&[4]).unwrap_err();
    assert!(error.message.contains("sample 4 was asked for, there are 4"), "{error}");

    let error = encoder("wrong:names").err().unwrap().to_string();
    assert!(error.contains("the same name"), "{error}");
    let error = encoder("wrong:leaf").err().unwrap().to_string();
    assert!(error.contains("parameter `fc.weight` is not a leaf"), "{error}");
    let x = Tensor::zeros([5, 1, 2, 2], (Kind::Float, Device::Cpu));
    let error = encoder("wrong:dim").unwrap().forward(&x, false).unwrap_err().to_string();
    assert!(error.contains("answered shape [5, 2], expected [5, 3]"), "{error}");
}

#[test]
fn an_error_keeps_its_kind() {
    let error = exercise("missing").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().ends_with("`images.bin` is missing; download it"), "{error}");
}

#[test]
fn a_stop_ends_a_long_call() {
    struct Stop;
    impl Services for Stop {
        fn progress(&self, _: &str, _: u64, _: Option<u64>) -> Result<(), Cancelled> {
            Err(Cancelled)
        }
    }
    let error = dataset("").unwrap().prepare(&Stop).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
}

#[test]
fn progress_reaches_the_host() {
    #[derive(Default)]
    struct Record(Mutex<Vec<(String, u64, Option<u64>)>>);
    impl Services for Record {
        fn progress(&self, what: &str, done: u64, total: Option<u64>) -> Result<(), Cancelled> {
            self.0.lock().unwrap().push((what.into(), done, total));
            Ok(())
        }
    }
    let record = Record::default();
    dataset("").unwrap().prepare(&record).unwrap();
    assert_eq!(*record.0.lock().unwrap(), [("files".into(), 1, Some(2)), ("files".into(), 2, Some(2))]);
}

#[test]
fn options_that_are_unknown_or_of_the_wrong_type_are_named() {
    let error = registry().create_dataset(&request(json!({ "fualt": "" }))).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().ends_with("unknown option `fualt`; known options: fault"), "{error}");
    let error = registry().create_dataset(&request(json!({ "fault": 3 }))).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("option `fault` = `3`"), "{error}");
}

#[test]
fn a_shape_error_inside_an_encoder_arrives_without_its_backtrace() {
    let x = Tensor::zeros([2, 1, 2, 2], (Kind::Float, Device::Cpu));
    for fault in ["shape", "shape:answered"] {
        let message = encoder(fault).unwrap().forward(&x, true).unwrap_err().message;
        assert!(message.contains("plugin `selfsame-hostile-plugin`, encoder `tiny`"), "{message}");
        assert!(message.contains("shapes cannot be multiplied") || message.contains("must match"), "{message}");
        assert!(!message.contains("Exception raised") && !message.contains("frame #"), "{message}");
        assert!(message.len() < 400, "{message}");
    }
}

#[test]
fn gradients_flow_from_the_host_through_the_plugin_and_back() {
    let encoder = encoder("").unwrap();
    let weight = encoder.parameters().remove(0);
    assert_eq!(weight.name, "fc.weight");
    let x = Tensor::rand([5, 1, 2, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    encoder.forward(&x, true).unwrap().sum(Kind::Float).backward();
    // d(sum)/dW sums the inputs, d(sum)/dx sums the weights.
    let column = x.detach().flatten(1, -1).sum_dim_intlist(0, true, Kind::Float).expand([3, 4], false);
    assert!(weight.tensor.grad().allclose(&column, 1e-5, 1e-6, false));
    let row = weight.tensor.detach().sum_dim_intlist(0, true, Kind::Float).expand([5, 4], false);
    assert!(x.grad().flatten(1, -1).allclose(&row, 1e-5, 1e-6, false));
    assert!(!tch::no_grad(|| encoder.forward(&x, true)).unwrap().requires_grad());
    // Two forwards in training mode, seen through the host's handle.
    assert_eq!(encoder.buffers()[0].tensor.int64_value(&[]), 2);
}

#[test]
fn parameters_are_handles_and_the_seed_decides_them() {
    let weight = |seed| {
        tch::manual_seed(seed);
        encoder("").unwrap().parameters().remove(0).tensor
    };
    // Other tests draw from the same global generator, so a draw may be disturbed: equality once is proof.
    assert!((0..100).any(|_| weight(42).equal(&weight(42))));
    assert!(!weight(42).equal(&weight(43)));

    let encoder = encoder("").unwrap();
    let mut weight = encoder.parameters().remove(0).tensor;
    let _ = tch::no_grad(|| weight.fill_(2.0));
    let x = Tensor::ones([1, 1, 2, 2], (Kind::Float, Device::Cpu));
    assert!(encoder.forward(&x, false).unwrap().equal(&Tensor::full([1, 3], 8.0, (Kind::Float, Device::Cpu))));
}

#[test]
fn an_operation_that_the_host_does_not_know_is_named() {
    let x = Tensor::zeros([1, 1, 2, 2], (Kind::Float, Device::Cpu));
    let error = encoder("operation").unwrap().forward(&x, true).unwrap_err();
    assert!(error.message.contains("unknown operation `sync_batch_norm`"), "{error}");
}

#[test]
fn an_encoder_moves_between_threads() {
    let encoder = encoder("").unwrap();
    let shape = std::thread::spawn(move || {
        encoder.forward(&Tensor::zeros([6, 1, 2, 2], (Kind::Float, Device::Cpu)), false).unwrap().size()
    });
    assert_eq!(shape.join().unwrap(), [6, 3]);
}

#[test]
fn a_removed_plugin_is_missed_by_name_and_works_again_when_it_is_back() {
    let folder = folder_with(&fs::read(hostile()).unwrap());
    let (path, away) = (folder.path().join("libtried.so"), folder.path().join("away"));
    assert!(scan(folder.path()).dataset_card("hostile").is_ok());

    fs::rename(&path, &away).unwrap();
    let error = scan(folder.path()).dataset_card("hostile").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Plugin);
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
    assert!(message.contains("available data sets: bad-card, hostile, panicking-card"), "{message}");
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
fn log_events_and_panics_of_threads_reach_the_hosts_log() {
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let sink = Sink::default();
    let writer = sink.clone();
    // Global, because the plugin's thread logs too. The plugin's own level was fixed when it was first opened: a copy
    // is another library.
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
    let folder = folder_with(&fs::read(hostile()).unwrap());
    for fault in ["", "thread"] {
        scan(folder.path()).create_dataset(&request(json!({ "fault": fault }))).unwrap().prepare(&Quiet).unwrap();
    }
    let log = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let warning = log.lines().find(|line| line.contains("a mirror is slow")).expect(&log);
    assert!(warning.contains("WARN") && warning.contains("files=4"), "{warning}");
    assert!(warning.contains("plugin=\"selfsame-hostile-plugin\""), "{warning}");
    assert!(warning.contains("module=\"selfsame_hostile_plugin\""), "{warning}");
    let panic = log.lines().find(|line| line.contains("in a thread")).expect(&log);
    assert!(panic.contains("ERROR") && panic.contains("lib.rs:"), "{panic}");
}

#[test]
fn the_listing_shows_usable_and_unusable_files() {
    let folder = folder_with(b"text");
    std::os::unix::fs::symlink(hostile(), folder.path().join("libhostile.so")).unwrap();
    let registry = scan(folder.path());
    let table = listing::table(&registry);
    assert!(table.contains("not an ELF library") && table.contains("panicking-card"), "{table}");
    let list = listing::json(&registry);
    let ok: Vec<_> = list.as_array().unwrap().iter().map(|file| file["ok"].as_bool().unwrap()).collect();
    assert_eq!(ok.iter().filter(|ok| **ok).count(), 1);
    assert!(registry.used().is_empty(), "listing opens nothing");

    let inspection = listing::inspect(&hostile()).unwrap();
    let json = inspection.json();
    assert_eq!(json["manifest"]["name"], "selfsame-hostile-plugin");
    assert_eq!(json["datasets"][0]["classes"], json!(["even", "odd"]));
    assert!(json["datasets"][1]["error"].as_str().unwrap().contains("positive std"), "{json}");
    assert_eq!(json["encoders"][0]["options"][0]["name"], "fault");
    let text = inspection.text();
    assert!(text.contains("data set hostile") && text.contains("no card today"), "{text}");
    assert!(listing::inspect(Path::new("absent.so")).unwrap_err().to_string().contains("absent.so"));
}
