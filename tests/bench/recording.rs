//! A recording's bodies, and the way of one through decoder and lifecycle.

use std::path::Path;

use bygone::coverage::Seen;
use bygone::{envelope, lifecycle, rows};

/// The bodies that the webhook received, if the folder has them.
pub fn bodies(folder: &Path) -> Option<Vec<Vec<u8>>> {
    let packed = std::fs::read(folder.join("bodies.jsonl.zst")).ok()?;
    let mut decoder = zstd::Decoder::new(&packed[..]).expect("a zstd file");
    decoder
        .window_log_max(27)
        .expect("the window of the corpus");
    let mut unpacked = Vec::new();
    std::io::copy(&mut decoder, &mut unpacked).expect("a whole zstd file");
    let lines = unpacked
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    Some(lines.map(<[u8]>::to_vec).collect())
}

/// The events in all of them.
pub fn events(bodies: &[impl AsRef<[u8]>]) -> usize {
    let mut events = 0;
    for body in bodies {
        read(body.as_ref(), &mut |_| {
            events += 1;
            Ok(())
        });
    }
    events
}

/// Encoded rows of facts.
pub type EncodedFacts = rows::Encoded<rows::Fact<'static>>;

/// Decode + lifecycle + row encoding; what came is counted beside.
pub fn facts(body: &[u8]) -> EncodedFacts {
    let mut facts = rows::Facts::default();
    let mut sessions = rows::SessionRows::default();
    let mut seen = Seen::default();
    read(body, &mut |found| {
        seen.add("demo", found.event);
        lifecycle::facts("demo", found.event, &mut |fact| facts.push(fact))
            .and_then(|()| {
                lifecycle::session("demo", found.event, &mut |session| sessions.push(session))
            })
            .expect("a recording is readable");
        Ok(())
    });
    std::hint::black_box((seen.take(), sessions));
    facts.finish()
}

fn read(body: &[u8], tell: envelope::Emit) {
    let limits = envelope::Limits {
        unpacked_bytes_max: 0,
        held_bytes_max: 0,
        reserve: &mut |_| false,
    };
    envelope::read(body, limits, tell);
}
