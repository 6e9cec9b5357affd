use super::hostile;
use selfsame::config::{self, Config, Sources};
use selfsame::conformance::{self, Checks, Report, Status};

fn check(only: &str, fault: &str) -> Report {
    let sets = ["dataset", "encoder"].map(|of| format!("{of}.options.fault={fault}"));
    let config: Config = config::load(&Sources { sets: sets.into(), ..Sources::default() }).unwrap().config;
    let checks = Checks { only: &[only.to_owned()], after: 0, config: &config, dirs: &[], is_stopped: &|| false };
    conformance::check(&hostile(), &checks).unwrap()
}

/// The checks that failed, and what they say.
fn failures(report: &Report) -> Vec<(&str, &str)> {
    let failed = report.verdicts.iter().filter(|verdict| verdict.status == Status::Failed);
    failed.map(|verdict| (verdict.check.as_str(), verdict.detail.as_str())).collect()
}

#[test]
fn each_broken_promise_of_a_data_set_fails_the_check_that_is_about_it() {
    let statistics = "train: the card's mean and deviation";
    // The card of the hostile plugin is not true of its images, and says so.
    let cases = [
        ("none", "", ""),
        ("careless", "an unknown option is refused", "was accepted"),
        ("panic:create", "it is made", "asked to panic"),
        ("panic:prepare", "it is prepared, twice", "asked to panic"),
        ("missing", "it is prepared, twice", "`images.bin` is missing"),
        ("panic:open", "train: labels, groups and ids", "`Dataset::open` panicked"),
        ("panic:len", "train: labels, groups and ids", "`Samples::len` panicked"),
        ("wrong:targets", "train: labels, groups and ids", "3 labels for 4 samples"),
        ("wrong:class", "train: labels, groups and ids", "label 2, expected 0 to 1"),
        ("wrong:groups", "train: labels, groups and ids", "`groups` has 0 entries"),
        ("wrong:ids", "train: labels, groups and ids", "names a sample twice"),
        ("wrong:block", "train: labels, groups and ids", "`block` has 15 bytes"),
        ("fingerprint:empty", "train: labels, groups and ids", "`fingerprint` is empty"),
        ("fingerprint:changing", "train: labels, groups and ids", "`fingerprint` answers something else"),
        ("len:0", "train: labels, groups and ids", "it has no samples"),
        ("panic:read", "train: images are read", "`Samples::read` panicked"),
        ("wrong:count", "train: images are read", "0 images for 1 indices"),
        ("wrong:twice", "train: images are read", "2 images for 1 indices"),
        ("wrong:bytes", "train: images are read", "in 3 bytes"),
        ("wrong:unstable", "train: read again, from several threads", "other bytes"),
        ("wrong:order", "train: several images a call", "another order"),
        ("wrong:hints", "train: no image is smaller than hinted", "asked for 1 pixels"),
        ("wrong:facts", "train: facts", "sample 0: plugin `selfsame-hostile-plugin`"),
        ("panic:facts", "train: facts", "`Samples::facts` panicked"),
    ];
    for (fault, check_name, part) in cases {
        let report = check("hostile", fault);
        let failures = failures(&report);
        let of_check: Vec<_> = failures.iter().filter(|(name, _)| *name == check_name).collect();
        if fault == "none" {
            assert_eq!(failures.iter().map(|(name, _)| *name).collect::<Vec<_>>(), [statistics], "{}", report.text());
        } else {
            assert!(of_check.len() == 1 && of_check[0].1.contains(part), "{fault}:\n{}", report.text());
        }
    }
}

#[test]
fn a_call_that_ignores_the_wish_to_stop_ends_the_check() {
    let report = check("hostile", "hang");
    assert_eq!(failures(&report)[0].0, "a wish to stop is answered within 2 s", "{}", report.text());
    assert_eq!(report.verdicts.last().unwrap().status, Status::Skipped);
}

#[test]
fn values_that_are_no_pixels_fail_the_check_of_images() {
    assert_eq!(check("floats", "none").failed(), 0, "{}", check("floats", "none").text());
    let report = check("floats", "nan");
    assert!(failures(&report)[0].1.contains("holds the value NaN"), "{}", report.text());
}

#[test]
fn each_broken_promise_of_an_encoder_fails_the_check_that_is_about_it() {
    let embeddings = "embeddings of 3 × 32 × 32";
    let cases = [
        ("panic:create", "it is made for several inputs", "asked to panic"),
        ("panic:parameters", "it is made for several inputs", "asked to panic"),
        ("wrong:names", "it is made for several inputs", "the same name"),
        ("name:empty", "it is made for several inputs", "`` is the name of a parameter"),
        ("name:dots", "it is made for several inputs", "`fc..weight` is the name"),
        ("name:control", "it is made for several inputs", "expected words joined by dots"),
        ("wrong:leaf", "it is made for several inputs", "is not a leaf"),
        ("huge", "it is made for several inputs", "`feature_dim` is"),
        ("panic:forward", embeddings, "`Encoder::forward` panicked"),
        ("wrong:dim", embeddings, "expected [1, 3]"),
        ("shape", embeddings, "shapes cannot be multiplied"),
        ("double", embeddings, "returned Double"),
        ("half", embeddings, "returned Half"),
        ("int", embeddings, "returned Int64"),
        ("inplace", embeddings, "changed its input"),
        ("nan", embeddings, "not finite"),
        ("inf", embeddings, "not finite"),
        ("random", "eval is deterministic", "differ by"),
        ("batch", "an embedding does not depend on the batch", "differ by"),
        ("buffers", "buffers move only in training", "they change in eval: calls"),
        ("seedless", "the seed decides the weights", "`fc.weight` differs"),
        ("detach", "a gradient reaches every parameter", "none of its 1 parameters"),
        ("copies", "a gradient reaches every parameter", "none of its 1 parameters"),
        ("no_parameters", "a gradient reaches every parameter", "it has no parameters"),
        ("unused", "a gradient reaches every parameter", "1 of 2 parameters are missed: spare.weight"),
        ("frozen:reached", "a gradient reaches every parameter", "`fc.weight` is declared frozen"),
        ("copies", "saved and loaded", "differ by"),
    ];
    for (fault, check_name, part) in cases {
        let report = check("tiny", fault);
        let failures = failures(&report);
        let found = failures.iter().any(|(name, detail)| *name == check_name && detail.contains(part));
        assert!(found, "{fault}:\n{}", report.text());
    }
    for fault in ["none", "frozen", "name:odd"] {
        assert_eq!(check("tiny", fault).failed(), 0, "{}", check("tiny", fault).text());
    }
}

#[test]
fn a_name_that_the_plugin_does_not_provide_is_refused() {
    let config = Config::default();
    let only = ["tinny".to_owned()];
    let checks = Checks { only: &only, after: 0, config: &config, dirs: &[], is_stopped: &|| false };
    let error = conformance::check(&hostile(), &checks).unwrap_err().to_string();
    assert!(error.contains("`tinny`") && error.contains("tiny"), "{error}");
}
