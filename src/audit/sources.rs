//! From where a request came: `sourceIPs` of an event.

use std::net::IpAddr;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::Text;

/// The first and the last of the addresses; what is not an address is absent.
///
/// The API server lists what `X-Forwarded-For` and `X-Real-Ip` say, then the address that connected
/// (`k8s.io/apimachinery/pkg/util/net`, `SourceIPs`). So all but the last may be made up by the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    pub first: Option<IpAddr>,
    /// Where there is more than one.
    pub last: Option<IpAddr>,
}

impl Sources {
    /// Reads the list as the event has it.
    pub(super) fn parse(raw: &str) -> Sources {
        serde_json::from_str(raw).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Sources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(List)
    }
}

struct List;

impl<'de> Visitor<'de> for List {
    type Value = Sources;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a list of addresses")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Sources, A::Error> {
        let mut sources = Sources::default();
        let mut is_first = true;
        while let Some(item) = seq.next_element::<&RawValue>()? {
            let address = address(item.get());
            match std::mem::take(&mut is_first) {
                true => sources.first = address,
                false => sources.last = address,
            }
        }
        Ok(sources)
    }
}

fn address(raw: &str) -> Option<IpAddr> {
    let text: Text = serde_json::from_str(raw).ok()?;
    text.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_are_read() {
        for (raw, first, last) in [
            (r#"["10.0.0.1"]"#, "10.0.0.1", ""),
            (
                r#"["203.0.113.9", "10.0.0.1", "fd00::1"]"#,
                "203.0.113.9",
                "fd00::1",
            ),
            (r#"["::ffff:10.0.0.1"]"#, "10.0.0.1", ""),
            (r#"["my secret", "10.0.0.1"]"#, "", "10.0.0.1"),
            (r#"["10.0.0.1", "my secret"]"#, "10.0.0.1", ""),
            (
                r#"[7, null, {"a": "10.0.0.1"}, "10.0.0.1"]"#,
                "",
                "10.0.0.1",
            ),
            ("[]", "", ""),
            ("null", "", ""),
            (r#""10.0.0.1""#, "", ""),
        ] {
            let sources = Sources::parse(raw);
            let text = |address: Option<IpAddr>| address.map_or(String::new(), |it| it.to_string());
            assert_eq!(
                (text(sources.first), text(sources.last)),
                (first.into(), last.into()),
                "{raw}"
            );
        }
    }
}
