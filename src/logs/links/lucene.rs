//! Queries in Lucene's syntax: the one that Elasticsearch and OpenSearch read themselves (`query_string`), and that
//! Kibana, OpenSearch Dashboards and Grafana pass on.

use crate::logs::conditions::Condition;

/// What records must say.
pub fn query(conditions: &[Condition]) -> String {
    let terms: Vec<String> = conditions.iter().map(term).collect();
    terms.join(" AND ")
}

fn term(condition: &Condition) -> String {
    match condition {
        Condition::Present { field } => format!("_exists_:{}", escaped(field)),
        Condition::Is { field, values } => {
            let field = escaped(field);
            let terms = values.iter().map(|value| match value.is_empty() {
                // A record without it: what is empty is indexed by no kind of field but keywords.
                true => format!("(*:* NOT _exists_:{field})"),
                false => format!("{field}:{}", phrase(value)),
            });
            one_of(terms.collect())
        }
        // A keyword is found by the pattern, words by the phrase.
        Condition::Contains { field, part } => {
            let field = escaped(field);
            one_of(vec![
                format!("{field}:{}", phrase(part)),
                format!("{field}:*{}*", escaped(part)),
            ])
        }
    }
}

fn one_of(mut terms: Vec<String>) -> String {
    match terms.len() {
        1 => terms.remove(0),
        _ => format!("({})", terms.join(" OR ")),
    }
}

fn phrase(text: &str) -> String {
    let mut phrase = String::from('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            phrase.push('\\');
        }
        phrase.push(character);
    }
    phrase.push('"');
    phrase
}

/// A text outside of quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        let is_plain = character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '@');
        if !is_plain {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(condition: Condition, expected: &str) {
        assert_eq!(query(&[condition]), expected);
    }

    fn is(field: &str, values: &[&str]) -> Condition {
        Condition::Is {
            field: field.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    #[test]
    fn terms() {
        check(is("a.b", &["web-0"]), r#"a.b:"web-0""#);
        check(
            is("id", &["cri-o://38cb", "38cb"]),
            r#"(id:"cri-o://38cb" OR id:"38cb")"#,
        );
        check(
            is("cluster", &["prod", ""]),
            r#"(cluster:"prod" OR (*:* NOT _exists_:cluster))"#,
        );
        check(
            Condition::Contains {
                field: "log.file.path".to_owned(),
                part: "/shop_web-0_7/app/2.log".to_owned(),
            },
            r#"(log.file.path:"/shop_web-0_7/app/2.log" OR log.file.path:*\/shop_web\-0_7\/app\/2.log*)"#,
        );
    }

    #[test]
    fn hostile_values() {
        check(is("a", &[r#"x" OR a:*"#]), r#"a:"x\" OR a:*""#);
        check(is("a", &[r"x\"]), r#"a:"x\\""#);
        check(is("a:* OR b", &["x"]), r#"a\:\*\ OR\ b:"x""#);
    }
}
