//! The cluster that a record is of.

use super::config::{ClusterFrom, Config};
use crate::source::is_cluster_name;

/// The fields of a record that may name the cluster.
pub trait ClusterHints {
    fn topic(&self) -> &str;
    fn key(&self) -> Option<&[u8]>;
    fn header(&self, name: &str) -> Option<&[u8]>;
}

/// The first name in the order of `cluster_from`, if any. Invalid names of clusters are skipped.
pub fn cluster<'a>(config: &'a Config, record: &'a impl ClusterHints) -> Option<&'a str> {
    config.cluster_from.iter().find_map(|from| {
        let name = match from {
            ClusterFrom::Topic => config
                .cluster_by_topic
                .get(record.topic())
                .map(String::as_str),
            ClusterFrom::Header => text(record.header(&config.cluster_header)),
            ClusterFrom::Key => text(record.key()),
        };
        name.filter(|name| is_cluster_name(name))
    })
}

fn text(bytes: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    struct Record(&'static str, Option<&'static str>, Option<&'static str>);

    impl ClusterHints for Record {
        fn topic(&self) -> &str {
            self.0
        }

        fn key(&self) -> Option<&[u8]> {
            self.1.map(str::as_bytes)
        }

        fn header(&self, name: &str) -> Option<&[u8]> {
            self.2.filter(|_| name == "origin").map(str::as_bytes)
        }
    }

    fn check(config: &str, expected: Expect) {
        let config: Config = toml::from_str(config).unwrap();
        let mut lines = String::new();
        for (topic, key, header) in [
            ("audit-a", None, None),
            ("audit-b", Some("by-key"), None),
            ("audit-b", Some("by-key"), Some("by-header")),
            ("audit-b", Some("no name\n"), None),
        ] {
            let record = Record(topic, key, header);
            let name = cluster(&config, &record).unwrap_or("none");
            lines += &format!("{topic} {key:?} {header:?}: {name}\n");
        }
        expected.assert_eq(&lines);
    }

    #[test]
    fn the_first_that_tells_wins() {
        check(
            "cluster_from = [\"topic\", \"header\", \"key\"]\ncluster_header = \"origin\"\n\
             cluster = \"fixed\"\n[cluster_by_topic]\naudit-a = \"by-topic\"",
            expect![[r#"
                audit-a None None: by-topic
                audit-b Some("by-key") None: by-key
                audit-b Some("by-key") Some("by-header"): by-header
                audit-b Some("no name\n") None: none
            "#]],
        );
        check(
            "cluster_from = [\"key\", \"header\"]\ncluster_header = \"origin\"",
            expect![[r#"
                audit-a None None: none
                audit-b Some("by-key") None: by-key
                audit-b Some("by-key") Some("by-header"): by-key
                audit-b Some("no name\n") None: none
            "#]],
        );
    }
}
