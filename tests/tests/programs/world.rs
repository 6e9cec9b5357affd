//! Several processes on this machine compute what one computes, and end together.

use safetensors::SafeTensors;
use selfsame_tests::{Ran, Running, Sandbox, metrics};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Four steps of 16 images in two epochs, with batch norm; what is measured is small.
const TINY: &str = "--set dataset.name=shapes --set dataset.options.train_size=36 --set data.limit.train=32 \
                    --set data.limit.val=20 --set train.self_supervision.encoder_name=resnet8 \
                    --set train.batch_size=16 --set method.projection.hidden_dim=16 --set method.projection.output_dim=8 \
                    --set train.device=cpu --set knn.k=5 --set scheduler.epochs=2 --set optimizer.name=sgd \
                    --set train.base_lr=0.1 --set optimizer.lr_scaling=none --set train.collective_timeout=60";

/// Every method, with heads of a few numbers.
const METHODS: [&str; 9] = [
    "--set train.self_supervision.type=simclr",
    "--set train.self_supervision.type=byol --set method.byol.predictor_hidden_dim=16",
    "--set train.self_supervision.type=barlow_twins --set train.encoder_ema_decay=0.9",
    "--set train.self_supervision.type=vicreg --set optimizer.clip_grad_norm=0.5",
    "--set train.self_supervision.type=simsiam --set method.simsiam.predictor_hidden_dim=16",
    "--set train.self_supervision.type=moco_v2 --set method.moco_v2.queue_size=40",
    "--set train.self_supervision.type=moco_v3 --set method.moco_v3.predictor_hidden_dim=16",
    "--set train.self_supervision.type=dino --set method.dino.prototypes=32 \
     --set augmentation.views=[{\"count\":2},{\"count\":2,\"size\":16}]",
    "--set train.self_supervision.type=lejepa --set method.lejepa.directions=16",
];

const ONE_STEP: &str = "--set data.limit.train=16 --set scheduler.epochs=1 --set scheduler.warmup_epochs=0 \
                        --set knn.every_epochs=0";

fn start(sandbox: &Sandbox, processes: usize, run: &str, more: &str) -> Running {
    sandbox.start(&format!("train {TINY} {more} --output-dir {run} --processes {processes}"))
}

fn train(sandbox: &Sandbox, processes: usize, run: &str, more: &str) -> PathBuf {
    start(sandbox, processes, run, more).finish().succeeded();
    sandbox.path(run)
}

fn newest_checkpoint(run: &Path) -> PathBuf {
    let checkpoints = std::fs::read_dir(run.join("checkpoints")).expect("checkpoints");
    checkpoints.map(|entry| entry.expect("an entry").path()).max().expect("a checkpoint")
}

/// All float tensors of the newest checkpoint: weights, running statistics, networks that follow, queues, optimiser, head.
fn state(run: &Path) -> BTreeMap<String, Vec<f32>> {
    let mut all = BTreeMap::new();
    for group in ["model", "optimizer", "head"] {
        let Ok(bytes) = std::fs::read(newest_checkpoint(run).join(format!("{group}.safetensors"))) else { continue };
        for (name, tensor) in SafeTensors::deserialize(&bytes).expect("a safetensors file").tensors() {
            if tensor.dtype() == safetensors::Dtype::F32 {
                let values = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                all.insert(format!("{group} {name}"), values.collect());
            }
        }
    }
    all
}

/// The largest difference of two states, over max(1, |w|), and where it is.
fn difference(one: &Path, other: &Path) -> (f64, String) {
    let (one, other) = (state(one), state(other));
    assert!(one.keys().eq(other.keys()));
    let mut worst = (0.0, String::new());
    for (name, values) in &one {
        assert_eq!(values.len(), other[name].len(), "{name}");
        for (a, b) in values.iter().zip(&other[name]) {
            let relative = f64::from((a - b).abs() / a.abs().max(1.0));
            assert!(relative.is_finite(), "{name}: {a} and {b}");
            if relative > worst.0 {
                worst = (relative, name.clone());
            }
        }
    }
    worst
}

/// What is measured, by step, event and name, without times.
fn measured(run: &Path) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for line in metrics(run) {
        for (name, value) in line["metrics"].as_object().expect("metrics") {
            if !name.starts_with("throughput/") {
                all.insert(format!("{} {} {name}", line["step"], line["event"]), value.as_f64().unwrap_or(f64::NAN));
            }
        }
    }
    all
}

/// Trains with one and with several processes and compares all that came of it. Tensors may differ by `tensors`, or by four
/// times what another number of threads changes: sums in another order, and a ReLU that they push over.
#[track_caller]
fn equals_one_process(sandbox: &Sandbox, processes: usize, more: &str, tensors: f64, values: f64) {
    let one = train(sandbox, 1, "one", more);
    let several = train(sandbox, processes, "several", more);
    let (worst, name) = difference(&one, &several);
    if worst > tensors {
        let mut command = sandbox.command(&format!("train {TINY} {more} --output-dir threads"));
        Running::start(command.env("OMP_NUM_THREADS", "2")).finish().succeeded();
        let threads = sandbox.path("threads");
        let floor = difference(&one, &threads);
        assert!(worst <= 4.0 * floor.0, "{more}: {name} differs by {worst:e}, threads change {floor:?}");
        std::fs::remove_dir_all(threads).expect("the run is removed");
    }
    let (one_measured, several_measured) = (measured(&one), measured(&several));
    let first = |measured: &BTreeMap<String, f64>| measured.get("1 step ssl/train/loss").copied().unwrap_or_default();
    let (loss, other) = (first(&one_measured), first(&several_measured));
    assert!((loss - other).abs() <= 1e-6 * loss.abs(), "{more}: loss {loss} and {other}");
    assert!(one_measured.keys().eq(several_measured.keys()), "{more}");
    for (name, value) in &one_measured {
        let other = several_measured[name];
        let off = (value - other).abs() / value.abs().max(1.0);
        // Scores of a few images may take another one for the nearest, and what is no loss follows the weights.
        let limit = if name.ends_with("loss") { values } else { 0.1 };
        assert!(off <= limit, "{more}: {name}: {value} and {other}");
    }
    for run in [one, several] {
        std::fs::remove_dir_all(run).expect("the run is removed");
    }
}

fn one_step(methods: &[&str], processes: usize, more: &str) {
    let sandbox = Sandbox::new();
    for method in methods {
        equals_one_process(&sandbox, processes, &format!("{method} {more} {ONE_STEP}"), 1e-6, 1e-2);
    }
}

#[test]
fn one_step_of_every_method_is_that_of_one_process() {
    one_step(&METHODS[..5], 2, "");
}

#[test]
fn one_step_of_further_methods_is_that_of_one_process() {
    one_step(&METHODS[5..], 2, "");
}

#[test]
fn one_step_in_pieces_is_that_of_one_process() {
    one_step(&METHODS[..5], 2, "--set train.micro_batch_size=8");
}

#[test]
fn one_step_of_further_methods_in_pieces_is_that_of_one_process() {
    one_step(&METHODS[5..], 2, "--set train.micro_batch_size=8");
}

#[test]
fn four_processes_and_a_transformer_are_no_other() {
    one_step(&METHODS[1..2], 4, "");
    one_step(&METHODS[3..4], 4, "--set train.micro_batch_size=8");
    one_step(&METHODS[..1], 2, "--set train.self_supervision.encoder_name=vit_tiny_patch4_32");
}

#[test]
fn mixtures_a_heads_own_data_and_uneven_validation_are_measured_as_by_one_process() {
    let sandbox = Sandbox::new();
    let more = "--set dataset.mix=[{\"name\":\"shapes\",\"options\":{\"train_size\":40,\"seed\":4}}] \
                --set linear_head.dataset.name=shapes --set linear_head.dataset.options.train_size=23 \
                --set linear_head.batch_size=7 --set data.limit.val=19 --set train.base_lr=0.01";
    equals_one_process(&sandbox, 2, more, 1e-4, 1e-2);
}

#[test]
fn two_processes_twice_are_equal_to_the_last_bit() {
    let sandbox = Sandbox::new();
    let runs = ["first", "second"].map(|name| train(&sandbox, 2, name, ""));
    assert_eq!(measured(&runs[0]), measured(&runs[1]));
    let [first, second] = runs.map(|run| std::fs::read(run.join("encoder.safetensors")).expect("encoder.safetensors"));
    assert_eq!(first, second);
}

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

const LONG: &str = "--set scheduler.epochs=200 --set train.checkpoint_every_steps=1";

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

fn errors(ran: &Ran) -> Vec<&str> {
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

#[test]
fn a_process_that_hangs_ends_all_and_is_named() {
    let sandbox = Sandbox::new();
    for rank in [1, 0] {
        let _ = std::fs::remove_dir_all(sandbox.path("run"));
        let more = format!("{LONG} --set train.collective_timeout=3");
        let mut running = start(&sandbox, 2, "run", &more);
        wait_for_step(&mut running, &sandbox.path("run"), 2);
        send(children(&running)[rank], libc::SIGSTOP);
        let ran = running.finish();
        assert_eq!(ran.code, Some(6), "{rank}: {}", ran.stderr);
        let errors = errors(&ran);
        assert_eq!(errors.len(), 1, "{rank}: {}", ran.stderr);
        assert!(errors[0].contains(&format!("process {rank} does not answer")), "{rank}: {}", ran.stderr);
    }
}

#[test]
fn a_run_goes_on_with_another_number_of_processes() {
    let sandbox = Sandbox::new();
    let ends = |run: &str, processes: [usize; 3]| {
        for (epochs, processes) in (1..).zip(processes) {
            let ran = start(&sandbox, processes, run, &format!("--set scheduler.epochs={epochs} --resume"));
            let (ran, warns) = (ran.finish().succeeded(), epochs > 1 && run == "changed");
            assert_eq!(ran.stderr.contains("processes and continues with"), warns, "{}", ran.stderr);
        }
        measured(&sandbox.path(run))
    };
    let (same, changed) = (ends("same", [1, 1, 1]), ends("changed", [2, 1, 4]));
    assert!(same.keys().eq(changed.keys()));
    for (name, value) in same.iter().filter(|(name, _)| name.ends_with("ssl/train/loss")) {
        let other = changed[name];
        assert!((value - other).abs() <= 0.01 * value, "{name}: {value} and {other}");
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
    let mut command = sandbox.command("evaluate run");
    command.envs([("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1")]);
    Running::start(&mut command).finish().failed(2, &["only `selfsame train`"]);
}

/// Starts each process by hand, as other launchers do.
fn by_hand(sandbox: &Sandbox, of: &[String]) -> Vec<Running> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port().to_string();
    drop(listener);
    let member = |(rank, more): (usize, &String)| {
        let mut command = sandbox.command(&format!("train {TINY} --output-dir run {more}"));
        let (rank, size) = (rank.to_string(), of.len().to_string());
        command.envs([("RANK", &rank), ("LOCAL_RANK", &rank), ("WORLD_SIZE", &size), ("LOCAL_WORLD_SIZE", &size)]);
        command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", &port);
        Running::start(&mut command)
    };
    of.iter().enumerate().map(member).collect()
}

#[test]
fn processes_that_differ_or_fail_alone_end_all_with_one_message() {
    for (second, code, parts) in [
        ("--set train.base_lr=0.2", 2, &["process 1", "`train.base_lr`", "0.2 here", "0.1 in process 0"][..]),
        ("--set dataset.options.seed=9", 2, &["process 1", "`dataset.options.seed`"]),
        ("--set train.device=cuda:7", 2, &["process 1", "`cuda:7`"]),
    ] {
        let sandbox = Sandbox::new();
        let ran: Vec<Ran> =
            by_hand(&sandbox, &[String::new(), second.to_owned()]).into_iter().map(Running::finish).collect();
        let codes: Vec<_> = ran.iter().map(|ran| ran.code).collect();
        let all: String = ran.iter().map(|ran| ran.stderr.as_str()).collect();
        assert_eq!(codes, [Some(code); 2], "{second}: {all}");
        let errors: Vec<&str> = all.lines().filter(|line| line.contains("error:")).collect();
        assert_eq!(errors.len(), 1, "{second}: {all}");
        parts.iter().for_each(|part| assert!(errors[0].contains(part), "{second}: {all}"));
    }
}
