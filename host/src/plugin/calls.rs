//! The calls into plugins that are under way: who hangs, who ended the process, and what a user waits for is read from here.
//!
//! A call costs two stores and no lock, because reading a small image takes a microsecond. What ends the process may ask at
//! any time: nothing here allocates or waits once a plugin is known.

use crate::output::terminal;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// What the host calls of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Method {
    Load = 1,
    Card,
    Create,
    Prepare,
    DatasetCard,
    Survey,
    Open,
    Len,
    Targets,
    Groups,
    Ids,
    Fingerprint,
    Block,
    Read,
    Facts,
    Forward,
    FeatureDim,
    Parameters,
    Buffers,
}

impl Method {
    const ALL: [Self; 19] = [
        Self::Load,
        Self::Card,
        Self::Create,
        Self::Prepare,
        Self::DatasetCard,
        Self::Survey,
        Self::Open,
        Self::Len,
        Self::Targets,
        Self::Groups,
        Self::Ids,
        Self::Fingerprint,
        Self::Block,
        Self::Read,
        Self::Facts,
        Self::Forward,
        Self::FeatureDim,
        Self::Parameters,
        Self::Buffers,
    ];

    /// As authors know it.
    fn name(self) -> &'static str {
        match self {
            Self::Load => "opening the file",
            Self::Card => "card",
            Self::Create => "create",
            Self::Prepare => "Dataset::prepare",
            Self::DatasetCard => "Dataset::card",
            Self::Survey => "Dataset::survey",
            Self::Open => "Dataset::open",
            Self::Len => "Samples::len",
            Self::Targets => "Samples::targets",
            Self::Groups => "Samples::groups",
            Self::Ids => "Samples::ids",
            Self::Fingerprint => "Samples::fingerprint",
            Self::Block => "Samples::block",
            Self::Read => "Samples::read",
            Self::Facts => "Samples::facts",
            Self::Forward => "Encoder::forward",
            Self::FeatureDim => "Encoder::feature_dim",
            Self::Parameters => "Encoder::parameters",
            Self::Buffers => "Encoder::buffers",
        }
    }
}

/// A plugin by its place in [`PLUGINS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plugin(u32);

/// Plugins that are told apart; further ones share the last place.
const MOST_PLUGINS: usize = 256;

/// Names as they are shown.
static PLUGINS: [OnceLock<String>; MOST_PLUGINS] = [const { OnceLock::new() }; MOST_PLUGINS];

impl Plugin {
    /// The plugin of this name.
    pub(super) fn named(name: &str) -> Self {
        let shown = terminal::in_one_line(name).into_owned();
        let is_own = |place: &OnceLock<String>| *place.get_or_init(|| shown.clone()) == shown;
        Self(PLUGINS.iter().position(is_own).unwrap_or(MOST_PLUGINS - 1) as u32)
    }
}

/// A call as it is kept: the plugin's place, and in the lowest byte the method. None is 0.
const FREE: u32 = 0;
/// A place that is being filled.
const TAKEN: u32 = u32::MAX;
/// Bits of the method.
const METHOD: u32 = 8;

/// One call under way; a cache line, so that threads do not wait for each other's.
#[repr(align(64))]
struct Place {
    call: AtomicU32,
    begun: AtomicU64,
    heard: AtomicU64,
    reported: AtomicBool,
}

/// Calls at one time that are watched; others go on unwatched.
const MOST_CALLS: usize = 256;

static PLACES: [Place; MOST_CALLS] = [const {
    Place {
        call: AtomicU32::new(FREE),
        begun: AtomicU64::new(0),
        heard: AtomicU64::new(0),
        reported: AtomicBool::new(false),
    }
}; MOST_CALLS];

/// A clock that costs nothing to read: the looks at the calls so far.
static NOW: AtomicU64 = AtomicU64::new(0);

/// Where the next thread looks for its first place.
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// One more than the place that this thread had last; 0: none yet. Plain numbers, which a signal's handler may read.
    static LAST: Cell<usize> = const { Cell::new(0) };
    /// One more than the place of the call that this thread is in; 0: in none.
    static OWN: Cell<usize> = const { Cell::new(0) };
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// It is made.
    Begins,
    /// It says how far it is.
    Goes,
    /// It has come back.
    Ends,
}

/// Who hears of every call's method.
type Listener = fn(&'static str, Moment);

static LISTENER: OnceLock<Listener> = OnceLock::new();

/// From now on `listener` hears of every call.
pub fn hear_calls(listener: Listener) {
    LISTENER.get_or_init(|| listener);
}

/// Whether somebody hears of every call, who will say what became of it.
pub(super) fn are_listened_to() -> bool {
    LISTENER.get().is_some()
}

/// A call into a plugin, watched until it is dropped, on the thread that made it.
pub(super) struct Watched {
    method: Method,
    place: Option<usize>,
    outer: usize,
}

impl Watched {
    pub(super) fn new(plugin: Plugin, method: Method) -> Self {
        let place = take_place(plugin, method);
        let outer = OWN.replace(place.map_or(0, |place| place + 1));
        let watched = Self { method, place, outer };
        watched.tell(Moment::Begins);
        watched
    }

    /// The plugin reported progress.
    pub(super) fn heard(&self) {
        if let Some(place) = self.place {
            PLACES[place].heard.store(NOW.load(Ordering::Relaxed), Ordering::Relaxed);
            PLACES[place].reported.store(false, Ordering::Relaxed);
        }
        self.tell(Moment::Goes);
    }

    fn tell(&self, moment: Moment) {
        if let Some(listener) = LISTENER.get() {
            listener(self.method.name(), moment);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.tell(Moment::Ends);
        OWN.set(self.outer);
        if let Some(place) = self.place {
            PLACES[place].call.store(FREE, Ordering::Release);
        }
    }
}

fn take_place(plugin: Plugin, method: Method) -> Option<usize> {
    let first = match LAST.get() {
        0 => NEXT.fetch_add(1, Ordering::Relaxed),
        last => last - 1,
    };
    let mut places = (0..MOST_CALLS).map(|step| (first + step) % MOST_CALLS);
    let take =
        |place: &usize| PLACES[*place].call.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok();
    let index = places.find(take)?;
    LAST.set(index + 1);
    let (place, now) = (&PLACES[index], NOW.load(Ordering::Relaxed));
    place.begun.store(now, Ordering::Relaxed);
    place.heard.store(now, Ordering::Relaxed);
    place.reported.store(false, Ordering::Relaxed);
    place.call.store(plugin.0 << METHOD | u32::from(method as u8), Ordering::Release);
    Some(index)
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Called {
    pub(super) plugin: &'static str,
    pub(super) method: &'static str,
}

fn plugin_name(Plugin(place): Plugin) -> &'static str {
    PLUGINS.get(place as usize).and_then(OnceLock::get).map_or("", String::as_str)
}

fn called_at(place: &Place) -> Option<Called> {
    let call = place.call.load(Ordering::Acquire);
    let method = Method::ALL.get(((call & 0xff) as usize).wrapping_sub(1)).filter(|_| call != TAKEN)?;
    Some(Called { plugin: plugin_name(Plugin(call >> METHOD)), method: method.name() })
}

/// The call that this thread is in.
pub(super) fn of_this_thread() -> Option<Called> {
    let own = OWN.try_with(Cell::get).ok()?.checked_sub(1)?;
    called_at(PLACES.get(own)?)
}

/// All calls under way.
pub(super) fn under_way() -> impl Iterator<Item = Called> {
    PLACES.iter().filter_map(called_at)
}

/// Lets the clock go on, and returns what it shows.
pub(super) fn tick() -> u64 {
    NOW.fetch_add(1, Ordering::Relaxed) + 1
}

/// The calls that have said nothing for more than `patience` ticks at `now`; each silence is told once.
pub(super) fn silent(now: u64, patience: u64) -> impl Iterator<Item = Called> {
    let is_silent = move |place: &&Place| now.saturating_sub(place.heard.load(Ordering::Relaxed)) > patience;
    PLACES.iter().filter_map(move |place| {
        let called = called_at(place)?;
        (is_silent(&place) && !place.reported.swap(true, Ordering::Relaxed)).then_some(called)
    })
}

/// The calls that were under way at `time` and still are.
pub(super) fn begun_before(time: u64) -> impl Iterator<Item = Called> {
    PLACES.iter().filter_map(move |place| {
        let called = called_at(place)?;
        (place.begun.load(Ordering::Relaxed) <= time).then_some(called)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of one plugin, whatever other tests call.
    fn of(plugin: &str, calls: impl Iterator<Item = Called>) -> Vec<&'static str> {
        calls.filter(|called| called.plugin == plugin).map(|called| called.method).collect()
    }

    #[test]
    fn a_silent_call_is_named_once_and_again_after_progress() {
        let call = Watched::new(Plugin::named("slow"), Method::Prepare);
        let begun = NOW.load(Ordering::Relaxed);
        assert_eq!(of("slow", silent(begun + 30, 30)), [""; 0]);
        assert_eq!(of("slow", silent(begun + 32, 30)), ["Dataset::prepare"]);
        assert_eq!(of("slow", silent(begun + 40, 30)), [""; 0]);
        call.heard();
        assert_eq!(of("slow", silent(begun + 40, 30)), ["Dataset::prepare"]);
        assert_eq!(of("slow", begun_before(begun)), ["Dataset::prepare"]);
        drop(call);
        assert_eq!(of("slow", under_way()), [""; 0]);
    }

    #[test]
    fn a_thread_knows_its_innermost_call_and_others_see_all() {
        let plugin = Plugin::named("nested \x1b[2J");
        let own = || of_this_thread().map(|called| called.method);
        assert_eq!(own(), None);
        let outer = Watched::new(plugin, Method::Open);
        let inner = Watched::new(plugin, Method::Read);
        assert_eq!(own(), Some("Samples::read"));
        let elsewhere = std::thread::spawn(move || {
            let _card = Watched::new(plugin, Method::Card);
            of_this_thread().map(|called| called.method)
        });
        assert_eq!(elsewhere.join().unwrap(), Some("card"));
        let mut all = of(r"nested \u001b[2J", under_way());
        all.sort();
        assert_eq!(all, ["Dataset::open", "Samples::read"]);
        drop(inner);
        assert_eq!(own(), Some("Dataset::open"));
        drop(outer);
        assert_eq!(own(), None);
    }

    #[test]
    fn every_method_has_its_number_and_its_name() {
        for (at, method) in Method::ALL.into_iter().enumerate() {
            assert_eq!(method as usize, at + 1);
        }
        let mut names = Method::ALL.map(Method::name).to_vec();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Method::ALL.len());
    }
}
