//! What is odd about the number of images of each class, in words.

use crate::names;
use selfsame_plugin_api::{Split, Targets};

/// Classes with a smaller part of a split's images are named.
const SMALL: f64 = 0.01;

/// Says which classes have no image or hardly any, and which splits lack a class or have one only. `splits` are the targets of
/// all splits that have images, training first; a line for each oddity, none for data sets without labels.
pub fn oddities(classes: &[String], splits: &[(Split, Targets)]) -> Vec<String> {
    let counted: Vec<_> =
        splits.iter().filter_map(|(split, targets)| Some((*split, counts(classes.len(), targets)?))).collect();
    let mut lines = Vec::new();
    let named = |is_meant: &dyn Fn(usize) -> bool| -> Vec<&String> {
        classes.iter().enumerate().filter(|(class, _)| is_meant(*class)).map(|(_, name)| name).collect()
    };
    let is_nowhere = |class: usize| counted.iter().all(|(_, counts)| counts.classes[class] == 0);
    let nowhere = named(&is_nowhere);
    if !counted.is_empty() && !nowhere.is_empty() {
        lines.push(format!("classes without any image: {}", names::some_of(&nowhere)));
    }
    for (split, Counts { images, classes: counts, is_single }) in &counted {
        let (name, present) = (split.name(), counts.iter().filter(|count| **count > 0).count());
        if *is_single && present == 1 && classes.len() > 1 {
            let only = named(&|class| counts[class] > 0);
            lines
                .push(format!("all {images} images of the split `{name}` are of one class, {}", names::some_of(&only)));
            continue;
        }
        let absent = named(&|class| counts[class] == 0 && !is_nowhere(class));
        if !absent.is_empty() {
            lines.push(format!("classes without an image in the split `{name}`: {}", names::some_of(&absent)));
        }
        let rare = |class: usize| counts[class] > 0 && (counts[class] as f64) < SMALL * *images as f64;
        let rare: Vec<String> = (0..classes.len())
            .filter(|&class| rare(class))
            .map(|class| format!("{} ({} of {images})", classes[class], counts[class]))
            .collect();
        if !rare.is_empty() {
            lines.push(format!(
                "classes with less than 1 % of the images of the split `{name}`: {}",
                names::some_of(&rare)
            ));
        }
    }
    lines
}

struct Counts {
    images: usize,
    /// Of each class.
    classes: Vec<usize>,
    /// Whether an image has one class.
    is_single: bool,
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
        assert_eq!(said(&[(Split::Train, Targets::None)]), [""; 0]);
        assert_eq!(
            said(&[(Split::Train, Targets::Multilabel(vec![1, 1, 0, 1, 0, 0]))]),
            ["classes without any image: `cat`"]
        );
    }
}
