//! What becomes of values of each sort. `tests/it/stored.rs` compares protobuf with JSON.

use super::*;

/// The kind, name and node of an object, or why there is none.
fn check(value: &[u8], expected: &str) {
    let read = match stored(value) {
        Ok(stored) => {
            let metadata = stored.object.metadata.unwrap_or_default();
            let node = stored.object.spec.0.map(|spec| spec.node_name.to_string());
            let node = node.unwrap_or_default();
            format!("{:?} {} {node}", stored.kind, &*metadata.name)
        }
        Err(NotStored::Encrypted(provider)) => format!("encrypted by {provider}"),
        Err(NotStored::Unreadable(reason)) => reason.to_owned(),
    };
    let value = value.get(..100).unwrap_or(value);
    assert_eq!(read, expected, "{}", value.escape_ascii());
}

#[test]
fn encrypted_values_are_recognized() {
    for (value, provider) in [
        ("k8s:enc:aescbc:v1:key1:\u{1}\u{2}", "aescbc"),
        ("k8s:enc:aesgcm:v1:key1:x", "aesgcm"),
        ("k8s:enc:secretbox:v1:key1:x", "secretbox"),
        ("k8s:enc:kms:v1:my-provider:x", "kms:v1"),
        ("k8s:enc:kms:v2:my-provider:x", "kms:v2"),
        ("k8s:enc:kms:", "kms"),
        ("k8s:enc:a later one:v1:x", "unknown"),
        ("k8s:enc:", "unknown"),
    ] {
        check(value.as_bytes(), &format!("encrypted by {provider}"));
    }
}

#[test]
fn what_is_no_object_has_one_reason() {
    check(b"", "an empty value");
    check(b"\xd9\xd9\xf7\xa1\x61", "CBOR, in which no pod is stored");
    for other in ["a", "compact_rev_key", "[]", " {}", "k8s", "K8S\0"] {
        check(other.as_bytes(), "neither protobuf nor JSON");
    }
    check(&vec![b'{'; VALUE_BYTES_MAX + 1], "a value over 16 MiB");
    check(b"{\"kind\":\"Pod\"", "JSON that ends too early");
    check(b"{\"kind\":\"Pod\",}", "damaged JSON");
    check(b"{\"metadata\":[]}", "damaged JSON");
    let other = "an object that is not a pod, node or namespace";
    check(b"{}", other);
    check(b"{\"kind\":\"Secret\",\"apiVersion\":\"v1\"}", other);
    check(
        b"{\"kind\":\"Pod\",\"apiVersion\":\"example.com/v1\"}",
        other,
    );
}

#[test]
fn json_is_read_as_from_the_api() {
    check(
        br#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web"},"spec":{"nodeName":"n1"}}"#,
        "Pod web n1",
    );
    check(
        br#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"},"spec":{"nodeName":"x"}}"#,
        "Node n1 ",
    );
    check(
        br#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n"},"status":null}"#,
        "Namespace n ",
    );
    let written = br#"{"apiVersion":"v1","kind":"Pod","metadata":{
        "creationTimestamp":"2026-01-01T00:00:00Z","managedFields":[
            {"time":"2026-01-01T00:00:07Z"},{"time":"2026-01-01T00:00:03Z"},{}]}}"#;
    let written = stored(written).unwrap().written.unwrap();
    assert_eq!(written.to_string(), "2026-01-01T00:00:07Z");
}
