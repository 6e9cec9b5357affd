use super::{Quiet, assert_place, folder_with, hostile, registry, request, scan};
use selfsame::plugin::PluginFailure;
use selfsame_plugin_api::{Cancelled, Dataset, DatasetRequest, ErrorKind, Image, ReadHints, Services, Split, Targets};
use serde_json::json;
use std::{
    fs,
    sync::{Arc, Mutex},
};

fn dataset(fault: &str) -> Result<Box<dyn Dataset>, PluginFailure> {
    registry().create_dataset(&request(json!({ "fault": fault })))
}

/// Every call on a data set; the first error.
fn exercise(fault: &str) -> Result<Vec<Image>, PluginFailure> {
    let dataset = dataset(fault)?;
    dataset.prepare(&Quiet)?;
    Ok(dataset.open(Split::Train)?.read(&[2, 0])?)
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
fn a_panic_in_any_method_of_a_data_set_is_an_error_with_its_place() {
    let cases = [
        ("create", "create", "meet.rs"),
        ("prepare", "Dataset::prepare", "meet.rs"),
        ("dataset_card", "Dataset::card", "meet.rs"),
        ("open", "Dataset::open", "meet.rs"),
        ("len", "Samples::len", "meet.rs"),
        ("targets", "Samples::targets", "meet.rs"),
        ("groups", "Samples::groups", "meet.rs"),
        ("ids", "Samples::ids", "meet.rs"),
        ("fingerprint", "Samples::fingerprint", "meet.rs"),
        ("block", "Samples::block", "meet.rs"),
        ("read", "Samples::read", "meet.rs"),
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
    for fault in ["payload", "payload:drop"] {
        let error = exercise(fault).unwrap_err();
        assert_place(&error.to_string(), "Dataset::prepare", "lib.rs");
        assert!(error.to_string().ends_with("no message"), "{error}");
    }
}

#[test]
fn answers_that_break_the_contract_are_errors() {
    let cases = [
        ("targets", "`targets` has 3 labels for 4 samples"),
        ("class", "sample 3 has label 2, expected 0 to 1"),
        ("negative", "sample 1 has label -1, expected 0 to 1"),
        ("least", "sample 0 has label -9223372036854775808, expected 0 to 1"),
        ("largest", "sample 2 has label 9223372036854775807, expected 0 to 1"),
        ("len", "`targets` has 4 labels for 18446744073709551615 samples"),
        ("task", "do not fit the card's task Binary"),
        ("groups", "`groups` has 0 entries for 4 samples"),
        ("ids", "`ids` names a sample twice"),
        ("block", "`block` has 15 bytes, expected 4 × 1 × 2 × 2 of 8 bits"),
        ("count", "`read` returned 1 images for 2 indices"),
        ("twice", "`read` returned 4 images for 2 indices"),
        ("height", "sample 2 (`c`) is 1 × 0 × 2 of 8 bits in 4 bytes"),
        ("overflow", "sample 2 (`c`) is 1 × 18446744073709551615 × 2 of 8 bits in 4 bytes"),
        ("depth", "sample 2 (`c`) is 1 × 2 × 2 of 16 bits in 4 bytes; the card says 1 channels of 8 bits"),
        ("no_depth", "sample 2 (`c`) is 1 × 2 × 2 of 0 bits in 4 bytes"),
        ("no_channels", "sample 2 (`c`) is 0 × 2 × 2 of 8 bits in 4 bytes"),
        ("long", "sample 2 (`c`) is 1 × 2 × 2 of 8 bits in 16 bytes"),
        ("empty", "sample 2 (`c`) is 1 × 2 × 2 of 8 bits in 0 bytes"),
        ("bytes", "sample 2 (`c`) is 1 × 2 × 2 of 8 bits in 3 bytes"),
        ("channels", "sample 2 (`c`) is 3 × 2 × 2 of 8 bits in 4 bytes; the card says 1 channels"),
    ];
    for (fault, expected) in cases {
        let error = exercise(&format!("wrong:{fault}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Contract);
        let message = error.to_string();
        assert!(message.contains("plugin `selfsame-hostile-plugin`, data set `hostile`"), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    let error = exercise("fingerprint:empty").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Contract);
    assert!(error.to_string().contains("`fingerprint` is empty"), "{error}");
    let error = registry().dataset_card("bad-card").unwrap_err().to_string();
    assert!(error.contains("std [0.0]") && error.contains("positive std"), "{error}");
    let error = dataset("").unwrap().open(Split::Val).err().unwrap();
    assert!(error.message.contains("no split `val`; it has: train, test"), "{error}");
    let error = dataset("").unwrap().open(Split::Train).unwrap().read(&[4]).unwrap_err();
    assert!(error.message.contains("sample 4 was asked for, there are 4"), "{error}");
}

#[test]
fn images_of_many_channels_and_float_values_are_kept_with_16_bits() {
    let make = |fault: &str| {
        let request = DatasetRequest { name: "floats".into(), ..request(json!({ "fault": fault })) };
        registry().create_dataset(&request).unwrap()
    };
    let dataset = make("");
    let card = dataset.card().unwrap().unwrap();
    assert_eq!((card.channels, card.bit_depth, registry().dataset_card("floats").unwrap().bit_depth), (4, 16, 32));
    let image = dataset.open(Split::Train).unwrap().read(&[1]).unwrap().remove(0);
    assert_eq!((image.channels, image.bit_depth), (4, 16));
    let values: Vec<u16> = image.data.chunks(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
    // 65535 / 8 = 8191.875, and so on; the nearest of each.
    assert_eq!(values, [8192, 16_384, 24_576, 32_768, 40_959, 49_151, 57_343, 65_535]);
    for (fault, value) in [("nan", "NaN"), ("range", "255")] {
        let error = make(fault).open(Split::Train).unwrap().read(&[2]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Contract);
        assert!(error.message.ends_with(&format!("sample 2 holds the value {value}, expected 0 to 1")), "{error}");
    }
}

#[test]
fn the_least_size_that_is_needed_reaches_the_plugin() {
    let samples = dataset("wrong:hints").unwrap().open(Split::Train).unwrap();
    assert!(samples.read_with(&[0], &ReadHints::default()).is_ok());
    let error = samples.read_with(&[0], &ReadHints::least_side(Some(7))).unwrap_err();
    assert!(error.message.ends_with("asked for 7 pixels at least"), "{error}");
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
    assert!(warning.contains("selfsame-hostile-plugin: "), "{warning}");
    let panic = log.lines().find(|line| line.contains("in a thread")).expect(&log);
    assert!(panic.contains("ERROR") && panic.contains("lib.rs:"), "{panic}");
}
