//! What a run says about the plugins that it used.

use super::installed::place_shapes;
use selfsame_tests::{Sandbox, TINY};

#[test]
fn a_run_says_what_it_owes_to_plugins_and_notices_another_one() {
    let sandbox = Sandbox::new();
    let train = format!("train {TINY} --set scheduler.epochs=1 --output-dir run");
    sandbox.run(&train).succeeded();
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(sandbox.path("run/run.json")).unwrap()).unwrap();
    let shapes = record["plugins"].as_array().unwrap().iter().find(|p| p["name"] == "selfsame-plugin-shapes").unwrap();
    assert_eq!(shapes["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(shapes["used"][0]["name"], "shapes");
    assert!(shapes["used"][0]["licence"].is_string() && shapes["used"][0]["citation"].is_string(), "{shapes}");
    sandbox.run("report run").succeeded();
    let page = std::fs::read_to_string(sandbox.path("run/report.html")).unwrap();
    for part in ["selfsame-plugin-shapes", "data set shapes: licence: ", "encoder resnet8: licence: ", "He, Zhang"] {
        assert!(page.contains(part), "`{part}` is not in the report");
    }

    place_shapes(&sandbox.path("named/liba.so"), 0o755, 0o644);
    let told = "plugin selfsame-plugin-shapes is another file than when the run was started";
    let ran = sandbox.run("evaluate run --protocol knn --plugins named").succeeded();
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    assert!(!sandbox.run("evaluate run --protocol knn").succeeded().stderr.contains(told));
    let longer = format!("train {TINY} --set scheduler.epochs=2 --output-dir run --resume --plugins named");
    let ran = sandbox.run(&longer).succeeded();
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    let record = std::fs::read_to_string(sandbox.path("run/run.json")).unwrap();
    assert!(record.contains(told), "{record}");
}
