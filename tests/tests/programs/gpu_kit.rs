//! The kit that `cargo xtask gpu-kit` packs, unpacked in an empty folder and run on the stand-in for CUDA.

use selfsame_tests::{Ran, Running, Sandbox, repository, standin};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Packs the kit and unpacks it; returns its folder.
fn unpacked(sandbox: &Sandbox) -> PathBuf {
    let mut xtask = Command::new(env!("CARGO"));
    xtask.args(["xtask", "gpu-kit", "--out"]).arg(sandbox.path("")).current_dir(repository());
    let archive = run(&mut xtask).succeeded().stdout.lines().last().expect("the archive's path").to_owned();
    assert!(std::fs::metadata(&archive).unwrap().len() < 60_000_000);
    let status = Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(sandbox.path("")).status();
    assert!(status.expect("tar starts").success());
    sandbox.path("selfsame-gpu-kit")
}

/// The kit's own program, with the smallest sizes.
fn kit(folder: &Path, arguments: &[&str]) -> Command {
    let libtorch = std::env::var_os("LIBTORCH").map_or_else(|| repository().join(".libtorch"), PathBuf::from);
    let mut command = Command::new(folder.join("run"));
    command.arg("--tiny").arg("--libtorch").arg(libtorch).args(arguments).env_remove("LD_LIBRARY_PATH");
    command
}

fn run(command: &mut Command) -> Ran {
    Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped())).finish()
}

fn results(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("results.json")).expect("results.json");
    let results: Value = serde_json::from_str(&text).expect("JSON");
    results["steps"].as_array().expect("steps").clone()
}

#[test]
fn the_kit_checks_and_measures_on_the_stand_in_and_says_what_fails() {
    let sandbox = Sandbox::new();
    let folder = unpacked(&sandbox);
    let nowhere = run(&mut kit(&folder, &["--standin", "/nowhere"]));
    nowhere.failed(5, &["--standin /nowhere holds no libtorch_cuda.so"]);

    let standin = standin::folder().to_str().unwrap();
    run(&mut kit(&folder, &["--standin", standin, "--minutes", "9"])).succeeded();
    let steps = results(&folder);
    let of = |kind: &str| steps.iter().filter(|step| step["kind"] == kind).collect::<Vec<_>>();
    let good: Vec<_> = of("check").iter().filter(|step| step["ok"] == true).map(|step| step["name"].clone()).collect();
    assert_eq!(good.len(), 7, "{good:?}");
    let own: Vec<_> = of("speed").into_iter().filter(|step| step["who"] == "selfsame").collect();
    assert_eq!(own.len(), 2);
    for step in own {
        assert!(step["images_per_s"].as_f64().unwrap() > 0.0 && step["peak_memory"].as_f64().unwrap() > 0.0, "{step}");
    }
    for step in of("speed").into_iter().filter(|step| step["who"] != "selfsame") {
        assert!(!step["left_out"].as_str().unwrap().is_empty(), "PyTorch has no stand-in: {step}");
    }
    assert!(of("knn")[0]["knn"].as_f64().is_some() && of("profile")[0]["table"].as_str().is_some(), "{steps:?}");
    let table = std::fs::read_to_string(folder.join("results.md")).unwrap();
    for part in
        ["# Stand-in for CUDA", "numbers say nothing of a GPU", "| killed and resumed | good |", "```sh\n# SimCLR"]
    {
        assert!(table.contains(part), "`{part}` is not in {table}");
    }

    // Without a card the first check fails; what is left has no time.
    let arguments = ["--standin", standin, "--minutes", "0.2"];
    let failed = run(kit(&folder, &arguments).env("STANDIN_DEVICES", "0"));
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(failed.stderr.contains("FAILED: "), "{}", failed.stderr);
    assert_eq!(results(&folder)[0]["ok"], false);
}
