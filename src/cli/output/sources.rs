//! The columns of sources.

use super::table::Column;
use super::{Look, Row, cell};
use crate::source::Status;

impl Row for Status {
    fn columns(_: &Look, _: bool) -> Vec<Column<Status>> {
        vec![
            Column::new("SOURCE", |s: &Status, _| s.source.clone()),
            Column::new("PLACE", |s, _| cell::text(s.place.as_deref(), cell::NONE)),
            Column::new("STATE", |s: &Status, _| s.state.clone()),
            Column::new("POSITION", |s, _| number(s.position)),
            Column::new("END", |s, _| number(s.end)),
            Column::new("LAG", |s, _| number(s.lag)),
            Column::new("OLDEST", |s, _| {
                s.oldest_seconds
                    .map_or(cell::NONE.to_owned(), |seconds| format!("{seconds:.1}s"))
            }),
            Column::new("FACTS", |s, _| number(s.facts)),
            Column::new("LAST ERROR", |s, _| {
                cell::text(s.last_error.as_deref(), cell::NONE)
            }),
        ]
    }

    fn name(&self) -> String {
        match &self.place {
            Some(place) => format!("{}/{place}", self.source),
            None => self.source.clone(),
        }
    }
}

fn number(number: Option<i64>) -> String {
    number.map_or(cell::NONE.to_owned(), |number| number.to_string())
}
