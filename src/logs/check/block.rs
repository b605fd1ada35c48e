//! A `[[logs]]` block as it stands in a configuration file.

use toml::{Table, Value};

use crate::logs::config::Config;
use crate::logs::preset::Preset;

/// The keys that stand first; the others follow by their names.
const FIRST: [&str; 5] = ["name", "preset", "kind", "address", "from"];

/// The block in TOML: only what differs from the defaults and from its preset. Secrets are not in it, only the names of
/// their files.
#[must_use]
pub fn block(config: &Config) -> String {
    let preset = config.preset.as_ref();
    let preset = preset.and_then(|name| Preset::all().get(name));
    let mut config = config.clone();
    config.kind = config
        .kind
        .filter(|kind| preset.is_none_or(|preset| preset.kind != *kind));
    config.from = config
        .from
        .filter(|from| preset.is_none_or(|preset| preset.from != *from));
    let defaults = table(&Config::default());
    let mut keys = table(&config);
    keys.retain(|name, value| defaults.get(name) != Some(value));
    let (tables, plain): (Vec<_>, Vec<_>) =
        keys.into_iter().partition(|(_, value)| value.is_table());
    let mut plain: Vec<(String, Value)> = plain;
    let place = |name: &str| FIRST.iter().position(|first| *first == name);
    plain.sort_by_key(|(name, _)| place(name).unwrap_or(FIRST.len()));
    let mut text = "[[logs]]\n".to_owned();
    for (name, value) in plain {
        text.push_str(&format!("{name} = {value}\n"));
    }
    for (name, value) in tables {
        text.push_str(&format!("\n[logs.{name}]\n"));
        for (name, value) in value.as_table().into_iter().flatten() {
            text.push_str(&format!("{name} = {value}\n"));
        }
    }
    text
}

fn table(config: &Config) -> Table {
    Table::try_from(config).expect("a configuration is TOML")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let config: Config = toml::from_str(text).unwrap();
        let block = block(&config);
        let parsed: Table = toml::from_str(&block).expect("TOML");
        assert_eq!(parsed["logs"].as_array().map(Vec::len), Some(1));
        expected.assert_eq(&block);
    }

    #[test]
    fn only_what_differs() {
        check(
            "name = 'es'\nkind = 'opensearch'\npreset = 'filebeat'\nfrom = 'filebeat-*'\naddress = 'https://s'\n\
             user = 'u'\npassword_file = '/p'\nclusters = ['a']\n[tls]\nca_file = '/ca.pem'\n",
            expect![[r#"
                [[logs]]
                name = "es"
                preset = "filebeat"
                kind = "opensearch"
                address = "https://s"
                clusters = ["a"]
                password_file = "/p"
                user = "u"

                [logs.tls]
                ca_file = "/ca.pem"
            "#]],
        );
        check(
            "name = 'lines'\nkind = 'clickhouse'\nfrom = 'shop.lines'\n[fields]\nline = ['Text']\nuid = \"Map['u']\"\n",
            expect![[r#"
                [[logs]]
                name = "lines"
                kind = "clickhouse"
                from = "shop.lines"

                [logs.fields]
                line = ["Text"]
                uid = "Map['u']"
            "#]],
        );
    }
}
