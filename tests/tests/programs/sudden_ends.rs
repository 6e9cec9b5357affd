//! Plugins that crash, that end the process, and that do not come back: nothing of that can be undone, but it is said which plugin
//! and which method it was, and a check has a verdict.

use super::blame::{PLUGIN, sandbox};
use selfsame_tests::{Ran, Running, Sandbox, TINY};
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// Names what is to happen where a card is made, which has no options.
const OF_CARDS: &str = "HOSTILE";

/// Runs a command under a fault of a card.
fn run(sandbox: &Sandbox, card: &str, command: &str) -> Ran {
    Running::start(sandbox.command(command).env(OF_CARDS, card)).finish()
}

#[test]
fn a_crash_names_plugin_and_method_and_ends_by_its_signal() {
    let sandbox = sandbox();
    let verify = |fault: &str| format!("data verify --set dataset.name=hostile --set dataset.options.fault={fault}");
    let train = |fault: &str| {
        let tiny = format!("--set train.self_supervision.encoder_name=tiny --set encoder.options.fault={fault}");
        format!("train {TINY} {tiny} --set scheduler.epochs=1 --output-dir {}", fault.replace(':', "-"))
    };
    let (segv, abort) = (libc::SIGSEGV, libc::SIGABRT);
    for (command, card, signal, method) in [
        (verify("segv:read"), "", segv, "Samples::read"),
        (verify("segv:create"), "", segv, "create"),
        (verify("abort:prepare"), "", abort, "Dataset::prepare"),
        (verify("overflow:open"), "", abort, "Dataset::open"),
        // On a thread of the host's.
        (verify("overflow:read"), "", abort, "Samples::read"),
        (verify("memory:targets"), "", abort, "Samples::targets"),
        (verify("none"), "segv:hostile.card", segv, "card"),
        ("plugins inspect hostile".into(), "segv:hostile.card", segv, "card"),
        (train("segv:forward"), "", segv, "Encoder::forward"),
        (train("memory:parameters"), "", abort, "Encoder::parameters"),
    ] {
        let ran = run(&sandbox, card, &command);
        assert_eq!((ran.code, ran.signal), (None, Some(signal)), "{command}: {}", ran.stderr);
        let errors: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("error:")).collect();
        assert_eq!(errors.len(), 1, "{command}: {}", ran.stderr);
        let told = format!("{PLUGIN} crashed the process in `{method}` (SIG");
        assert!(errors[0].contains(&told) && errors[0].contains("plugins check"), "{command}: {}", errors[0]);
    }
}

/// The verdicts that failed: subject, check and detail.
fn failed(ran: &Ran) -> Vec<(String, String, String)> {
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
    let failed = report["verdicts"].as_array().unwrap().iter().filter(|verdict| verdict["status"] == "failed");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    failed.map(|verdict| (text(&verdict["subject"]), text(&verdict["check"]), text(&verdict["detail"]))).collect()
}

#[test]
fn a_check_has_a_verdict_whatever_the_plugin_does() {
    let sandbox = sandbox();
    let read = "train: images are read";
    let cases = [
        ("dataset", "segv:read", read, "`Samples::read` crashed the process (SIGSEGV"),
        ("dataset", "abort:open", "train: labels, groups and ids", "`Dataset::open` crashed the process (SIGABRT"),
        ("dataset", "overflow:read", read, "`Samples::read` crashed the process (SIGABRT"),
        ("dataset", "memory:targets", "train: labels, groups and ids", "`Samples::targets` crashed the process"),
        ("dataset", "exit:read", read, "`Samples::read` ended the process (it called `exit`)"),
        (
            "dataset",
            "thread:overflow",
            "a wish to stop is answered within 2 s",
            "`Dataset::prepare` crashed the process",
        ),
        ("dataset", "hang:create", "it is made", "`create` has said nothing for 5 s"),
        ("dataset", "hang:open", "train: labels, groups and ids", "`Dataset::open` has said nothing for 5 s"),
        ("dataset", "hang:read", read, "`Samples::read` has said nothing for 5 s"),
        ("encoder", "segv:create", "it is made for several inputs", "`create` crashed the process (SIGSEGV"),
        ("encoder", "abort:forward", "embeddings of 3 × 32 × 32", "`Encoder::forward` crashed the process"),
        ("encoder", "hang:forward", "embeddings of 3 × 32 × 32", "`Encoder::forward` has said nothing for 5 s"),
    ];
    let try_one = |(of, fault, check, detail): (&str, &str, &str, &str)| {
        let only = if of == "dataset" { "hostile" } else { "tiny" };
        let limit = if fault.starts_with("hang") { "--call-limit 5" } else { "" };
        let set = format!("--set {of}.options.fault={fault}");
        let ran = sandbox.run(&format!("plugins check hostile --only {only} {limit} {set} --json"));
        let failed = failed(&ran);
        let found = failed.iter().any(|(_, name, said)| name == check && said.starts_with(detail));
        assert!(found, "{fault}: {failed:?}");
        assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("error:")).count(), 1, "{}", ran.stderr);
    };
    let try_one = &try_one;
    // Those that hang wait at the same time.
    thread::scope(|scope| {
        for case in cases.into_iter().filter(|(_, fault, ..)| fault.starts_with("hang")) {
            scope.spawn(move || try_one(case));
        }
    });
    cases.into_iter().filter(|(_, fault, ..)| !fault.starts_with("hang")).for_each(try_one);
}

#[test]
fn a_card_that_crashes_or_hangs_keeps_nothing_else_from_being_checked() {
    let sandbox = sandbox();
    for (card, detail) in [
        ("segv:hostile.card", "`card` crashed the process (SIGSEGV"),
        ("hang:hostile.card", "`card` has said nothing for 5 s"),
    ] {
        let failed = failed(&run(&sandbox, card, "plugins check selfsame-hostile-plugin --call-limit 5 --json"));
        let of = |subject: &str| failed.iter().filter(|(of, ..)| of == subject).collect::<Vec<_>>();
        let hostile = of("data set hostile");
        assert!(hostile.len() == 1 && hostile[0].2.starts_with(detail), "{failed:?}");
        // What the other data sets and the encoder do wrong is found as ever, and nothing else.
        assert_eq!((of("data set bad-card").len(), of("data set floats").len(), of("encoder tiny").len()), (1, 0, 0));
    }
}

#[test]
fn a_check_ends_at_the_first_wish_to_stop_and_where_a_call_blocks_at_the_second() {
    let sandbox = sandbox();
    for (fault, command, method) in [
        ("busy", "plugins check hostile --only hostile --set dataset.options.fault=busy", None),
        (
            "hang:read",
            "plugins check hostile --only hostile --set dataset.options.fault=hang:read",
            Some("Samples::read"),
        ),
    ] {
        let log = sandbox.path(&fault.replace(':', "-"));
        let mut command = sandbox.command(command);
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut running = Running::start(&mut command);
        // Preparing under a wish to stop comes first: the second call of `busy` goes on until it is told.
        let calls = if method.is_some() { 1 } else { 2 };
        wait_for("the call", &log, |said| said.matches("hanging").count() >= calls);
        running.signal(libc::SIGINT);
        if let Some(method) = method {
            wait_for("the method", &log, |said| said.contains(&format!("waiting for `{method}` of {PLUGIN}")));
            running.signal(libc::SIGINT);
        }
        assert_eq!(running.wait().unwrap().code(), Some(130));
        assert_eq!(std::fs::read_to_string(&log).unwrap().contains("stopped at the user's request"), method.is_none());
    }
}

/// Waits until the log says so.
#[track_caller]
fn wait_for(what: &str, log: &std::path::Path, is_said: impl Fn(&str) -> bool) {
    let start = Instant::now();
    loop {
        let said = std::fs::read_to_string(log).unwrap();
        if is_said(&said) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{what}: {said}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_plugin_that_hangs_is_named_at_the_first_wish_to_stop_and_ended_at_the_second() {
    let sandbox = sandbox();
    let verify = |fault: &str| format!("data verify --set dataset.name=hostile --set dataset.options.fault={fault}");
    let tiny = "--set train.self_supervision.encoder_name=tiny --set encoder.options.fault=hang:forward";
    for (number, (command, method)) in [
        (verify("hang"), "Dataset::prepare"),
        (verify("hang:create"), "create"),
        (verify("hang:open"), "Dataset::open"),
        (verify("hang:read"), "Samples::read"),
        (format!("train {TINY} {tiny} --output-dir run"), "Encoder::forward"),
    ]
    .into_iter()
    .enumerate()
    {
        let log = sandbox.path(&format!("log-{number}"));
        let mut command = sandbox.command(&command);
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut running = Running::start(&mut command);
        wait_for("the call", &log, |said| said.contains("hanging"));
        running.signal(libc::SIGINT);
        let named = format!("waiting for `{method}` of {PLUGIN}; press Ctrl-C again to end the process at once");
        wait_for(&named, &log, |said| said.contains(&named));
        running.signal(libc::SIGINT);
        assert_eq!(running.wait().unwrap().code(), Some(130));
    }
    // A card is asked before there is anything to save: the first one ends it.
    let log = sandbox.path("log-card");
    let mut command = sandbox.command(&verify("none"));
    command.env(OF_CARDS, "hang:hostile.card").stderr(std::fs::File::create(&log).unwrap());
    let running = Running::start(&mut command);
    wait_for("the call", &log, |said| said.contains("hanging"));
    running.signal(libc::SIGINT);
    assert_eq!(running.finish().signal, Some(libc::SIGINT));
}
