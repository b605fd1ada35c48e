//! What a part of a wrapper is, before it is opened.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::Reason;
use super::encodings::Utf16;
use super::limits::Packing;

pub enum Inside<'c> {
    Text(Cow<'c, [u8]>),
    /// A JSON string that holds the text.
    Quoted(&'c RawValue),
    /// Bare, or as a JSON string.
    Base64(&'c [u8]),
    /// A JSON list of bytes.
    Bytes(&'c RawValue),
    Packed(Packing, &'c [u8]),
    Utf16(Utf16, &'c [u8]),
    OtherLog,
    Unreadable(Reason),
}
