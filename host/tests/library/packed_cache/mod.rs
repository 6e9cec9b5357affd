//! Samples decoded once: what is stored, what comes back, and what happens when files, disks or processes fail.

mod damage;
mod dataset_stats;
mod fake;
mod resize;

use self::fake::{Fake, Patience, Setup, assert_holds, values};
use selfsame::config::schema::CachePlace;
use selfsame::data::Size;
use selfsame_plugin_api::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tch::{Device, Kind};

/// The one entry of a cache folder.
pub fn entry(cache_dir: &Path) -> std::path::PathBuf {
    let mut entries: Vec<_> = std::fs::read_dir(cache_dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

fn shuffled(count: usize) -> Vec<usize> {
    selfsame::random::permutation(count, 3, "test", &[])
}

#[test]
fn images_of_unequal_sizes_stand_in_the_upper_left_corner_of_a_common_canvas() {
    for place in [CachePlace::Host, CachePlace::Disk] {
        let dir = tempfile::tempdir().unwrap();
        let fake = Arc::new(Fake::new(12));
        let setup = Setup { place, ..Setup::new(dir.path()) };
        let source = setup.load(&fake, &(0..12).collect::<Vec<_>>()).unwrap();
        assert_eq!((source.image_size(), source.is_uniform()), (Size { height: 4, width: 6 }, false));
        let images = source.batch(&[0, 5], Device::Cpu).unwrap().images; // 2×3 and 4×4
        assert_eq!(images.pixels.size(), [2, 2, 4, 4]);
        assert_eq!(images.pixels.kind(), Kind::Uint8);
        assert_eq!(images.sizes, Some([(2, 3), (4, 4)].map(Size::from).to_vec()));
        let at = |n: i64, c: i64, y: i64, x: i64| images.pixels.int64_value(&[n, c, y, x]);
        for (c, y, x) in (0..2).flat_map(|c| (0..4).flat_map(move |y| (0..4).map(move |x| (c, y, x)))) {
            let expected = if y < 2 && x < 3 { fake.value(0, (c, y, x)) } else { 0 };
            assert_eq!(at(0, c as i64, y as i64, x as i64), i64::from(expected));
            assert_eq!(at(1, c as i64, y as i64, x as i64), i64::from(fake.value(5, (c, y, x))));
        }
    }
}

#[test]
fn sixteen_bits_arrive_as_int32_wherever_they_are_kept() {
    for (unequal, place) in
        [(true, CachePlace::Host), (false, CachePlace::Host), (false, CachePlace::Disk), (false, CachePlace::Auto)]
    {
        let dir = tempfile::tempdir().unwrap();
        let fake = Arc::new(Fake { bit_depth: 16, unequal, ..Fake::new(40) });
        let source = Setup { place, ..Setup::new(dir.path()) }.load(&fake, &shuffled(40)).unwrap();
        let batch = source.batch(&(0..40).collect::<Vec<_>>(), Device::Cpu).unwrap();
        assert_eq!(batch.images.pixels.kind(), Kind::Int);
        assert!(values(&batch.images.pixels).iter().any(|value| *value > 32767));
        assert_eq!(batch.images.sizes.is_none(), !unequal);
        assert_holds(&source, &fake, &shuffled(40));
    }
}

#[test]
fn neither_workers_nor_the_place_change_what_is_read() {
    let fake = Arc::new(Fake::new(150));
    let without = Arc::new(Fake { fingerprint: None, ..Fake::new(150) });
    for (workers, place, fake) in [
        (1, CachePlace::Host, &fake),
        (4, CachePlace::Host, &fake),
        (3, CachePlace::Disk, &fake),
        (4, CachePlace::Host, &without),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let source = Setup { workers, place, ..Setup::new(dir.path()) }.load(fake, &shuffled(150)).unwrap();
        assert_holds(&source, fake, &shuffled(150));
    }
}

#[test]
fn a_second_run_decodes_nothing_and_another_part_only_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake::new(60));
    let setup = Setup::new(dir.path());
    let order = shuffled(60);
    let (first, rest) = order.split_at(40);
    setup.load(&fake, first).unwrap();
    assert_eq!(fake.take_reads(), 40);
    assert_holds(&setup.load(&fake, first).unwrap(), &fake, first);
    assert_eq!(fake.take_reads(), 0);
    assert_holds(&setup.load(&fake, rest).unwrap(), &fake, rest);
    assert_eq!(fake.take_reads(), 20);
    let disk = Setup { place: CachePlace::Disk, ..Setup::new(dir.path()) };
    assert_holds(&disk.load(&fake, &shuffled(60)).unwrap(), &fake, &shuffled(60));
    assert_eq!(fake.take_reads(), 0);
}

#[test]
fn changed_inputs_are_decoded_anew() {
    let dir = tempfile::tempdir().unwrap();
    let all: Vec<usize> = (0..10).collect();
    let fake = Arc::new(Fake::new(10));
    Setup::new(dir.path()).load(&fake, &all).unwrap();
    let changed = Arc::new(Fake { fingerprint: Some("second".into()), bit_depth: 16, ..Fake::new(10) });
    assert_holds(&Setup::new(dir.path()).load(&changed, &all).unwrap(), &changed, &all);
    assert_eq!(changed.take_reads(), 10);
    fake.take_reads();
    Setup { side: Some(2), ..Setup::new(dir.path()) }.load(&fake, &all).unwrap();
    assert_eq!(fake.take_reads(), 10);
}

#[test]
fn two_runs_at_once_decode_every_sample_once() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake { delay: Duration::from_millis(1), ..Fake::new(60) });
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let source = Setup::new(dir.path()).load(&fake, &shuffled(60)).unwrap();
                assert_holds(&source, &fake, &shuffled(60));
            });
        }
    });
    assert_eq!(fake.take_reads(), 60);
}

#[test]
fn a_stopped_run_keeps_what_it_has_decoded() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake::new(80));
    let stopping = Setup { services: Patience { left: AtomicUsize::new(3) }, ..Setup::new(dir.path()) };
    let error = stopping.load(&fake, &shuffled(80)).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    let before = fake.take_reads();
    assert!((3..80).contains(&before), "{before}");
    assert_holds(&Setup::new(dir.path()).load(&fake, &shuffled(80)).unwrap(), &fake, &shuffled(80));
    assert_eq!(fake.take_reads(), 80 - before);
}

const DIR: &str = "SELFSAME_TEST_CACHE_DIR";
const COUNT: usize = 300;

#[test]
#[ignore = "the child process of `a_killed_writer_is_continued`"]
fn child_decodes_slowly() {
    let dir = std::env::var(DIR).unwrap();
    let fake = Arc::new(Fake { delay: Duration::from_millis(10), ..Fake::new(COUNT) });
    Setup::new(Path::new(&dir)).load(&fake, &shuffled(COUNT)).unwrap();
}

#[test]
fn a_killed_writer_is_continued() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "packed_cache::child_decodes_slowly"])
        .env(DIR, dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stored = || {
        let entry = std::fs::read_dir(dir.path()).ok()?.next()?.ok()?.path();
        Some(std::fs::metadata(entry.join("index.bin")).ok()?.len() / 32)
    };
    while stored().unwrap_or(0) < 20 {
        assert!(child.try_wait().unwrap().is_none(), "the child ended early");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    let kept = stored().unwrap() as usize;
    // Part of a record, as a write that was cut off leaves it.
    let index = entry(dir.path()).join("index.bin");
    let mut bytes = std::fs::read(&index).unwrap();
    bytes.extend([7; 17]);
    std::fs::write(&index, bytes).unwrap();
    let fake = Arc::new(Fake::new(COUNT));
    assert_holds(&Setup::new(dir.path()).load(&fake, &shuffled(COUNT)).unwrap(), &fake, &shuffled(COUNT));
    let decoded = fake.take_reads();
    assert!(kept < COUNT && decoded == COUNT - kept, "{kept} were kept and {decoded} decoded of {COUNT}");
    Setup::new(dir.path()).load(&fake, &shuffled(COUNT)).unwrap();
    assert_eq!(fake.take_reads(), 0);
}

#[test]
fn batches_gathered_ahead_are_those_of_the_plan_in_its_order() {
    for place in [CachePlace::Disk, CachePlace::Host] {
        let dir = tempfile::tempdir().unwrap();
        let fake = Arc::new(Fake::new(50));
        let source = Setup { place, ..Setup::new(dir.path()) }.load(&fake, &shuffled(50)).unwrap();
        let plan: Vec<Vec<usize>> = shuffled(50).chunks(7).map(<[usize]>::to_vec).collect();
        let gathered: Vec<_> = source.batches(plan.clone(), Device::Cpu).map(|batch| batch.unwrap()).collect();
        assert_eq!(gathered.len(), 8);
        for (places, batch) in plan.iter().zip(gathered) {
            let expected = source.batch(places, Device::Cpu).unwrap();
            assert_eq!(batch.ids, expected.ids);
            assert_eq!(batch.images.pixels, expected.images.pixels);
            assert_eq!(batch.images.sizes, expected.images.sizes);
            assert_eq!(batch.labels, expected.labels);
        }
        // One that is dropped before its end does not hang.
        assert!(source.batches(plan, Device::Cpu).next().is_some());
    }
}

#[test]
fn a_block_of_pixels_is_taken_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut fake = Fake { unequal: false, ..Fake::new(9) };
    fake.block = Some((0..9).flat_map(|index| fake.image(index).data).collect());
    let fake = Arc::new(fake);
    let source = Setup { side: Some(1), ..Setup::new(dir.path()) }.load(&fake, &[8, 0, 3]).unwrap();
    assert_holds(&source, &fake, &[8, 0, 3]);
    assert_eq!((fake.take_reads(), source.image_size(), source.is_uniform()), (0, Size { height: 3, width: 2 }, true));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn pixels_stay_on_disk_only_under_a_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake { fingerprint: None, ..Fake::new(4) });
    let disk = Setup { place: CachePlace::Disk, ..Setup::new(dir.path()) };
    let error = disk.load(&fake, &[0, 1]).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Configuration);
    assert!(error.to_string().contains("fingerprint") && error.to_string().contains("data.cache"), "{error}");
}
