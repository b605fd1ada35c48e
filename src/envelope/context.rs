//! The context of a text: where it comes from, and what its wrappers contain.

use std::ops::Range;

use super::{Reason, Rejected};

/// The origin of a text in the delivery.
#[derive(Clone, Debug)]
pub enum Origin {
    /// It is a part of it, from here on.
    From(usize),
    /// It was made of this part.
    Of(Range<usize>),
}

impl Origin {
    /// The origin of the range `at` of the text.
    pub fn of(&self, at: Range<usize>) -> Range<usize> {
        match self {
            Origin::From(start) => start + at.start..start + at.end,
            Origin::Of(part) => part.clone(),
        }
    }
}

/// What is around a text.
#[derive(Clone, Debug)]
pub struct Context {
    pub layers: usize,
    pub origin: Origin,
    pub cluster: Option<String>,
    /// When it was wrapped, in RFC 3339.
    pub time: Option<String>,
}

impl Default for Context {
    /// Of the delivery itself.
    fn default() -> Self {
        Context {
            layers: 0,
            origin: Origin::From(0),
            cluster: None,
            time: None,
        }
    }
}

impl Context {
    /// Of a text in this one.
    fn within(&self, origin: Origin) -> Context {
        Context {
            layers: self.layers + 1,
            origin,
            ..self.clone()
        }
    }

    /// The context of the range `at` as a whole.
    pub fn whole(&self, at: Range<usize>) -> Context {
        self.within(Origin::Of(self.origin.of(at)))
    }

    /// Of a part of `body`, which is the text that this is around.
    pub fn part(&self, body: &[u8], part: &[u8]) -> Option<Context> {
        let at = range_in(body, part)?;
        let origin = match &self.origin {
            Origin::From(start) => Origin::From(start + at.start),
            Origin::Of(_) => return None,
        };
        Some(self.within(origin))
    }

    pub fn rejected(&self, reason: Reason) -> Rejected {
        let at = match &self.origin {
            Origin::From(start) => *start..*start,
            Origin::Of(part) => part.clone(),
        };
        Rejected { at, reason }
    }
}

/// The position of `part` in `body`, if it is a part of it.
pub fn range_in(body: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= body.len()).then_some(start..end)
}
