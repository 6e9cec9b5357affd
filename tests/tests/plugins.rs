//! Plugins come and go as files; the program is never rebuilt.

use selfsame_tests::{Sandbox, TINY, plugins, repository};

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

fn run(sandbox: &Sandbox, arguments: &str) -> selfsame_tests::Ran {
    let elsewhere = sandbox.command(arguments);
    let mut command = std::process::Command::new(sandbox.path("selfsame"));
    command.args(elsewhere.get_args()).current_dir(sandbox.path(""));
    for (name, value) in elsewhere.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    selfsame_tests::Ran::new(command.output().unwrap())
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
    assert!(listed.stdout.contains("libselfsame_plugin_shapes.so") && listed.stdout.contains("CIFAR100"));
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
    let built = std::process::Command::new(env!("CARGO"))
        .args(["build", "--release", "--offline", "--config", "profile.release.debug='line-tables-only'"])
        .current_dir(crate_folder)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

#[test]
fn a_new_plugin_compiles_as_it_is_and_trains() {
    let sandbox = Sandbox::new();
    let api = repository().join("plugin-api");
    sandbox.run(&format!("plugins new own-stripes --api {}", api.display())).succeeded();
    build(&sandbox.path("own-stripes"));
    let library = selfsame_tests::binary().with_file_name("libown_stripes.so");
    let shown = sandbox.run(&format!("plugins inspect {}", library.display())).succeeded();
    assert!(shown.stdout.contains("own-stripes") && shown.stdout.contains("train_size"), "{}", shown.stdout);
    std::fs::create_dir(sandbox.path("plugins")).unwrap();
    std::fs::rename(&library, sandbox.path("plugins/libown_stripes.so")).unwrap();
    let small = "--set dataset.name=own-stripes --set dataset.options.train_size=64 --set scheduler.epochs=1";
    sandbox.run(&format!("train {TINY} {small} --output-dir run")).succeeded();
}

#[test]
fn a_new_plugin_is_a_folder_of_its_own() {
    let sandbox = Sandbox::new();
    let said = sandbox.run("plugins new my_net --encoder").succeeded();
    assert!(said.stdout.contains("my_net"), "{}", said.stdout);
    let read = |file: &str| std::fs::read_to_string(sandbox.path("my_net").join(file)).unwrap();
    let text = ["Cargo.toml", "README.md", "src/lib.rs", ".gitignore"].map(read).concat();
    assert!(!text.contains("{{") && text.contains("features = [\"encoder\"]"), "{text}");
    for command in ["plugins install target/release/libmy_net.so", "encoder_name=my_net"] {
        assert!(text.contains(command), "`{command}` is not in:\n{text}");
    }
    sandbox.run("plugins new my_net").failed(2, &["my_net", "already"]);
    sandbox.run("plugins new ../up").failed(2, &["../up", "lower-case"]);
    sandbox.run("plugins new other --api nowhere").failed(2, &["nowhere", "selfsame-plugin-api"]);
    sandbox.run("plugins new other --dataset --encoder").failed(2, &["--encoder"]);
    assert!(!sandbox.path("other").exists());
}
