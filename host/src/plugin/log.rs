//! Receives the log events of plugins.

use abi_stable::std_types::RStr;
use selfsame_abi::LogCallback;
use serde_json::{Map, Value};
use std::{fmt::Write, panic::catch_unwind};
use tracing::level_filters::LevelFilter;

/// What plugins call for each event.
pub(super) const CALLBACK: LogCallback = LogCallback { call: receive };

/// The most verbose level that anything listens to, 0 (off) to 5 (trace).
pub(super) fn most_verbose() -> u8 {
    let levels = [LevelFilter::OFF, LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG];
    levels.iter().position(|level| *level == LevelFilter::current()).map_or(5, |position| position as u8)
}

extern "C" fn receive(plugin: RStr<'_>, level: u8, target: RStr<'_>, message: RStr<'_>, fields: RStr<'_>) {
    let (plugin, target, fields) = (plugin.as_str(), target.as_str(), fields.as_str());
    // A panic of the host's own log must not unwind into the plugin; it has already been printed.
    let _ = catch_unwind(|| {
        let text = with_fields(message.as_str(), fields);
        match level {
            // A person reads these.
            1 => tracing::error!("{plugin}: {text}"),
            2 => tracing::warn!("{plugin}: {text}"),
            3 => tracing::info!("{plugin}: {text}"),
            4 => tracing::debug!(plugin, module = target, "{text}"),
            _ => tracing::trace!(plugin, module = target, "{text}"),
        }
    });
}

fn with_fields(message: &str, fields: &str) -> String {
    let mut text = message.to_owned();
    let fields: Map<String, Value> = serde_json::from_str(fields).unwrap_or_default();
    for (name, value) in fields {
        // Writing to a string cannot fail.
        let _ = write!(text, " {name}={value}");
    }
    text
}
