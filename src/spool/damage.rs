//! Sets damaged bytes aside, with a report for a person.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::SystemTime;

use super::folder;
use crate::disk;

const COPY_BYTES: usize = 256 << 10;

/// What was found.
pub(super) struct Report {
    /// The segment's first sequence.
    pub segment: u64,
    /// Where; may be empty.
    pub bytes: Range<u64>,
    pub reason: &'static str,
    /// The sequences of the frames that are gone, as far as it is known; may be empty.
    pub lost: Range<u64>,
    /// A torn tail: normal after a crash, and not counted.
    pub torn: bool,
}

impl Report {
    fn name(&self) -> String {
        let Range { start, end } = self.bytes;
        format!("{:020}-{start:012}-{end:012}", self.segment)
    }

    fn text(&self) -> String {
        let Range { start, end } = self.bytes;
        let lost = if self.lost.is_empty() {
            "unknown or none".to_owned()
        } else {
            format!("{} to {}", self.lost.start, self.lost.end - 1)
        };
        let found_at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let found_at = found_at.map_or(0, |since| since.as_secs());
        format!(
            "segment {:020}\nbytes {start} to {end}\nreason {}\nlost sequences {lost}\n\
             found at {found_at} seconds since 1970\n",
            self.segment, self.reason
        )
    }
}

/// How the bytes were kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetAside {
    New,
    /// The same was found by an earlier run.
    Known,
    /// Reported, but `damaged/` has no room under its maximum for the bytes.
    WithoutBytes,
}

/// Copies the bytes of `source` and writes the report, both synced.
pub(super) fn set_aside(
    dir: &Path,
    source: Option<&File>,
    report: &Report,
    bytes_max: u64,
) -> io::Result<SetAside> {
    let folder = folder::damaged_path(dir);
    disk::private_folder(&folder)?;
    let kind = if report.torn { "torn" } else { "report" };
    let report_path = folder.join(format!("{}.{kind}", report.name()));
    if report_path.exists() {
        return Ok(SetAside::Known);
    }
    let bytes = report.bytes.end - report.bytes.start;
    let room = used(&folder)?.saturating_add(bytes) <= bytes_max;
    if let Some(source) = source.filter(|_| room && bytes > 0) {
        let path = folder.join(format!("{}.bytes", report.name()));
        // Without a report it is the rest of an attempt that a crash cut short.
        let mut to = disk::create_anew(&path)?;
        copy(source, &report.bytes, &mut to)?;
        to.sync_data()?;
    }
    let mut to = disk::create_anew(&report_path)?;
    to.write_all(report.text().as_bytes())?;
    to.sync_data()?;
    disk::sync_folder(&folder)?;
    Ok(if room {
        SetAside::New
    } else {
        SetAside::WithoutBytes
    })
}

/// How many reports of damage there are.
pub(super) fn reports(dir: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(folder::damaged_path(dir)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut reports = 0;
    for entry in entries {
        let name = entry?.file_name();
        reports += u64::from(
            Path::new(&name)
                .extension()
                .is_some_and(|ext| ext == "report"),
        );
    }
    Ok(reports)
}

fn used(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

fn copy(source: &File, bytes: &Range<u64>, to: &mut File) -> io::Result<()> {
    let mut piece = vec![0; COPY_BYTES];
    let mut at = bytes.start;
    while at < bytes.end {
        let wanted = (bytes.end - at).min(COPY_BYTES as u64) as usize;
        let read = match source.read_at(&mut piece[..wanted], at) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(&piece[..read])?;
        at += read as u64;
    }
    Ok(())
}
