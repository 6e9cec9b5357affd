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
    for part in ["Nearest", "Views", "view 2", "Curves", "Evaluations", "<details"] {
        assert!(page.contains(part), "{part} is not on the page");
    }
    for page in ["first/report.html", "both.html", &of_two_classes(&sandbox)] {
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

/// A page with everything that two classes have: ROC and precision–recall curves, sensitivities.
fn of_two_classes(sandbox: &Sandbox) -> String {
    for (class, level) in [("bright", 200_u8), ("dark", 60)] {
        std::fs::create_dir_all(sandbox.path(&format!("pictures/{class}"))).unwrap();
        for number in 0..40_u8 {
            let pixel = |x: u32, y: u32| image::Rgb([level + number, level.wrapping_add((x * 5) as u8), (y * 7) as u8]);
            let path = sandbox.path(&format!("pictures/{class}/{number}.png"));
            image::RgbImage::from_fn(24, 24, pixel).save(path).unwrap();
        }
    }
    let own = TINY.replace(
        "dataset.name=shapes --set dataset.options.train_size=64 --set data.limit.val=40",
        "dataset.name=ImageFolder",
    );
    let train =
        format!("train {own} --set dataset.dataset_dir=pictures --set data.val_fraction=0.5 --set scheduler.epochs=1");
    sandbox.run(&format!("{train} --set augmentation.use_random_crop=true --output-dir two")).succeeded();
    for protocol in ["knn", "linear"] {
        sandbox.run(&format!("evaluate two --protocol {protocol}")).succeeded();
    }
    sandbox.run("report two").succeeded();
    let page = std::fs::read_to_string(sandbox.path("two/report.html")).unwrap();
    assert!(page.contains("ROC curve") && page.contains("sensitivity at 95"));
    "two/report.html".into()
}
