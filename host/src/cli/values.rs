//! What the words of the command line may be.

use crate::device;
use crate::home;
use clap::builder::{OsStringValueParser, PathBufValueParser, PossibleValuesParser, TypedValueParser};
use clap::value_parser;
use selfsame_plugin_api::Split;
use std::path::{Path, PathBuf};

/// What is continued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resume {
    /// The run in the configured folder, where there is one.
    IfThere,
    /// The run in the configured folder, which must be there.
    Must,
    /// The run in this folder.
    Run(PathBuf),
}

pub(super) fn resume() -> impl TypedValueParser<Value = Resume> {
    OsStringValueParser::new().try_map(|word| match word.to_str() {
        Some("") => Ok(Resume::IfThere),
        Some("must") => Ok(Resume::Must),
        _ => home::expanded(Path::new(&word)).map(Resume::Run),
    })
}

/// Who is told how training comes along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgressTo {
    /// The person at the terminal.
    Bars,
    /// A program: lines of JSON, in this file or on standard error.
    Json(Option<PathBuf>),
}

pub(super) fn progress() -> impl TypedValueParser<Value = ProgressTo> {
    OsStringValueParser::new().try_map(|word| match word.to_str() {
        Some("bars") => Ok(ProgressTo::Bars),
        Some("json") => Ok(ProgressTo::Json(None)),
        text => match text.and_then(|text| text.strip_prefix("json:")).filter(|file| !file.is_empty()) {
            Some(file) => home::expanded(Path::new(file))
                .map(|file| ProgressTo::Json(Some(file)))
                .map_err(|error| error.to_string()),
            None => Err("expected `bars`, `json`, or `json:FILE`".to_owned()),
        },
    })
}

/// How many processes train together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processes {
    /// One for each GPU.
    Auto,
    /// So many.
    Number(usize),
}

impl Processes {
    /// How many that is here.
    pub fn number(self) -> usize {
        match self {
            Self::Number(number) => number,
            Self::Auto => device::gpu_count().max(1),
        }
    }
}

pub(super) fn processes() -> impl TypedValueParser<Value = Processes> {
    |word: &str| match (word, word.parse::<usize>()) {
        ("auto", _) => Ok(Processes::Auto),
        (_, Ok(number @ 1..=4096)) => Ok(Processes::Number(number)),
        _ => Err("expected a number from 1 to 4096, or `auto`"),
    }
}

/// A path in which `~` is expanded, which shells leave in `--option=~/…`.
pub(super) fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| home::expanded(&path))
}

/// A number from 1 to `most`.
pub(super) fn positive(most: u64) -> impl TypedValueParser<Value = usize> {
    value_parser!(u64).range(1..=most).map(|value| value as usize)
}

/// One split, or all that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitChoice {
    /// This one.
    One(Split),
    /// Each.
    All,
}

pub(super) fn split_choice() -> impl TypedValueParser<Value = SplitChoice> {
    let splits = [Split::Train, Split::Val, Split::Test];
    let find = move |name: String| splits.into_iter().find(|split| split.name() == name);
    let names = splits.map(Split::name).into_iter().chain(["all"]);
    PossibleValuesParser::new(names).map(move |name| find(name).map_or(SplitChoice::All, SplitChoice::One))
}

pub(super) fn scored_split() -> impl TypedValueParser<Value = Split> {
    let splits = [Split::Val, Split::Test];
    let find = move |name: String| splits.into_iter().find(|split| split.name() == name);
    PossibleValuesParser::new(splits.map(Split::name)).try_map(move |name| find(name).ok_or("no such split"))
}

pub(super) fn positive_number(text: &str) -> Result<f64, String> {
    let value = text.parse().map_err(|_| "expected a number".to_owned())?;
    if value > 0.0 && f64::is_finite(value) { Ok(value) } else { Err("expected a number above 0".into()) }
}
