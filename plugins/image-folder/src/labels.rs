//! From the labels that hold to a task, its classes, and a target for each sample.

use crate::entry::{Entry, Given};
use crate::options::Options;
use crate::values::Value;
use selfsame_plugin_api::{PluginError, Result, Targets, Task};
use selfsame_tables::labels::{have_both_truths, in_order, truth_as_number};
use selfsame_tables::names;
use std::collections::HashMap;

/// What the labels mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelling {
    /// The task.
    pub task: Task,
    /// Class names in label order.
    pub classes: Vec<String>,
    /// A target for each entry, in their order.
    pub targets: Targets,
}

impl Labelling {
    /// The targets of the entries at `places`.
    pub fn targets_at(&self, places: &[usize]) -> Targets {
        let count = self.classes.len();
        match &self.targets {
            Targets::None => Targets::None,
            Targets::Classes(classes) => Targets::Classes(places.iter().map(|&place| classes[place]).collect()),
            Targets::Multilabel(flags) => {
                let row = |&place: &usize| flags[place * count..(place + 1) * count].iter().copied();
                Targets::Multilabel(places.iter().flat_map(row).collect())
            }
        }
    }
}

/// The labels that the options name.
#[derive(Debug, Clone)]
pub struct Named {
    classes: Vec<Value>,
    positive: Vec<Value>,
}

impl Named {
    /// Of these options.
    pub fn new(options: &Options) -> Self {
        Self { classes: options.classes.clone(), positive: options.positive_labels.clone() }
    }

    /// These classes, in label order.
    pub fn of_classes(classes: impl IntoIterator<Item = String>) -> Self {
        Self { classes: classes.into_iter().map(Value).collect(), positive: Vec::new() }
    }

    /// Makes `true` and 1 one label, and `false` and 0, where files or options write both; not where the options name
    /// both as classes of their own.
    pub fn unify_truths(&mut self, entries: &mut [Entry]) {
        let named = || self.classes.iter().map(|class| class.0.as_str());
        let positive = self.positive.iter().map(|label| label.0.as_str());
        let occurring = entries.iter().flat_map(|entry| &entry.labels).map(String::as_str);
        if have_both_truths(named()) || !have_both_truths(occurring.chain(named()).chain(positive)) {
            return;
        }
        let options = self.classes.iter_mut().chain(&mut self.positive).map(|value| &mut value.0);
        for label in entries.iter_mut().flat_map(|entry| &mut entry.labels).chain(options) {
            *label = truth_as_number(label).to_string();
        }
    }
}

/// Decides the task from how labels are given and from what the options name.
///
/// # Errors
/// Labels that no class has, a single class, and a class for every image.
pub fn resolve(entries: &[Entry], given: &Given, named: &Named) -> Result<Labelling> {
    if !named.positive.is_empty() && *given != Given::Nothing {
        let positive: Vec<&str> = named.positive.iter().map(|label| label.0.as_str()).collect();
        let known = match given {
            Given::Labels(Some(columns)) => columns.clone(),
            _ => occurring(entries),
        };
        for label in &positive {
            if !known.iter().any(|known| known == label) {
                let hint = names::suggestion(label, known.iter().map(String::as_str));
                let known = names::some_of(&known);
                let message =
                    format!("option `positive_labels`: no image is labelled `{label}`{hint} (labels: {known})");
                return Err(PluginError::configuration(message));
            }
        }
        return Ok(binary(entries, &positive));
    }
    match given {
        Given::Nothing => Ok(Labelling { task: Task::None, classes: Vec::new(), targets: Targets::None }),
        Given::Class => one_class_each(entries, &named.classes),
        Given::Labels(columns) => {
            let classes = columns.clone().unwrap_or_else(|| named_or_occurring(entries, &named.classes));
            any_number(entries, classes)
        }
    }
}

fn binary(entries: &[Entry], positive: &[&str]) -> Labelling {
    let name = positive.join("|");
    let is_positive = |entry: &Entry| entry.labels.iter().any(|label| positive.contains(&label.as_str()));
    Labelling {
        task: Task::Binary,
        classes: vec![format!("not {name}"), name],
        targets: Targets::Classes(entries.iter().map(|entry| i64::from(is_positive(entry))).collect()),
    }
}

fn one_class_each(entries: &[Entry], written: &[Value]) -> Result<Labelling> {
    let classes = named_or_occurring(entries, written);
    let (count, images) = (classes.len(), entries.len());
    if count < 2 {
        let list = names::some_of(&classes);
        let message = format!("there is one class only, {list}; expected at least two, or no labels at all");
        return Err(PluginError::data(message));
    }
    // Nearly every image in a class of its own.
    if count > 2 && 10 * count > 9 * images && written.is_empty() {
        return Err(PluginError::data(format!(
            "{images} images have {count} different classes ({}); that is not a classification. Train without labels: \
             set dataset.options.unlabelled to true for folders, or leave out dataset.options.label_column",
            names::some_of(&classes)
        )));
    }
    let places = places(&classes);
    let target = |entry: &Entry| entry.labels.first().map_or(Ok(0), |label| place(label, entry, &places, &classes));
    let targets = entries.iter().map(|entry| Ok(target(entry)? as i64)).collect::<Result<_>>()?;
    let task = if count == 2 { Task::Binary } else { Task::Multiclass };
    Ok(Labelling { task, classes, targets: Targets::Classes(targets) })
}

fn any_number(entries: &[Entry], classes: Vec<String>) -> Result<Labelling> {
    match classes.as_slice() {
        [] => return Err(PluginError::data("no image has any label")),
        [single] => {
            let places = places(&classes);
            for (entry, label) in entries.iter().flat_map(|entry| entry.labels.iter().map(move |label| (entry, label)))
            {
                place(label, entry, &places, &classes)?;
            }
            return Ok(binary(entries, &[single]));
        }
        _ => {}
    }
    let places = places(&classes);
    let mut flags = vec![0u8; entries.len() * classes.len()];
    for (row, entry) in flags.chunks_mut(classes.len()).zip(entries) {
        for label in &entry.labels {
            row[place(label, entry, &places, &classes)?] = 1;
        }
    }
    Ok(Labelling { task: Task::Multilabel, classes, targets: Targets::Multilabel(flags) })
}

fn places(classes: &[String]) -> HashMap<&str, usize> {
    classes.iter().enumerate().map(|(place, class)| (class.as_str(), place)).collect()
}

fn place(label: &str, entry: &Entry, places: &HashMap<&str, usize>, classes: &[String]) -> Result<usize> {
    places.get(label).copied().ok_or_else(|| {
        let hint = names::suggestion(label, classes.iter().map(String::as_str));
        let (id, label) = (&entry.id, names::shortened(label));
        PluginError::data(format!("{id} is labelled `{label}`, which dataset.options.classes does not name{hint}"))
    })
}

fn named_or_occurring(entries: &[Entry], written: &[Value]) -> Vec<String> {
    match written {
        [] => occurring(entries),
        _ => written.iter().map(|class| class.0.clone()).collect(),
    }
}

/// All labels that occur, in their order.
fn occurring(entries: &[Entry]) -> Vec<String> {
    in_order(entries.iter().flat_map(|entry| &entry.labels).map(String::as_str))
}
