//! Log lines on stderr, above the progress bars.

use super::{events, terminal};
use crate::run::log;
use indicatif::MultiProgress;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verbosity {
    /// What only this process knows (one of several that train together, of which another one speaks).
    Silent,
    /// Warnings and errors (`--quiet`).
    Quiet,
    /// What a person wants to follow.
    #[default]
    Normal,
    /// What helps to find a fault (`--verbose`).
    Verbose,
}

impl Verbosity {
    fn directives(self) -> &'static str {
        match self {
            Self::Silent => "error,selfsame::world=warn",
            Self::Quiet => "warn",
            Self::Normal => "info",
            Self::Verbose => "debug,ureq=info,ureq_proto=info,rustls=info",
        }
    }
}

/// When stderr is coloured (`--color`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    fn enabled(self, terminal: bool, no_color: Option<&str>, term: Option<&str>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => terminal && no_color.is_none_or(str::is_empty) && term != Some("dumb"),
        }
    }
}

/// Sends all `tracing` events of this process to stderr, pausing `bars` while a line is printed.
///
/// `RUST_LOG` wins over `verbosity`. Only the first call has an effect.
pub fn init(verbosity: Verbosity, color: Color, bars: &MultiProgress) {
    let var = |name| std::env::var(name).ok();
    let ansi = !events::are_on_stderr()
        && color.enabled(io::stderr().is_terminal(), var("NO_COLOR").as_deref(), var("TERM").as_deref());
    let wanted = var(EnvFilter::DEFAULT_ENV).filter(|directives| !directives.trim().is_empty());
    let parsed = wanted.map(|directives| directives.parse::<EnvFilter>().map_err(|error| (directives, error)));
    let (filter, refused) = match parsed {
        Some(Ok(filter)) => (filter, None),
        Some(Err(refused)) => (EnvFilter::new(verbosity.directives()), Some(refused)),
        None => (EnvFilter::new(verbosity.directives()), None),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(ansi)
        .with_writer(AboveBars(bars.clone()))
        .event_format(Plain)
        .finish();
    let first = tracing::subscriber::set_global_default(subscriber).is_ok();
    if let (true, Some((directives, error))) = (first, refused) {
        tracing::warn!("RUST_LOG={directives:?} is ignored: {error}");
    }
}

/// A line as people write it: the message, after a word when it is no mere information.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let (word, style) = match *event.metadata().level() {
            Level::ERROR => ("error: ", "\x1b[1;31m"),
            Level::WARN => ("warning: ", "\x1b[1;33m"),
            Level::INFO => ("", ""),
            Level::DEBUG => ("debug: ", "\x1b[2m"),
            Level::TRACE => ("trace: ", "\x1b[2m"),
        };
        if writer.has_ansi_escapes() && !word.is_empty() {
            write!(writer, "{style}{word}\x1b[0m")?;
        } else {
            writer.write_str(word)?;
        }
        let mut text = String::new();
        context.field_format().format_fields(Writer::new(&mut text), event)?;
        writeln!(writer, "{}", terminal::message(&text))
    }
}

#[derive(Clone)]
struct AboveBars(MultiProgress);

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for AboveBars {
    /// Nobody can be told that messages cannot be written, and no run shall end for it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        log::note(line);
        if !events::took(&String::from_utf8_lossy(line)) {
            let _ = self.0.suspend(|| io::stderr().write_all(line));
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(verbosity: Verbosity, ansi: bool) -> String {
        written(verbosity, ansi, || {
            tracing::warn!("disk is nearly full");
            tracing::info!(plugin = "cifar", "loaded");
            tracing::debug!("seed 1");
        })
    }

    fn written(verbosity: Verbosity, ansi: bool, log: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(verbosity.directives()))
            .with_ansi(ansi)
            .with_writer(move || writer.clone())
            .event_format(Plain)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_are_plain_and_as_many_as_asked_for() {
        assert_eq!(logged(Verbosity::Quiet, false), "warning: disk is nearly full\n");
        assert_eq!(logged(Verbosity::Normal, false), "warning: disk is nearly full\nloaded plugin=\"cifar\"\n");
        assert!(logged(Verbosity::Verbose, false).ends_with("debug: seed 1\n"));
        assert_eq!(logged(Verbosity::Quiet, true), "\x1b[1;33mwarning: \x1b[0mdisk is nearly full\n");
    }

    #[test]
    fn foreign_text_steers_no_terminal() {
        let log = || tracing::warn!(file = "\u{202e}", "a\x1b[2J\u{9b}b\r\nerror: fake");
        let line = written(Verbosity::Normal, true, log);
        let (word, text) = line.split_at("\x1b[1;33mwarning: \x1b[0m".len());
        assert_eq!(word, "\x1b[1;33mwarning: \x1b[0m");
        assert!(text.ends_with('\n') && text.contains("\n  error: fake"), "{text:?}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{text:?}");
    }

    #[test]
    fn colour_follows_flag_terminal_and_environment() {
        assert!(Color::Always.enabled(false, Some("1"), None));
        assert!(!Color::Never.enabled(true, None, None));
        assert!(Color::Auto.enabled(true, None, Some("xterm")) && Color::Auto.enabled(true, Some(""), None));
        assert!(!Color::Auto.enabled(false, None, None));
        assert!(!Color::Auto.enabled(true, Some("1"), None) && !Color::Auto.enabled(true, None, Some("dumb")));
    }
}
