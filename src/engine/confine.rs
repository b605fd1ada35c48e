//! The server confines itself: a client that may query it must not leave the database.
//!
//! It runs as `clickhouse-local` does, where `file()` has no fence. So before the library is loaded, the kernel is
//! told what this process and its threads may touch (Landlock, `landlock(7)`): its own folder, to read and to write;
//! the library, and what every program needs to run, to read. No other file, no program to execute, no TCP connection
//! to anywhere, no signal to others. It can't be taken back, and no account in ClickHouse can change it.
//!
//! Threads that already run are not confined: the one that ends the server with its parent connects to its port.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{EngineError, RunArgs};

/// What the rules below are written in. An older kernel keeps those that it knows.
const RULES: ABI = ABI::V6;

/// What ClickHouse reads of the machine: the C library and the zones, its user, memory and number of processors.
const READABLE: [&str; 12] = [
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/lib",
    "/lib64",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/vm",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/usr/lib",
    "/usr/share/zoneinfo",
];

/// Devices without any data.
const DEVICES: [&str; 3] = ["/dev/null", "/dev/random", "/dev/urandom"];

/// Confines this thread and those that it starts. Returns whether the kernel enforces all of it.
///
/// # Errors
///
/// [`EngineError::Io`] where a path of ours can't be opened, or the kernel refuses its own rules.
pub(super) fn confine(args: &RunArgs) -> Result<bool, EngineError> {
    let failed = |error: RulesetError| {
        EngineError::io(
            "confine the engine",
            std::io::Error::other(error.to_string()),
        )
    };
    // A core would hold all that the server knows.
    let no_core = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, no_core)
        .map_err(|errno| EngineError::io("forbid core files", errno.into()))?;
    let status = rules(args)
        .and_then(|rules| rules.restrict_self())
        .map_err(failed)?;
    // It also denies every program more rights than this one.
    Ok(status.ruleset == RulesetStatus::FullyEnforced && status.no_new_privs)
}

fn rules(args: &RunArgs) -> Result<RulesetCreated, RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(RULES))?
        .scope(Scope::from_all(RULES))?;
    // Shards on one machine, which only tests have, connect to each other.
    if args.tcp_port.is_none() {
        rules = rules.handle_access(AccessNet::from_all(RULES))?;
    }
    let mut rules = rules.create()?;
    if args.tcp_port.is_none() {
        rules = rules.add_rule(NetPort::new(args.http_port, AccessNet::BindTcp))?;
    }
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::from_all(RULES) & !AccessFs::Execute;
    rules = allow(rules, &args.data_dir, write)?;
    rules = allow(rules, &args.library, read)?;
    for path in READABLE {
        rules = allow(rules, Path::new(path), read)?;
    }
    for path in DEVICES {
        rules = allow(
            rules,
            Path::new(path),
            AccessFs::ReadFile | AccessFs::WriteFile,
        )?;
    }
    // Of itself alone: others of the same user have their environment there.
    let itself = PathBuf::from(format!("/proc/{}", std::process::id()));
    allow(rules, &itself, read)
}

/// What is not there needs no rule. A file takes no rights of folders.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(opened) = PathFd::new(path) else {
        return Ok(rules);
    };
    let access = match path.is_dir() {
        true => access,
        false => access & AccessFs::from_file(RULES),
    };
    rules.add_rule(PathBeneath::new(opened, access))
}
