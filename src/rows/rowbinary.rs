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
numbers!(u8: u8, u16: u16, u32: u32, u64: u64, i32: i32, i64: i64);

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

/// A `String`'s bytes, and where they end.
pub fn read_bytes(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let (length, at) = read_varint(bytes, at)?;
    let end = at.checked_add(length)?;
    Some((bytes.get(at..end)?, end))
}

/// The same of UTF-8.
pub fn read_text(bytes: &[u8], at: usize) -> Option<(&str, usize)> {
    let (text, end) = read_bytes(bytes, at)?;
    Some((std::str::from_utf8(text).ok()?, end))
}

pub fn read_i64(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let end = at.checked_add(8)?;
    let value = bytes.get(at..end)?.try_into().ok()?;
    Some((i64::from_le_bytes(value), end))
}

pub fn read_uuid(bytes: &[u8], at: usize) -> Option<(u128, usize)> {
    let end = at.checked_add(16)?;
    let value = bytes.get(at..end)?;
    let half = |half: &[u8]| Some(u64::from_le_bytes(half.try_into().ok()?));
    let (first, second) = (half(&value[..8])?, half(&value[8..])?);
    Some((u128::from(first) << 64 | u128::from(second), end))
}
