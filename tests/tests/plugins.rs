//! Plugins come and go as files; the program is never rebuilt.

use selfsame_tests::{Sandbox, TINY, plugins};

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
