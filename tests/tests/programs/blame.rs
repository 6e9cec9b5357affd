//! Whose mistake it was: what a plugin does wrong ends in exit code 4 and names it, however it goes wrong.

use selfsame_tests::{Ran, Sandbox, TINY, test_plugin};

/// A folder in which the hostile plugin is found.
pub fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("plugins")).unwrap();
    std::fs::copy(test_plugin("hostile"), sandbox.path("plugins/libhostile.so")).unwrap();
    sandbox
}

pub const PLUGIN: &str = "plugin `selfsame-hostile-plugin`";

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
        ("wrong:least", 4, "sample 0 has label -9223372036854775808"),
        ("fingerprint:empty", 4, "`fingerprint` is empty"),
        ("wrong:ids", 4, "`ids` names a sample twice"),
        ("wrong:block", 4, "`block` has 15 bytes"),
        ("wrong:count", 4, "`read` returned 0 images for 1 indices"),
        ("wrong:twice", 4, "`read` returned 2 images for 1 indices"),
        ("wrong:bytes", 4, "in 3 bytes; the card says 1 channels of 8 bits"),
        ("wrong:channels", 4, "is 3 × 2 × 2 of 8 bits"),
        ("wrong:depth", 4, "is 1 × 2 × 2 of 16 bits"),
        ("wrong:height", 4, "is 1 × 0 × 2"),
        ("wrong:overflow", 4, "× 18446744073709551615 ×"),
        ("exit:prepare", 4, "ended the process in `Dataset::prepare`"),
        ("exit:thread", 4, "ended the process in `Dataset::prepare`"),
        ("exit:read", 4, "ended the process in `Samples::read`"),
        ("missing", 3, "`images.bin` is missing; download it"),
        ("escapes", 3, r"\u001b]0;pwned\u0007`im"),
        ("payload", 4, "`Dataset::prepare` panicked at"),
        ("wrong:len", 4, "for 18446744073709551615 samples"),
        ("error:configuration", 2, "no"),
        ("error:empty", 3, "data set `hostile`"),
        ("error:plugin", 4, "no"),
        ("error:device", 5, "no"),
        ("error:cancelled", 130, "no"),
    ];
    for (fault, code, part) in cases {
        let set = format!("--set dataset.name=hostile --set dataset.options.fault={fault}");
        blames(&sandbox.run(&format!("data verify {set}")), code, &[PLUGIN, part]);
    }
    // A decoder that panics has met a strange file: that is said of each sample.
    for (fault, command, method) in [
        ("panic:read", "verify", "`Samples::read` panicked"),
        ("panic:facts", "stats", "`Samples::facts` panicked"),
        ("wrong:facts", "stats", "the header is cut off"),
    ] {
        let ran =
            sandbox.run(&format!("data {command} --set dataset.name=hostile --set dataset.options.fault={fault}"));
        let said = ran.stdout + &ran.stderr;
        for sample in ["(`a`)", "(`d`)"] {
            let named = said.lines().find(|line| line.contains(sample));
            assert!(named.is_some_and(|line| line.contains(method) && line.contains(PLUGIN)), "{fault}: {said}");
        }
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
        ("name:empty", "`` is the name of a parameter or buffer"),
        ("name:dots", "`fc..weight` is the name of a parameter"),
        ("name:edge", "`.weight` is the name of a parameter"),
        ("name:control", r"`fc.\u001b[2J"),
        ("wrong:names", "the same name"),
    ];
    for (fault, part) in cases {
        let tiny = format!("--set train.self_supervision.encoder_name=tiny --set encoder.options.fault={fault}");
        let output = fault.replace(':', "-");
        let train = format!("train {TINY} {tiny} --set scheduler.epochs=1 --output-dir {output}");
        blames(&sandbox.run(&train), 4, &["plugin `selfsame-hostile-plugin`, encoder `tiny`", part]);
    }
}

#[test]
fn odd_sizes_names_and_fingerprints_do_no_harm() {
    let sandbox = sandbox();
    let small = "--set dataset.name=hostile --set train.self_supervision.encoder_name=tiny --set train.batch_size=2 --set \
                 method.projection.hidden_dim=16 --set method.projection.output_dim=8 --set train.device=cpu --set knn.k=1 \
                 --set scheduler.epochs=1 --set data.val_fraction=0.5";
    for (key, fault, code, part) in [
        ("dataset", "len:0", 3, "the train split of data set hostile has no samples"),
        ("dataset", "len:1", 3, "the train split of data set hostile has no samples"),
        ("dataset", "fingerprint:path", 0, ""),
        ("dataset", "fingerprint:huge", 0, ""),
        ("dataset", "fingerprint:changing", 0, ""),
        ("encoder", "name:odd", 0, ""),
        ("encoder", "name:inside", 0, ""),
    ] {
        let run = fault.replace(':', "-");
        let ran = sandbox.run(&format!("train {small} --set {key}.options.fault={fault} --output-dir {run}"));
        assert_eq!(ran.code, Some(code), "{fault}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{fault}: {}", ran.stderr);
        if key == "encoder" {
            for format in ["safetensors", "pt"] {
                sandbox.run(&format!("export {run} --out {run}.{format}")).succeeded();
            }
        }
    }
    // What is decoded is kept under names of the host's own, whatever the fingerprint says.
    let kept: Vec<_> = std::fs::read_dir(sandbox.path("cache/selfsame/packed")).unwrap().flatten().collect();
    assert_eq!(kept.len(), 3);
    for folder in kept {
        let name = folder.file_name().into_string().unwrap();
        let digits = name.strip_prefix("hostile-train-").unwrap();
        assert!(digits.len() == 16 && digits.chars().all(|c| c.is_ascii_hexdigit()), "{name}");
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

#[test]
fn no_text_of_a_plugin_steers_a_terminal_or_a_page() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("plugins")).unwrap();
    let evil = r"\e]0;pwned\a\e[2J\x9B31m\u202E\r";
    sandbox.write(
        "plugins/evil.dataset.yaml",
        &format!(
            "name: \"n{evil}\"\nversion: \"v{evil}\"\nreader: shapes\nsummary: \"s{evil}\"\nlicence: \"l{evil}\"\n\
             citation: \"c{evil}\"\noptions: {{train_size: 64}}\n"
        ),
    );
    let run_file = format!("dataset: {{name: \"n{evil}\", options: {{}}}}\n");
    sandbox.write("evil.yaml", &run_file);
    let small = TINY.replace("--set dataset.name=shapes --set dataset.options.train_size=64", "--config evil.yaml");
    let file = "plugins/evil.dataset.yaml";
    for command in [
        "plugins list",
        "plugins list --json",
        &format!("plugins inspect {file}"),
        &format!("plugins inspect {file} --json"),
        &format!("plugins check {file}"),
        &format!("plugins check {file} --json"),
        &format!("plugins install {file}"),
        "config show --config evil.yaml",
        "data verify --config evil.yaml",
        "data stats --config evil.yaml",
        "data stats --json --config evil.yaml",
        &format!("train {small} --set scheduler.epochs=1 --output-dir run"),
        "report run",
        "evaluate run --protocol knn",
    ] {
        let ran = sandbox.run(command).succeeded();
        let said = ran.stdout + &ran.stderr;
        assert!(!said.contains(is_raw), "{command}: {said:?}");
        assert!(
            said.contains("]0;pwned") || command.ends_with("run") || command.contains("evaluate"),
            "{command}: {said}"
        );
    }
    let page = std::fs::read_to_string(sandbox.path("run/report.html")).unwrap();
    assert!(!page.contains(is_raw) && page.contains(r"l\u001b]0;pwned\u0007"), "{page}");
}

/// What steers a terminal, or the direction of writing.
fn is_raw(c: char) -> bool {
    (c.is_control() && !"\n\t".contains(c)) || c == '\u{202e}'
}
