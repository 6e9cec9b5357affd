//! A run's page and that of several runs, in a browser.

use selfsame_tests::browser::Browser;
use selfsame_tests::{Sandbox, TINY};

#[test]
fn pages_fit_a_phone_and_four_sheets_of_paper() {
    let Some(browser) = Browser::find() else { return };
    let sandbox = Sandbox::new();
    for (run, seed) in [("first", 1), ("second", 2)] {
        let train = format!("train {TINY} --set scheduler.epochs=2 --set train.seed={seed} --output-dir {run}");
        sandbox.run(&train).succeeded();
    }
    for protocol in ["knn", "linear"] {
        sandbox.run(&format!("evaluate first --protocol {protocol} --set data.limit.test=200")).succeeded();
    }
    sandbox.run("report first").succeeded();
    sandbox.run("report first second --out both.html").succeeded();
    let page = std::fs::read_to_string(sandbox.path("first/report.html")).unwrap();
    for part in ["Nearest", "Curves", "Evaluations", "<details"] {
        assert!(page.contains(part), "{part} is not on the page");
    }
    for page in ["first/report.html", "both.html"] {
        let wrong = browser.overflow(&sandbox.path(page), &[320, 390, 768, 1280], &sandbox.path("harness.html"));
        assert_eq!(wrong, Vec::<String>::new(), "{page}");
        let sheets = browser.printed_pages(&sandbox.path(page), &sandbox.path("page.pdf"));
        assert!((1..=4).contains(&sheets), "{page} takes {sheets} sheets of paper");
    }

    // What is looked for is found.
    let wide = "<!doctype html><body><div class=wide style='width:500px'>x</div><script>console.error('no')</script>";
    let wrong = browser.overflow(&sandbox.write("wide.html", wide), &[390], &sandbox.path("harness.html"));
    assert!(wrong[0].contains("at 390 px it is") && wrong[0].contains("<div class=wide>"), "{wrong:?}");
    assert!(wrong.iter().any(|line| line.contains("CONSOLE") && line.contains("no")), "{wrong:?}");
}
