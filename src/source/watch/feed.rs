//! A watch of one resource that an API server answers.

use bytes::Bytes;
use http_body_util::BodyExt;
use kube_client::client::Body;

use super::super::objects::failure::Failure;
use super::super::objects::way::{Buffer, Feed, Taken};
use super::lines::Lines;
use crate::lifecycle::watched::Moment;

pub struct Answer {
    body: Body,
    url: String,
}

impl Answer {
    pub fn new(body: Body, url: &str) -> Answer {
        Answer {
            body,
            url: url.to_owned(),
        }
    }
}

impl Feed for Answer {
    type Part = Bytes;

    async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        let frame = self.body.frame().await?;
        let frame = frame.map_err(|_| Failure::broke_off(&self.url));
        Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
    }

    fn bytes(part: &Bytes) -> usize {
        part.len()
    }
}

impl Buffer for Lines {
    type Part = Bytes;
    type Item = Bytes;

    fn is_quiet_enough(&self) -> bool {
        true
    }

    fn push(&mut self, part: Bytes, moment: Moment) {
        self.add(&part, moment);
    }

    fn is_full(&self) -> bool {
        self.has_many()
    }

    fn take(&mut self) -> Taken<Bytes> {
        let (lines, too_long) = self.take_whole();
        let left_out = (too_long > 0).then_some((too_long, "a line of a watch is too long"));
        (lines, left_out)
    }
}
