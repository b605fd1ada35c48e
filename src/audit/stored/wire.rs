//! The wire format of protobuf (<https://protobuf.dev/programming-guides/encoding>), borrowed from the input.
//!
//! A message takes the fields that it names. The others are stepped over, and nothing is built of them. As in the
//! API server, a field of another wire type than expected is damage, and messages that come twice are merged. Groups,
//! which Kubernetes does not use, are damage too.

use jiff::Timestamp;

use crate::audit::json::{Text, time_of_seconds};

/// A length that goes beyond the end.
pub(super) const CUT: &str = "protobuf that ends too early";
pub(super) const DAMAGED: &str = "damaged protobuf";

/// [`CUT`] or [`DAMAGED`].
pub(super) type Damage = &'static str;

/// A message, as far as it is read.
pub(super) trait Message<'a>: Default {
    /// Takes a field, or ignores it.
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage>;

    /// Takes all fields of an encoded message.
    fn merge(&mut self, bytes: &'a [u8]) -> Result<(), Damage> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (number, value) = next(&mut rest)?;
            self.field(number, value)?;
        }
        Ok(())
    }
}

/// The value of a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Number(u64),
    /// Text, bytes or a message.
    Bytes(&'a [u8]),
    /// Of a fixed size. None of these is kept.
    Fixed,
}

impl<'a> Value<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], Damage> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Number(_) | Value::Fixed => Err(DAMAGED),
        }
    }

    pub(super) fn text(self) -> Result<Text<'a>, Damage> {
        self.bytes().map(text)
    }

    pub(super) fn message<M: Message<'a>>(self) -> Result<M, Damage> {
        let mut message = M::default();
        message.merge(self.bytes()?)?;
        Ok(message)
    }

    /// Adds the fields to a message that may be there already.
    pub(super) fn merge_into<M: Message<'a>>(self, message: &mut Option<M>) -> Result<(), Damage> {
        let message = message.get_or_insert_default();
        message.merge(self.bytes()?)
    }

    pub(super) fn int64(self) -> Result<i64, Damage> {
        match self {
            Value::Number(number) => Ok(number as i64),
            Value::Bytes(_) | Value::Fixed => Err(DAMAGED),
        }
    }

    /// A negative one is written with 64 bits.
    pub(super) fn int32(self) -> Result<i32, Damage> {
        self.int64().map(|number| number as i32)
    }

    pub(super) fn bool(self) -> Result<bool, Damage> {
        self.int64().map(|number| number != 0)
    }

    /// Reads `metav1.Time`.
    pub(super) fn time(self) -> Result<Option<Timestamp>, Damage> {
        self.message::<Time>()
            .map(|time| time_of_seconds(time.seconds))
    }
}

/// The API server checks no encoding, and JSON has the same character for what is not UTF-8.
pub(super) fn text(bytes: &[u8]) -> Text<'_> {
    Text(String::from_utf8_lossy(bytes))
}

/// `metav1.Time`. The API server ignores its second field, the nanoseconds, and an empty one is the zero time
/// (`k8s.io/apimachinery/pkg/apis/meta/v1/time_proto.go`).
#[derive(Default)]
struct Time {
    seconds: i64,
}

impl<'a> Message<'a> for Time {
    fn field(&mut self, number: u32, value: Value<'a>) -> Result<(), Damage> {
        if number == 1 {
            self.seconds = value.int64()?;
        }
        Ok(())
    }
}

/// Takes the next field, its number and value, from the front of `rest`.
fn next<'a>(rest: &mut &'a [u8]) -> Result<(u32, Value<'a>), Damage> {
    let key = varint(rest)?;
    let number = u32::try_from(key >> 3).map_err(|_| DAMAGED)?;
    let value = match key & 7 {
        0 => Value::Number(varint(rest)?),
        1 => take(rest, 8).map(|_| Value::Fixed)?,
        2 => {
            let length = varint(rest)?;
            let length = usize::try_from(length).map_err(|_| CUT)?;
            Value::Bytes(take(rest, length)?)
        }
        5 => take(rest, 4).map(|_| Value::Fixed)?,
        _ => return Err(DAMAGED),
    };
    match number {
        0 => Err(DAMAGED),
        number => Ok((number, value)),
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Damage> {
    let (taken, behind) = rest.split_at_checked(length).ok_or(CUT)?;
    *rest = behind;
    Ok(taken)
}

/// A number in groups of seven bits, the lowest first. The highest bit of a byte says that more follow.
fn varint(rest: &mut &[u8]) -> Result<u64, Damage> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, behind) = rest.split_first().ok_or(CUT)?;
        *rest = behind;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok(number);
        }
    }
    Err(DAMAGED)
}
