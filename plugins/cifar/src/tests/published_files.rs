//! The published files themselves, where somebody has them.

use super::*;
use std::env;

#[test]
#[ignore = "needs the published files of CIFAR-10 in the folder that CIFAR10_DIR names"]
fn published_files_are_accepted_and_balanced() {
    let root = env::var_os("CIFAR10_DIR").expect("CIFAR10_DIR is not set");
    let cifar = dataset(&CIFAR10, Path::new(&root), json!({}));
    cifar.prepare(&Patient).unwrap();
    for (split, each) in [(Split::Train, 5000), (Split::Test, 1000)] {
        let Targets::Classes(classes) = cifar.open(split).unwrap().targets() else { panic!("no classes") };
        let counts: Vec<_> = (0..10).map(|class| classes.iter().filter(|&&c| c == class).count()).collect();
        assert_eq!(counts, [each; 10]);
    }
}
