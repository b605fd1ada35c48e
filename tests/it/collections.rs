//! A deletecollection whose answer was not recorded: whom it meant is told by its selector and the pods' labels.

use serde_json::{Value, json};

use crate::late::{NO_RECONCILE, hours_later, set_clock};
use crate::lost_nodes::{body, event, rows, runs};
use crate::support::Bygone;

/// At level Metadata.
fn collection(at: &str, user: &str, selector: &str) -> Value {
    let object_ref = json!({"resource": "pods", "namespace": "shop", "apiVersion": "v1"});
    let mut event = event(at, "deletecollection", user, object_ref);
    event["level"] = json!("Metadata");
    event["requestURI"] = json!(format!("/api/v1/namespaces/shop/pods{selector}"));
    event
}

#[test]
fn a_selector_of_labels_tells_whom_it_meant() {
    let bygone = Bygone::start_set(&[NO_RECONCILE]);
    set_clock(&bygone.database, hours_later(0));
    let pods = (1..=4).map(|number| runs("2026-11-23T06:15:00.000000Z", number, "node"));
    let at = |second| format!("2026-11-23T06:16:{second:02}.000000Z");
    bygone.post_all([
        body(&pods.collect::<Vec<_>>()),
        body(&[
            collection(&at(1), "alice", "?labelSelector=number%3D1%2Capp%3Dweb"),
            collection(&at(2), "bob", "?labelSelector=app%3D%3Dweb%2Cnumber%3D%3D2"),
            // Of another app; by other means than equality; by a field.
            collection(&at(3), "carol", "?labelSelector=app%3Dapi"),
            collection(&at(4), "dave", "?labelSelector=number+in+%283%2C4%29"),
            collection(
                &at(5),
                "erin",
                "?labelSelector=app%3Dweb&fieldSelector=status.phase%3DFailed",
            ),
        ]),
    ]);
    let expected = json!([
        ["web-1", "alice"],
        ["web-2", "bob"],
        ["web-3", null],
        ["web-4", null]
    ]);
    assert_eq!(asked(&bygone), expected);
    bygone.reconciled();
    assert_eq!(asked(&bygone), expected, "filed");
}

/// Of each pod: who asked for its deletion.
fn asked(bygone: &Bygone) -> Value {
    let question = "SELECT pod, delete_asked_by FROM pods ORDER BY pod FORMAT JSONCompactEachRow";
    rows(bygone, question)
}
