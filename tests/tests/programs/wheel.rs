//! The wheel that `cargo xtask wheel` packs, installed by pip beside what stands for PyTorch: a folder `torch` with its
//! version and this machine's libtorch. PyTorch itself takes gigabytes.

use selfsame_tests::{Ran, Running, Sandbox, repository};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn run(command: &mut Command) -> Ran {
    Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped())).finish()
}

/// Packs the wheel and installs it into a folder of packages; returns that.
fn installed(sandbox: &Sandbox) -> PathBuf {
    let packed = run(Command::new(env!("CARGO")).args(["xtask", "wheel"]).current_dir(repository())).succeeded();
    let wheel = packed.stdout.lines().last().expect("the wheel's path").to_owned();
    let name = Path::new(&wheel).file_name().unwrap().to_string_lossy().into_owned();
    let (start, end) = (format!("selfsame-{}-py3-none-manylinux_2_", env!("CARGO_PKG_VERSION")), "_x86_64.whl");
    assert!(name.starts_with(&start) && name.ends_with(end), "{name}");
    let site = sandbox.path("site-packages");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", "--target"]);
    run(pip.arg(&site).arg(&wheel)).succeeded();
    site
}

/// The installed package with these arguments, in the sandbox.
fn selfsame(sandbox: &Sandbox, site: &Path, arguments: &str) -> Command {
    let mut python = Command::new("python3");
    python.args(["-m", "selfsame"]).args(arguments.split_whitespace()).current_dir(sandbox.path(""));
    python
        .env("PYTHONPATH", site)
        .env("XDG_CACHE_HOME", sandbox.path("cache"))
        .env("XDG_DATA_HOME", sandbox.path("data"));
    // A user's own packages, PyTorch among them, are none of this test's.
    python.env("PYTHONNOUSERSITE", "1").env_remove("LD_LIBRARY_PATH").env_remove("SELFSAME_LIBTORCH");
    python
}

#[test]
fn an_installed_wheel_trains_on_the_libtorch_of_pytorch_or_says_what_it_lacks() {
    let sandbox = Sandbox::new();
    let site = installed(&sandbox);
    for program in ["bin/selfsame", "bin/plugins/libselfsame_plugin_resnet.so"] {
        let listed = Command::new("readelf").arg("-d").arg(site.join("selfsame").join(program)).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let line = listed.lines().find(|line| line.contains("RUNPATH")).unwrap();
        let folders = line.split_once('[').unwrap().1.trim_end_matches(']');
        assert!(folders.split(':').all(|folder| folder.starts_with("$ORIGIN")), "{program}: {folders}");
    }

    // An isolated Python has no PyTorch of this machine's.
    let torch = site.join("torch");
    std::fs::create_dir(&torch).unwrap();
    std::fs::write(torch.join("__init__.py"), "raise ImportError('PyTorch is found, not imported')\n").unwrap();
    std::fs::write(torch.join("version.py"), "__version__ = '2.15.0+cu130'\ndebug = False\n").unwrap();
    let refused = run(&mut selfsame(&sandbox, &site, "--version")).failed(5, &["needs PyTorch 2.11.0", "is 2.15.0"]);
    assert!(refused.stderr.contains("pip install torch==2.11.0"), "{}", refused.stderr);
    run(selfsame(&sandbox, &site, "--version").env("SELFSAME_LIBTORCH", "/nowhere"))
        .failed(5, &["/nowhere", "unset it"]);

    let libtorch = std::env::var_os("LIBTORCH").map_or_else(|| repository().join(".libtorch"), PathBuf::from);
    std::fs::write(torch.join("version.py"), "__version__ = '2.11.0+cu130'\n").unwrap();
    run(&mut selfsame(&sandbox, &site, "--version")).failed(5, &["holds no libtorch_cpu.so"]);
    std::os::unix::fs::symlink(libtorch.join("lib"), torch.join("lib")).unwrap();
    let said = run(&mut selfsame(&sandbox, &site, "--version")).succeeded();
    assert_eq!(said.stdout, format!("selfsame {}\n", env!("CARGO_PKG_VERSION")));
    let card = run(&mut selfsame(&sandbox, &site, "plugins inspect resnet8")).succeeded();
    assert!(card.stdout.contains("resnet8"), "{}", card.stdout);

    let program = site.join("selfsame/bin/selfsame");
    let allow = |mode| std::fs::set_permissions(&program, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o644);
    run(&mut selfsame(&sandbox, &site, "--version")).failed(5, &["bin/selfsame cannot be started: Permission denied"]);
    allow(0o755);

    // A shipped run file by its name.
    let small = "--set scheduler.epochs=1 --set data.limit.train=256 --set data.limit.val=32 --set data.limit.test=32";
    run(&mut selfsame(&sandbox, &site, &format!("train --config quickstart {small} --output-dir run"))).succeeded();
    assert!(sandbox.path("run/encoder.safetensors").exists());
    run(&mut selfsame(&sandbox, &site, "train --config quikstart")).failed(2, &["did you mean `quickstart`?"]);
}
