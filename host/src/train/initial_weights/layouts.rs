//! How other programs name an encoder in their files: what they put before its names, and modules that have a place instead of
//! a name.

use std::collections::{BTreeMap, BTreeSet};

/// What stands before an encoder's names, in any combination, and whose files have it.
const PARTS: [(&str, &str); 23] = [
    ("module.", "torch.nn.DataParallel and DistributedDataParallel"),
    ("_orig_mod.", "torch.compile"),
    ("state_dict.", "Lightning's and MoCo's checkpoints, converted with their nesting"),
    ("model.", "Lightning, torch.hub, FAIR's checkpoints"),
    ("network.", "Lightning modules"),
    ("net.", "Lightning modules"),
    ("backbone.", "lightly, solo-learn, Barlow Twins, DINO, OpenMMLab"),
    ("encoder.", "this program, InnerEye, MoCo's descendants"),
    ("cnn_model.", "InnerEye's SSLEncoder"),
    ("online_network.", "InnerEye's BYOL"),
    ("online_encoder.", "BYOL in PyTorch"),
    ("encoder_q.", "MoCo"),
    ("base_encoder.", "MoCo v3"),
    ("teacher.", "DINO"),
    ("classy_state_dict.", "VISSL"),
    ("trunk.", "VISSL"),
    ("base_model.", "VISSL"),
    ("_feature_blocks.", "VISSL"),
    ("student.", "DINO"),
    ("encoder_k.", "MoCo"),
    ("momentum_encoder.", "MoCo v3"),
    ("momentum_backbone.", "solo-learn"),
    ("target_network.", "InnerEye's BYOL"),
];

/// Of two copies of an encoder in one file, those that are not taken: DINO publishes its teacher, all others what was trained.
const SECOND_COPIES: [&str; 5] =
    ["student.", "encoder_k.", "momentum_encoder.", "momentum_backbone.", "target_network."];

/// Modules that have a place instead of a name, as `torch.nn.Sequential(*model.children())` gives them.
#[derive(Debug)]
pub struct Layout {
    /// Whose, in words; empty for names as they are.
    pub what: &'static str,
    /// Place and name.
    modules: &'static [(&'static str, &'static str)],
}

/// Names as they are, then the sequences, of which lightly's examples make their backbones.
const LAYOUTS: [Layout; 4] = [
    Layout { what: "", modules: &[] },
    Layout {
        what: "the modules of torchvision's ResNet in a row",
        modules: &[("0", "conv1"), ("1", "bn1"), ("4", "layer1"), ("5", "layer2"), ("6", "layer3"), ("7", "layer4")],
    },
    Layout {
        what: "the modules of lightly's ResNet in a row",
        modules: &[("0", "conv1"), ("1", "bn1"), ("2", "layer1"), ("3", "layer2"), ("4", "layer3"), ("5", "layer4")],
    },
    Layout { what: "the modules of torchvision's DenseNet in a row", modules: &[("0", "features")] },
];

impl Layout {
    /// The name that a file's name stands for; none where a place has none.
    pub fn name(&self, key: &str) -> Option<String> {
        if self.modules.is_empty() {
            return Some(key.to_owned());
        }
        let mut parts: Vec<&str> = key.split('.').collect();
        let place = parts.iter_mut().find(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *place = self.modules.iter().find(|(number, _)| number == place)?.1;
        Some(parts.join("."))
    }
}

/// Where a file has an encoder's names.
#[derive(Debug)]
pub struct Found {
    /// What stands before them.
    pub prefix: String,
    /// How they are written.
    pub layout: &'static Layout,
    /// How many of the encoder's names are there.
    pub count: usize,
}

/// Where the file has most of the encoder's names: after any combination of what is known to stand before them, or after
/// `given`. Of equal ones names as they are, then what is no second copy, then the shortest.
pub fn find(keys: &[&str], names: &BTreeSet<&str>, given: Option<&str>) -> Found {
    let known = |key: &str| {
        let mut ends = vec![0];
        while let Some((part, _)) = PARTS.iter().find(|(part, _)| key[ends[ends.len() - 1]..].starts_with(part)) {
            ends.push(ends[ends.len() - 1] + part.len());
        }
        ends
    };
    let ends = |key: &str| match given {
        Some(prefix) => key.starts_with(prefix).then_some(prefix.len()).into_iter().collect(),
        None => known(key),
    };
    let nothing = || Found { prefix: given.unwrap_or_default().to_owned(), layout: &LAYOUTS[0], count: 0 };
    most(keys, names, &ends).unwrap_or_else(nothing)
}

/// Where the file has most of the encoder's names, whatever stands before them; none where it has not one.
pub fn nearest(keys: &[&str], names: &BTreeSet<&str>) -> Option<Found> {
    most(keys, names, &|key| std::iter::once(0).chain(key.match_indices('.').map(|(dot, _)| dot + 1)).collect())
}

/// Counts the encoder's names after each of the prefixes that end at `ends` of a key.
fn most(keys: &[&str], names: &BTreeSet<&str>, ends: &dyn Fn(&str) -> Vec<usize>) -> Option<Found> {
    let mut best: Option<Found> = None;
    for layout in &LAYOUTS {
        let mut counts = BTreeMap::<String, usize>::new();
        for key in keys.iter().filter_map(|key| layout.name(key)) {
            for end in ends(&key).into_iter().filter(|end| names.contains(&key[*end..])) {
                *counts.entry(key[..end].to_owned()).or_default() += 1;
            }
        }
        let is_second = |prefix: &str| SECOND_COPIES.iter().any(|part| prefix.contains(part));
        let rank = |(prefix, count): &(String, usize)| (*count, !is_second(prefix), std::cmp::Reverse(prefix.len()));
        if let Some((prefix, count)) = counts.into_iter().max_by_key(rank)
            && best.as_ref().is_none_or(|best| count > best.count)
        {
            best = Some(Found { prefix, layout, count });
        }
    }
    best
}

/// torchvision's published DenseNets have the names of an older version, `denselayer1.norm.1.weight`, which it changes to
/// `denselayer1.norm1.weight` as it loads them.
pub fn renamed(name: String) -> String {
    if !name.contains(".denselayer") {
        return name;
    }
    ["norm.1", "norm.2", "conv.1", "conv.2"]
        .iter()
        .fold(name, |name, old| name.replace(&format!(".{old}."), &format!(".{}.", old.replace('.', ""))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefixes_of_other_programs_are_found() {
        let names = ["conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer2.0.conv1.weight"];
        let own: BTreeSet<&str> = names.into();
        for (prefix, beside) in [
            ("", "fc.weight"),
            ("encoder.cnn_model.", "projection.0.weight"),
            ("online_network.encoder.cnn_model.", "target_network.encoder.cnn_model."),
            ("model.online_network.encoder.cnn_model.", "model.target_network.encoder.cnn_model."),
            ("_orig_mod.", "x"),
            ("model._orig_mod.", "x"),
            ("state_dict.model.backbone.", "state_dict.model.projection_head.0.weight"),
            ("module.encoder_q.", "module.encoder_k."),
            ("state_dict.module.base_encoder.", "state_dict.module.momentum_encoder."),
            ("teacher.backbone.", "student.module.backbone."),
            ("student.module.backbone.", "student.module.head.mlp.0.weight"),
            ("trunk.base_model._feature_blocks.", "heads.0.clf.0.weight"),
            ("classy_state_dict.base_model.model.trunk._feature_blocks.", "x"),
            ("backbone.", "momentum_backbone."),
            ("average.", "encoder."),
        ] {
            let mut keys: Vec<String> = names.map(|name| format!("{prefix}{name}")).into();
            keys.extend(names.map(|name| format!("{beside}{name}")));
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let found = find(&keys, &own, None);
            // What this program writes beside its encoder is not what it is looked for under.
            let expected = if prefix == "average." { beside } else { prefix };
            assert_eq!((found.prefix.as_str(), found.count), (expected, 4), "{prefix}");
            assert_eq!(find(&keys, &own, Some(prefix)).count, 4, "{prefix}");
        }
        assert_eq!(find(&["a.conv1.weight"], &own, None).count, 0);
        assert_eq!(nearest(&["a.b.conv1.weight", "a.b.bn1.weight", "c"], &own).unwrap().prefix, "a.b.");
        assert!(nearest(&["a.b.c"], &own).is_none());
    }

    #[test]
    fn modules_in_a_row_have_the_names_of_the_models_that_they_were() {
        let resnet: BTreeSet<&str> =
            ["conv1.weight", "bn1.bias", "layer1.0.conv1.weight", "layer4.1.bn2.weight"].into();
        let densenet: BTreeSet<&str> = ["features.conv0.weight", "features.norm5.weight"].into();
        let cases: [(&BTreeSet<&str>, &[&str]); 4] = [
            (
                &resnet,
                &["backbone.0.weight", "backbone.1.bias", "backbone.4.0.conv1.weight", "backbone.7.1.bn2.weight"],
            ),
            (&resnet, &["0.weight", "1.bias", "2.0.conv1.weight", "5.1.bn2.weight"]),
            (&resnet, &["model.backbone.0.weight", "model.backbone.1.bias", "model.backbone.4.0.conv1.weight"]),
            (&densenet, &["backbone.0.conv0.weight", "backbone.0.norm5.weight"]),
        ];
        for (names, keys) in cases {
            let found = find(keys, names, None);
            assert_eq!(found.count, keys.len(), "{keys:?}: {found:?}");
            assert!(found.layout.what.contains("in a row"));
            let read: Vec<String> = keys.iter().filter_map(|key| found.layout.name(key)).collect();
            assert!(read.iter().all(|name| names.contains(&name[found.prefix.len()..])), "{read:?}");
        }
    }
}
