//! Plugins come and go as files; the program is never rebuilt.

use super::installed::{own_plugins, run};
use selfsame_tests::weights::difference;
use selfsame_tests::{Running, Sandbox, TINY, compile, plugins, repository, test_plugin};
use std::time::Duration;

#[test]
fn a_removed_plugin_is_missed_by_name_and_welcome_back() {
    let sandbox = Sandbox::new();
    let folder = own_plugins(&sandbox);
    let shapes = folder.join("libselfsame_plugin_shapes.so");
    let away = sandbox.path("away.so");
    std::fs::rename(&shapes, &away).unwrap();
    let train = format!("train --plugins own {TINY} --set scheduler.epochs=1 --output-dir run");
    run(&sandbox, &train).failed(2, &["shapes", "CIFAR10", "own"]);
    std::fs::rename(&away, &shapes).unwrap();
    run(&sandbox, &train).succeeded();
}

#[test]
fn a_damaged_plugin_is_named_with_the_reason_and_does_no_harm() {
    let sandbox = Sandbox::new();
    let folder = own_plugins(&sandbox);
    let shapes = folder.join("libselfsame_plugin_shapes.so");
    let bytes = std::fs::read(&shapes).unwrap();
    std::fs::write(&shapes, &bytes[..bytes.len() / 2]).unwrap();
    run(&sandbox, &format!("train --plugins own {TINY}")).failed(2, &["shapes", "libselfsame_plugin_shapes.so"]);
    let listed = run(&sandbox, "plugins list --plugins own").succeeded();
    let row = |name: &str| listed.stdout.lines().find(|line| line.contains(name)).expect(name);
    assert!(row("libselfsame_plugin_shapes.so").contains("truncated"), "{}", listed.stdout);
    assert!(row("libselfsame_plugin_cifar.so").contains("CIFAR10, CIFAR100"), "{}", listed.stdout);
}

#[test]
fn plugins_can_be_listed_and_inspected() {
    let sandbox = Sandbox::new();
    let list = sandbox.run("plugins list --json").succeeded();
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert!(list.as_array().unwrap().len() >= 3, "{list}");
    let file = plugins().join("libselfsame_plugin_cifar.so");
    let shown = sandbox.run(&format!("plugins inspect {}", file.display())).succeeded();
    for word in ["CIFAR10", "CIFAR100", "mirror", "Krizhevsky"] {
        assert!(shown.stdout.contains(word), "`{word}` is not in:\n{}", shown.stdout);
    }
    for name in ["CIFAR10", "selfsame-plugin-cifar"] {
        assert_eq!(sandbox.run(&format!("plugins inspect {name}")).succeeded().stdout, shown.stdout);
    }
    assert!(sandbox.run("plugins inspect resnet18").succeeded().stdout.contains("encoder resnet18"));
    sandbox.run("plugins inspect resnet_18").failed(2, &["`resnet_18`", "did you mean `resnet18`?"]);
    sandbox.run("plugins inspect nowhere.so").failed(2, &["nowhere.so", "no such file"]);
}

#[test]
fn a_plugin_with_broken_cards_is_shown_as_far_as_it_goes_and_not_installed() {
    let sandbox = Sandbox::new();
    let file = test_plugin("hostile");
    for command in ["inspect", "install", "inspect --json"] {
        let ran = sandbox.run(&format!("plugins {command} {}", file.display()));
        assert_eq!(ran.code, Some(4), "{}", ran.stderr);
        for part in ["error: ", "libselfsame_hostile_plugin.so", "`bad-card`", "positive std", "no card today"] {
            assert!(ran.stderr.contains(part), "`{part}` is not in:\n{}", ran.stderr);
        }
        assert_eq!(ran.stdout.contains("Four 2×2 images, and faults."), command != "install", "{}", ran.stdout);
    }
    assert!(!sandbox.path("data-home/selfsame").exists());
}

#[test]
fn a_pipe_in_a_plugin_folder_is_named_and_waited_for_by_no_command() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("plugins")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(sandbox.path("plugins/libpipe.so")).status().unwrap();
    assert!(made.success());
    for (link, to) in [("libzero.so", "/dev/zero"), ("libloop.so", "libloop.so"), ("libdangling.so", "nowhere")] {
        std::os::unix::fs::symlink(to, sandbox.path("plugins").join(link)).unwrap();
    }
    let expected = "a named pipe, expected a regular file";
    // Killed when it hangs, as it does when a pipe is opened and nobody writes.
    let run = |arguments: &str| Running::within(Duration::from_secs(60), &mut sandbox.command(arguments)).finish();
    let listed = run("plugins list --json").succeeded();
    assert!(listed.stdout.contains("libpipe.so") && listed.stdout.contains(expected), "{}", listed.stdout);
    for (file, reason) in [("/dev/zero", "a device"), ("libloop.so", "cannot be"), ("libdangling.so", "cannot be")] {
        let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
        let of_file = |one: &&serde_json::Value| one["path"].as_str().is_some_and(|path| path.ends_with(file));
        let found = listed.as_array().unwrap().iter().find(of_file).expect(file);
        assert!(found["reason"].as_str().unwrap().contains(reason), "{found}");
    }
    run("doctor").succeeded();
    // Whoever looks for a name there is told, once, of what may have been meant to provide it.
    let ran = run("config check --set dataset.name=shapes").succeeded();
    let told = |line: &&str| line.contains("libpipe.so is passed over") && line.contains("`shapes` is that of");
    assert_eq!(ran.stderr.lines().filter(told).count(), 1, "{}", ran.stderr);
    run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    for command in ["inspect", "install"] {
        run(&format!("plugins {command} plugins/libpipe.so")).failed(4, &["libpipe.so", expected]);
    }
}

#[test]
fn a_folder_that_was_named_and_does_not_exist_is_warned_of() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command("plugins list --plugins flag --plugins there");
    std::fs::create_dir(sandbox.path("there")).unwrap();
    let ran = Running::start(command.env("SELFSAME_PLUGINS", "variable")).finish().succeeded();
    let warnings: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(warnings.len(), 2, "{}", ran.stderr);
    assert!(warnings[0].contains("flag (--plugins, no such folder)"), "{}", ran.stderr);
    assert!(warnings[1].contains("variable (SELFSAME_PLUGINS, no such folder)"), "{}", ran.stderr);
}

/// Runs a crate's own tests.
fn test_crate(crate_folder: &std::path::Path) {
    let target = selfsame_tests::binary().ancestors().nth(2).unwrap().to_owned();
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo
        .args(["test", "--release"])
        .current_dir(crate_folder)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo")
        .env("SELFSAME", selfsame_tests::binary())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let ran = Running::within(Duration::from_secs(3600), &mut cargo).finish().succeeded();
    assert!(ran.stdout.contains("the_plugin_keeps_its_contract ... ok"), "{}", ran.stdout);
}

/// Writes, builds and inspects a skeleton, and moves its library to where `sandbox`'s runs find it.
fn new_plugin(sandbox: &Sandbox, name: &str, kind: &str, option: &str, api: &std::path::Path) {
    sandbox.run(&format!("plugins new {name} {kind} --api {}", api.display())).succeeded();
    let file = format!("lib{}.so", name.replace('-', "_"));
    let library = compile(&sandbox.path(name), &file);
    let shown = sandbox.run(&format!("plugins inspect {}", library.display())).succeeded();
    assert!(shown.stdout.contains(name) && shown.stdout.contains(option), "{}", shown.stdout);
    std::fs::rename(&library, sandbox.path("plugins").join(file)).unwrap();
}

#[test]
fn new_plugins_compile_as_they_are_and_train() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("plugins")).unwrap();
    let api = repository().join("plugin-api");
    new_plugin(&sandbox, "own-stripes", "--dataset", "train_size", &api);
    test_crate(&sandbox.path("own-stripes"));
    new_plugin(&sandbox, "own-net", "--encoder", "width", &api);
    let small = "--set dataset.name=own-stripes --set dataset.options.train_size=64 --set scheduler.epochs=1";
    let own = "--set train.self_supervision.encoder_name=own-net --set encoder.options.width=4";
    for name in ["own-stripes", "own-net"] {
        sandbox.run(&format!("plugins check {name}")).succeeded();
    }
    sandbox.run(&format!("train {TINY} {small} {own} --output-dir run")).succeeded();
    let weights = std::fs::read(sandbox.path("run/encoder.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&weights).unwrap();
    assert_eq!(tensors.tensor("conv3.weight").unwrap().shape(), [16, 8, 3, 3]);
    // A third party's batch norm is over the rows of all processes.
    let step = format!(
        "train {TINY} {small} {own} --set data.limit.train=16 --set scheduler.warmup_epochs=0 --set optimizer.name=sgd --set optimizer.lr_scaling=none --set train.base_lr=0.1"
    );
    for processes in [1, 2] {
        let run = sandbox.start(&format!("{step} --output-dir run{processes} --processes {processes}"));
        run.finish().succeeded();
    }
    let (worst, name) = difference(&sandbox.path("run1"), &sandbox.path("run2"));
    assert!(worst <= 1e-5, "{name} differs by {worst:e}");
}

/// A copy of the SDK as it lies in a workspace of another version; returns its folder.
fn sdk_at(sandbox: &Sandbox, version: &str) -> std::path::PathBuf {
    let root = sandbox.path(&format!("sdk-{version}"));
    for file in walkdir::WalkDir::new(repository().join("plugin-api")).into_iter().map(Result::unwrap) {
        let copy = root.join(file.path().strip_prefix(repository()).unwrap());
        if file.file_type().is_dir() {
            std::fs::create_dir_all(copy).unwrap();
        } else {
            std::fs::copy(file.path(), copy).unwrap();
        }
    }
    let manifest = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let lines = manifest.lines().filter_map(|line| match line.split_once(" = ").map_or(line, |(key, _)| key) {
        "members" => Some("members = [\"plugin-api\", \"plugin-api/abi\", \"plugin-api/encoder\"]".to_owned()),
        "default-members" => None,
        "version" => Some(format!("version = \"{version}\"")),
        _ => Some(line.to_owned()),
    });
    std::fs::write(root.join("Cargo.toml"), lines.collect::<Vec<_>>().join("\n")).unwrap();
    root.join("plugin-api")
}

#[test]
fn a_plugin_loads_whatever_the_version_of_the_workspace_that_its_sdk_is_from() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("plugins")).unwrap();
    for (version, name) in [("0.0.7", "older"), ("9.1.0", "newer")] {
        assert_ne!(version, env!("CARGO_PKG_VERSION"));
        new_plugin(&sandbox, name, "--dataset", "train_size", &sdk_at(&sandbox, version));
        let small = format!("--set dataset.name={name} --set dataset.options.train_size=8");
        let read = sandbox.run(&format!("data verify {small}")).succeeded();
        assert!(read.stdout.contains("8"), "{}", read.stdout);
    }
}

#[test]
fn a_new_plugin_is_a_folder_of_its_own() {
    let sandbox = Sandbox::new();
    let said = sandbox.run("plugins new my_net --encoder").succeeded();
    assert!(said.stdout.contains("my_net") && said.stdout.contains("--git"), "{}", said.stdout);
    // A copy of the SDK that lies beside the crate is found from wherever both are moved to.
    std::fs::create_dir_all(sandbox.path("sdk/encoder")).unwrap();
    sandbox.write("sdk/Cargo.toml", "[package]\nname = \"selfsame-plugin-api\"\n");
    let toml = |name: &str, arguments: &str| {
        sandbox.run(&format!("plugins new {name} {arguments}")).succeeded();
        std::fs::read_to_string(sandbox.path(name).join("Cargo.toml")).unwrap()
    };
    let named = toml("beside", "--encoder --api sdk");
    assert!(named.contains(r#"selfsame-encoder-api = { path = "../sdk/encoder" }"#), "{named}");
    let named = toml("by-git", "--git https://example.org/selfsame.git --rev 1a2b3c");
    let expected = r#"selfsame-plugin-api = { git = "https://example.org/selfsame.git", rev = "1a2b3c" }"#;
    assert!(named.contains(expected), "{named}");
    let read = |file: &str| std::fs::read_to_string(sandbox.path("my_net").join(file)).unwrap();
    let text = ["Cargo.toml", "README.md", "src/lib.rs", ".gitignore"].map(read).concat();
    assert!(!text.contains("{{") && text.contains("selfsame-encoder-api = {"), "{text}");
    for command in ["plugins install target/release/libmy_net.so", "encoder_name=my_net"] {
        assert!(text.contains(command), "`{command}` is not in:\n{text}");
    }
    sandbox.run("plugins new my_net").failed(2, &["my_net", "already"]);
    sandbox.run("plugins new ../up").failed(2, &["../up", "lower-case"]);
    sandbox.run("plugins new other --api nowhere").failed(2, &["nowhere", "selfsame-plugin-api"]);
    sandbox.run("plugins new other --dataset --encoder").failed(2, &["--encoder"]);
    sandbox.run("plugins new other --rev 1a2b").failed(2, &["--git"]);
    sandbox.run("plugins new other --git \" --rev 1a2b").failed(2, &["--git"]);
    Running::start(sandbox.command("plugins new other --git").arg("")).finish().failed(2, &["--git"]);
    assert!(!sandbox.path("other").exists());
}

#[test]
fn an_encoder_that_cannot_learn_is_named_after_its_first_step() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("plugins")).unwrap();
    std::fs::copy(test_plugin("hostile"), sandbox.path("plugins/libhostile.so")).unwrap();
    let train = |fault: &str, more: &str| {
        let tiny = format!("--set train.self_supervision.encoder_name=tiny --set encoder.options.fault={fault}");
        sandbox.run(&format!("train {TINY} {tiny} --set scheduler.epochs=1 {more} --output-dir {fault}{}", more.len()))
    };
    let pieces = "--set train.micro_batch_size=8";
    let averaged = "--set train.encoder_ema_decay=0.9";
    for more in ["", pieces, averaged] {
        for (fault, reason) in [
            ("detach", "none of its 1 parameters received a gradient"),
            ("copies", "none of its 1 parameters received a gradient"),
            ("no_parameters", "it has no parameters"),
        ] {
            train(fault, more).failed(4, &["encoder `tiny` cannot learn", reason]);
        }
        let ran = train("unused", more).succeeded();
        let warning = "1 of 2 parameters received no gradient in the first step and stay as they are: spare.weight";
        assert_eq!(ran.stderr.matches(warning).count(), 1, "{}", ran.stderr);
        for fault in ["none", "frozen"] {
            assert!(!train(fault, more).succeeded().stderr.contains("gradient"), "{fault} {more}");
        }
    }
}
