//! A table's columns, each named once: its ClickHouse type, its codec, its comment and its RowBinary.

use super::rowbinary as put;

/// One column, as the DDL has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    /// The ClickHouse type, and other text before the comment (a default).
    pub kind: &'static str,
    /// Empty where the table's default codec serves.
    pub codec: &'static str,
    pub comment: &'static str,
}

impl Column {
    /// The column's line in a `CREATE TABLE`.
    pub fn ddl(&self) -> String {
        let Column { name, kind, .. } = self;
        let comment = self.comment.replace('\\', "\\\\").replace('\'', "\\'");
        let codec = match self.codec {
            "" => String::new(),
            codec => format!(" CODEC({codec})"),
        };
        format!("    {name:<18} {kind} COMMENT '{comment}'{codec}")
    }
}

/// Whole seconds since the epoch: `DateTime('UTC')`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(pub u32);

/// Milliseconds since the epoch: `DateTime64(3, 'UTC')`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

/// Microseconds since the epoch: `DateTime64(6, 'UTC')`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

/// A UUID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub u128);

/// A value of a column.
pub trait Value {
    /// Appends its RowBinary.
    fn put(&self, out: &mut Vec<u8>);
}

macro_rules! values {
    ($($kind:ty: $value:ident, $out:ident => $put:expr;)*) => {
        $(impl Value for $kind {
            fn put(&self, $out: &mut Vec<u8>) {
                let $value = self;
                $put
            }
        })*
    };
}
values! {
    &str: value, out => put::string(out, value);
    String: value, out => put::string(out, value);
    std::borrow::Cow<'_, str>: value, out => put::string(out, value);
    bool: value, out => put::u8(out, (*value).into());
    u8: value, out => put::u8(out, *value);
    u32: value, out => put::u32(out, *value);
    u64: value, out => put::u64(out, *value);
    i32: value, out => put::i32(out, *value);
    Seconds: value, out => put::u32(out, value.0);
    Millis: value, out => put::i64(out, value.0);
    Micros: value, out => put::i64(out, value.0);
    Uid: value, out => put::uuid(out, value.0);
    [u8; 32]: value, out => out.extend_from_slice(value);
}

/// Bytes of any kind in a `String` column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl Value for Blob {
    fn put(&self, out: &mut Vec<u8>) {
        put::varint(out, self.0.len());
        out.extend_from_slice(&self.0);
    }
}

/// `Nullable`: a byte that marks an absent value.
impl<T: Value> Value for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put::u8(out, self.is_none().into());
        if let Some(value) = self {
            value.put(out);
        }
    }
}

/// `Array`, and `Map` of pairs.
impl<T: Value> Value for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put::varint(out, self.len());
        for value in self {
            value.put(out);
        }
    }
}

/// `Tuple`.
impl<A: Value, B: Value> Value for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
}

/// Makes a struct of which each field is a column, and the list of these columns, in one order.
macro_rules! table {
    (
        $(#[$about:meta])*
        pub struct $name:ident<'a> {
            $($field:ident: $of:ty = $kind:literal $(codec $codec:literal)?, $comment:literal;)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name<'a> {
            $(#[doc = $comment] pub $field: $of,)*
        }

        impl $name<'_> {
            /// The columns, in the order of the fields and of the encoding.
            pub const COLUMNS: &'static [$crate::rows::Column] = &[
                $($crate::rows::Column {
                    name: stringify!($field),
                    kind: $kind,
                    codec: concat!($($codec)?),
                    comment: $comment,
                },)*
            ];

            /// Appends the row's RowBinary.
            pub fn put(&self, out: &mut Vec<u8>) {
                $($crate::rows::column::Value::put(&self.$field, out);)*
            }
        }
    };
}
pub(super) use table;
