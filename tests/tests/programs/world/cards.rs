//! Two processes on the two cards of a stand-in for CUDA, `tests/standin-cuda`.

use super::ends::{LONG, ends_where_one_hangs, errors};
use super::equal::ONE_STEP;
use super::{TINY, train};
use selfsame_tests::weights::difference;
use selfsame_tests::{Running, Sandbox, launcher, standin};
use std::process::Command;

const CUDA: &str = "--set train.device=cuda --set train.precision=fp32";

fn command(sandbox: &Sandbox, settings: &[(&str, &str)], run: &str, more: &str) -> Command {
    standin::command(sandbox, settings, &format!("train {TINY} {CUDA} {more} --output-dir {run}"))
}

fn weights(sandbox: &Sandbox, run: &str) -> Vec<u8> {
    std::fs::read(sandbox.path(run).join("encoder.safetensors")).expect("encoder.safetensors")
}

const ONE_CARD: &[(&str, &str)] = &[("STANDIN_DEVICES", "1")];

#[test]
fn two_cards_and_one_card_for_both_give_what_one_process_gives() {
    let sandbox = Sandbox::new();
    for (run, settings, more, said) in [
        ("nccl", &[][..], "", "exchanged by NCCL, from GPU to GPU"),
        (
            "gloo",
            &[],
            "--set train.collectives=gloo",
            "by Gloo, through the host's memory: `train.collectives` is `gloo`",
        ),
        (
            "shared",
            ONE_CARD,
            "",
            "by Gloo, through the host's memory: NCCL wants a GPU for each process, and processes 0 and 1",
        ),
    ] {
        let ran = Running::start(&mut command(&sandbox, settings, run, &format!("{more} --processes 2"))).finish();
        let ran = ran.succeeded();
        assert!(ran.stderr.contains(said), "{run}: {}", ran.stderr);
        assert!(weights(&sandbox, run) == weights(&sandbox, "nccl"), "{run}");
    }
    let alone = train(&sandbox, 1, "alone", ONE_STEP);
    Running::start(&mut command(&sandbox, &[], "together", &format!("{ONE_STEP} --processes 2"))).finish().succeeded();
    let (worst, name) = difference(&alone, &sandbox.path("together"));
    // Sums in another order, and a ReLU that they push over.
    assert!(worst <= 1e-3, "{name} differs from one process on the CPU by {worst:e}");
    Running::start(&mut command(&sandbox, ONE_CARD, "refused", "--set train.collectives=nccl --processes 2"))
        .finish()
        .failed(2, &["`train.collectives` is `nccl`", "processes 0 and 1 share one", "expected `gloo`"]);
}

#[test]
fn a_launcher_may_show_each_process_its_own_card_alone() {
    let sandbox = Sandbox::new();
    Running::start(&mut command(&sandbox, &[], "both", "--processes 2")).finish().succeeded();
    for (cards, said) in [(["0", "1"], "by NCCL, from GPU to GPU"), (["1", "1"], "processes 0 and 1 share one")] {
        let run = cards.concat();
        let ran = launcher::pair(cards.map(|card| command(&sandbox, &[("CUDA_VISIBLE_DEVICES", card)], &run, "")));
        let [first, second] = ran.map(selfsame_tests::Ran::succeeded);
        assert!(first.stderr.contains(said), "{cards:?}: {}", first.stderr);
        assert!(!second.stderr.contains("exchanged"), "{cards:?}: {}", second.stderr);
        assert!(weights(&sandbox, &run) == weights(&sandbox, "both"), "{cards:?}");
    }
}

fn ends_where_an_exchange_hangs(rank: usize) {
    let sandbox = Sandbox::new();
    let more = format!("{LONG} --set train.collective_timeout=3 --processes 2");
    let running = Running::start(&mut command(&sandbox, &[], "run", &more));
    ends_where_one_hangs(running, &sandbox.path("run"), rank);
}

#[test]
fn an_exchange_between_cards_that_hangs_ends_all_and_names_who_does_not_answer() {
    ends_where_an_exchange_hangs(1);
}

#[test]
fn an_exchange_that_process_0_leaves_hanging_ends_all_too() {
    ends_where_an_exchange_hangs(0);
}

#[test]
fn doctor_measures_what_the_cards_exchange_and_fails_once_where_there_are_too_few() {
    let sandbox = Sandbox::new();
    let doctor = |processes: usize| {
        Running::start(&mut standin::command(&sandbox, &[], &format!("doctor --processes {processes}"))).finish()
    };
    let found = doctor(2).succeeded().stdout;
    assert!(found.contains("ok   collectives      all-reduce of 64 MiB over 2 processes by NCCL: "), "{found}");
    let ran = doctor(3);
    assert_eq!(ran.code, Some(5), "{}", ran.stderr);
    assert_eq!(errors(&ran).len(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("3 processes and 2 GPUs"), "{}", ran.stderr);
}
