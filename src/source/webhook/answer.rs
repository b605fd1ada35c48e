//! The response to a sender for an accepted delivery.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::REJECTED;
use crate::pipeline::Receipt;

/// Where a person finds what could not be read.
const HINT: &str = "bygone dead-letters list";

/// What was in a delivery. Counts and one of our own words: nothing of its content.
#[derive(Debug, Default, Serialize)]
pub struct Tally {
    events: usize,
    rejected: usize,
    /// Records of other logs.
    ignored: usize,
    /// Why the first of the rejected parts was.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    see: Option<&'static str>,
}

impl Tally {
    /// Counts a portion of the delivery.
    pub fn add(&mut self, receipt: Receipt) {
        self.events += receipt.events;
        self.rejected += receipt.rejected;
        self.ignored += receipt.ignored;
        self.reason = self.reason.or(receipt.reason);
        self.see = self.reason.map(|_| HINT);
    }

    /// 200; where `is_strict`, 422 if there was no event.
    pub fn answer(&self, is_strict: bool) -> Response {
        let status = match is_strict && self.events == 0 {
            true => StatusCode::UNPROCESSABLE_ENTITY,
            false => StatusCode::OK,
        };
        let headers = [
            (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
            (REJECTED, self.rejected.to_string()),
        ];
        let text = serde_json::to_string(self).expect("numbers and texts are JSON");
        (status, headers, text + "\n").into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(receipts: &[Receipt], is_strict: bool, status: u16, text: &str) {
        let mut tally = Tally::default();
        receipts.iter().for_each(|receipt| tally.add(*receipt));
        assert_eq!(serde_json::to_string(&tally).unwrap(), text);
        let answer = tally.answer(is_strict);
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()[REJECTED], tally.rejected.to_string());
    }

    #[test]
    fn answers() {
        let read = Receipt {
            events: 6,
            ignored: 1,
            ..Receipt::default()
        };
        let unread = |reason| Receipt {
            rejected: 2,
            reason: Some(reason),
            ..Receipt::default()
        };
        let nothing = r#"{"events":0,"rejected":0,"ignored":0}"#;
        check(&[], false, 200, nothing);
        check(&[], true, 422, nothing);
        let all = r#"{"events":6,"rejected":0,"ignored":1}"#;
        check(&[read], true, 200, all);
        let some = r#"{"events":6,"rejected":4,"ignored":1,"reason":"not json","see":"bygone dead-letters list"}"#;
        let parts = [unread("not json"), read, unread("cut off")];
        check(&parts, true, 200, some);
        let none = r#"{"events":0,"rejected":2,"ignored":0,"reason":"cut off","see":"bygone dead-letters list"}"#;
        check(&[unread("cut off")], false, 200, none);
        check(&[unread("cut off")], true, 422, none);
    }
}
