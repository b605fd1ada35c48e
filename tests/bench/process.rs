//! What `/proc` says of a process.

use std::ops::Sub;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// `utime` and `stime` of /proc are counted in hundredths of a second on every Linux that we know
/// (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// CPU time in user and kernel mode, of all threads, without children.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    pub user: Duration,
    pub system: Duration,
}

impl Cpu {
    pub fn of(pid: u32) -> Cpu {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
        // "1234 (bygone) S ...": the name may hold anything but ends at the last ")".
        let (_, rest) = stat.rsplit_once(')').expect("a name in brackets");
        let ticks = |field: usize| {
            let text = rest.split_ascii_whitespace().nth(field - 3);
            text.and_then(|text| text.parse::<u32>().ok())
                .expect("a number of ticks")
        };
        Cpu {
            user: TICK * ticks(14),
            system: TICK * ticks(15),
        }
    }

    pub fn total(self) -> Duration {
        self.user + self.system
    }
}

impl Sub for Cpu {
    type Output = Cpu;

    fn sub(self, before: Cpu) -> Cpu {
        Cpu {
            user: self.user - before.user,
            system: self.system - before.system,
        }
    }
}

/// CPU time of the thread that asks.
pub fn thread_cpu() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

/// CPU time of the process that asks.
pub fn own_cpu() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

fn clock(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// The most memory that was ever in RAM.
pub fn peak_rss_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.expect("VmHWM").trim().parse::<u64>().expect("a number") << 10
}

/// Forgets what [`peak_rss_bytes`] has seen so far.
pub fn forget_peak(pid: u32) {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a process of ours");
}
