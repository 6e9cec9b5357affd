//! Samples that cannot be read, and stored bytes that have changed.

use super::entry;
use super::fake::{Fake, Setup, assert_holds};
use selfsame::config::schema::{CachePlace, OnError};
use selfsame_plugin_api::ErrorKind;
use std::collections::BTreeSet;
use std::sync::Arc;

fn with_bad(bad: &[usize], fingerprint: Option<&str>) -> Arc<Fake> {
    let bad: BTreeSet<usize> = bad.iter().copied().collect();
    Arc::new(Fake { bad, fingerprint: fingerprint.map(str::to_owned), ..Fake::new(100) })
}

fn all_but(bad: &[usize]) -> Vec<usize> {
    (0..100).rev().filter(|index| !bad.contains(index)).collect()
}

#[test]
fn a_sample_that_cannot_be_read_stops_the_run_and_is_named() {
    for fingerprint in [Some("first"), None] {
        let dir = tempfile::tempdir().unwrap();
        let fake = with_bad(&[17], fingerprint);
        let error = Setup::new(dir.path()).load(&fake, &all_but(&[])).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Data);
        for part in ["fake", "sample 17", "`file-17`", "the header is cut off", "data.on_error=skip", "data verify"] {
            assert!(error.to_string().contains(part), "`{part}` is not in: {error}");
        }
    }
}

#[test]
fn skipped_samples_are_left_out_with_their_labels_and_listed() {
    for fingerprint in [Some("first"), None] {
        let dir = tempfile::tempdir().unwrap();
        let fake = with_bad(&[17, 40, 41], fingerprint);
        let setup = Setup { on_error: OnError::Skip, ..Setup::new(dir.path()) };
        for run in 0..2 {
            let source = setup.load(&fake, &all_but(&[])).unwrap();
            assert_holds(&source, &fake, &all_but(&[17, 40, 41]));
            assert_eq!(source.labels().unwrap().size(), [97]);
            let mut listed: Vec<_> = source.damaged().iter().map(|sample| sample.id.as_str()).collect();
            listed.sort_unstable();
            assert_eq!(listed, ["file-17", "file-40", "file-41"]);
            assert!(source.damaged()[0].reason.contains("cut off"));
            let reads = fake.take_reads();
            assert!(reads == if run == 0 || fingerprint.is_none() { 97 } else { 0 }, "run {run}: {reads} reads");
        }
        if fingerprint.is_some() {
            let list = std::fs::read_to_string(entry(dir.path()).join("damaged.json")).unwrap();
            assert!(list.contains("file-40") && list.contains("the header is cut off"), "{list}");
        }
    }
}

#[test]
fn a_new_run_tries_again_what_an_earlier_run_skipped_and_a_resumed_one_leaves_it_out() {
    let dir = tempfile::tempdir().unwrap();
    let skip = Setup { on_error: OnError::Skip, ..Setup::new(dir.path()) };
    let first = skip.load(&with_bad(&[5], Some("first")), &all_but(&[])).unwrap();
    let repaired = with_bad(&[], Some("first"));
    let resumed = Setup { left_out: first.damaged().to_vec(), ..Setup::new(dir.path()) };
    let goes_on = || {
        let source = resumed.load(&repaired, &all_but(&[])).unwrap();
        assert_holds(&source, &repaired, &all_but(&[5]));
        assert_eq!(source.damaged(), first.damaged());
        assert_eq!(repaired.take_reads(), 0);
    };
    goes_on();
    let source = skip.load(&repaired, &all_but(&[])).unwrap();
    assert!(source.damaged().is_empty());
    assert_holds(&source, &repaired, &all_but(&[]));
    assert_eq!(repaired.take_reads(), 1);
    // Whatever other runs have added to the cache in the meantime.
    goes_on();
    assert_holds(&Setup::new(dir.path()).load(&repaired, &all_but(&[])).unwrap(), &repaired, &all_but(&[]));
    assert_eq!(repaired.take_reads(), 0);
}

#[test]
fn more_than_half_of_a_split_is_too_much_to_skip() {
    let dir = tempfile::tempdir().unwrap();
    let bad: Vec<usize> = (0..51).collect();
    let setup = Setup { on_error: OnError::Skip, ..Setup::new(dir.path()) };
    let error = setup.load(&with_bad(&bad, Some("first")), &all_but(&[])).err().unwrap();
    assert!(error.to_string().contains("51 of 100 samples cannot be read"), "{error}");
}

#[test]
fn every_changed_byte_of_the_cache_is_found_and_its_sample_decoded_again() {
    let wanted: Vec<usize> = (0..8).collect();
    for place in [CachePlace::Host, CachePlace::Disk] {
        for file in ["pixels.bin", "index.bin"] {
            let dir = tempfile::tempdir().unwrap();
            let fake = Arc::new(Fake { unequal: false, ..Fake::new(8) });
            let setup = Setup { place, ..Setup::new(dir.path()) };
            setup.load(&fake, &wanted).unwrap();
            let path = entry(dir.path()).join(file);
            let bytes = std::fs::read(&path).unwrap();
            for position in (0..bytes.len()).step_by(5) {
                let mut changed = bytes.clone();
                changed[position] ^= 1 << (position % 8);
                std::fs::write(&path, changed).unwrap();
                fake.take_reads();
                assert_holds(&setup.load(&fake, &wanted).unwrap(), &fake, &wanted);
                assert_eq!(fake.take_reads(), 1, "byte {position} of {file}");
            }
            for length in [0, 1, bytes.len() - 1] {
                std::fs::write(&path, &bytes[..length]).unwrap();
                assert_holds(&setup.load(&fake, &wanted).unwrap(), &fake, &wanted);
            }
        }
    }
}

#[test]
fn a_cache_folder_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Setup::new(&file.join("below")).load(&Arc::new(Fake::new(3)), &[0]).err().unwrap();
    assert!(error.to_string().contains("file/below") && error.to_string().contains("data.cache_dir"), "{error}");
}
