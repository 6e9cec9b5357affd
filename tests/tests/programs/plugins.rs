//! Plugins come and go as files; the program is never rebuilt.

use selfsame_tests::{Ran, Running, Sandbox, TINY, plugins, repository, test_plugin};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

/// Copies of the staged plugins in a folder of the sandbox, and the arguments that make them the only ones.
fn own_plugins(sandbox: &Sandbox) -> std::path::PathBuf {
    let folder = sandbox.path("own");
    std::fs::create_dir(&folder).unwrap();
    for entry in std::fs::read_dir(plugins()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    // A copy of the program elsewhere has no plugins beside it.
    std::fs::copy(selfsame_tests::binary(), sandbox.path("selfsame")).unwrap();
    folder
}

fn run(sandbox: &Sandbox, arguments: &str) -> Ran {
    Running::start(&mut sandbox.command_of(&sandbox.path("selfsame"), arguments)).finish()
}

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
    sandbox.run("plugins inspect nowhere.so").failed(4, &["nowhere.so", "cannot be opened"]);
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
    let expected = "a named pipe, expected a regular file";
    // Killed when it hangs, as it does when a pipe is opened and nobody writes.
    let run = |arguments: &str| Running::within(Duration::from_secs(60), &mut sandbox.command(arguments)).finish();
    let listed = run("plugins list --json").succeeded();
    assert!(listed.stdout.contains("libpipe.so") && listed.stdout.contains(expected), "{}", listed.stdout);
    run("doctor").succeeded();
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

#[test]
fn an_installed_plugin_is_found_from_everywhere_and_not_replaced_by_accident() {
    let sandbox = Sandbox::new();
    own_plugins(&sandbox);
    let file = "own/libselfsame_plugin_shapes.so";
    let installed = run(&sandbox, &format!("plugins install {file}")).succeeded();
    assert!(installed.stdout.contains("shapes") && installed.stdout.contains("data-home"), "{}", installed.stdout);
    let listed = run(&sandbox, "plugins list").succeeded();
    assert!(listed.stdout.contains("data-home/selfsame/plugins/libselfsame_plugin_shapes.so"), "{}", listed.stdout);
    run(&sandbox, &format!("plugins install {file}")).failed(2, &["shapes.so", "--force"]);
    run(&sandbox, &format!("plugins install {file} --force")).succeeded();

    sandbox.write("no_plugin.so", "text");
    run(&sandbox, "plugins install no_plugin.so").failed(4, &["no_plugin.so"]);
    let kept = std::fs::read_dir(sandbox.path("data-home/selfsame/plugins")).unwrap().count();
    assert_eq!(kept, 1, "nothing but the plugin");
}

/// The skeletons' own compiler runs are shared with the workspace's, so that only the skeleton itself is compiled.
fn build(crate_folder: &std::path::Path) {
    // The versions that the workspace has downloaded.
    std::fs::copy(repository().join("Cargo.lock"), crate_folder.join("Cargo.lock")).unwrap();
    let target = selfsame_tests::binary();
    let target = target.parent().and_then(std::path::Path::parent).unwrap();
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo
        .args(["build", "--release", "--offline"])
        .args(["--config", "profile.release.strip='debuginfo'"])
        .args(["--config", "profile.release.package.torch-sys.opt-level=0"])
        .current_dir(crate_folder)
        .env("CARGO_TARGET_DIR", target)
        .stderr(Stdio::piped());
    Running::within(Duration::from_secs(3600), &mut cargo).finish().succeeded();
}

/// Writes, builds and inspects a skeleton, and moves its library to where `sandbox`'s runs find it.
fn new_plugin(sandbox: &Sandbox, name: &str, kind: &str, option: &str, api: &std::path::Path) {
    sandbox.run(&format!("plugins new {name} {kind} --api {}", api.display())).succeeded();
    build(&sandbox.path(name));
    let file = format!("lib{}.so", name.replace('-', "_"));
    let library = selfsame_tests::binary().with_file_name(&file);
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
    new_plugin(&sandbox, "own-net", "--encoder", "width", &api);
    let small = "--set dataset.name=own-stripes --set dataset.options.train_size=64 --set scheduler.epochs=1";
    let own = "--set train.self_supervision.encoder_name=own-net --set encoder.options.width=4";
    sandbox.run(&format!("train {TINY} {small} {own} --output-dir run")).succeeded();
    let weights = std::fs::read(sandbox.path("run/encoder.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&weights).unwrap();
    assert_eq!(tensors.tensor("conv3.weight").unwrap().shape(), [16, 8, 3, 3]);
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
    assert!(said.stdout.contains("my_net"), "{}", said.stdout);
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
        assert!(!train("none", more).succeeded().stderr.contains("gradient"), "{more}");
    }
}

/// Another file with the plugin `shapes`, and the permissions of its folder and of itself.
fn place_shapes(path: &std::path::Path, folder_mode: u32, file_mode: u32) {
    let folder = path.parent().unwrap();
    std::fs::create_dir_all(folder).unwrap();
    let mut bytes = std::fs::read(plugins().join("libselfsame_plugin_shapes.so")).unwrap();
    bytes.push(0);
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(file_mode)).unwrap();
    std::fs::set_permissions(folder, Permissions::from_mode(folder_mode)).unwrap();
}

#[test]
fn a_plugin_in_place_of_another_is_told_of() {
    let check = "config check --set dataset.name=shapes";
    let told = |ran: &Ran, used: &str, passed_over: &str| {
        let (used, passed_over) = (format!("is that of {used}"), format!("not of {passed_over}"));
        let lines: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("warning:")).collect();
        assert_eq!(lines.len(), 1, "{}", ran.stderr);
        for part in ["the data set `shapes`", &used, &passed_over, "--plugins"] {
            assert!(lines[0].contains(part), "`{part}` is not in: {}", lines[0]);
        }
    };
    let sandbox = Sandbox::new();
    let root = sandbox.path("").canonicalize().unwrap();
    let place = |file: &str| root.join(file).display().to_string();
    let shipped = plugins().canonicalize().unwrap().join("libselfsame_plugin_shapes.so").display().to_string();

    // The current folder comes before the shipped ones.
    place_shapes(&sandbox.path("plugins/liba.so"), 0o755, 0o644);
    let here = format!("{} (current folder)", place("plugins/liba.so"));
    told(&sandbox.run(check).succeeded(), &here, &shipped);
    assert!(sandbox.run("plugins list").succeeded().stdout.contains("ok, but"));
    // What was named comes before all others.
    place_shapes(&sandbox.path("named/libb.so"), 0o755, 0o644);
    let named = format!("{} (--plugins)", place("named/libb.so"));
    told(&sandbox.run(&format!("{check} --plugins named")).succeeded(), &named, &shipped);
    // Two of one folder stay ambiguous.
    std::fs::copy(plugins().join("libselfsame_plugin_shapes.so"), sandbox.path("named/libc.so")).unwrap();
    sandbox.run(&format!("{check} --plugins named")).failed(4, &["libb.so", "libc.so", "remove one"]);
}

#[test]
fn a_plugin_that_others_can_write_to_takes_the_place_of_none_unless_it_is_named() {
    let check = "config check --set dataset.name=shapes";
    for (folder_mode, file_mode, part) in [(0o777, 0o644, "its folder"), (0o755, 0o666, "it can be written by others")]
    {
        let sandbox = Sandbox::new();
        place_shapes(&sandbox.path("plugins/liba.so"), folder_mode, file_mode);
        sandbox.run(check).failed(4, &["plugins/liba.so", part, "libselfsame_plugin_shapes.so", "--plugins"]);
        sandbox.run(&format!("{check} --plugins plugins")).succeeded();
        // It stands in nobody's place here.
        sandbox.run("config check --set dataset.name=CIFAR10").succeeded();
    }
}
