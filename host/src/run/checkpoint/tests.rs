use super::*;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tch::Kind;

fn groups(value: f32) -> [(&'static str, Vec<(String, Tensor)>); 2] {
    let weight = Tensor::from_slice(&[value, 2.0, 3.0]);
    let model = vec![
        ("conv1.weight".to_owned(), weight.shallow_clone()),
        ("bn1.num_batches_tracked".to_owned(), Tensor::from(5i64)),
        ("half".to_owned(), weight.to_kind(Kind::BFloat16)),
    ];
    [("model", model), ("optimizer", vec![("conv1.weight.momentum".to_owned(), weight)])]
}

impl CheckpointWriter {
    /// As [`BackgroundWriter`] does it, at once.
    fn save(
        &self,
        step: u64,
        groups: &[(&str, Vec<(String, Tensor)>)],
        state: &Value,
        keep: bool,
    ) -> Result<Checkpoint, Error> {
        self.save_prepared(&self.prepare(step, groups, state, keep)?)
    }
}

fn writer(run_dir: &Path) -> CheckpointWriter {
    CheckpointWriter::with_storage(run_dir, Box::new(Disk)).unwrap()
}

fn save(run_dir: &Path, step: u64, keep: bool) -> Checkpoint {
    writer(run_dir).save(step, &groups(step as f32), &serde_json::json!({ "step": step }), keep).unwrap()
}

fn folders(run_dir: &Path) -> Vec<String> {
    let mut names = names(&run_dir.join(CHECKPOINTS_DIR)).unwrap();
    names.sort();
    names
}

/// The first value of the newest checkpoint's first tensor, which [`groups`] got as `value`.
fn latest_value(run_dir: &Path) -> f64 {
    let contents = latest(run_dir).unwrap().unwrap().load().unwrap();
    contents.groups["model"]["conv1.weight"].double_value(&[0])
}

/// Numbers that look random and are the same in each run (xorshift64*, Vigna 2016).
fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut x = seed;
    move |below| {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        (x.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }
}

#[test]
fn everything_saved_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    assert!(latest(dir.path()).unwrap().is_none());
    let state = serde_json::json!({ "epoch": 3, "nested": { "list": [1, "two", null, 0.1] } });
    writer(dir.path()).save(42, &groups(1.5), &state, false).unwrap();
    assert_eq!(folders(dir.path()), ["step-00000042"]);
    let found = latest(dir.path()).unwrap().unwrap();
    assert_eq!(found.step, 42);
    let contents = found.load().unwrap();
    assert_eq!(contents.state, state);
    assert_eq!(contents.groups.len(), 2);
    for (group, tensors) in groups(1.5) {
        assert_eq!(contents.groups[group].len(), tensors.len());
        for (name, tensor) in tensors {
            let read = &contents.groups[group][&name];
            assert!(read.equal(&tensor) && read.kind() == tensor.kind(), "{name}");
        }
    }
}

#[test]
fn the_newest_and_those_held_for_good_stay() {
    let dir = tempfile::tempdir().unwrap();
    for (step, keep) in [(1, true), (2, false), (3, false), (4, true), (5, false)] {
        save(dir.path(), step, keep);
    }
    assert_eq!(folders(dir.path()), ["step-00000001", "step-00000004", "step-00000005"]);
}

#[test]
fn a_damaged_newer_one_is_passed_over_and_stays_for_inspection() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), 1, true);
    let newer = save(dir.path(), 2, false);
    fs::write(newer.path.join(STATE_FILE), "{}").unwrap();
    assert_eq!(latest(dir.path()).unwrap().unwrap().step, 1);
    let error = newer.load().unwrap_err().to_string();
    assert!(error.contains("step-00000002") && error.contains("`state.json` has 2 bytes"), "{error}");
    save(dir.path(), 3, false);
    assert_eq!(folders(dir.path()), ["step-00000001", "step-00000002", "step-00000003"]);
}

#[test]
fn a_step_can_be_saved_again() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), 2, true);
    writer(dir.path()).save(2, &groups(7.0), &Value::Null, false).unwrap();
    assert_eq!((folders(dir.path()), latest_value(dir.path())), (vec!["step-00000002".to_owned()], 7.0));
    save(dir.path(), 3, false); // 2 was held for good once, so it still is
    for _ in 0..2 {
        fs::write(dir.path().join("checkpoints/step-00000003/model.safetensors"), "?").unwrap();
        save(dir.path(), 3, false);
    }
    let expected = ["step-00000002", "step-00000003", "step-00000003.damaged", "step-00000003.damaged-2"];
    assert_eq!(folders(dir.path()), expected);
}

#[test]
fn only_our_own_temporary_folders_are_cleared() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), 1, false);
    let mine = [".step-00000002.new-123", ".step-00000001.gone-1"];
    let others = [".step-2.new-123", ".step-00000002.new-mine", ".cache", "notes", "step-00000002.new-1"];
    for name in mine.iter().chain(&others) {
        fs::create_dir(dir.path().join(CHECKPOINTS_DIR).join(name)).unwrap();
    }
    writer(dir.path());
    let left = folders(dir.path());
    assert!(mine.iter().all(|name| !left.contains(&(*name).to_owned())), "{left:?}");
    assert!(others.iter().all(|name| left.contains(&(*name).to_owned())), "{left:?}");
}

#[test]
fn a_groups_name_must_be_a_files_name() {
    let dir = tempfile::tempdir().unwrap();
    for bad in ["", "../model", "Model"] {
        let error = writer(dir.path()).save(1, &[(bad, vec![])], &Value::Null, false).unwrap_err();
        assert!(error.to_string().contains(&format!("group `{bad}`: a name is made of")), "{error}");
    }
    let twice = [("model", vec![]), ("model", vec![])];
    assert!(writer(dir.path()).save(1, &twice, &Value::Null, false).is_err());
    assert!(folders(dir.path()).is_empty());
}

#[test]
fn every_flipped_bit_and_every_truncation_is_detected() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = save(dir.path(), 1, false);
    let mut random = random(1);
    let mut changes = 0;
    let mut undetected = |path: &Path, bytes: &[u8]| {
        fs::write(path, bytes).unwrap();
        changes += 1;
        verify(&checkpoint.path, 1).is_ok() || latest(dir.path()).unwrap().is_some() || checkpoint.load().is_ok()
    };
    let files = names(&checkpoint.path).unwrap();
    assert_eq!(files.len(), 4);
    for file in files {
        let path = checkpoint.path.join(&file);
        let good = fs::read(&path).unwrap();
        let header = if file.ends_with(TENSORS) { 8 + good[0] as usize + 256 * good[1] as usize } else { good.len() };
        let in_header = (0..header).map(|byte| (byte, byte % 8));
        let anywhere = (0..500).map(|_| (random(good.len()), random(8))).collect::<Vec<_>>();
        for (byte, bit) in in_header.chain(anywhere) {
            let mut bad = good.clone();
            bad[byte] ^= 1 << bit;
            assert!(!undetected(&path, &bad), "{file}: bit {bit} of byte {byte}");
        }
        for length in 0..good.len() {
            assert!(!undetected(&path, &good[..length]), "{file}: cut to {length} bytes");
        }
        fs::remove_file(&path).unwrap();
        assert!(latest(dir.path()).unwrap().is_none(), "{file}: removed");
        fs::write(&path, good).unwrap();
    }
    assert!(changes > 3_000);
    assert!(latest(dir.path()).unwrap().is_some());
    fs::rename(&checkpoint.path, checkpoint.path.with_file_name("step-00000009")).unwrap();
    assert!(latest(dir.path()).unwrap().is_none(), "under another step's name");
}

/// A disk whose k-th operation fails, half done; and, if `for_good`, every one after it, as when the process is killed.
struct Faulty {
    calls: Arc<AtomicUsize>,
    fail_at: usize,
    for_good: bool,
    errno: i32,
}

impl Faulty {
    fn check(&self, half: impl FnOnce()) -> io::Result<()> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if call == self.fail_at {
            half();
        }
        if call == self.fail_at || (self.for_good && call > self.fail_at) {
            return Err(io::Error::from_raw_os_error(self.errno));
        }
        Ok(())
    }
}

impl Storage for Faulty {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.check(|| ())?;
        Disk.create_dir(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<fs::File> {
        self.check(|| fs::write(path, &bytes[..bytes.len() / 2]).unwrap())?;
        Disk.write(path, bytes)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.check(|| ())?;
        Disk.sync_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.check(|| ())?;
        Disk.sync_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(|| ())?;
        Disk.rename(from, to)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let first = || fs::remove_file(fs::read_dir(path).unwrap().next().unwrap().unwrap().path()).unwrap();
        self.check(first)?;
        Disk.remove_dir_all(path)
    }
}

#[test]
fn a_failure_at_any_operation_leaves_the_old_or_the_new_checkpoint() {
    const ERRNOS: [i32; 4] = [28, 5, 13, 122]; // ENOSPC, EIO, EACCES, EDQUOT
    let mut runs = 0;
    for (errno, for_good, again) in
        ERRNOS.iter().flat_map(|&e| [(e, false, false), (e, true, false), (e, false, true), (e, true, true)])
    {
        for fail_at in 1.. {
            let dir = tempfile::tempdir().unwrap();
            save(dir.path(), 1, false);
            let step = if again { 1 } else { 2 };
            let calls = Arc::new(AtomicUsize::new(0));
            let storage = Faulty { calls: Arc::clone(&calls), fail_at, for_good, errno };
            let result = CheckpointWriter::with_storage(dir.path(), Box::new(storage))
                .and_then(|writer| writer.save(step, &groups(9.0), &Value::Null, false));
            if calls.load(Ordering::SeqCst) < fail_at {
                assert!(result.is_ok() && fail_at > 10);
                break;
            }
            runs += 1;
            let context = format!("operation {fail_at}, error {errno}, for good {for_good}, again {again}");
            let value = latest_value(dir.path());
            assert!(value == 9.0 || (value == 1.0 && result.is_err()), "{context}: {value}");
            for committed in committed(&dir.path().join(CHECKPOINTS_DIR)).unwrap() {
                assert!(verify(&committed.path, committed.step).is_ok(), "{context}: half of {:?}", committed.path);
            }
            if let Err(error) = result {
                let error = error.to_string();
                let named = error.contains(dir.path().to_str().unwrap());
                assert!(named && error.contains(&format!("(os error {errno})")), "{context}: {error}");
            }
            save(dir.path(), 3, false);
            assert_eq!(folders(dir.path()), ["step-00000003"], "{context}");
        }
    }
    println!("{runs} runs, 0 failures");
}

/// One operation, with paths below the run's folder.
#[derive(Clone)]
enum Op {
    CreateDir(PathBuf),
    Write(PathBuf, Vec<u8>),
    SyncFile(PathBuf),
    SyncDir(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

struct Recorder {
    root: PathBuf,
    log: Arc<Mutex<Vec<Op>>>,
}

impl Recorder {
    fn note(&self, op: impl FnOnce(&dyn Fn(&Path) -> PathBuf) -> Op) {
        self.log.lock().unwrap().push(op(&|path| path.strip_prefix(&self.root).unwrap().to_owned()));
    }
}

impl Storage for Recorder {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.note(|below| Op::CreateDir(below(path)));
        Disk.create_dir(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<fs::File> {
        self.note(|below| Op::Write(below(path), bytes.to_vec()));
        Disk.write(path, bytes)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.note(|below| Op::SyncFile(below(path)));
        Disk.sync_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.note(|below| Op::SyncDir(below(path)));
        Disk.sync_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note(|below| Op::Rename(below(from), below(to)));
        Disk.rename(from, to)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.note(|below| Op::Remove(below(path)));
        Disk.remove_dir_all(path)
    }
}

/// Does to `root` what a disk may hold after a power cut that follows `ops`: an operation that was not synced may be
/// there, half there, or not there. Later operations on what is missing have no effect.
fn replay_with_losses(root: &Path, ops: &[Op], random: &mut impl FnMut(usize) -> usize) {
    for (i, op) in ops.iter().enumerate() {
        let name_is_safe = |path: &Path| {
            ops[i..].iter().any(|later| matches!(later, Op::SyncDir(dir) if Some(dir.as_path()) == path.parent()))
        };
        let lost = match op {
            Op::CreateDir(path) | Op::Write(path, _) | Op::Rename(_, path) | Op::Remove(path) => {
                !name_is_safe(path) && random(2) == 0
            }
            Op::SyncFile(_) | Op::SyncDir(_) => true,
        };
        if lost {
            continue;
        }
        let _ = match op {
            Op::CreateDir(path) => Disk.create_dir(&root.join(path)),
            Op::Write(path, bytes) => {
                let safe = ops[i..].iter().any(|later| matches!(later, Op::SyncFile(file) if file == path));
                let mut bytes = bytes.clone();
                match random(3) {
                    0 if !safe => bytes.truncate(random(bytes.len())),
                    1 if !safe => bytes.fill(0),
                    _ => {}
                }
                Disk.write(&root.join(path), &bytes).map(drop)
            }
            Op::Rename(from, to) => Disk.rename(&root.join(from), &root.join(to)),
            Op::Remove(path) => Disk.remove_dir_all(&root.join(path)),
            Op::SyncFile(_) | Op::SyncDir(_) => Ok(()),
        };
    }
}

#[test]
fn a_power_cut_that_loses_unsynced_writes_loses_no_committed_checkpoint() {
    let recorded = tempfile::tempdir().unwrap();
    let log = Arc::new(Mutex::new(Vec::new()));
    let storage = Recorder { root: recorded.path().to_owned(), log: Arc::clone(&log) };
    let writer = CheckpointWriter::with_storage(recorded.path(), Box::new(storage)).unwrap();
    let mut safe_after = Vec::new(); // operations after which a value must be there
    for (step, value) in [(1, 1.0), (2, 2.0), (2, 3.0), (3, 4.0)] {
        writer.save(step, &groups(value as f32), &Value::Null, false).unwrap();
        safe_after.push((log.lock().unwrap().len(), value));
    }
    let ops = log.lock().unwrap().clone();
    let mut random = random(7);
    for cut in 0..500 {
        let length = random(ops.len() + 1);
        let dir = tempfile::tempdir().unwrap();
        replay_with_losses(dir.path(), &ops[..length], &mut random);
        let found = latest(dir.path()).unwrap().map_or(0.0, |_| latest_value(dir.path()));
        let safe = safe_after.iter().filter(|(after, _)| *after <= length).map(|(_, v)| *v).next_back().unwrap_or(0.0);
        assert!(found == safe || found == safe + 1.0, "cut {cut} after {length} operations: {found}, committed {safe}");
        CheckpointWriter::with_storage(dir.path(), Box::new(Disk)).unwrap();
    }
}

#[test]
fn a_checkpoint_holds_what_was_when_it_was_begun() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path();
    let metrics = run.join(METRICS_FILE);
    fs::write(&metrics, "before\n").unwrap();
    let background = BackgroundWriter::new(writer(run));
    assert!(background.finish().unwrap().is_none() && !background.has_any());
    let mut now = groups(1.0);
    background.begin(1, &now, &Value::Null, false).unwrap();
    let _ = now[0].1[0].1.fill_(7.0);
    fs::write(&metrics, "before\nafter\n").unwrap();
    // The second waits for the first.
    background.begin(2, &now, &Value::Null, true).unwrap();
    let _ = now[0].1[0].1.fill_(8.0);
    assert_eq!(background.finish().unwrap(), Some(2));
    assert_eq!(background.finished().unwrap(), None);
    assert_eq!(latest_value(run), 7.0);
    assert_eq!(latest(run).unwrap().unwrap().changed_metrics(run), None);
    background.begin(3, &groups(3.0), &Value::Null, false).unwrap();
    drop(background);
    assert_eq!((latest_value(run), folders(run)), (3.0, vec!["step-00000002".into(), "step-00000003".into()]));
    fs::write(&metrics, "other\n").unwrap();
    assert!(latest(run).unwrap().unwrap().changed_metrics(run).is_some());
}

#[test]
fn a_failure_in_the_background_is_told_at_the_next_checkpoint_and_loses_none() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), 1, false);
    let storage = Faulty { calls: Arc::new(AtomicUsize::new(0)), fail_at: 4, for_good: true, errno: 28 };
    let background = BackgroundWriter::new(CheckpointWriter::with_storage(dir.path(), Box::new(storage)).unwrap());
    background.begin(2, &groups(2.0), &Value::Null, false).unwrap();
    let error = background.begin(3, &groups(3.0), &Value::Null, false).unwrap_err().to_string();
    assert!(error.contains("(os error 28)"), "{error}");
    assert_eq!(latest_value(dir.path()), 1.0);
}
