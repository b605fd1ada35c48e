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
    check(b"{\"metadata\":7}", "damaged JSON");
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

/// A value whose object has these bytes.
fn protobuf(kind: &str, raw: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).expect("a short one");
    let type_meta = [
        b"\x0a\x02v1\x12",
        &[length(kind.as_bytes())][..],
        kind.as_bytes(),
    ]
    .concat();
    let parts: [&[u8]; 6] = [
        b"k8s\0\x0a",
        &[length(&type_meta)],
        &type_meta,
        b"\x12",
        &[length(raw)],
        raw,
    ];
    parts.concat()
}

#[test]
fn fields_that_are_not_named_are_stepped_over() {
    let pod = |raw: &[u8], expected: &str| check(&protobuf("Pod", raw), expected);
    pod(b"\x0a\x00", "Pod  ");
    pod(b"\x0a\x03\x0a\x01a", "Pod a ");
    // A number, 64 bits, bytes and 32 bits, with small and large numbers of fields.
    pod(
        b"\x78\xff\x01\x79\x01\x02\x03\x04\x05\x06\x07\x08\x7a\x02xx\x7d\x01\x02\x03\x04\x0a\x03\x0a\x01a",
        "Pod a ",
    );
    pod(b"\xf8\xff\xff\xff\x0f\x01\x0a\x03\x0a\x01a", "Pod a ");
    // Twice: the parts of messages are merged, of others the last is taken.
    pod(
        b"\x0a\x03\x0a\x01a\x12\x03\x52\x01n\x0a\x03\x0a\x01b\x12\x00",
        "Pod b n",
    );
    // Of a node, that would be something else.
    check(
        &protobuf("Node", b"\x0a\x03\x0a\x01a\x12\x03\x52\x01n"),
        "Node a ",
    );
    // Not UTF-8, as in JSON of the API.
    pod(b"\x0a\x03\x0a\x01\xff", "Pod \u{fffd} ");
}

#[test]
fn damaged_protobuf_has_one_reason() {
    let pod = |raw: &[u8], expected: &str| check(&protobuf("Pod", raw), expected);
    for cut in [
        &b"\x0a"[..],
        b"\x0a\x05\x0a\x01a",
        b"\x0a\xff",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x79\x01",
        b"\x7d\x01",
        b"\x0a\x02\x0a\x01",
    ] {
        pod(cut, "protobuf that ends too early");
    }
    for damaged in [
        // A number where a message is, a message where a number is, field 0, a group, a type that is none.
        &b"\x08\x01"[..],
        b"\x0a\x02\x52\x00",
        b"\x02\x00",
        b"\x0b\x0c",
        b"\x0f",
        // A number of eleven bytes, and of a field beyond the largest.
        b"\x78\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xfa\xff\xff\xff\xff\xff\x01\x00",
    ] {
        pod(damaged, "damaged protobuf");
    }
    check(
        &protobuf("Secret", b"\x0a\x03\x0a\x01a"),
        "an object that is not a pod, node or namespace",
    );
    let with = |end: &[u8]| [&protobuf("Pod", b"\x0a\x00"), end].concat();
    check(&with(b"\x1a\x04gzip"), "protobuf that is compressed");
    check(
        &with(b"\x22\x10application/json"),
        "an envelope with something else than protobuf",
    );
    check(
        &with(b"\x22\x23application/vnd.kubernetes.protobuf"),
        "Pod  ",
    );
    check(b"k8s\0", "an object that is not a pod, node or namespace");
    for empty in [&b""[..], b"\x12\x00"] {
        pod(empty, "an object without metadata");
    }
    check(
        br#"{"kind":"Node","apiVersion":"v1","metadata":null}"#,
        "an object without metadata",
    );
    check(b"k8s\0\xff", "protobuf that ends too early");
}
