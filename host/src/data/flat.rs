//! Images all of whose pixels are equal: nothing can be learnt from them, and most often something made them so.

use super::decode::name;
use selfsame_plugin_api::{EQUAL_PIXELS, Samples, Split};
use std::collections::BTreeMap;

/// Names that a sentence lists.
const NAMED: usize = 3;
/// Where the data set says nothing.
const UNKNOWN: &str = "because of their files, or of how dataset.options make images of them; leave them out";

/// A sample whose image has one value in each channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flat {
    /// The sample's index in the data set's split.
    pub index: usize,
    /// What makes it so and what to do, in words.
    pub cause: String,
}

impl Flat {
    /// The sample at `index`, with what the data set says of it.
    pub fn new(index: usize, samples: &dyn Samples) -> Self {
        let said = samples.facts(index).ok().and_then(|mut facts| facts.remove(EQUAL_PIXELS));
        Self { index, cause: said.unwrap_or_else(|| UNKNOWN.to_owned()) }
    }
}

/// In words, how many of `all` images of a split are flat, with names and by cause; none where none is.
pub fn describe(dataset: &str, split: Split, flat: &[Flat], all: usize, samples: &dyn Samples) -> Option<String> {
    if flat.is_empty() {
        return None;
    }
    let names = samples.ids();
    let mut causes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for sample in flat {
        causes.entry(&sample.cause).or_default().push(sample.index);
    }
    let is_one_cause = causes.len() == 1;
    let said = |(cause, indices): (&str, Vec<usize>)| {
        let some: Vec<_> = indices.iter().take(NAMED).map(|&index| name(names.as_deref(), index)).collect();
        let more = match indices.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let count = if is_one_cause { String::new() } else { format!("{} ", indices.len()) };
        format!("{count}{cause} ({}{more})", some.join(", "))
    };
    let causes: Vec<_> = causes.into_iter().map(said).collect();
    let (count, split, causes) = (flat.len(), split.name(), causes.join("; "));
    let has = if count == 1 { "has" } else { "have" };
    Some(format!(
        "{dataset} {split}: {count} of {all} images {has} equal pixels only, so that nothing can be learnt from them, {causes}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use selfsame_plugin_api::{Image, PluginError, Result, Targets};

    /// Samples that are called by letters, and of which nothing is known but their number.
    struct Named(usize);

    impl Samples for Named {
        fn len(&self) -> usize {
            self.0
        }

        fn targets(&self) -> Targets {
            Targets::None
        }

        fn ids(&self) -> Option<Vec<String>> {
            Some((b'a'..).take(self.0).map(|letter| char::from(letter).to_string()).collect())
        }

        fn read(&self, _: &[usize]) -> Result<Vec<Image>> {
            Err(PluginError::data("nothing to read"))
        }
    }

    #[test]
    fn flat_images_are_counted_by_cause_with_some_names() {
        let samples = Named(26);
        let said = |flat: &[Flat]| describe("films", Split::Val, flat, 26, &samples);
        let of = |index: usize, cause: &str| Flat { index, cause: format!("because of {cause}") };
        assert_eq!(said(&[]), None);
        let one = "films val: 1 of 26 images has equal pixels only, so that nothing can be learnt from them, because of A (b)";
        assert_eq!(said(&[of(1, "A")]).as_deref(), Some(one));
        let five: Vec<Flat> = (0..4).map(|index| of(index, "B")).chain([of(9, "A")]).collect();
        let said = said(&five).unwrap();
        let end = "5 of 26 images have equal pixels only, so that nothing can be learnt from them, 1 because of A (j); 4 because of \
                   B (a, b, c and 1 more)";
        assert!(said.ends_with(end), "{said}");
        assert_eq!(Flat::new(3, &samples), Flat { index: 3, cause: UNKNOWN.to_owned() });
    }
}
