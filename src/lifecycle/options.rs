//! The delete options of a request, from the body or the query.

use super::uri::query;
use crate::audit::{DeleteOptions, Event, Eviction, Lenient, Level, Preconditions, Verb};

/// What a DELETE, a deletecollection or an eviction asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Options<'a> {
    /// `None`: unknown.
    pub dry_run: Option<bool>,
    /// Seconds. An unknown value is absent as well: it does not prove an end.
    pub grace: Option<i64>,
    pub conditions: Preconditions<'a>,
}

impl Options<'_> {
    /// Whether the pod gets no time to end.
    pub fn leaves_no_time(&self) -> bool {
        self.grace == Some(0)
    }
}

/// The options of a DELETE, a deletecollection or an eviction.
///
/// A deletion has them in the body, or, without a body, in the query (`k8s.io/apiserver`,
/// `pkg/endpoints/handlers/delete.go`). An eviction has them in its body, where alone a grace period counts
/// (`pkg/registry/core/pod/storage/eviction.go`).
pub(super) fn options<'a>(event: &Event<'a>) -> Options<'a> {
    let is_eviction = event.verb == Verb::Create;
    let body = event.request_object.map(|raw| raw.get());
    let body = body.filter(|raw| *raw != "null");
    let told = match (body, is_eviction) {
        (Some(raw), false) => read::<DeleteOptions>(raw),
        (Some(raw), true) => {
            read::<Eviction>(raw).map(|eviction| eviction.delete_options.0.unwrap_or_default())
        }
        (None, false) if is_without_body(event) => return in_query(event),
        (None, _) => None,
    };
    match told {
        Some(told) => Options {
            dry_run: Some(told.dry_run.iter().flatten().next().is_some()),
            grace: told.grace_period_seconds,
            conditions: told.preconditions.unwrap_or_default(),
        },
        // Of most events of level Metadata the body is not known, and a dry run in a body looks as a real one.
        None if body.is_none() && query(event).all(|(key, _)| key != "dryRun") => Options {
            dry_run: Some(false),
            ..Options::default()
        },
        None => Options::default(),
    }
}

fn read<'a, T: serde::Deserialize<'a>>(raw: &'a str) -> Option<T> {
    serde_json::from_str::<Lenient<T>>(raw).ok()?.0
}

/// Whether there was no body: it would have been recorded.
fn is_without_body(event: &Event) -> bool {
    !event.is_truncated
        && (matches!(event.level, Level::Request | Level::RequestResponse)
            || event.response_object.is_some())
}

fn in_query<'a>(event: &Event<'a>) -> Options<'a> {
    let mut options = Options {
        dry_run: Some(false),
        ..Options::default()
    };
    for (key, value) in query(event) {
        match &*key {
            "dryRun" => options.dry_run = Some(true),
            // Of several the API server takes the first.
            "gracePeriodSeconds" if options.grace.is_none() => options.grace = value.parse().ok(),
            _ => {}
        }
    }
    options
}
