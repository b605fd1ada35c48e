//! Texts in Rison, the notation of states in the URLs of Kibana and OpenSearch Dashboards.

/// A string, with its quotes.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for character in text.chars() {
        if matches!(character, '\'' | '!') {
            quoted.push('!');
        }
        quoted.push(character);
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_string_but_its_quote() {
        for (text, expected) in [
            ("", "''"),
            ("web-0", "'web-0'"),
            ("it's", "'it!'s'"),
            ("a!'b", "'a!!!'b'"),
            ("a:(b),c", "'a:(b),c'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
