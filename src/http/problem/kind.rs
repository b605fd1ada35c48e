//! The kinds of problems: a table that the answers, the description of the API and its page are made of.

use axum::http::StatusCode;

/// A kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    InvalidRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    Ambiguous,
    UnsupportedMediaType,
    Misdirected,
    Internal,
    StoreUnavailable,
    TooManyQuestions,
}

struct Row {
    kind: Kind,
    /// In `type`, and the fragment of its place on the page.
    name: &'static str,
    status: u16,
    title: &'static str,
    /// What to do about it.
    remedy: &'static str,
}

/// Each kind once, by status.
const ROWS: [Row; 12] = [
    Row {
        kind: Kind::InvalidRequest,
        name: "invalid-request",
        status: 400,
        title: "Invalid request",
        remedy: "Correct the parameter named in the detail.",
    },
    Row {
        kind: Kind::Unauthorized,
        name: "unauthorized",
        status: 401,
        title: "Authentication required",
        remedy: "Send the header Authorization: Bearer TOKEN with a token that is configured under [[access.api]].",
    },
    Row {
        kind: Kind::Forbidden,
        name: "forbidden",
        status: 403,
        title: "Forbidden",
        remedy: "Request clusters and namespaces that this token may read, or use another token.",
    },
    Row {
        kind: Kind::NotFound,
        name: "not-found",
        status: 404,
        title: "Not found",
        remedy: "Check the path and the ID. What a token may not read is reported as not found.",
    },
    Row {
        kind: Kind::MethodNotAllowed,
        name: "method-not-allowed",
        status: 405,
        title: "Method not allowed",
        remedy: "Use GET or HEAD: the API only reads.",
    },
    Row {
        kind: Kind::NotAcceptable,
        name: "not-acceptable",
        status: 406,
        title: "Not acceptable",
        remedy: "Accept one of the media types named in the detail.",
    },
    Row {
        kind: Kind::Ambiguous,
        name: "ambiguous",
        status: 409,
        title: "Ambiguous ID",
        remedy: "Give more digits of the container ID, or name the cluster.",
    },
    Row {
        kind: Kind::UnsupportedMediaType,
        name: "unsupported-media-type",
        status: 415,
        title: "Unsupported media type",
        remedy: "Send no form: the API takes no bodies.",
    },
    Row {
        kind: Kind::Misdirected,
        name: "misdirected",
        status: 421,
        title: "Misdirected request",
        remedy: "Without authentication, address this server as 127.0.0.1 or localhost.",
    },
    Row {
        kind: Kind::Internal,
        name: "internal",
        status: 500,
        title: "Internal error",
        remedy: "Check bygone's log.",
    },
    Row {
        kind: Kind::StoreUnavailable,
        name: "store-unavailable",
        status: 502,
        title: "A store did not answer",
        remedy: "Retry later, or request less, and check bygone's log.",
    },
    Row {
        kind: Kind::TooManyQuestions,
        name: "too-many-questions",
        status: 503,
        title: "Too many concurrent queries",
        remedy: "Retry after the time given in Retry-After.",
    },
];

impl Kind {
    /// Each of them, by status.
    pub fn all() -> impl Iterator<Item = Kind> {
        ROWS.iter().map(|row| row.kind)
    }

    fn row(self) -> &'static Row {
        let mut rows = ROWS.iter();
        rows.find(|row| row.kind == self)
            .expect("each kind has a row, which a test compares")
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub fn status(self) -> u16 {
        self.row().status
    }

    pub fn title(self) -> &'static str {
        self.row().title
    }

    pub fn remedy(self) -> &'static str {
        self.row().remedy
    }

    /// `None` where no kind has this status.
    pub fn of_status(status: StatusCode) -> Option<Kind> {
        Kind::all().find(|kind| kind.status() == status.as_u16())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status is how the framework's errors find their kind.
    #[test]
    fn each_kind_has_a_row_and_a_status_of_its_own() {
        for (at, row) in ROWS.iter().enumerate() {
            assert_eq!(row.kind as usize, at, "{:?}", row.kind);
            let status = StatusCode::from_u16(row.status).expect("a status");
            assert_eq!(Kind::of_status(status), Some(row.kind));
        }
        assert_eq!(Kind::TooManyQuestions as usize, ROWS.len() - 1);
    }
}
