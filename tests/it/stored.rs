//! A value of etcd is the object that the API shows, and nothing else of it is kept.
//!
//! The values of `fixtures/etcd` are a real API server's; k8s-pb writes the others.

mod made;

use std::path::{Path, PathBuf};

use bygone::audit::{self, NotStored, Stored, StoredKind, Text};
use bygone::lifecycle::watched::{self, Moment, Sight};
use k8s_pb::api::core::v1::Pod;
use k8s_pb::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use proptest::prelude::*;

use crate::mutated::stored::{envelope, reference, shown};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/etcd")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).expect("a fixture")
}

/// What is proved by a pod that was there, and by one that is deleted.
fn facts(stored: &Stored) -> Vec<String> {
    let at = stored.written.expect("a time").as_microsecond() + 1;
    let mut facts = Vec::new();
    for sight in [Sight::There, Sight::Deleted] {
        watched::pod("c", &stored.object, sight, Moment::at(at), &mut |fact| {
            facts.push(format!("{fact:?}"));
        })
        .expect("a pod that is named");
    }
    facts
}

#[test]
fn values_of_a_real_api_server() {
    for (name, kind, fact_count) in [
        ("web-0", StoredKind::Pod, 10),
        ("minimal", StoredKind::Pod, 2),
        ("static-node-1", StoredKind::Pod, 2),
        ("leaving", StoredKind::Pod, 2),
        ("node", StoredKind::Node, 0),
        ("namespace", StoredKind::Namespace, 0),
    ] {
        let value = fixture(&format!("{name}.bin"));
        let json = fixture(&format!("{name}.json"));
        let mut read = audit::stored(&value).expect("an object");
        let expected = audit::stored(&json).expect("an object");
        assert_eq!(read.kind, kind);
        // The API takes it from the key.
        let version = expected.object.metadata.as_ref().expect("metadata");
        let metadata = read.object.metadata.as_mut().expect("metadata");
        assert!(metadata.resource_version.is_empty());
        metadata.resource_version = Text(version.resource_version.0.clone());
        if kind == StoredKind::Pod {
            assert_eq!(facts(&read), facts(&expected), "{name}");
            assert_eq!(facts(&read).len(), fact_count, "{name}");
        }
        assert_eq!(shown(read), shown(expected), "{name}");
    }
}

#[test]
fn real_encrypted_values() {
    for (name, provider) in [
        ("pod-encrypted.bin", "aescbc"),
        ("node-encrypted.bin", "secretbox"),
        ("namespace-encrypted.bin", "aesgcm"),
    ] {
        let read = audit::stored(&fixture(name)).unwrap_err();
        assert_eq!(read, NotStored::Encrypted(provider.to_owned()));
    }
}

#[test]
fn a_value_that_is_cut_is_not_an_object() {
    for name in ["web-0.bin", "node.bin"] {
        let value = fixture(name);
        // The two empty fields behind the object are not needed.
        for end in 0..value.len() - 4 {
            let read = audit::stored(&value[..end]);
            assert!(read.is_err(), "{name}: the first {end} bytes are {read:?}");
        }
        assert!(audit::stored(&value[..value.len() - 4]).is_ok());
    }
}

#[test]
fn only_what_is_named_is_built() {
    let pod = made::with_canaries();
    let value = envelope("Pod", &pod);
    let sent = String::from_utf8_lossy(&value);
    let built = shown(audit::stored(&value).expect("a pod"));
    for canary in made::CANARIES {
        assert!(sent.contains(canary), "{canary} is not in the value");
        assert!(!built.contains(canary), "{canary} in {built}");
    }
    // It is not just empty.
    assert_eq!(built.matches("kept-").count(), made::KEPT, "{built}");
}

#[test]
fn of_long_lists_the_first_items_are_kept() {
    let lists = |count: usize| ObjectMeta {
        finalizers: vec![String::new(); count],
        labels: (0..count)
            .map(|it| (format!("{it:05}"), String::new()))
            .collect(),
        owner_references: vec![OwnerReference::default(); count],
        ..ObjectMeta::default()
    };
    for (count, is_cut) in [(1024, false), (1025, true), (5000, true)] {
        let value = envelope(
            "Pod",
            &Pod {
                metadata: Some(lists(count)),
                ..Pod::default()
            },
        );
        let read = audit::stored(&value).expect("a pod");
        let metadata = read.object.metadata.expect("metadata");
        let labels = metadata.labels.as_deref().expect("labels");
        assert_eq!((labels.len(), &*labels[1023].0), (1024, "01023"));
        assert_eq!(metadata.finalizers.as_ref().map(Vec::len), Some(1024));
        assert_eq!(metadata.owner_references.as_ref().map(Vec::len), Some(1024));
        assert_eq!(metadata.labels.is_cut(), is_cut);
        assert_eq!(metadata.finalizers.is_cut(), is_cut);
        assert_eq!(metadata.owner_references.is_cut(), is_cut);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Absent, zero and odd values of every field that is kept.
    #[test]
    fn made_pods_are_read_as_their_json(pod in made::pod()) {
        let value = envelope("Pod", &pod);
        let json = reference(&value).expect("k8s-pb reads what it wrote");
        let read = audit::stored(&value).expect("a pod");
        let expected = audit::stored(json.as_bytes()).expect("a pod");
        prop_assert_eq!(shown(read), shown(expected));
    }
}
