//! Plugins of version 1 of the boundary keep working, whatever happens to the SDK, the host and the workspace.

use selfsame_tests::{Sandbox, TINY, compile, repository};
use std::path::Path;

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from).into_iter().map(Result::unwrap) {
        let copy = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(copy).unwrap();
        } else {
            std::fs::copy(entry.path(), copy).unwrap();
        }
    }
}

#[test]
fn a_plugin_of_the_frozen_version_loads_keeps_its_contract_and_trains() {
    let sandbox = Sandbox::new();
    copy(&repository().join("tests/frozen/abi-1"), &sandbox.path("frozen"));
    let library = compile(&sandbox.path("frozen"), "libfrozen_abi_1.so");
    std::fs::create_dir(sandbox.path("plugins")).unwrap();
    std::fs::rename(library, sandbox.path("plugins/libfrozen_abi_1.so")).unwrap();

    let listed = sandbox.run("plugins list --json").succeeded();
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let frozen = listed.as_array().unwrap().iter().find(|file| file["manifest"]["name"] == "frozen-abi-1").unwrap();
    assert_eq!((&frozen["ok"], &frozen["manifest"]["abi"]), (&true.into(), &1.into()));
    sandbox.run("plugins check frozen-abi-1").succeeded();
    // Those are the options of another data set.
    let tiny = TINY.replace("--set dataset.options.train_size=64", "");
    let own = "--set dataset.name=frozen-set --set train.self_supervision.encoder_name=frozen-net";
    sandbox.run(&format!("train {tiny} {own} --set scheduler.epochs=1 --output-dir run")).succeeded();
    let weights = std::fs::read(sandbox.path("run/encoder.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&weights).unwrap();
    assert_eq!(tensors.tensor("fc.weight").unwrap().shape(), [3, 1]);
}
