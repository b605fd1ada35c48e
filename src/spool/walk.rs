//! Going through a segment, frame by frame, and past what is damaged.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use memchr::memmem;

use super::folder;
use super::format::{FRAME_HEAD_BYTES, FrameHead, SEGMENT_HEAD_BYTES, SegmentHead, Unusable};

/// How much of a damaged place is in memory at once while the next good frame is searched.
const SEARCH_BYTES: usize = 256 << 10;

/// What a frame must keep to.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Where the segment ends.
    pub end: u64,
    /// Sequences lie between these two.
    pub after: u64,
    pub below: u64,
    /// Up to this sequence payloads are not read.
    pub unread_through: u64,
}

pub(super) enum Step {
    Frame {
        head: FrameHead,
        payload: Bytes,
    },
    /// A frame whose payload was not wanted.
    Passed {
        head: FrameHead,
    },
    Damage(Damage),
    End,
}

/// Bytes that are not a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub bytes: Range<u64>,
    pub reason: &'static str,
    /// The sequence of the good frame that follows, if one does.
    pub next: Option<u64>,
}

pub(super) struct Walk {
    file: File,
    mark: [u8; 8],
    offset: u64,
}

impl Walk {
    pub fn open(dir: &Path, first: u64, mark: u64) -> io::Result<Walk> {
        let file = File::open(folder::segment_path(dir, first))?;
        Ok(Walk {
            file,
            mark: mark.to_le_bytes(),
            offset: SEGMENT_HEAD_BYTES,
        })
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where the next step begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn skip_to(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// Reads what comes next. On an error the walk stays where it is.
    pub fn step(&mut self, limits: &Limits) -> io::Result<Step> {
        let at = self.offset;
        if at >= limits.end {
            return Ok(Step::End);
        }
        match self.frame_at(at, limits)? {
            Ok((head, payload)) => {
                self.offset = at + head.frame_bytes();
                Ok(match payload {
                    Some(payload) => Step::Frame { head, payload },
                    None => Step::Passed { head },
                })
            }
            Err(reason) => {
                let (to, next) = self.search(at + 1, limits)?;
                self.offset = to;
                Ok(Step::Damage(Damage {
                    bytes: at..to,
                    reason,
                    next,
                }))
            }
        }
    }

    fn frame_at(
        &self,
        at: u64,
        limits: &Limits,
    ) -> io::Result<Result<(FrameHead, Option<Bytes>), &'static str>> {
        let mut bytes = [0; FRAME_HEAD_BYTES as usize];
        if at + FRAME_HEAD_BYTES > limits.end || !read_exact(&self.file, &mut bytes, at)? {
            return Ok(Err("the frame's head is cut off"));
        }
        let Some(head) = FrameHead::decode(&bytes, u64::from_le_bytes(self.mark)) else {
            return Ok(Err("the frame's head is damaged"));
        };
        if head.sequence <= limits.after || head.sequence >= limits.below {
            return Ok(Err("the frame's sequence is out of order"));
        }
        if at + head.frame_bytes() > limits.end {
            return Ok(Err("the frame is cut off"));
        }
        if head.sequence <= limits.unread_through {
            return Ok(Ok((head, None)));
        }
        let mut payload = vec![0; head.length as usize];
        if !read_exact(&self.file, &mut payload, at + FRAME_HEAD_BYTES)? {
            return Ok(Err("the frame is cut off"));
        }
        if crc32fast::hash(&payload) != head.payload_crc {
            return Ok(Err("the frame's checksum is wrong"));
        }
        Ok(Ok((head, Some(payload.into()))))
    }

    /// The next good frame at or after `from`, or the end.
    fn search(&self, from: u64, limits: &Limits) -> io::Result<(u64, Option<u64>)> {
        let mark = memmem::Finder::new(&self.mark);
        let mut window = vec![0; SEARCH_BYTES];
        let mut at = from;
        while at + FRAME_HEAD_BYTES <= limits.end {
            let wanted = (limits.end - at).min(SEARCH_BYTES as u64) as usize;
            let window = &mut window[..wanted];
            let read = read_some(&self.file, window, at)?;
            for found in mark.find_iter(&window[..read]) {
                let candidate = at + found as u64;
                if let Ok((head, _)) = self.frame_at(candidate, limits)? {
                    return Ok((candidate, Some(head.sequence)));
                }
            }
            if read < wanted {
                break;
            }
            // A mark may lie across the edge of two windows.
            at += (read - (self.mark.len() - 1)) as u64;
        }
        Ok((limits.end, None))
    }
}

/// The head of a segment.
pub(super) fn segment_head(file: &File) -> io::Result<Result<SegmentHead, Unusable>> {
    let mut bytes = [0; SEGMENT_HEAD_BYTES as usize];
    if read_exact(file, &mut bytes, 0)? {
        return Ok(SegmentHead::decode(&bytes));
    }
    Ok(Err(Unusable::Damaged))
}

/// Whether there were enough bytes.
fn read_exact(file: &File, bytes: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(bytes, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Fills as much as there is.
fn read_some(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], at + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
