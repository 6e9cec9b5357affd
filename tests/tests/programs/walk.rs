//! The whole way of a new user: an empty folder, a new Python environment, no cargo; install, train, report, export, load,
//! predict. The time of each command is printed.
//!
//! Where `python3`, or the Python that `SELFSAME_TEST_PYTHON` names, has PyTorch 2.11 and timm, they are the new environment's
//! too and timm loads what was exported; otherwise a folder stands for PyTorch, as in the tests of the wheel.

use super::wheel::{link_libtorch, pip, run, stand_in_for_torch, wheel};
use selfsame_tests::{Ran, Sandbox};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// The new environment.
struct User<'a> {
    sandbox: &'a Sandbox,
    environment: PathBuf,
}

impl User<'_> {
    /// A command of this program of the environment, with nothing of cargo's or of the machine's libtorch.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.environment.join("bin").join(program));
        command.args(arguments).current_dir(self.sandbox.path("work")).env_clear();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let without_cargo = std::env::split_paths(&path).filter(|folder| !folder.join("cargo").exists());
        let folders = [self.environment.join("bin")].into_iter().chain(without_cargo);
        command.env("PATH", std::env::join_paths(folders).unwrap());
        command.env("HOME", self.sandbox.path("home")).env("OMP_NUM_THREADS", "2");
        command
    }

    /// Runs `selfsame` with these words and prints how long it took.
    fn selfsame(&self, arguments: &str) -> Ran {
        let words: Vec<_> = arguments.split_whitespace().collect();
        timed(&format!("selfsame {arguments}"), &mut self.command("selfsame", &words))
    }
}

/// Runs a command that must succeed, and prints how long it took, whoever captures the output of tests.
fn timed(what: &str, command: &mut Command) -> Ran {
    let started = Instant::now();
    let ran = run(command).succeeded();
    let _ = writeln!(std::io::stderr(), "{:7.1} s  {what}", started.elapsed().as_secs_f64());
    ran
}

/// The folder of packages of a Python that has what the exported network is loaded with.
fn packages_with_timm() -> Option<PathBuf> {
    let python = std::env::var_os("SELFSAME_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let script = "import timm, torch, pathlib; assert torch.__version__.split('+')[0] == '2.11.0'; \
                  print(pathlib.Path(torch.__file__).parent.parent)";
    let ran = run(Command::new(python).args(["-c", script]));
    (ran.code == Some(0)).then(|| PathBuf::from(ran.stdout.trim()))
}

/// Loads what was exported, and compares its features with those that the program writes of the same images.
const LOAD: &str = r#"
import selfsame, sys, torch, timm
run = selfsame.Run("runs/mine")
sys.path.insert(0, "mine-timm")
import small_stem
model = timm.create_model("local-dir:mine-timm", pretrained=True).eval()
inputs, features = run.embeddings(on="photos", dataset="ImageFolder", inputs=True), run.embeddings(on="photos", dataset="ImageFolder")
with torch.no_grad():
    found = model(torch.tensor(inputs.matrix()).reshape(len(inputs), 3, 32, 32))
print("largest difference", float((found - torch.tensor(features.matrix())).abs().max()))
assert torch.allclose(found, torch.tensor(features.matrix()), atol=1e-5, rtol=1e-4)
"#;

#[test]
fn from_an_empty_folder_to_a_loaded_encoder_and_predictions_without_cargo() {
    let sandbox = Sandbox::new();
    for folder in ["work", "home", "work/photos"] {
        std::fs::create_dir(sandbox.path(folder)).unwrap();
    }
    let user = User { sandbox: &sandbox, environment: sandbox.path("environment") };
    let wheel = wheel();
    timed("python3 -m venv", Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&user.environment));
    let own = user.environment.join("bin/python");
    let mut install = pip(&["--python", own.to_str().unwrap(), "install", "--quiet", "--no-index", "--no-deps"]);
    timed("pip install selfsame-….whl", install.arg(wheel));
    let lib = std::fs::read_dir(user.environment.join("lib")).unwrap().next().unwrap().unwrap().path();
    let site = lib.join("site-packages");
    let timm = packages_with_timm();
    match &timm {
        Some(packages) => std::fs::write(site.join("torch.pth"), packages.to_str().unwrap()).unwrap(),
        None => {
            let _ = writeln!(
                std::io::stderr(),
                "timm is not tried: name a Python with torch 2.11 and timm in SELFSAME_TEST_PYTHON"
            );
            link_libtorch(&stand_in_for_torch(&site, "2.11.0"));
        }
    }

    user.selfsame("--version");
    let small = "--set data.limit.train=256 --set data.limit.val=64 --set data.limit.test=64 --set scheduler.epochs=1";
    let resnet = "--set train.self_supervision.encoder_name=resnet18 --set train.batch_size=64 --set train.device=cpu";
    user.selfsame(&format!("train --config quickstart {small} {resnet} --output-dir runs/mine"));
    let report = user.selfsame("report runs/mine");
    assert!(report.stdout.contains("completed, 1 of 1 epochs"), "{}", report.stdout);
    user.selfsame("export runs/mine --format timm --out mine-timm");
    for file in ["config.json", "model.safetensors", "README.md", "small_stem.py"] {
        assert!(sandbox.path("work/mine-timm").join(file).exists(), "{file}");
    }
    for (at, name) in ["red.png", "green.png", "blue.png"].into_iter().enumerate() {
        let mut pixel = [40_u8; 3];
        pixel[at] = 220;
        image::RgbImage::from_pixel(32, 32, image::Rgb(pixel)).save(sandbox.path("work/photos").join(name)).unwrap();
    }
    if timm.is_some() {
        let loaded =
            timed("python: timm.create_model(\"local-dir:mine-timm\")", &mut user.command("python", &["-c", LOAD]));
        assert!(loaded.stdout.starts_with("largest difference"), "{}", loaded.stdout);
    }
    user.selfsame("evaluate runs/mine --protocol linear --keep");
    user.selfsame("predict runs/mine --on photos --dataset ImageFolder --out classes.csv");
    let table = std::fs::read_to_string(sandbox.path("work/classes.csv")).unwrap();
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(sandbox.path("work/runs/mine/report.html").exists());
}
