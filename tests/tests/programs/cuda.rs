//! Runs on a stand-in for CUDA, `tests/standin-cuda`: what would fail on a GPU fails here, and what a GPU would wait for is
//! counted.

use selfsame_tests::rsna::{Labels, write};
use selfsame_tests::standin::{self, Count};
use selfsame_tests::{Ran, Running, Sandbox, TINY, metrics, repository};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;

/// One epoch of four steps; `TINY` asks for the CPU.
const RUN: &str = "--set scheduler.epochs=1 --set train.precision=fp32 --output-dir run";
const CUDA: &str = "--set train.device=cuda";

fn run(sandbox: &Sandbox, settings: &[(&str, &str)], arguments: &str) -> Ran {
    Running::start(&mut standin::command(sandbox, settings, arguments)).finish()
}

fn weights(sandbox: &Sandbox, run: &str) -> Vec<u8> {
    std::fs::read(sandbox.path(run).join("encoder.safetensors")).expect("encoder.safetensors")
}

/// The weights that the CPU gives.
fn on_the_cpu(arguments: &str) -> Vec<u8> {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {arguments}")).succeeded();
    weights(&sandbox, "run")
}

/// Steps that neither begin nor end an epoch nor are logged. A stage ends where the generators are seeded: at the start,
/// and in each step between its views and its forward pass.
fn steps(sandbox: &Sandbox) -> Vec<BTreeMap<String, Count>> {
    let stages = standin::counts(sandbox);
    // Start; up to the first step; the first step; …; the last step, with all that follows.
    let steps = stages[3..stages.len() - 1].to_vec();
    assert!(!steps.is_empty(), "{} stages", stages.len());
    steps
}

/// Fails the test where a step waits for the device, or launches more than `most` kernels. The budget only falls.
#[track_caller]
fn assert_within_budget(name: &str, sandbox: &Sandbox, most: u64) -> Count {
    let steps = steps(sandbox);
    for step in &steps {
        let waiting: Vec<_> = step.iter().filter(|(_, count)| count.waits > 0).collect();
        assert!(waiting.is_empty(), "{name}: a step waits for the device in {waiting:?}");
    }
    let step = steps.iter().map(standin::total).max_by_key(|total| total.launches).unwrap();
    eprintln!("{name}: {} launches, {} bytes up", step.launches, step.up);
    assert!(step.launches <= most, "{name}: {} launches a step, more than {most}: {steps:#?}", step.launches);
    step
}

/// The methods, with settings that make them small, and the most launches of a step with resnet8.
const METHODS: [(&str, &str, u64); 9] = [
    ("simclr", "", 279),
    ("byol", "--set method.byol.predictor_hidden_dim=16", 508),
    ("barlow_twins", "", 444),
    ("vicreg", "", 467),
    ("simsiam", "--set method.simsiam.predictor_hidden_dim=16", 463),
    ("moco_v2", "--set method.moco_v2.queue_size=40", 313),
    ("moco_v3", "--set method.moco_v3.predictor_hidden_dim=16", 589),
    ("dino", "--set method.dino.prototypes=32", 360),
    ("lejepa", "--set method.lejepa.directions=16", 352),
];

#[test]
fn every_method_gives_the_cpus_weights_without_a_wait_in_a_step() {
    let schema: Value = serde_json::from_str(&Sandbox::new().run("config schema").succeeded().stdout).unwrap();
    let all = schema["$defs"]["MethodName"]["oneOf"].as_array().unwrap().iter().map(|name| name["const"].clone());
    assert_eq!(all.collect::<Vec<_>>(), METHODS.map(|(name, ..)| Value::from(name)), "a budget for each method");
    for (name, more, launches) in METHODS {
        let arguments = format!("{TINY} --set train.self_supervision.type={name} {more} {RUN}");
        let sandbox = Sandbox::new();
        run(&sandbox, &[], &format!("train {arguments} {CUDA}")).succeeded();
        assert_within_budget(name, &sandbox, launches);
        assert!(weights(&sandbox, "run") == on_the_cpu(&arguments), "{name}: other weights than the CPU's");
    }
}

#[test]
fn lars_gives_the_cpus_weights_without_a_launch_for_each_of_them() {
    let arguments = format!("{TINY} --set optimizer.name=lars {RUN}");
    let sandbox = Sandbox::new();
    run(&sandbox, &[], &format!("train {arguments} {CUDA}")).succeeded();
    // With stochastic gradient descent a step has 279.
    assert_within_budget("lars", &sandbox, 297);
    assert!(weights(&sandbox, "run") == on_the_cpu(&arguments), "other weights than the CPU's");
}

#[test]
fn images_go_to_the_device_once_where_they_fit() {
    let sandbox = Sandbox::new();
    let ran = run(&sandbox, &[], &format!("train {TINY} {RUN} {CUDA}")).succeeded();
    assert!(ran.stderr.contains("pixels are kept on the GPU; GPU 0 has 85899 MB free"), "{}", ran.stderr);
    let images = 16 * 3 * 32 * 32;
    assert!(assert_within_budget("on the device", &sandbox, 279).up < images / 4);

    let host = Sandbox::new();
    let ran = run(&host, &[], &format!("train {TINY} {RUN} {CUDA} --set data.cache=host")).succeeded();
    assert!(!ran.stderr.contains("kept on the GPU"), "{}", ran.stderr);
    let step = assert_within_budget("on the host", &host, 277);
    assert!(step.up > images && step.up < 2 * images, "{step:?}");
    assert_eq!(weights(&host, "run"), weights(&sandbox, "run"));
}

#[test]
fn no_step_of_a_mixture_with_a_head_of_its_own_waits() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "mix.yaml",
        "dataset:\n  name: shapes\n  options: {train_size: 64}\n  mix:\n    - name: shapes\n      options: {train_size: 32, \
         seed: 4, size: 48}\nlinear_head:\n  batch_size: 7\n  dataset:\n    name: shapes\n    options: {train_size: 40, \
         seed: 9}\n",
    );
    let arguments = TINY.replace("--set dataset.name=shapes --set dataset.options.train_size=64", "--config mix.yaml");
    let arguments = format!("{arguments} {RUN} --set preprocess.resize=32");
    run(&sandbox, &[], &format!("train {arguments} {CUDA}")).succeeded();
    assert_within_budget("mixture and head", &sandbox, 338);
}

#[test]
fn films_are_equalised_on_the_device_without_a_wait_from_memory_and_from_disk() {
    let sandbox = Sandbox::new();
    write(&sandbox.path("films"), 60, 96, Labels::Boxes, 0).unwrap();
    let arguments = format!(
        "--config {} --set dataset.dataset_dir=films --set preprocess.use_clahe=true --set preprocess.resize=32 \
         --set train.self_supervision.encoder_name=resnet8 --set train.batch_size=12 --set scheduler.warmup_epochs=0 \
         --set method.projection.hidden_dim=32 --set method.projection.output_dim=16 --set knn.k=5 \
         --set scheduler.epochs=1 --set train.precision=fp32",
        repository().join("configs/rsna_simclr.yaml").display()
    );
    for (place, launches) in [("device", 420), ("disk", 418)] {
        let place_and_folder = format!("--set data.cache={place} --output-dir {place}");
        run(&sandbox, &[], &format!("train {arguments} {place_and_folder} {CUDA}")).succeeded();
        assert_within_budget(place, &sandbox, launches);
    }
    assert_eq!(weights(&sandbox, "device"), weights(&sandbox, "disk"));
    let cpu = "--set data.cache=device --set train.device=cpu --output-dir cpu";
    sandbox.run(&format!("train {arguments} {cpu}")).succeeded();
    assert_eq!(weights(&sandbox, "device"), weights(&sandbox, "cpu"));
}

#[test]
fn a_run_on_the_second_gpu_is_resumed_evaluated_embedded_and_exported() {
    let cuda = "--set train.device=cuda:1";
    let sandbox = Sandbox::new();
    let two = RUN.replace("epochs=1", "epochs=2");
    let train = format!("train {TINY} {two} {cuda} --set data.limit.test=20 --set train.checkpoint_period=1");
    run(&sandbox, &[], &train).succeeded();
    let straight = weights(&sandbox, "run");
    let checkpoints = std::fs::read_dir(sandbox.path("run/checkpoints")).unwrap().map(|entry| entry.unwrap().path());
    std::fs::remove_dir_all(checkpoints.max().unwrap()).unwrap();
    let resumed = run(&sandbox, &[], &format!("{train} --resume")).succeeded();
    assert!(resumed.stderr.contains("continuing after step"), "{}", resumed.stderr);
    assert!(weights(&sandbox, "run") == straight, "a resumed run is the uninterrupted one");
    run(&sandbox, &[], "evaluate run --protocol knn --protocol linear").succeeded();
    let short = "--seeds 1 --epochs 1 --protocol linear-aug --protocol finetune";
    run(&sandbox, &[], &format!("evaluate run {short}")).succeeded();
    run(&sandbox, &[], "embed run --split test --out test.npy").succeeded();
    run(&sandbox, &[], "export run --format torchscript --out traced.pt").succeeded();
    run(&sandbox, &[], "export run --out weights.safetensors").succeeded();
    assert_eq!(std::fs::read(sandbox.path("weights.safetensors")).unwrap(), weights(&sandbox, "run"));
    let error = "`cuda:2` was asked for, but there are 2 GPUs";
    run(&sandbox, &[], &format!("{train} --set train.device=cuda:2")).failed(5, &[error]);
}

#[test]
fn out_of_memory_names_the_number_of_images_to_try() {
    let sandbox = Sandbox::new();
    // Without labels nothing is embedded before the first step.
    let more = "--set data.cache=host --set dataset.options.labels=false";
    let refused = run(&sandbox, &[("STANDIN_MEMORY", "12000000")], &format!("train {TINY} {RUN} {CUDA} {more}"));
    refused
        .failed(5, &["CUDA out of memory", "`train.micro_batch_size=8`", "16 images went through the network at once"]);
}

#[test]
fn a_gpu_without_kernels_is_refused_by_name_and_passed_over_by_auto() {
    let sandbox = Sandbox::new();
    let old = [("STANDIN_CAPABILITY", "7.0,9.0")];
    let refused = run(&sandbox, &old, &format!("train {TINY} {RUN} {CUDA}"));
    refused.failed(5, &["`cuda`: GPU 0 does not compute", "no kernel image", "7.5 and newer", "cuda:N"]);
    let passed_over = run(&sandbox, &old, &format!("train {TINY} {RUN} --set train.device=auto")).succeeded();
    let line = "computing on the CPU: GPU 0 does not compute";
    assert!(passed_over.stderr.contains(line), "{}", passed_over.stderr);

    let doctor = run(&sandbox, &old, &format!("doctor --plugins {}", selfsame_tests::plugins().display()));
    let doctor = doctor.failed(5, &["error: not ready: GPU 0"]);
    for part in ["BAD  GPU 0", "compute capability 7.0", "ok   GPU 1", "cuda:N", "13.0, cuDNN 9.19.0"] {
        assert!(doctor.stdout.contains(part), "{}", doctor.stdout);
    }
}

#[test]
fn auto_precision_is_bfloat16_from_capability_8_on() {
    let arguments = format!("{TINY} {} {CUDA}", RUN.replace("fp32", "auto"));
    let of = |capability: &str| {
        let sandbox = Sandbox::new();
        let ran = run(&sandbox, &[("STANDIN_CAPABILITY", capability)], &format!("train {arguments}")).succeeded();
        (weights(&sandbox, "run"), ran.stderr)
    };
    let (turing, said) = of("7.5");
    assert!(said.contains("below 8.0"), "{said}");
    assert!(turing == on_the_cpu(&format!("{TINY} {RUN}")), "float32 on a card that is slow in bfloat16");
    assert!(turing != of("8.0").0, "bfloat16 on a card that is fast in it");
}

#[test]
fn cudnn_tries_algorithms_or_repeats_bits_and_rounds_where_the_keys_say_so() {
    let of = |precision: &str, more: &str| {
        let sandbox = Sandbox::new();
        let arguments = format!("train {TINY} {RUN} {CUDA} --set train.precision={precision} {more}");
        run(&sandbox, &[], &arguments).succeeded();
        let stages = standin::counts(&sandbox);
        let names: BTreeSet<_> = stages.iter().flat_map(|stage| stage.keys()).cloned().collect();
        let forms = names.iter().filter_map(|name| name.strip_prefix("cudnn_convolution"));
        let forms: BTreeSet<_> = forms.map(|form| form.trim_start_matches("_backward").trim().to_owned()).collect();
        forms.into_iter().collect::<Vec<_>>().join("; ")
    };
    assert_eq!(of("fp32", ""), "benchmark");
    assert_eq!(of("tf32", ""), "benchmark tf32");
    assert_eq!(of("fp32", "--set train.deterministic=true"), "deterministic");
}

#[test]
fn float16_is_trained_with_a_scaled_loss_that_a_resumed_run_goes_on_with() {
    let sandbox = Sandbox::new();
    let two = RUN.replace("epochs=1", "epochs=2").replace("fp32", "fp16");
    let train = format!("train {TINY} {two} {CUDA} --set train.checkpoint_period=1");
    run(&sandbox, &[], &train).succeeded();
    let straight = weights(&sandbox, "run");
    let lines = metrics(&sandbox.path("run"));
    let scales: Vec<_> = lines.iter().filter_map(|line| line["metrics"]["optim/loss_scale"].as_f64()).collect();
    assert!(
        !scales.is_empty() && scales.iter().all(|&scale| scale.log2().fract() == 0.0 && scale <= 65536.0),
        "{scales:?}"
    );
    let newest = std::fs::read_dir(sandbox.path("run/checkpoints")).unwrap().map(|entry| entry.unwrap().path()).max();
    let newest = newest.unwrap();
    let state: Value = serde_json::from_slice(&std::fs::read(newest.join("state.json")).unwrap()).unwrap();
    assert_eq!(state["position"]["loss_scale"]["factor"].as_f64(), scales.last().copied());
    std::fs::remove_dir_all(newest).unwrap();
    run(&sandbox, &[], &format!("{train} --resume")).succeeded();
    assert!(weights(&sandbox, "run") == straight, "a resumed run is the uninterrupted one");
    // The same run in float32 learns nearly the same.
    let exact = Sandbox::new();
    run(&exact, &[], &train.replace("fp16", "fp32")).succeeded();
    let losses = |sandbox: &Sandbox| -> Vec<f64> {
        metrics(&sandbox.path("run")).iter().filter_map(|line| line["metrics"]["ssl/train/loss"].as_f64()).collect()
    };
    let (half, float) = (losses(&sandbox), losses(&exact));
    assert!(half != float && half.len() == float.len());
    assert!(half.iter().zip(&float).all(|(half, float)| (half - float).abs() < 0.02 * float), "{half:?} {float:?}");
}

#[test]
fn a_probe_reads_the_device_once_a_point() {
    let sandbox = Sandbox::new();
    run(&sandbox, &[], &format!("train {TINY} {RUN} {CUDA} --set data.limit.test=20")).succeeded();
    run(&sandbox, &[], &format!("evaluate run --protocol linear {CUDA}")).succeeded();
    let total = standin::counts(&sandbox)
        .iter()
        .map(standin::total)
        .fold((0, 0), |(launches, waits), stage| (launches + stage.launches, waits + stage.waits));
    eprintln!("evaluate, linear: {} launches, {} waits", total.0, total.1);
    assert!(total.0 <= 7_100 && total.1 <= 600, "{total:?}");
}

#[test]
fn planted_mistakes_are_found_and_what_cuda_allows_is_allowed() {
    let ran = Ran::new(standin::mismatch(&[]).output().unwrap()).succeeded();
    let lines: Vec<_> = ran.stdout.lines().filter_map(|line| line.split_once('\t')).collect();
    let all = |outcome: &str| lines.iter().filter(|(said, _)| *said == outcome).count();
    assert_eq!((all("refused"), all("accepted"), lines.last()), (12, 5, Some(&("sum", "8"))), "{}", ran.stdout);
}

#[test]
fn the_host_never_reads_the_devices_memory() {
    let protected = [("STANDIN_PROTECT", "1")];
    let stray = standin::mismatch(&protected).arg("stray").output().unwrap();
    assert_eq!(stray.status.signal(), Some(libc::SIGSEGV), "a stray read is found");
    let sandbox = Sandbox::new();
    let byol = "--set train.self_supervision.type=byol --set method.byol.predictor_hidden_dim=16";
    // Without labels, since probes are slow here.
    let unlabelled = "--set dataset.options.labels=false";
    run(&sandbox, &protected, &format!("train {TINY} {byol} {RUN} {CUDA} {unlabelled}")).succeeded();
}

#[test]
fn doctor_tells_of_every_card_as_text_and_as_json() {
    let sandbox = Sandbox::new();
    let doctor = |settings: &[(&str, &str)], more: &str| run(&sandbox, settings, &format!("doctor {more}"));
    let text = doctor(&[], "").succeeded().stdout;
    let card = "Stand-in, compute capability 9.0, 85.9 GB (85.9 GB free); `train.precision: auto` means bf16";
    for part in
        ["ok   libtorch", "2.11.0 from", "ok   driver", "13.0", card, "`train.device: auto` means GPU 0", "images/s"]
    {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    let none = doctor(&[("STANDIN_DEVICES", "0")], "").succeeded().stdout;
    assert!(none.contains("ok   driver") && none.contains("note GPU              the driver shows none"), "{none}");
    let json: Value =
        serde_json::from_str(&doctor(&[("STANDIN_CAPABILITY", "7.5")], "--json").succeeded().stdout).unwrap();
    assert_eq!(json["ok"], true);
    let lines = json["lines"].as_array().unwrap();
    let second = lines.iter().find(|line| line["name"] == "GPU 1").unwrap();
    assert!(second["found"].as_str().unwrap().contains("means fp32"), "{second}");
    assert_eq!((&second["state"], &second["advice"]), (&"ok".into(), &Value::Null));
}
