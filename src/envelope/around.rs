//! What is around a text: where it comes from, and what its wrappers have said.

use std::ops::Range;

use super::{Reason, Rejected};

/// Where a text stands in the delivery.
#[derive(Clone, Debug)]
pub enum Place {
    /// It is a part of it, from here on.
    From(usize),
    /// It was made of this part.
    Of(Range<usize>),
}

impl Place {
    /// Where what stands at `at` of the text comes from.
    pub fn of(&self, at: Range<usize>) -> Range<usize> {
        match self {
            Place::From(start) => start + at.start..start + at.end,
            Place::Of(part) => part.clone(),
        }
    }
}

/// What is around a text.
#[derive(Clone, Debug)]
pub struct Around {
    pub layers: usize,
    pub place: Place,
    pub cluster: Option<String>,
    /// When it was wrapped, in RFC 3339.
    pub time: Option<String>,
}

impl Default for Around {
    /// Of the delivery itself.
    fn default() -> Self {
        Around {
            layers: 0,
            place: Place::From(0),
            cluster: None,
            time: None,
        }
    }
}

impl Around {
    /// Of a text in this one.
    fn within(&self, place: Place) -> Around {
        Around {
            layers: self.layers + 1,
            place,
            ..self.clone()
        }
    }

    /// As of what stands at `at` as a whole.
    pub fn whole(&self, at: Range<usize>) -> Around {
        self.within(Place::Of(self.place.of(at)))
    }

    /// Of a part of `body`, which is the text that this is around.
    pub fn part(&self, body: &[u8], part: &[u8]) -> Option<Around> {
        let at = range_in(body, part)?;
        let place = match &self.place {
            Place::From(start) => Place::From(start + at.start),
            Place::Of(_) => return None,
        };
        Some(self.within(place))
    }

    pub fn rejected(&self, reason: Reason) -> Rejected {
        let at = match &self.place {
            Place::From(start) => *start..*start,
            Place::Of(part) => part.clone(),
        };
        Rejected { at, reason }
    }
}

/// Where `part` stands in `body`, if it is a part of it.
pub fn range_in(body: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= body.len()).then_some(start..end)
}
