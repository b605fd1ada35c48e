//! RowBinary, as much of it as our columns need (ClickHouse: `formats/RowBinary`).
//! All integers are little-endian.

pub fn varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// `String` and `LowCardinality(String)`.
pub fn string(out: &mut Vec<u8>, value: &str) {
    varint(out, value.len());
    out.extend_from_slice(value.as_bytes());
}

/// `UUID`: two halves of 64 bits, each little-endian, the first first.
pub fn uuid(out: &mut Vec<u8>, value: u128) {
    out.extend_from_slice(&((value >> 64) as u64).to_le_bytes());
    out.extend_from_slice(&(value as u64).to_le_bytes());
}

/// `DateTime` is a `u32`, `DateTime64` an `i64`, the numbers are themselves.
macro_rules! numbers {
    ($($name:ident: $type:ty),*) => {
        $(pub fn $name(out: &mut Vec<u8>, value: $type) {
            out.extend_from_slice(&value.to_le_bytes());
        })*
    };
}
numbers!(u8: u8, u32: u32, u64: u64, i32: i32, i64: i64);

/// A length and where it ends.
pub fn read_varint(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some((value, at));
        }
    }
    None
}
