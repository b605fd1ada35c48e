//! How to fix a day's gaps: rules of the audit policy.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Day;

/// What is missing, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Advice {
    pub why: String,
    /// Where to put the lines.
    pub place: String,
    /// Lines of an audit policy (`audit.k8s.io/v1`).
    pub lines: String,
}

/// As `deploy/audit-policy.yaml` has it.
const PODS: &str = "\
- level: RequestResponse
  verbs: [create, update, patch, delete, deletecollection]
  resources:
    - group: \"\"
      resources: [pods, \"pods/*\", bindings]";

const LEASES: &str = "\
- level: Metadata
  users: [\"system:apiserver\"]
  verbs: [create, update, patch]
  namespaces: [kube-system]
  resources:
    - group: coordination.k8s.io
      resources: [leases]";

const BEFORE_PODS: &str = "rules, before all others that match writes to pods";

/// Of a day on which anything came.
pub fn of(day: &Day) -> Vec<Advice> {
    let advice = [pods(day), truncated(day), heartbeats(day)];
    advice.into_iter().flatten().collect()
}

fn pods(day: &Day) -> Option<Advice> {
    // Earlier stages hold no answers at any level.
    let at = |level: &str| -> u64 {
        let events = day.events.iter().filter(|events| {
            events.about == "pods" && events.stage == "ResponseComplete" && events.level == level
        });
        events.map(|events| events.events).sum()
    };
    let (request, metadata) = (at("Request"), at("Metadata"));
    let all = request + metadata + at("RequestResponse") + at("");
    let why = match (request, metadata) {
        (0, 0) if all > 0 || day.events.is_empty() => return None,
        (0, 0) => "events arrived, but no write to a pod was among them".to_owned(),
        (0, lean) => format!("{lean} of {all} writes to pods were recorded at level Metadata"),
        (lean, 0) => format!("{lean} of {all} writes to pods were recorded at level Request"),
        (request, metadata) => format!(
            "{metadata} of {all} writes to pods were recorded at level Metadata, {request} at level Request"
        ),
    };
    Some(Advice {
        why,
        place: BEFORE_PODS.to_owned(),
        lines: PODS.to_owned(),
    })
}

fn truncated(day: &Day) -> Option<Advice> {
    let cut = *day.pods.unknown.get("truncated")?;
    Some(Advice {
        why: format!(
            "{cut} pods have incomplete data: the API server truncated an event, bygone dropped invalid values, or the outcome of a \
             request is unknown (see unknown in schema/README.md)"
        ),
        place: "for truncated events: at the top of the policy; also a larger --audit-webhook-truncate-max-event-size, \
                --audit-log-truncate-max-event-size of the API server"
            .to_owned(),
        lines: "omitManagedFields: true".to_owned(),
    })
}

fn heartbeats(day: &Day) -> Option<Advice> {
    if day.events.is_empty() || !day.api_servers.is_empty() {
        return None;
    }
    Some(Advice {
        why: "no event identifies its API server, so an outage of one looks like a quiet period"
            .to_owned(),
        place: "rules, before all others that match leases".to_owned(),
        lines: LEASES.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::coverage::Events;

    fn day(events: &[(&str, &str, u64)]) -> Day {
        let events = events.iter().map(|(about, level, events)| Events {
            about: (*about).to_owned(),
            level: (*level).to_owned(),
            stage: "ResponseComplete".to_owned(),
            events: *events,
        });
        Day {
            events: events.collect(),
            api_servers: vec!["apiserver-x".to_owned()],
            ..Day::default()
        }
    }

    fn whys(day: &Day) -> String {
        let whys = of(day).into_iter().map(|advice| advice.why);
        whys.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(whys(&day(&[])), "");
        assert_eq!(whys(&day(&[("pods", "RequestResponse", 3)])), "");
        assert_eq!(
            whys(&day(&[("other", "Metadata", 3)])),
            "events arrived, but no write to a pod was among them"
        );
        assert_eq!(
            whys(&day(&[
                ("pods", "RequestResponse", 3),
                ("pods", "Metadata", 1)
            ])),
            "1 of 4 writes to pods were recorded at level Metadata"
        );
        assert_eq!(
            whys(&day(&[("pods", "Request", 3), ("pods", "Metadata", 1)])),
            "1 of 4 writes to pods were recorded at level Metadata, 3 at level Request"
        );
        let mut nameless = day(&[("pods", "RequestResponse", 3)]);
        nameless.api_servers.clear();
        nameless.pods.unknown.insert("truncated".to_owned(), 2);
        assert_eq!(
            whys(&nameless),
            "2 pods have incomplete data: the API server truncated an event, bygone dropped invalid values, or the outcome of a \
             request is unknown (see unknown in schema/README.md); \
             no event identifies its API server, so an outage of one looks like a quiet period"
        );
    }

    /// What is advised is what the sample does.
    #[test]
    fn the_lines_are_those_of_the_sample() {
        let sample = include_str!("../../../deploy/audit-policy.yaml");
        let bare = |text: &str| {
            let lines = text.lines().map(str::trim);
            lines
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(|line| line.to_owned() + "\n")
                .collect::<String>()
        };
        for lines in [PODS, LEASES, "omitManagedFields: true"] {
            assert!(bare(sample).contains(&bare(lines)), "{lines}");
        }
    }
}
