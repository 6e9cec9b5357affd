//! Several processes end together, and say why once.

use super::{TINY, start};
use selfsame_tests::weights::newest_checkpoint;
use selfsame_tests::{Ran, Running, Sandbox, launcher};
use std::path::Path;
use std::time::{Duration, Instant};

/// Waits until a checkpoint of at least `step` is there.
fn wait_for_step(running: &mut Running, run: &Path, step: u64) {
    let started = Instant::now();
    loop {
        let names = std::fs::read_dir(run.join("checkpoints")).into_iter().flatten().flatten();
        let steps = names.filter_map(|entry| entry.file_name().to_str()?.strip_prefix("step-")?.parse::<u64>().ok());
        if steps.max() >= Some(step) {
            return;
        }
        assert!(running.try_wait().expect("its state").is_none(), "the run ended before step {step}");
        assert!(started.elapsed() < Duration::from_secs(120), "no checkpoint of step {step}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The processes that a launcher has started, by rank.
fn children(launcher: &Running) -> Vec<i32> {
    let path = format!("/proc/{0}/task/{0}/children", launcher.id());
    let text = std::fs::read_to_string(path).expect("the launcher's children");
    text.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

fn send(process: i32, signal: i32) {
    // SAFETY: the process is a child of our child, which has not ended.
    assert_eq!(unsafe { libc::kill(process, signal) }, 0);
}

pub(super) const LONG: &str = "--set scheduler.epochs=200 --set train.checkpoint_every_steps=1";

/// That nothing of a run is left, and that it goes on.
#[track_caller]
fn goes_on(sandbox: &Sandbox, children: &[i32], processes: usize) {
    for child in children {
        assert!(!Path::new(&format!("/proc/{child}")).exists(), "process {child} is left");
    }
    let more = "--set scheduler.epochs=200 --set train.checkpoint_every_steps=1 --resume";
    let mut resumed = start(sandbox, processes, "run", more);
    let from = newest_checkpoint(&sandbox.path("run"));
    let step: u64 =
        from.to_str().and_then(|path| path.rsplit('-').next()).and_then(|step| step.parse().ok()).expect("a step");
    wait_for_step(&mut resumed, &sandbox.path("run"), step + 2);
    resumed.signal(libc::SIGTERM);
    let ran = resumed.finish();
    assert_eq!(ran.code, Some(143), "{}", ran.stderr);
    assert!(ran.stderr.contains("continuing after step"), "{}", ran.stderr);
}

/// Waits until the run tells that it is about `what`, in its file of events.
fn wait_for_phase(running: &mut Running, events: &Path, what: &str) {
    let started = Instant::now();
    loop {
        let text = std::fs::read_to_string(events).unwrap_or_default();
        if text.lines().any(|line| line.contains("\"phase\"") && line.contains(what)) {
            return;
        }
        assert!(running.try_wait().expect("its state").is_none(), "the run ended before {what}");
        assert!(started.elapsed() < Duration::from_secs(120), "nothing of {what}: {text}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(super) fn errors(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().filter(|line| line.contains("error:")).collect()
}

#[test]
fn a_killed_process_ends_all_with_one_message_and_the_run_goes_on() {
    let sandbox = Sandbox::new();
    for rank in [0, 1, 2] {
        let more = if rank == 0 { LONG.to_owned() } else { format!("{LONG} --resume") };
        let sandbox_run = sandbox.path("run");
        let _ = std::fs::remove_dir_all(&sandbox_run);
        let mut running =
            sandbox.start(&format!("train {TINY} {more} --set train.batch_size=15 --output-dir run --processes 3"));
        wait_for_step(&mut running, &sandbox_run, 2 + rank as u64);
        let all = children(&running);
        assert_eq!(all.len(), 3);
        send(all[rank], libc::SIGKILL);
        let ran = running.finish();
        assert_eq!(ran.code, Some(6), "{rank}: {}", ran.stderr);
        let errors = errors(&ran);
        assert_eq!(errors.len(), 1, "{rank}: {}", ran.stderr);
        for part in [&format!("process {rank} is gone"), "the last checkpoint is of step", "--resume"] {
            assert!(errors[0].contains(part), "{rank}: {}", ran.stderr);
        }
        if rank != 0 {
            // Process 0 writes the record, and cannot when it is the one that is killed.
            let record: serde_json::Value =
                serde_json::from_slice(&std::fs::read(sandbox_run.join("run.json")).unwrap()).unwrap();
            assert_eq!(record["status"], "failed", "{rank}");
        }
        for child in all {
            assert!(!Path::new(&format!("/proc/{child}")).exists(), "process {child} is left");
        }
    }
}

/// In whatever a run is, one that is killed there ends all, with one message, and leaves a folder that a run goes on in.
#[test]
fn a_process_may_be_killed_at_any_work() {
    let sandbox = Sandbox::new();
    for class in ["one", "two"] {
        std::fs::create_dir_all(sandbox.path(&format!("pictures/{class}"))).unwrap();
        for number in 0..24_u8 {
            let pixel = |x: u32, y: u32| image::Rgb([number.wrapping_mul(9), (x * 3) as u8, (y * x) as u8]);
            let path = sandbox.path(&format!("pictures/{class}/{number}.png"));
            image::RgbImage::from_fn(48, 48, pixel).save(path).unwrap();
        }
    }
    let own = TINY
        .replace("dataset.name=shapes --set dataset.options.train_size=36", "dataset.name=ImageFolder")
        .replace("data.limit.val=20", "data.val_fraction=0.3");
    let run = |more: &str| {
        format!(
            "train {own} --set dataset.dataset_dir=pictures --set preprocess.resize=32 --set \
             preprocess.center_crop_size=32 --output-dir run --resume --processes 2 {more}"
        )
    };
    for (rank, what) in [
        (0, "decode ImageFolder train"),
        (1, "opening ImageFolder train"),
        (1, "untrained encoder: linear probe"),
        (0, "epoch 1/2: nearest neighbours"),
        (1, "epoch 2/2: saving a checkpoint"),
        (0, "epoch 2/2: linear probe"),
    ] {
        for left in ["run", "cache"] {
            let _ = std::fs::remove_dir_all(sandbox.path(left));
        }
        let _ = std::fs::remove_file(sandbox.path("events"));
        let mut running = sandbox.start(&run("--progress json:events"));
        wait_for_phase(&mut running, &sandbox.path("events"), what);
        let all = children(&running);
        send(all[rank], libc::SIGKILL);
        let ran = running.finish();
        assert_eq!(ran.code, Some(6), "{what}: {}", ran.stderr);
        let errors = errors(&ran);
        assert_eq!(errors.len(), 1, "{what}: {}", ran.stderr);
        assert!(errors[0].contains(&format!("process {rank} is gone")), "{what}: {}", ran.stderr);
        sandbox.run(&run("")).succeeded();
        assert!(sandbox.path("run/encoder.safetensors").exists(), "{what}");
    }
}

/// Before the processes have met, nobody but the one that started them can tell.
#[test]
fn a_process_that_is_killed_before_all_have_met_is_told_of() {
    let sandbox = Sandbox::new();
    for rank in [0, 1] {
        let running = start(&sandbox, 2, "run", "");
        let started = Instant::now();
        let all = loop {
            let all = children(&running);
            if all.len() == 2 {
                break all;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{all:?}");
        };
        send(all[rank], libc::SIGKILL);
        let ran = running.finish();
        let errors = errors(&ran);
        assert_eq!((ran.code, errors.len()), (Some(6), 1), "{rank}: {}", ran.stderr);
        for part in [&format!("process {rank} is gone"), "signal 9", "start them again"] {
            assert!(errors[0].contains(part), "{rank}: {}", ran.stderr);
        }
    }
}

/// A plugin that fails in one process alone.
#[test]
fn a_hostile_plugin_on_one_process_ends_all_with_one_message() {
    for (fault, code, parts) in [
        ("panic:open", 4, &["process 1", "selfsame-hostile-plugin", "`Dataset::open` panicked"][..]),
        ("wrong:class", 4, &["process 1", "selfsame-hostile-plugin", "sample 3 has label 2"]),
        ("missing", 3, &["process 1", "`images.bin` is missing"]),
        ("segv:block", 6, &["process 1 is gone"]),
        ("abort:targets", 6, &["process 1 is gone"]),
    ] {
        let sandbox = Sandbox::new();
        std::fs::create_dir(sandbox.path("plugins")).unwrap();
        std::fs::copy(selfsame_tests::test_plugin("hostile"), sandbox.path("plugins/libhostile.so")).unwrap();
        let small = "--set dataset.name=hostile --set train.self_supervision.encoder_name=tiny --set train.batch_size=2 \
                     --set method.projection.hidden_dim=16 --set method.projection.output_dim=8 --set train.device=cpu \
                     --set knn.k=1 --set scheduler.epochs=1 --set data.val_fraction=0.5";
        let member = |fault: &str| {
            let mut command = sandbox.command(&format!("train {small} --output-dir run"));
            command.env("HOSTILE", fault);
            command
        };
        let ran = launcher::pair([member(""), member(fault)]);
        let all: String = ran.iter().map(|ran| ran.stderr.as_str()).collect();
        assert_eq!(ran[0].code, Some(code), "{fault}: {all}");
        let errors: Vec<&str> = all.lines().filter(|line| line.contains("error:")).collect();
        // One that a signal ends says by which plugin, and the other one that it is gone.
        let crashes = fault.starts_with("segv") || fault.starts_with("abort");
        assert_eq!(errors.len(), 1 + usize::from(crashes), "{fault}: {all}");
        parts.iter().for_each(|part| assert!(errors[0].contains(part), "{fault}: {all}"));
        assert!(!crashes || errors[1].contains("`selfsame-hostile-plugin` crashed the process"), "{fault}: {all}");
    }
}

/// Kills a process five times, at moments between its start and the end of a run that would take about as long, and lets the
/// run go on each time: it ends with the bits of one that nothing disturbed.
fn killed_at_random_moments(rank: usize) {
    let sandbox = Sandbox::new();
    let more = "--set scheduler.epochs=12 --set train.checkpoint_every_steps=1";
    start(&sandbox, 2, "undisturbed", more).finish().succeeded();
    for kill in 0..5 {
        let mut running = start(&sandbox, 2, "run", &format!("{more} --resume"));
        let mut processes = children(&running);
        while processes.len() < 2 && running.try_wait().expect("its state").is_none() {
            std::thread::sleep(Duration::from_millis(1));
            processes = children(&running);
        }
        let moment = rand::random_range(0..1000);
        std::thread::sleep(Duration::from_millis(moment));
        let is_killed = running.try_wait().expect("its state").is_none() && {
            // SAFETY: a number that is no longer a process's is an error alone.
            unsafe { libc::kill(processes[rank], libc::SIGKILL) == 0 }
        };
        let ran = running.finish();
        match ran.code {
            Some(0) => break,
            code => assert!(code == Some(6) && is_killed, "{kill}, {moment} ms: {code:?}: {}", ran.stderr),
        }
        let errors = errors(&ran);
        let is_named = errors.len() == 1 && errors[0].contains(&format!("process {rank} is gone"));
        assert!(is_named, "{kill}, {moment} ms: {}", ran.stderr);
    }
    start(&sandbox, 2, "run", &format!("{more} --resume")).finish().succeeded();
    let weights =
        |run: &str| std::fs::read(sandbox.path(run).join("encoder.safetensors")).expect("encoder.safetensors");
    assert!(weights("run") == weights("undisturbed"));
}

#[test]
fn process_0_may_be_killed_at_any_moment() {
    killed_at_random_moments(0);
}

#[test]
fn another_process_may_be_killed_at_any_moment() {
    killed_at_random_moments(1);
}

#[test]
fn signals_to_any_process_or_to_the_launcher_save_once_and_stop_all() {
    let sandbox = Sandbox::new();
    for (to, signal, code) in [(None, libc::SIGTERM, 143), (Some(1), libc::SIGTERM, 143), (Some(0), libc::SIGINT, 130)]
    {
        let _ = std::fs::remove_dir_all(sandbox.path("run"));
        let mut running = start(&sandbox, 2, "run", LONG);
        wait_for_step(&mut running, &sandbox.path("run"), 2);
        let all = children(&running);
        match to {
            None => running.signal(signal),
            Some(rank) => send(all[rank], signal),
        }
        let ran = running.finish();
        assert_eq!(ran.code, Some(code), "{to:?}: {}", ran.stderr);
        let errors = errors(&ran);
        assert_eq!(errors.len(), 1, "{to:?}: {}", ran.stderr);
        assert!(errors[0].contains("stopped by a signal after step"), "{}", ran.stderr);
        if to.is_none() {
            goes_on(&sandbox, &all, 2);
        }
    }
}

/// Stops a process in the midst of training, which then neither ends nor answers.
pub(super) fn ends_where_one_hangs(mut running: Running, run: &Path, rank: usize) {
    wait_for_step(&mut running, run, 2);
    send(children(&running)[rank], libc::SIGSTOP);
    let ran = running.finish();
    assert_eq!(ran.code, Some(6), "{rank}: {}", ran.stderr);
    let errors = errors(&ran);
    assert_eq!(errors.len(), 1, "{rank}: {}", ran.stderr);
    assert!(errors[0].contains(&format!("process {rank} does not answer")), "{rank}: {}", ran.stderr);
}

#[test]
fn a_process_that_hangs_ends_all_and_is_named() {
    let sandbox = Sandbox::new();
    for rank in [1, 0] {
        let _ = std::fs::remove_dir_all(sandbox.path("run"));
        let running = start(&sandbox, 2, "run", &format!("{LONG} --set train.collective_timeout=3"));
        ends_where_one_hangs(running, &sandbox.path("run"), rank);
    }
}

#[test]
fn one_process_opens_no_socket() {
    let sandbox = Sandbox::new();
    let mut running = start(&sandbox, 1, "run", LONG);
    wait_for_step(&mut running, &sandbox.path("run"), 2);
    let open = std::fs::read_dir(format!("/proc/{}/fd", running.id())).expect("its open files").flatten();
    let open: Vec<_> = open.filter_map(|entry| std::fs::read_link(entry.path()).ok()).collect();
    assert!(!open.is_empty() && open.iter().all(|file| !file.to_string_lossy().starts_with("socket:")), "{open:?}");
}

#[test]
fn what_several_processes_cannot_do_is_refused_before_the_first_step() {
    let sandbox = Sandbox::new();
    start(&sandbox, 2, "run", "--set train.batch_size=33")
        .finish()
        .failed(2, &["`train.batch_size` is 33", "2 processes"]);
    start(&sandbox, 2, "run", "--set train.batch_size=12 --set train.micro_batch_size=3")
        .finish()
        .failed(2, &["`train.micro_batch_size` is 3"]);
    start(&sandbox, 2, "run", "--set train.collectives=nccl")
        .finish()
        .failed(2, &["`train.collectives` is `nccl`", "computes on the CPU"]);
    let mut command = sandbox.command("evaluate run");
    command.envs([("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1")]);
    Running::start(&mut command).finish().failed(2, &["only `selfsame train`"]);
}

#[test]
fn processes_that_differ_or_fail_alone_end_all_with_one_message() {
    for (second, code, parts) in [
        ("--set train.base_lr=0.2", 2, &["process 1", "`train.base_lr`", "0.2 here", "0.1 in process 0"][..]),
        (
            "--set dataset.options.seed=9",
            2,
            &["process 1", "these differ: `dataset.options.seed`: 9 here, nothing in process 0"],
        ),
        ("--set train.device=cuda:7", 2, &["process 1", "`cuda:7`"]),
    ] {
        let sandbox = Sandbox::new();
        let member = |more: &str| sandbox.command(&format!("train {TINY} --output-dir run {more}"));
        let ran = launcher::pair([member(""), member(second)]);
        let codes = [ran[0].code, ran[1].code];
        let all: String = ran.iter().map(|ran| ran.stderr.as_str()).collect();
        assert_eq!(codes, [Some(code); 2], "{second}: {all}");
        let errors: Vec<&str> = all.lines().filter(|line| line.contains("error:")).collect();
        assert_eq!(errors.len(), 1, "{second}: {all}");
        parts.iter().for_each(|part| assert!(errors[0].contains(part), "{second}: {all}"));
    }
}
