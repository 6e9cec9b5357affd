//! The wheel that `cargo xtask wheel` packs, installed by pip beside what stands for PyTorch: a folder `torch` with its
//! version and this machine's libtorch. PyTorch itself takes gigabytes.

use selfsame_tests::{Ran, Running, Sandbox, plugins, repository};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Runs a command to its end.
pub(super) fn run(command: &mut Command) -> Ran {
    Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped())).finish()
}

/// Packs the wheel, once for all tests.
pub(super) fn wheel() -> &'static Path {
    static WHEEL: OnceLock<PathBuf> = OnceLock::new();
    WHEEL.get_or_init(|| {
        let packed = run(Command::new(env!("CARGO")).args(["xtask", "wheel"]).current_dir(repository())).succeeded();
        let wheel = PathBuf::from(packed.stdout.lines().last().expect("the wheel's path"));
        let name = wheel.file_name().unwrap().to_string_lossy();
        let start = format!("selfsame-{}-py3-none-manylinux_2_", env!("CARGO_PKG_VERSION"));
        assert!(name.starts_with(&start) && name.ends_with("_x86_64.whl"), "{name}");
        wheel
    })
}

/// pip with these arguments, which asks no index and nobody's settings.
pub(super) fn pip(arguments: &[&str]) -> Command {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--isolated", "--disable-pip-version-check"]).args(arguments);
    pip
}

/// Installs the wheel into a folder of packages; returns that.
fn installed(sandbox: &Sandbox) -> PathBuf {
    let site = sandbox.path("site-packages");
    let mut pip = pip(&["install", "--quiet", "--no-deps", "--no-index", "--target"]);
    run(pip.arg(&site).arg(wheel())).succeeded();
    site
}

/// Python with these arguments, in the sandbox, with the installed package.
fn python(sandbox: &Sandbox, site: &Path, arguments: &[&str]) -> Command {
    let mut python = Command::new("python3");
    python.args(arguments).current_dir(sandbox.path(""));
    python
        .env("PYTHONPATH", site)
        .env("XDG_CACHE_HOME", sandbox.path("cache"))
        .env("XDG_DATA_HOME", sandbox.path("data"));
    // A user's own packages, PyTorch among them, are none of this test's.
    python.env("PYTHONNOUSERSITE", "1").env_remove("LD_LIBRARY_PATH").env_remove("SELFSAME_LIBTORCH");
    python
}

/// The installed program with these arguments.
fn selfsame(sandbox: &Sandbox, site: &Path, arguments: &str) -> Command {
    let words: Vec<&str> = ["-m", "selfsame"].into_iter().chain(arguments.split_whitespace()).collect();
    python(sandbox, site, &words)
}

/// A folder that stands for an installed PyTorch of this version.
pub(super) fn stand_in_for_torch(site: &Path, version: &str) -> PathBuf {
    let torch = site.join("torch");
    std::fs::create_dir_all(&torch).unwrap();
    std::fs::write(torch.join("__init__.py"), "raise ImportError('PyTorch is found, not imported')\n").unwrap();
    std::fs::write(torch.join("version.py"), format!("__version__ = '{version}'\ndebug = False\n")).unwrap();
    torch
}

/// Puts this machine's libtorch into it.
pub(super) fn link_libtorch(torch: &Path) {
    let libtorch = std::env::var_os("LIBTORCH").map_or_else(|| repository().join(".libtorch"), PathBuf::from);
    std::os::unix::fs::symlink(libtorch.join("lib"), torch.join("lib")).unwrap();
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

    // An isolated Python has no PyTorch of this machine's. What needs no computing is answered all the same.
    let said = run(&mut selfsame(&sandbox, &site, "--version")).succeeded();
    assert_eq!(said.stdout, format!("selfsame {}\n", env!("CARGO_PKG_VERSION")));
    let shown = run(&mut selfsame(&sandbox, &site, "config show --config quickstart")).succeeded();
    assert!(shown.stdout.contains("# recommended by data set shapes"), "{}", shown.stdout);
    let listed = run(&mut selfsame(&sandbox, &site, "plugins list --json")).succeeded();
    assert_eq!(listed.stdout.matches("\"ok\": true").count(), 8, "{}", listed.stdout);
    let train = |site: &Path| selfsame(&sandbox, site, "train --config quickstart --output-dir none");
    run(&mut train(&site)).failed(5, &["needs PyTorch 2.11.0", "has none", "pip install torch==2.11.0"]);
    let torch = stand_in_for_torch(&site, "2.15.0+cu130");
    run(&mut train(&site)).failed(5, &["needs PyTorch 2.11.0", "is 2.15.0", "pip install torch==2.11.0"]);
    run(train(&site).env("SELFSAME_LIBTORCH", "/nowhere")).failed(5, &["/nowhere", "unset it"]);
    stand_in_for_torch(&site, "2.11.0+cu130");
    run(&mut train(&site)).failed(5, &["holds no libtorch_cpu.so"]);
    assert!(!sandbox.path("none").exists());
    link_libtorch(&torch);
    let card = run(&mut selfsame(&sandbox, &site, "plugins inspect resnet8")).succeeded();
    assert!(card.stdout.contains("resnet8"), "{}", card.stdout);

    let program = site.join("selfsame/bin/selfsame");
    let allow = |mode| std::fs::set_permissions(&program, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o644);
    run(&mut selfsame(&sandbox, &site, "--version")).failed(5, &["bin/selfsame cannot be started: Permission denied"]);
    allow(0o755);

    // A shipped run file by its name; the variable that names libtorch is no key of a run file.
    let small = "--set scheduler.epochs=1 --set data.limit.train=256 --set data.limit.val=32 --set data.limit.test=32";
    let train = format!("train --config quickstart {small} --output-dir run");
    run(selfsame(&sandbox, &site, &train).env("SELFSAME_LIBTORCH", &torch)).succeeded();
    assert!(sandbox.path("run/encoder.safetensors").exists());
    run(&mut selfsame(&sandbox, &site, "train --config quikstart")).failed(2, &["did you mean `quickstart`?"]);
}

/// Reads a run with the standard library alone and compares with what its files say.
const READER: &str = r#"
import json, math, pathlib, sys
import selfsame
run = selfsame.Run("run")
record = json.loads(pathlib.Path("run/run.json").read_text())
lines = [json.loads(line) for line in open("run/metrics.jsonl")]

scores = run.scores()
assert scores["knn/val/accuracy"].value == record["metrics"]["knn/val/accuracy"], scores
assert "untrained/knn/val/accuracy" in scores and "ssl/train/loss" not in scores and "online/val/loss" not in scores
found = json.loads(pathlib.Path("run/evaluations/linear-shapes-test.json").read_text())
score = scores["linear-shapes-test/accuracy"]
assert score.value == found["metrics"]["accuracy"]["mean"]
assert list(score.interval) == found["metrics"]["accuracy"]["interval"] and score.std is None
assert run.evaluations()["linear-shapes-test"] == found
assert run.record() == record

columns = run.metrics()
assert {len(column) for column in columns.values()} == {len(lines)}
assert columns["event"] == [line["event"] for line in lines] and columns["epoch"][-1] == 2
for name in lines[-1]["metrics"]:
    value = lines[-1]["metrics"][name]
    assert columns[name][-1] == value or (value is None and math.isnan(columns[name][-1])), name
assert math.isnan(columns["linear/val/accuracy"][1])

config = run.config()
assert config["dataset"]["options"] == {"train_size": 64} and config["scheduler"]["epochs"] == 2
assert config["train"]["output_dir"].endswith("/run") and config["preprocess"]["resize"] is None
assert config["augmentation"]["random_crop"]["scale"] == [0.2, 1.0], config["augmentation"]["random_crop"]
assert config["data"]["cache_dir"].endswith('/a "ca\\che" \u202e of ä: #1'), config["data"]["cache_dir"]

embedded = run.embeddings("test", **{"data.limit.test": 20})
rows = selfsame.Embeddings.read("test.safetensors")
assert (embedded.ids, embedded.labels, embedded.values) == (rows.ids, rows.labels, rows.values)
assert len(embedded) == 20 and embedded.dim == 64 and len(embedded.values) == 20 * 64 and set(embedded.splits) == {"test"}
csv = [line.split(",") for line in open("test.csv").read().splitlines()[1:]]
assert [str(label) for label in rows.labels] == [row[2] for row in csv]
assert [rows.classes[label] for label in rows.labels] == [row[3] for row in csv]

seen = run.embeddings("test", inputs=True, **{"data.limit.test": 3})
assert seen.dim == 3 * 32 * 32 and len(seen) == 3 and set(seen.ids) <= set(embedded.ids)
try:
    run.embeddings("test", **{"knn.q": 5})
except selfsame.ProgramError as error:
    assert "knn.q" in error.args[0] and error.args[1] == 2, error
else:
    sys.exit("an unknown key is an error")
for wrong, what in [(lambda: selfsame.Run("nowhere"), "holds no run"), (lambda: rows.read("run/run.json"), "run.json is no")]:
    try:
        wrong()
    except (FileNotFoundError, ValueError) as error:
        assert what in str(error), error
    else:
        sys.exit(what)
print("read")
"#;

#[test]
fn python_reads_a_run_with_nothing_but_its_standard_library() {
    let sandbox = Sandbox::new();
    let site = installed(&sandbox);
    for typed in ["py.typed", "run.py", "transform.py"] {
        assert!(site.join("selfsame").join(typed).exists(), "{typed} is not in the wheel");
    }
    link_libtorch(&stand_in_for_torch(&site, "2.11.0"));
    let train = format!(
        "train {} --set scheduler.epochs=2 --set augmentation.random_crop.scale=[0.2,1.0]",
        selfsame_tests::TINY
    );
    let mut train = selfsame(&sandbox, &site, &train);
    train.args(["--set", "data.cache_dir=\"a \\\"ca\\\\che\\\" \\u202e of ä: #1\"", "--output-dir", "run"]);
    run(&mut train).succeeded();
    for command in [
        "evaluate run --protocol linear",
        "embed run --split test --set data.limit.test=20 --out test.safetensors",
        "embed run --split test --set data.limit.test=20 --out test.npy",
    ] {
        run(&mut selfsame(&sandbox, &site, command)).succeeded();
    }
    let read = run(&mut python(&sandbox, &site, &["-c", READER])).succeeded();
    assert_eq!(read.stdout, "read\n");
}

#[test]
fn a_package_index_hands_out_plugins_that_an_installed_program_finds() {
    let sandbox = Sandbox::new();
    let environment = sandbox.path("environment");
    let index = sandbox.path("index");
    run(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&environment)).succeeded();
    let own = environment.join("bin/python");
    let install = |packages: &[&str]| {
        let mut pip = pip(&["--python", own.to_str().unwrap(), "install", "--quiet", "--no-index", "--find-links"]);
        run(pip.arg(&index).args(packages))
    };
    let selfsame = |arguments: &str| {
        let mut command = Command::new(environment.join("bin/selfsame"));
        let folders = [("XDG_CACHE_HOME", "cache"), ("XDG_DATA_HOME", "data")];
        command.current_dir(sandbox.path("")).args(arguments.split_whitespace()).env_remove("PYTHONPATH");
        run(command.envs(folders.map(|(name, folder)| (name, sandbox.path(folder)))))
    };
    run(pip(&["--python", own.to_str().unwrap(), "install", "--quiet", "--no-index", "--no-deps"]).arg(wheel()))
        .succeeded();
    let site =
        std::fs::read_dir(environment.join("lib")).unwrap().next().unwrap().unwrap().path().join("site-packages");
    link_libtorch(&stand_in_for_torch(&site, "2.11.0"));

    // A compiled plugin of names that no shipped one has, and a data set without code, in two versions.
    let compiled = selfsame_tests::test_plugin("plain");
    let packed = selfsame(&format!("plugins pack {} --out index", compiled.display())).succeeded();
    let file = packed.stdout.lines().next().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let start = format!("index/selfsame_plain_plugin-{version}-py3-none-manylinux_2_");
    assert!(file.starts_with(&start) && file.ends_with("_x86_64.whl"), "{}", packed.stdout);
    for version in ["1.0", "1.1"] {
        let text = format!(
            "name: acme-films\nversion: '{version}'\nreader: ImageFolder\nlicence: Acme's own\nsummary: Films\n"
        );
        sandbox.write("acme.dataset.yaml", &text);
        let packed = selfsame("plugins pack acme.dataset.yaml --out index").succeeded();
        assert!(packed.stdout.contains(&format!("acme_films-{version}-py3-none-any.whl")), "{}", packed.stdout);
    }
    selfsame("plugins pack acme.dataset.yaml --out index").failed(2, &["acme_films-1.1", "--force"]);

    install(&["selfsame-plain-plugin", "acme-films==1.0"]).succeeded();
    let listed = selfsame("plugins list").succeeded();
    let folder = environment.join("share/selfsame/plugins").canonicalize().unwrap();
    assert!(listed.stdout.contains(&format!("{} (Python environment)", folder.display())), "{}", listed.stdout);
    let listed = selfsame("plugins list --json").succeeded();
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let origin = |name: &str| {
        let files = listed.as_array().unwrap();
        let file = files.iter().find(|file| file["path"].as_str().unwrap().ends_with(name)).expect(name);
        assert_eq!(file["ok"], true, "{file}");
        file["origin"].as_str().unwrap().to_owned()
    };
    assert_eq!(origin("libselfsame_plain_plugin.so"), "Python environment");
    assert_eq!(origin("acme.dataset.yaml"), "Python environment");
    assert_eq!(origin("libselfsame_plugin_resnet.so"), "beside the executable");
    let card = selfsame("plugins inspect acme-films").succeeded();
    assert!(card.stdout.contains("acme-films 1.0") && card.stdout.contains("Acme's own"), "{}", card.stdout);
    let shown = run(pip(&["--python", own.to_str().unwrap(), "show"]).arg("acme-films")).succeeded();
    assert!(shown.stdout.contains("Version: 1.0") && shown.stdout.contains("License: Acme's own"), "{}", shown.stdout);

    // Upgrades, damage and removal go as with any package.
    install(&["--upgrade", "acme-films"]).succeeded();
    assert!(selfsame("plugins inspect acme-films").succeeded().stdout.contains("acme-films 1.1"));
    let text = std::fs::read_to_string(folder.join("acme.dataset.yaml")).unwrap();
    std::fs::write(folder.join("acme.dataset.yaml"), text + "# changed\n").unwrap();
    selfsame("config check --set dataset.name=acme-films").succeeded();
    selfsame("plugins inspect acme-films")
        .failed(2, &["acme.dataset.yaml", "damaged or replaced since it was installed"]);
    run(pip(&["--python", own.to_str().unwrap(), "uninstall", "--quiet", "--yes"]).arg("acme-films")).succeeded();
    assert!(!folder.join("acme.dataset.yaml").exists() && folder.join("libselfsame_plain_plugin.so").exists());
}

#[test]
fn a_plugin_that_cannot_be_a_package_says_what_to_change() {
    let sandbox = Sandbox::new();
    let shapes = plugins().join("libselfsame_plugin_shapes.so");
    let description = |rest: &str| format!("name: acme\nreader: ImageFolder\n{rest}");
    sandbox.write("bare.dataset.yaml", &description(""));
    sandbox.write("semver.dataset.yaml", &description("version: 1.0.0-rc.1\n"));
    sandbox.write("beside.dataset.yaml", &description("version: '1'\nfolder: ../films\n"));
    sandbox.write("named.dataset.yaml", "name: films of 2026\nreader: ImageFolder\nversion: '1'\n");
    sandbox.write("broken.so", "no plugin");
    for (arguments, code, parts) in [
        ("bare.dataset.yaml".to_owned(), 2, &["it has no version", "--version"][..]),
        ("semver.dataset.yaml".to_owned(), 2, &["`1.0.0-rc.1`", "PEP 440"]),
        ("beside.dataset.yaml".to_owned(), 2, &["`folder` is relative", "dataset.dataset_dir"]),
        ("named.dataset.yaml".to_owned(), 2, &["`films of 2026`", "rename the plugin"]),
        ("broken.so".to_owned(), 4, &["broken.so"]),
        ("nowhere.so".to_owned(), 2, &["nowhere.so", "no such file"]),
        (format!("{} --version one", shapes.display()), 2, &["`one`", "1.2.0rc1"]),
    ] {
        sandbox.run(&format!("plugins pack {arguments}")).failed(code, parts);
    }
    sandbox.run("plugins pack bare.dataset.yaml --version 2.0 --out new/folder").succeeded();
    assert!(sandbox.path("new/folder/acme-2.0-py3-none-any.whl").exists());
}

#[test]
fn a_packed_plugin_looks_for_libraries_in_no_folder_of_the_machine_that_built_it() {
    let sandbox = Sandbox::new();
    let name = "libselfsame_plugin_resnet.so";
    let built = plugins().join(name);
    let folders = |program: &Path| {
        let listed = Command::new("readelf").arg("-d").arg(program).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let path = listed.lines().find(|line| line.contains("RUNPATH") || line.contains("RPATH")).map(str::to_owned);
        let path = path.and_then(|line| Some(line.split_once('[')?.1.trim_end_matches(']').to_owned()));
        path.unwrap_or_default().split(':').filter(|folder| !folder.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(folders(&built).iter().any(|folder| folder.starts_with('/')), "{:?}", folders(&built));
    let packed = sandbox.run(&format!("plugins pack {} --out wheels", built.display())).succeeded();
    let wheel = packed.stdout.lines().next().unwrap();
    let mut unpack = Command::new("python3");
    unpack.args(["-m", "zipfile", "-e", wheel, "unpacked"]).current_dir(sandbox.path(""));
    run(&mut unpack).succeeded();
    let files = walkdir::WalkDir::new(sandbox.path("unpacked")).into_iter().flatten();
    let unpacked = files.map(|entry| entry.path().to_owned()).find(|path| path.ends_with(name)).unwrap();
    let left = folders(&unpacked);
    assert!(left.iter().all(|folder| folder.starts_with("$ORIGIN")), "{left:?}");
    // It is a plugin as before, and its digest is that of the file in the wheel.
    let inspected = sandbox.run(&format!("plugins inspect {}", unpacked.display())).succeeded();
    let digest =
        inspected.stdout.lines().find_map(|line| line.trim().strip_prefix("sha256")).unwrap().trim().to_owned();
    assert!(packed.stdout.contains(&digest), "{}", packed.stdout);
    sandbox.run(&format!("plugins check {} --only resnet8", unpacked.display())).succeeded();
}
