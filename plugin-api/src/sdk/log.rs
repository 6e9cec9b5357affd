//! Forwards the plugin's `tracing` events to the host.

use selfsame_abi::LogCallback;
use serde_json::{Map, Value};
use std::{fmt, sync::atomic::AtomicU64, sync::atomic::Ordering};
use tracing::{
    field::{Field, Visit},
    level_filters::LevelFilter,
    span, Event, Level, Metadata, Subscriber,
};

struct Forward {
    plugin: &'static str,
    callback: LogCallback,
    most_verbose: LevelFilter,
    next_span: AtomicU64,
}

/// Makes `callback` the destination of this library's events. Each dynamic library has its own dispatcher.
pub(super) fn forward_to(plugin: &'static str, callback: LogCallback, most_verbose: u8) {
    let most_verbose = match most_verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::ERROR,
        2 => LevelFilter::WARN,
        3 => LevelFilter::INFO,
        4 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let forward = Forward { plugin, callback, most_verbose, next_span: AtomicU64::new(1) };
    // A second host in the same process keeps the first destination.
    let _ = tracing::subscriber::set_global_default(forward);
}

fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => {
                self.others.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::String(value.to_owned()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

impl Subscriber for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most_verbose
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most_verbose)
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        // Ids must not be zero; spans themselves stay inside the plugin.
        span::Id::from_u64(self.next_span.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let json = Value::Object(fields.others).to_string();
        let (target, message) = (metadata.target(), fields.message.as_str());
        (self.callback.call)(
            self.plugin.into(),
            number(*metadata.level()),
            target.into(),
            message.into(),
            json.as_str().into(),
        );
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
