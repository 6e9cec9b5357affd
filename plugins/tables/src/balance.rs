//! What is odd about classes and the number of images of each, in words.

use crate::names;
use selfsame_plugin_api::{Split, Targets};
use std::collections::BTreeMap;

/// Classes with a smaller part of a split's images are named …
const SMALL: f64 = 0.01;
/// … unless there are so many classes that this is usual: then those with a smaller part of an average class's images.
const SMALL_OF_AVERAGE: f64 = 0.5;

/// Says which classes have nearly the same name, which have no image or hardly any, and which splits lack a class or have one
/// only. `splits` are the targets of all splits that have images, training first; a line for each oddity, none for data sets
/// without labels.
pub fn oddities(classes: &[String], splits: &[(Split, Targets)]) -> Vec<String> {
    let counted: Vec<_> =
        splits.iter().filter_map(|(split, targets)| Some((*split, counts(classes.len(), targets)?))).collect();
    let mut lines: Vec<String> = twins(classes).into_iter().chain(placeholders(classes)).collect();
    let named = |is_meant: &dyn Fn(usize) -> bool| -> Vec<&String> {
        classes.iter().enumerate().filter(|(class, _)| is_meant(*class)).map(|(_, name)| name).collect()
    };
    let is_nowhere = |class: usize| counted.iter().all(|(_, counts)| counts.classes[class] == 0);
    let nowhere = named(&is_nowhere);
    let is_all_one = counted.iter().all(|(_, counts)| counts.is_single) && nowhere.len() + 1 == classes.len();
    if !counted.is_empty() && !nowhere.is_empty() && !is_all_one {
        lines.push(format!("classes without any image: {}", names::some_of(&nowhere)));
    }
    for (split, counts) in &counted {
        let (name, present) = (split.name(), counts.classes.iter().filter(|count| **count > 0).count());
        if counts.is_single && present == 1 && classes.len() > 1 {
            let only = named(&|class| counts.classes[class] > 0);
            let (only, images) = (names::some_of(&only), counts.images);
            lines.push(match images {
                1 => format!("the split `{name}` has one image only, of the class {only}"),
                _ => format!("all {images} images of the split `{name}` are of one class, {only}"),
            });
            continue;
        }
        let absent = named(&|class| counts.classes[class] == 0 && !is_nowhere(class));
        if !absent.is_empty() {
            lines.push(format!("classes without an image in the split `{name}`: {}", names::some_of(&absent)));
        }
        lines.extend(counts.rare(classes, name));
    }
    lines
}

/// Classes whose names differ in upper and lower case, or in how a number is written: most likely one class that is written in two
/// ways.
fn twins(classes: &[String]) -> Option<String> {
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for class in classes {
        let number = class.parse::<f64>().ok().filter(|number| number.is_finite());
        let form = number.map_or_else(|| class.to_lowercase(), |number| number.to_string());
        alike.entry(form).or_default().push(class);
    }
    let pairs: Vec<String> =
        alike.into_values().filter(|names| names.len() > 1).map(|names| names.join("` and `")).collect();
    let what = "classes whose names differ only in upper and lower case or in how a number is written, such as leading zeros, and \
         are classes of their own";
    (!pairs.is_empty()).then(|| format!("{what}: {}", names::some_of(&pairs)))
}

/// Classes that are called as what programs and people write where there is no label.
fn placeholders(classes: &[String]) -> Option<String> {
    const WORDS: [&str; 14] = [
        "-",
        "--",
        "?",
        ".",
        "_",
        "*",
        "unknown",
        "unlabeled",
        "unlabelled",
        "undefined",
        "missing",
        "not available",
        "tbd",
        "n.a.",
    ];
    let is_one = |class: &&String| {
        let nines = class.strip_prefix('-').is_some_and(|rest| rest == "1" || rest.bytes().all(|byte| byte == b'9'));
        (nines && class.len() > 1) || WORDS.contains(&class.to_lowercase().as_str())
    };
    let found: Vec<&String> = classes.iter().filter(is_one).collect();
    let what = "classes whose names are often written where there is no label; leave such rows out if these are none";
    (!found.is_empty()).then(|| format!("{what}: {}", names::some_of(&found)))
}

struct Counts {
    images: usize,
    /// Of each class.
    classes: Vec<usize>,
    /// Whether an image has one class.
    is_single: bool,
}

impl Counts {
    /// Says which classes have few of the split's images.
    fn rare(&self, classes: &[String], split: &str) -> Option<String> {
        let images = self.images as f64;
        let average = self.classes.iter().sum::<usize>() as f64 / self.classes.len() as f64;
        let is_usual = SMALL_OF_AVERAGE * average < SMALL * images;
        let least = if is_usual { SMALL_OF_AVERAGE * average } else { SMALL * images };
        let is_rare = |class: &usize| self.classes[*class] > 0 && (self.classes[*class] as f64) < least;
        let shown = |class| format!("{} ({} of {})", classes[class], self.classes[class], self.images);
        let rare: Vec<String> = (0..classes.len()).filter(is_rare).map(shown).collect();
        let what = match is_usual {
            true => format!("less than half of an average class's images in the split `{split}`"),
            false => format!("less than 1 % of the images of the split `{split}`"),
        };
        (!rare.is_empty()).then(|| format!("classes with {what}: {}", names::some_of(&rare)))
    }
}

fn counts(classes: usize, targets: &Targets) -> Option<Counts> {
    let mut counts = vec![0; classes];
    let (images, is_single) = match targets {
        Targets::None => return None,
        Targets::Classes(targets) => {
            for &target in targets {
                *counts.get_mut(usize::try_from(target).ok()?)? += 1;
            }
            (targets.len(), true)
        }
        Targets::Multilabel(flags) => {
            for row in flags.chunks_exact(classes) {
                counts.iter_mut().zip(row).for_each(|(count, &flag)| *count += usize::from(flag != 0));
            }
            (flags.len() / classes.max(1), false)
        }
    };
    (images > 0).then_some(Counts { images, classes: counts, is_single })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(splits: &[(Split, Targets)]) -> Vec<String> {
        oddities(&["ant", "bee", "cat"].map(String::from), splits)
    }

    #[test]
    fn classes_that_are_missing_or_rare_are_named_once_with_their_split() {
        let train = |ants: usize, bees: usize, cats: usize| {
            let classes = [vec![0; ants], vec![1; bees], vec![2; cats]].concat();
            (Split::Train, Targets::Classes(classes))
        };
        assert_eq!(said(&[train(50, 40, 10), (Split::Test, Targets::Classes(vec![0, 1, 2]))]), [""; 0]);
        assert_eq!(
            said(&[train(50, 50, 1)]),
            ["classes with less than 1 % of the images of the split `train`: `cat (1 of 101)`"]
        );
        assert_eq!(said(&[train(50, 49, 1)]), [""; 0]);
        assert_eq!(said(&[train(3, 0, 3)]), ["classes without any image: `bee`"]);
        assert_eq!(
            said(&[
                train(3, 3, 3),
                (Split::Val, Targets::Classes(vec![1, 1])),
                (Split::Test, Targets::Classes(vec![0, 1]))
            ]),
            [
                "all 2 images of the split `val` are of one class, `bee`",
                "classes without an image in the split `test`: `cat`"
            ]
        );
        assert_eq!(said(&[train(0, 4, 0)]), ["all 4 images of the split `train` are of one class, `bee`"]);
        assert_eq!(
            said(&[train(3, 3, 3), (Split::Val, Targets::Classes(vec![1]))]),
            ["the split `val` has one image only, of the class `bee`"]
        );
        assert_eq!(said(&[(Split::Train, Targets::None)]), [""; 0]);
        assert_eq!(
            said(&[(Split::Train, Targets::Multilabel(vec![1, 1, 0, 1, 0, 0]))]),
            ["classes without any image: `cat`"]
        );
    }

    #[test]
    fn among_many_classes_a_small_part_is_usual() {
        let many: Vec<String> = (0..500).map(|class| format!("species {class}")).collect();
        let split = |counts: &dyn Fn(i64) -> usize| {
            let targets = (0..500).flat_map(|class| std::iter::repeat_n(class, counts(class))).collect();
            oddities(&many, &[(Split::Train, Targets::Classes(targets))])
        };
        assert_eq!(split(&|_| 10), [""; 0]);
        assert_eq!(split(&|class| 6 + (class % 9) as usize), [""; 0]);
        assert_eq!(
            split(&|class| if class == 7 { 4 } else { 10 }),
            ["classes with less than half of an average class's images in the split `train`: `species 7 (4 of 4994)`"]
        );
        // A label of 14 that few images have is rare, however many others they have.
        let labels: Vec<String> = (0..14).map(|label| label.to_string()).collect();
        let flags = (0..1000).flat_map(|image| (0..14).map(move |label| u8::from(label > 0 || image < 3))).collect();
        assert_eq!(
            oddities(&labels, &[(Split::Train, Targets::Multilabel(flags))]),
            ["classes with less than 1 % of the images of the split `train`: `0 (3 of 1000)`"]
        );
    }

    #[test]
    fn classes_that_may_stand_for_no_label_are_named() {
        let said = |classes: &[&str]| oddities(&classes.iter().map(|name| name.to_string()).collect::<Vec<_>>(), &[]);
        for word in ["-", "?", "Unknown", "-1", "-9", "-999", "missing"] {
            let lines = said(&["0", "1", word]);
            assert!(lines.len() == 1 && lines[0].ends_with(&format!("these are none: `{word}`")), "{lines:?}");
        }
        assert_eq!(said(&["0", "1", "-2", "9", "no finding", "x-ray", "minus-1"]), [""; 0]);
    }

    #[test]
    fn classes_that_are_written_in_two_ways_are_named() {
        let said = |classes: &[&str]| oddities(&classes.iter().map(|name| name.to_string()).collect::<Vec<_>>(), &[]);
        for (classes, pair) in [
            (&["Normal", "normal", "sick"][..], Some("`Normal` and `normal`")),
            (&["01", "1", "2"], Some("`01` and `1`")),
            (&["0", "00", "1"], Some("`0` and `00`")),
            (&["1", "10", "2"], None),
            (&["v01", "v1"], None),
            (&["+1", "1"], Some("`+1` and `1`")),
            (&["1e0", "1", "2.5"], Some("`1e0` and `1`")),
            (&["inf", "INF"], Some("`inf` and `INF`")),
        ] {
            let lines = said(classes);
            assert_eq!(lines.len(), usize::from(pair.is_some()), "{lines:?}");
            assert!(pair.is_none_or(|pair| lines[0].ends_with(&format!("own: {pair}"))), "{lines:?}");
        }
    }
}
