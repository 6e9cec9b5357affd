//! The plugin of `host/benches/boundary.rs`.

mod plain;

selfsame_plugin_api::export_plugin! {
    datasets: { "plain" => (plain::card, plain::create) },
}
