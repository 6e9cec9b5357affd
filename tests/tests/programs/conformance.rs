//! `selfsame plugins check` on plugins that are right, and on one that is not.

use selfsame_tests::{Sandbox, test_plugin};

#[test]
fn the_shipped_plugins_keep_their_contracts() {
    let sandbox = Sandbox::new();
    let images = sandbox.path("images");
    for (class, shade) in [("dark", 40), ("light", 200)] {
        std::fs::create_dir_all(images.join(class)).unwrap();
        for i in 0..6 {
            let picture = image::GrayImage::from_fn(24 + i, 20, |x, y| image::Luma([(shade + x * i + y) as u8]));
            picture.save(images.join(format!("{class}/{i}.png"))).unwrap();
        }
    }
    let folder = format!("--set dataset.dataset_dir={}", images.display());
    for arguments in [
        "shapes --set dataset.options.train_size=64",
        "resnet18 --only resnet8 --only resnet50",
        "vit_tiny_patch4_32 --only vit_tiny_patch4_32",
        "densenet121 --only densenet121",
        &format!("ImageFolder --only ImageFolder {folder}"),
    ] {
        let ran = sandbox.run(&format!("plugins check {arguments}")).succeeded();
        assert!(ran.stdout.contains("ok      ") && !ran.stdout.contains("FAILED"), "{}", ran.stdout);
    }
    let ran = sandbox.run("plugins check shapes --json --set dataset.options.train_size=16").succeeded();
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["verdicts"][0]["check"], "card");
    // What the user wrote is the user's mistake.
    for (arguments, parts) in [
        ("nowhere.so", &["nowhere.so", "no such file"][..]),
        ("shaqes", &["`shaqes`", "did you mean `shapes`?"]),
        ("shapes --only circles", &["`circles`", "it provides: shapes"]),
        ("shapes --set dataset.options.sides=7", &["`dataset.options.sides`", "train_size"]),
        ("shapes --set dataset.option.sides=7", &["dataset.option.sides", "dataset.options"]),
        ("shapes --set train.batch_size=7", &["train.batch_size", "only takes dataset.dataset_dir"]),
        ("shapes --set dataset.options", &["has no `=`"]),
    ] {
        sandbox.run(&format!("plugins check {arguments}")).failed(2, parts);
    }
    let hostile = test_plugin("hostile");
    let ran = sandbox.run(&format!("plugins check {} --json", hostile.display()));
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(serde_json::from_str::<serde_json::Value>(&ran.stdout).is_ok(), "{}", ran.stdout);
}
