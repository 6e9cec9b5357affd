//! The archive that `cargo xtask dist` packs, unpacked and started as on another machine.

use selfsame_tests::{Ran, Running, Sandbox, repository};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Packs the archive and unpacks it; returns its folder.
fn unpacked(sandbox: &Sandbox) -> PathBuf {
    let mut xtask = Command::new(env!("CARGO"));
    xtask.args(["xtask", "dist"]).current_dir(repository()).stdin(Stdio::null());
    let archive = run(&mut xtask).succeeded().stdout.lines().last().expect("the archive's path").to_owned();
    let sum = PathBuf::from(format!("{archive}.sha256"));
    let mut check = Command::new("sha256sum");
    run(check.arg("-c").arg(&sum).current_dir(sum.parent().unwrap())).succeeded();
    let status = Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(sandbox.path("")).status();
    assert!(status.expect("tar starts").success());
    let name = Path::new(&archive).file_name().unwrap().to_str().unwrap().trim_end_matches(".tar.gz").to_owned();
    sandbox.path(&name)
}

/// A program's dynamic section as text.
fn dynamic_section(program: &Path) -> String {
    let listed = Command::new("readelf").arg("-d").arg(program).output().expect("readelf, beside the linker");
    String::from_utf8(listed.stdout).unwrap()
}

/// The folders that a program's dynamic section names.
fn runpath(program: &Path) -> String {
    let listed = dynamic_section(program);
    let line = listed.lines().find(|line| line.contains("RUNPATH") || line.contains("RPATH")).unwrap_or_default();
    line.split_once('[').map(|(_, path)| path.trim_end_matches(']').to_owned()).unwrap_or_default()
}

/// What needs no computing is answered, and what computes says what it lacks.
fn answers_without_libtorch(sandbox: &Sandbox, folder: &Path) {
    let check = format!("config check --config {}", repository().join("configs/quickstart.yaml").display());
    let answered: [(&str, &str); 10] = [
        ("--version", env!("CARGO_PKG_VERSION")),
        ("--help", "Usage: selfsame"),
        ("plugins list --json", "\"ok\": true"),
        ("plugins inspect resnet8", "encoder resnet8"),
        ("plugins inspect shapes", "data set shapes"),
        ("config explain train.base_lr", "Peak learning rate"),
        ("config schema", "\"$schema\""),
        ("config show --config quickstart", "# recommended by data set shapes"),
        (&check, "the configuration is valid"),
        ("completions bash", "_selfsame()"),
    ];
    for (arguments, part) in answered {
        let ran = run(launcher(folder, arguments).current_dir(sandbox.path(""))).succeeded();
        assert!(ran.stdout.contains(part), "{arguments}: {}", ran.stdout);
        assert_eq!(ran.stderr, "", "{arguments}");
    }
    for arguments in
        ["train --config quickstart", "train --dry-run", "doctor", "preview --out a.png", "plugins check resnet"]
    {
        let ran = run(launcher(folder, arguments).current_dir(sandbox.path("")));
        ran.failed(5, &["needs libtorch 2.11.0", "SELFSAME_LIBTORCH", "libtorch/lib"]);
    }
    run(launcher(folder, "embed run --split all --out a.npy").env("SELFSAME_LIBTORCH", "/nowhere"))
        .failed(5, &["/nowhere", "libtorch_cpu.so"]);
    run(launcher(folder, "--version").env("SELFSAME_LIBTORCH", "/nowhere")).succeeded();
    assert_eq!(std::fs::read_dir(sandbox.path("")).unwrap().count(), 1, "nothing but the archive's folder");
}

/// Documents, notices, and an SDK that is enough to compile a plugin.
fn what_comes_with_it(sandbox: &Sandbox, folder: &Path) {
    for page in
        ["README.md", "docs/plugins.md", "docs/report.png", "sdk/plugin-api/src/lib.rs", "configs/quickstart.yaml"]
    {
        assert!(folder.join(page).exists(), "{page} is not in the archive");
    }
    let notices = std::fs::read_to_string(folder.join("THIRD-PARTY-LICENSES.txt")).unwrap();
    for part in [
        "\nabi_stable 0.11.3: MIT/Apache-2.0",
        "\nlibjpeg-turbo-rs 0.9.0: MIT OR Apache-2.0",
        "Independent JPEG\nGroup",
        "Permission is hereby granted",
    ] {
        assert!(notices.contains(part), "{part} is not in the notices");
    }
    for (name, is_compiled_in) in [("safetensors", true), ("proptest", false), ("selfsame-abi", false)] {
        assert_eq!(notices.contains(&format!("\n{name} ")), is_compiled_in, "{name}");
    }

    let new = format!("plugins new archived-data --api {}/sdk/plugin-api", folder.display());
    run(launcher(folder, &new).current_dir(sandbox.path(""))).succeeded();
    let library = selfsame_tests::compile(&sandbox.path("archived-data"), "libarchived_data.so");
    let card = run(&mut launcher(folder, &format!("plugins inspect {}", library.display()))).succeeded();
    assert!(card.stdout.contains("data set archived-data"), "{}", card.stdout);
}

/// The launcher, without the libtorch of this machine.
fn launcher(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(folder.join("selfsame"));
    command.args(arguments.split_whitespace()).env_remove("LD_LIBRARY_PATH").env_remove("SELFSAME_LIBTORCH");
    command
}

fn run(command: &mut Command) -> Ran {
    Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped())).finish()
}

#[test]
fn the_archive_looks_for_libtorch_beside_itself_and_says_what_it_lacks() {
    let sandbox = Sandbox::new();
    let folder = unpacked(&sandbox);
    assert_eq!(runpath(&folder.join("bin/selfsame")), "$ORIGIN/../lib:$ORIGIN/../libtorch/lib");
    let plugins: Vec<_> =
        std::fs::read_dir(folder.join("bin/plugins")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(plugins.len(), 8);
    for plugin in &plugins {
        let is_encoder =
            ["resnet", "densenet", "vit"].iter().any(|name| plugin.ends_with(format!("libselfsame_plugin_{name}.so")));
        let expected = if is_encoder { "$ORIGIN/../../lib:$ORIGIN/../../libtorch/lib" } else { "" };
        assert_eq!(runpath(plugin), expected, "{}", plugin.display());
        let links_libtorch = dynamic_section(plugin).contains("libtorch");
        assert_eq!(links_libtorch, is_encoder, "{} links libtorch: {links_libtorch}", plugin.display());
    }

    answers_without_libtorch(&sandbox, &folder);
    what_comes_with_it(&sandbox, &folder);

    let libtorch = std::env::var_os("LIBTORCH").map_or_else(|| repository().join(".libtorch"), PathBuf::from);
    let named = run(launcher(&folder, "plugins list").env("SELFSAME_LIBTORCH", &libtorch)).succeeded();
    assert_eq!(named.stdout.matches(" ok ").count(), 8, "{}", named.stdout);
    let stats = "data stats --set dataset.name=shapes --set dataset.options.train_size=32";
    run(launcher(&folder, stats).env("LD_LIBRARY_PATH", libtorch.join("lib"))).succeeded();
    std::os::unix::fs::symlink(&libtorch, folder.join("libtorch")).unwrap();
    for page in ["man/man1/selfsame.1", "man/man1/selfsame-init.1", "bash-completion/completions/selfsame"] {
        assert!(folder.join("share").join(page).exists(), "{page} is not in the archive");
    }
    let card = run(&mut launcher(&folder, "plugins inspect resnet8")).succeeded();
    assert!(card.stdout.contains("resnet8"), "{}", card.stdout);
}
