//! Several runs side by side: listed, and on one page.

use selfsame_tests::{Sandbox, TINY};
use serde_json::Value;

/// Three runs below `runs`: two that were scored, of which one was evaluated, and one that was only begun.
fn trained() -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, more) in [("a", ""), ("sweep/b", "--set train.seed=2 --set train.batch_size=32")] {
        let train = format!("train {TINY} --set scheduler.epochs=2 {more} --output-dir runs/{name}");
        sandbox.run(&train).succeeded();
    }
    sandbox.run("evaluate runs/a --protocol linear").succeeded();
    sandbox.run("evaluate runs/a --protocol linear --untrained").succeeded();
    sandbox
}

fn of<'a>(listed: &'a Value, name: &str) -> &'a Value {
    listed.as_array().unwrap().iter().find(|run| run["name"] == name).unwrap_or_else(|| panic!("{name} in {listed}"))
}

#[test]
fn runs_below_a_folder_are_listed_by_their_scores_and_come_onto_one_page() {
    let sandbox = trained();
    let listed = sandbox.run("runs runs").succeeded();
    assert!(listed.stdout.lines().all(|line| line.chars().count() <= 80), "{}", listed.stdout);
    for part in
        ["sweep/b", "resnet8, simclr", "shapes", "2 of 2 epochs, completed", "kNN top-1", "Sorted by kNN top-1, val"]
    {
        assert!(listed.stdout.contains(part), "`{part}` is not in:\n{}", listed.stdout);
    }
    let json: Value = serde_json::from_str(&sandbox.run("runs runs --json").succeeded().stdout).unwrap();
    let record = |name: &str| -> Value {
        let text = std::fs::read_to_string(sandbox.path(&format!("runs/{name}/run.json"))).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let mut knn = Vec::new();
    for name in ["a", "sweep/b"] {
        let run = of(&json, name);
        let score = run["scores"].as_array().unwrap().iter().find(|score| score["by"] == "knn").unwrap();
        assert_eq!(score["value"], record(name)["metrics"]["knn/val/accuracy"], "{score}");
        assert_eq!(score["untrained"], record(name)["metrics"]["untrained/knn/val/accuracy"], "{score}");
        assert_eq!((&run["status"], &run["epochs_done"]), (&"completed".into(), &2.into()));
        knn.push((score["value"].as_f64().unwrap(), name));
    }
    knn.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    assert_eq!((&json[0]["name"], &json[1]["name"]), (&knn[0].1.into(), &knn[1].1.into()), "the best first");
    let evaluation: Value = serde_json::from_str(
        &std::fs::read_to_string(sandbox.path("runs/a/evaluations/linear-shapes-test.json")).unwrap(),
    )
    .unwrap();
    let linear = &of(&json, "a")["scores"][0];
    assert_eq!(
        (&linear["by"], &linear["evaluated"]),
        (&"linear".into(), &true.into()),
        "what was evaluated comes first"
    );
    assert_eq!(linear["interval"], evaluation["metrics"]["accuracy"]["interval"]);
    assert!(linear["untrained"].is_number());

    let compared = sandbox.run("report runs/a runs/sweep/b --out both.html").succeeded();
    assert!(compared.stdout.ends_with("both.html\n"), "{}", compared.stdout);
    let page = std::fs::read_to_string(sandbox.path("both.html")).unwrap();
    for part in ["2 runs side by side", "train.batch_size", "train.seed", "untrained", "What differs", "kNN top-1"] {
        assert!(page.contains(part), "`{part}` is not in the page");
    }
    assert!(
        !page.contains("train.output_dir") && !page.contains("scheduler.epochs"),
        "only what differs and tells something"
    );
    assert!(page.matches("<svg").count() >= 5 && !page.contains("<script"));
    assert!(!page.contains("src=") && !page.contains("href=") && !page.contains("url("), "needs no other file");
    sandbox.run("report runs/a runs/sweep/b --out both.html").failed(2, &["both.html exists", "--force"]);
    sandbox.run("report runs/a runs/sweep/b --out both.html --force").succeeded();
    sandbox.run("report runs/a runs/sweep/b").failed(2, &["--out FILE"]);
    sandbox.run("report runs/a --out a.html").succeeded();
    assert!(sandbox.path("a.html").exists());
}

#[test]
fn what_is_no_run_is_passed_over_or_named() {
    let sandbox = Sandbox::new();
    let train = format!("train {TINY} --set scheduler.epochs=1 --output-dir runs/good");
    sandbox.run(&train).succeeded();
    for name in ["notes", "broken", ".hidden"] {
        std::fs::create_dir(sandbox.path(&format!("runs/{name}"))).unwrap();
    }
    sandbox.write("runs/broken/run.json", "{");
    std::fs::copy(sandbox.path("runs/good/run.json"), sandbox.path("runs/.hidden/run.json")).unwrap();
    std::os::unix::fs::symlink("..", sandbox.path("runs/notes/up")).unwrap();
    std::os::unix::fs::symlink("good", sandbox.path("runs/linked")).unwrap();
    let listed = sandbox.run("runs runs --json").succeeded();
    assert!(listed.stderr.contains("runs/broken is left out"), "{}", listed.stderr);
    let json: Value = serde_json::from_str(&listed.stdout).unwrap();
    let mut names: Vec<_> = json.as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["good", "linked"]);
    let own: Value = serde_json::from_str(&sandbox.run("runs runs/good --json").succeeded().stdout).unwrap();
    assert_eq!(own[0]["name"], ".");
    sandbox.run("runs runs/notes").failed(3, &["runs/notes holds no run", "--output-dir"]);
    sandbox.run("runs nowhere").failed(3, &["nowhere"]);
    sandbox.run("report runs/good runs/notes --out both.html").failed(3, &["runs/notes holds no run"]);
}
