//! Values of an array as labels or names.

use selfsame_plugin_api::numpy::{Header, Kind};

/// The whole numbers that an array holds, from little-endian bytes.
///
/// # Errors
/// Another kind, as the end of a sentence.
pub fn integers(header: &Header, bytes: &[u8]) -> Result<Vec<i64>, String> {
    let size = header.kind.size();
    let wide = |value: &[u8], fill: u8| {
        let mut whole = [fill; 8];
        whole[..size].copy_from_slice(value);
        i64::from_le_bytes(whole)
    };
    let values = bytes.chunks_exact(size.max(1));
    match header.kind {
        Kind::Bool | Kind::Unsigned(1 | 2 | 4 | 8) => Ok(values.map(|value| wide(value, 0)).collect()),
        Kind::Signed(1 | 2 | 4 | 8) => {
            let sign = |value: &[u8]| if value[size - 1] & 0x80 == 0 { 0 } else { 0xFF };
            Ok(values.map(|value| wide(value, sign(value))).collect())
        }
        _ => Err("expected whole numbers (`.astype(\"int64\")`)".into()),
    }
}

/// The values of an array as text: whole numbers, `U` and `S`.
///
/// # Errors
/// Another kind, as the end of a sentence.
pub fn texts(header: &Header, bytes: &[u8]) -> Result<Vec<String>, String> {
    let size = header.kind.size();
    if size == 0 {
        return Ok(vec![String::new(); header.shape.iter().product()]);
    }
    let values = bytes.chunks_exact(size);
    match header.kind {
        Kind::Characters(_) => values
            .map(|value| {
                let codes = value.as_chunks::<4>().0.iter().map(|code| u32::from_le_bytes(*code));
                let text: Option<String> = codes.take_while(|code| *code != 0).map(char::from_u32).collect();
                text.ok_or_else(|| "holds text that is not Unicode".to_owned())
            })
            .collect(),
        Kind::Bytes(_) => values
            .map(|value| {
                let end = value.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                String::from_utf8(value[..end].to_vec()).map_err(|_| "holds text that is not UTF-8".to_owned())
            })
            .collect(),
        _ => match integers(header, bytes) {
            Ok(values) => Ok(values.iter().map(i64::to_string).collect()),
            Err(_) => Err("expected texts or whole numbers".into()),
        },
    }
}
