//! Fields of protocol buffers.

/// A 64-bit number.
pub(super) fn double(field: u8, value: f64) -> Vec<u8> {
    let mut out = vec![field << 3 | 1]; // 64 bits
    out.extend(value.to_le_bytes());
    out
}

/// A whole number.
pub(super) fn varint_field(field: u8, value: u64) -> Vec<u8> {
    let mut out = vec![field << 3];
    push_varint(&mut out, value);
    out
}

/// A text or a message.
pub(super) fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2]; // length-delimited
    push_varint(&mut out, value.len() as u64);
    out.extend(value);
    out
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
