//! What TensorBoard's table of runs reads (`plugins/hparams/plugin_data.proto`): the values that a run is made of, and that it is
//! complete.

use super::fields::{bytes, double, varint_field};
use serde_json::Value;

/// The beginning of a session: `SessionStartInfo { hparams = 1 (a map), start_time_secs = 5 }`, the third kind of plugin data.
pub(super) fn start<'a>(wall_time: f64, values: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Vec<u8> {
    let entry = |(key, value): (&str, &Value)| bytes(1, &[bytes(1, key.as_bytes()), bytes(2, &any(value))].concat());
    let mut info: Vec<u8> = values.into_iter().filter(|(_, value)| !value.is_null()).flat_map(entry).collect();
    info.extend(double(5, wall_time));
    value("_hparams_/session_start_info", &bytes(3, &info))
}

/// Its end: `SessionEndInfo { status = 1: STATUS_SUCCESS = 1, end_time_secs = 2 }`, the fourth kind.
pub(super) fn success(wall_time: f64) -> Vec<u8> {
    value("_hparams_/session_end_info", &bytes(4, &[varint_field(1, 1), double(2, wall_time)].concat()))
}

/// `google.protobuf.Value { number_value = 2, string_value = 3, bool_value = 4 }`; lists and mappings as JSON.
fn any(value: &Value) -> Vec<u8> {
    match value {
        Value::Bool(on) => varint_field(4, u64::from(*on)),
        Value::Number(number) => double(2, number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => bytes(3, text.as_bytes()),
        other => bytes(3, other.to_string().as_bytes()),
    }
}

/// `Value { tag = 1, tensor = 8 { dtype = 1: DT_FLOAT = 1, tensor_shape = 2: [0] }, metadata = 9 { plugin_data = 1
/// { plugin_name = 1, content = 2 } } }`
fn value(tag: &str, content: &[u8]) -> Vec<u8> {
    let tensor = [varint_field(1, 1), bytes(2, &bytes(2, &[]))].concat();
    let data = [bytes(1, b"hparams"), bytes(2, content)].concat();
    [bytes(1, tag.as_bytes()), bytes(8, &tensor), bytes(9, &bytes(1, &data))].concat()
}

#[cfg(test)]
mod tests {
    use super::super::summary_event;
    use super::*;
    use serde_json::json;

    #[test]
    fn bytes_equal_those_of_tensorboards_own_writer() {
        // tensorboard 2.21: summary_v2._summary_pb(metadata.SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=s)) of
        // these values and start_time_secs=1.5, and SESSION_END_INFO_TAG with status=STATUS_SUCCESS, end_time_secs=2.5, in
        // Event(wall_time=1.5, summary=…) and Event(wall_time=2.5, summary=…).
        let values = [
            ("knn.k", json!(200)),
            ("train.self_supervision.type", json!("byol")),
            ("data.val_fraction", Value::Null),
            ("preprocess.expand_channels", json!(true)),
        ];
        let expected = concat!(
            "09000000000000f83f2aa0010a9d010a1c5f68706172616d735f2f73657373696f6e5f73746172745f696e666f42060801120212004a750a73",
            "0a0768706172616d7312681a660a120a056b6e6e2e6b12091100000000000069400a250a1b747261696e2e73656c665f737570657276697369",
            "6f6e2e7479706512061a0462796f6c0a200a1a70726570726f636573732e657870616e645f6368616e6e656c731202200129000000000000f83f",
        );
        let begun = start(1.5, values.iter().map(|(key, value)| (*key, value)));
        assert_eq!(base16ct::lower::encode_string(&summary_event(1.5, &begun)), expected);
        let expected = concat!(
            "0900000000000004402a420a400a1a5f68706172616d735f2f73657373696f6e5f656e645f696e666f42060801120212004a1a0a180a076870",
            "6172616d73120d220b0801110000000000000440",
        );
        assert_eq!(base16ct::lower::encode_string(&summary_event(2.5, &success(2.5))), expected);
    }
}
