//! The path and the query of a request, as the API server reads them.

use std::borrow::Cow;

use crate::audit::Event;

/// The parameters of the request, by the rules of Go's `url.ParseQuery`: a pair with a semicolon or with a broken
/// escape is left out, since the API server does not see it either.
pub(super) fn query<'e>(event: &'e Event) -> impl Iterator<Item = (Cow<'e, str>, Cow<'e, str>)> {
    let query = event.request_uri.split_once('?');
    let query = query.map_or("", |(_, query)| query);
    let pairs = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.contains(';'));
    pairs.filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((unescaped(key)?, unescaped(value)?))
    })
}

/// Go's `url.QueryUnescape`.
fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                (high * 16 + low) as u8
            }
            byte => byte,
        });
    }
    Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Whether the request was for the very pod that the event names, or for that part of it. The API server names a
/// pod also where the path leads nowhere: of another version, or with more behind the subresource.
pub(super) fn is_of_pod(event: &Event) -> bool {
    let named = &event.object_ref;
    let path = event.request_uri.split('?').next().unwrap_or_default();
    let rest = path
        .strip_prefix("/api/v1/namespaces/")
        .and_then(|rest| rest.strip_prefix(&*named.namespace))
        .and_then(|rest| rest.strip_prefix("/pods/"))
        .and_then(|rest| rest.strip_prefix(&*named.name));
    let is_named = !named.namespace.is_empty() && !named.name.is_empty();
    is_named
        && match &*named.subresource {
            "" => rest == Some(""),
            part => rest.and_then(|rest| rest.strip_prefix('/')) == Some(part),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(uri: &str, subresource: &str) -> String {
        serde_json::json!({
            "auditID": "a", "stage": "ResponseComplete", "verb": "delete", "requestURI": uri,
            "stageTimestamp": "2026-01-01T00:00:00Z",
            "objectRef": {"resource": "pods", "namespace": "n", "name": "p", "subresource": subresource}
        })
        .to_string()
    }

    #[test]
    fn parameters_are_those_that_go_reads() {
        for (uri, expected) in [
            ("/x", vec![]),
            ("/x?dryRun=All", vec![("dryRun", "All")]),
            ("/x?dryRun", vec![("dryRun", "")]),
            ("/x?dryRun=%zz&a=1", vec![("a", "1")]),
            ("/x?dryRun=%4", vec![]),
            ("/x?dryRun=a;b", vec![]),
            ("/x?a;dryRun=All&b=+%41", vec![("b", " A")]),
            ("/x?&&=1", vec![("", "1")]),
            ("/x?dry%52un=%41ll", vec![("dryRun", "All")]),
        ] {
            let text = event(uri, "");
            let event: Event = serde_json::from_str(&text).expect("an event");
            let read: Vec<_> = query(&event).collect();
            let read: Vec<(&str, &str)> =
                read.iter().map(|(key, value)| (&**key, &**value)).collect();
            assert_eq!(read, expected, "{uri}");
        }
    }

    #[test]
    fn only_the_path_of_the_pod_is_its_own() {
        for (uri, subresource, is_of_it) in [
            ("/api/v1/namespaces/n/pods/p", "", true),
            ("/api/v1/namespaces/n/pods/p?a=b", "", true),
            ("/api/v1/namespaces/n/pods/p/status", "status", true),
            ("/api/v1/namespaces/n/pods/p/eviction?x", "eviction", true),
            ("/api/v99/namespaces/n/pods/p", "", false),
            ("/apis/v1/namespaces/n/pods/p", "", false),
            ("/api/v1/namespaces/n/pods/p/eviction/x", "eviction", false),
            ("/api/v1/namespaces/n/pods/p/status", "", false),
            ("/api/v1/namespaces/n/pods/p/", "", false),
            ("/api/v1/namespaces/n/pods/pp", "", false),
            ("/api/v1/namespaces/n/bindings/p", "", false),
            ("/api/v1/namespaces/nn/pods/p", "", false),
            ("//api/v1/namespaces/n/pods/p", "", false),
            ("", "", false),
        ] {
            let text = event(uri, subresource);
            let event: Event = serde_json::from_str(&text).expect("an event");
            assert_eq!(is_of_pod(&event), is_of_it, "{uri}");
        }
    }
}
