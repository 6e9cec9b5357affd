//! Whose mistake it was: what a plugin does wrong ends in exit code 4 and names it, however it goes wrong.

use selfsame_tests::{Ran, Running, Sandbox, TINY, test_plugin};
use std::time::{Duration, Instant};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("plugins")).unwrap();
    std::fs::copy(test_plugin("hostile"), sandbox.path("plugins/libhostile.so")).unwrap();
    sandbox
}

const PLUGIN: &str = "plugin `selfsame-hostile-plugin`";

/// One message of the plugin's, which may be about a panic, and the exit code.
#[track_caller]
fn blames(ran: &Ran, code: i32, parts: &[&str]) {
    assert_eq!(ran.code, Some(code), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("error:")).count(), 1, "{}", ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "`{part}` is not in: {}", ran.stderr);
    }
}

#[test]
fn a_data_set_that_breaks_its_contract_is_named_with_the_method() {
    let sandbox = sandbox();
    let cases = [
        ("panic:prepare", 4, "`Dataset::prepare` panicked at"),
        ("panic:open", 4, "`Dataset::open` panicked at"),
        ("wrong:targets", 4, "`targets` has 3 labels"),
        ("wrong:class", 4, "sample 3 has label 2"),
        ("wrong:ids", 4, "`ids` names a sample twice"),
        ("wrong:block", 4, "`block` has 15 bytes"),
        ("wrong:count", 4, "`read` returned 0 images for 1 indices"),
        ("wrong:twice", 4, "`read` returned 2 images for 1 indices"),
        ("wrong:bytes", 4, "in 3 bytes; the card says 1 channels of 8 bits"),
        ("wrong:channels", 4, "is 3 × 2 × 2 of 8 bits"),
        ("wrong:depth", 4, "is 1 × 2 × 2 of 16 bits"),
        ("wrong:height", 4, "is 1 × 0 × 2"),
        ("wrong:overflow", 4, "× 18446744073709551615 ×"),
        ("exit", 4, "ended the process in `Dataset::prepare`"),
        ("exit:thread", 4, "ended the process in `Dataset::prepare`"),
        ("exit:read", 4, "ended the process in `Samples::read`"),
        ("missing", 3, "`images.bin` is missing; download it"),
        ("escapes", 3, r"\u001b]0;pwned\u0007`im"),
    ];
    for (fault, code, part) in cases {
        let set = format!("--set dataset.name=hostile --set dataset.options.fault={fault}");
        blames(&sandbox.run(&format!("data verify {set}")), code, &[PLUGIN, part]);
    }
    // A decoder that panics has met a strange file: that is said of the sample.
    for fault in ["panic:read", "wrong:facts", "panic:facts"] {
        let command = if fault == "panic:read" { "verify" } else { "stats" };
        let ran =
            sandbox.run(&format!("data {command} --set dataset.name=hostile --set dataset.options.fault={fault}"));
        let said = ran.stdout + &ran.stderr;
        assert!(said.contains("selfsame-hostile-plugin") && said.contains('a'), "{fault}: {said}");
        assert!(said.contains("panicked") || said.contains("the header is cut off"), "{fault}: {said}");
    }
}

#[test]
fn an_encoder_that_breaks_its_contract_is_named_with_the_method() {
    let sandbox = sandbox();
    let cases = [
        ("panic:create", "`create` panicked at"),
        ("panic:forward", "`Encoder::forward` panicked at"),
        ("wrong:dim", "`forward` returned shape"),
        ("double", "`forward` returned Double, expected Float"),
        ("half", "`forward` returned Half, expected Float"),
        ("int", "`forward` returned Int64, expected Float"),
        ("inplace", "`forward` changed its input"),
        ("nan", "`forward` returned values that are not finite"),
        ("inf", "`forward` returned values that are not finite"),
        ("huge", "`feature_dim` is 18446744073709551615"),
    ];
    for (fault, part) in cases {
        let tiny = format!("--set train.self_supervision.encoder_name=tiny --set encoder.options.fault={fault}");
        let output = fault.replace(':', "-");
        let train = format!("train {TINY} {tiny} --set scheduler.epochs=1 --output-dir {output}");
        blames(&sandbox.run(&train), 4, &["plugin `selfsame-hostile-plugin`, encoder `tiny`", part]);
    }
}

#[test]
fn a_plugin_that_hangs_is_named_at_the_first_wish_to_stop_and_ended_at_the_second() {
    let sandbox = sandbox();
    for (fault, method) in [("hang", "Dataset::prepare"), ("hang:read", "Samples::read")] {
        let set = format!("--set dataset.name=hostile --set dataset.options.fault={fault}");
        let log = sandbox.path(&format!("log-{}", method.len()));
        let mut command = sandbox.command(&format!("data verify {set}"));
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut running = Running::start(&mut command);
        let said = |part: &str| std::fs::read_to_string(&log).unwrap().contains(part);
        let wait = |what: &str, is_there: &dyn Fn() -> bool| {
            let start = Instant::now();
            while !is_there() {
                assert!(start.elapsed() < Duration::from_secs(60), "{what}: {:?}", std::fs::read_to_string(&log));
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        wait("the call", &|| said("hanging"));
        running.signal(libc::SIGINT);
        let named = format!("waiting for `{method}` of {PLUGIN}; press Ctrl-C again to end the process at once");
        wait(&named, &|| said(&named));
        running.signal(libc::SIGINT);
        assert_eq!(running.wait().unwrap().code(), Some(130));
    }
}

#[test]
fn what_a_plugin_prints_does_not_reach_a_reader_of_json() {
    let sandbox = sandbox();
    let ran = sandbox.run("data stats --json --set dataset.name=hostile --set dataset.options.fault=print").succeeded();
    let stats: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(stats["data_sets"][0]["dataset"], "hostile");
    assert!(ran.stderr.contains("I write on standard output"), "{}", ran.stderr);
}

#[test]
fn a_file_name_that_steers_a_terminal_is_shown_escaped() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("plugins")).unwrap();
    std::fs::write(sandbox.path("plugins/lib\x1b]0;pwned\x07.so"), "text").unwrap();
    for command in ["plugins list", "data verify --set dataset.name=shaqes"] {
        let ran = sandbox.run(command);
        let said = ran.stdout + &ran.stderr;
        assert!(!said.contains('\x1b') && !said.contains('\x07'), "{said:?}");
        assert!(said.contains(r"\u001b]0;pwned\u0007"), "{said:?}");
    }
}
