//! Names that rotations give to the files beside a log.

/// Endings of a compressed rotation.
const PACKED: [&str; 2] = [".gz", ".zst"];

/// Whether a file is a rotation of the log with this name: `audit-2026-09-17T08-48-00.932.log` (as the API server's),
/// `audit.log.1`, `audit.log-20260917` (as logrotate's), each also compressed.
pub fn is_rotation(name: &str, log: &str) -> bool {
    let bare = PACKED.iter().find_map(|end| name.strip_suffix(end));
    let name = bare.unwrap_or(name);
    let (stem, ending) = match log.rfind('.') {
        Some(dot) if dot > 0 => log.split_at(dot),
        _ => (log, ""),
    };
    let behind = name.strip_prefix(log);
    let between = name
        .strip_prefix(stem)
        .and_then(|rest| rest.strip_suffix(ending));
    (name == log && bare.is_some()) || behind.is_some_and(is_mark) || between.is_some_and(is_mark)
}

/// A number or a time, behind a separator.
fn is_mark(text: &str) -> bool {
    let mut bytes = text.bytes();
    let is_separated = bytes.next().is_some_and(|byte| b".-_".contains(&byte));
    is_separated
        && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
        && bytes.all(|byte| byte.is_ascii_digit() || b".-_:TZ+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::is_rotation;

    #[test]
    fn names() {
        for name in [
            "audit-2026-09-17T08-48-00.932.log",
            "audit-2026-09-17T08-48-00.932.log.gz",
            "audit.log.1",
            "audit.log.12.gz",
            "audit.log-20260917",
            "audit.log-20260917.zst",
            "audit.log.gz",
        ] {
            assert!(is_rotation(name, "audit.log"), "{name}");
        }
        for name in [
            "audit.log",
            "audit-policy.yaml",
            "audit-1.yaml",
            "audit-old.log",
            "audit.log.swp",
            "audit.log.bak1",
            "other.log.1",
            "1audit.log",
        ] {
            assert!(!is_rotation(name, "audit.log"), "{name}");
        }
        assert!(is_rotation("audit.1", "audit"));
    }
}
