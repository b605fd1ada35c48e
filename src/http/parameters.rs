//! What the types of query parameters don't say: their form, an example, and which rows they find.

use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, SchemaFormat, Type,
};
use utoipa::openapi::{OpenApi, RefOr, Schema};

use super::writer::names_of;
use crate::query::{Container, Group, Life, Pod, ROWS_MAX, Session};

/// The form of a value.
enum Form {
    /// Text that fits a regular expression (ECMA-262).
    Pattern(&'static str),
    /// A format of JSON Schema.
    Format(&'static str),
    Address,
    Limit,
    /// A whole number; what is far more than anybody needs is refused.
    Number,
    /// Names of the row's fields, separated by commas.
    Fields,
    Flag,
}

use Form::{Address, Fields, Flag, Format, Limit, Number, Pattern};

/// The tail that is held at a time.
const NUMBER_MAX: isize = 100_000;

/// Something is named.
const NAMES: Form = Pattern("[^, ]");

/// `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, separated by commas.
const LABELS: &str = concat!(
    "^(!?[A-Za-z0-9._/-]+|[A-Za-z0-9._/-]+(=|==|!=)[A-Za-z0-9._-]*",
    "|[A-Za-z0-9._/-]+ (in|notin) \\([A-Za-z0-9._-]*(,[A-Za-z0-9._-]*)*\\))",
    "(,(!?[A-Za-z0-9._/-]+|[A-Za-z0-9._/-]+(=|==|!=)[A-Za-z0-9._-]*",
    "|[A-Za-z0-9._/-]+ (in|notin) \\([A-Za-z0-9._-]*(,[A-Za-z0-9._-]*)*\\)))*$"
);

/// `POD` or `NAMESPACE/POD`; of containers also `NAMESPACE/POD/CONTAINER`.
const POD: &str = "^[^,/ ]+(/[^,/ ]+)?$";

/// Of what is summed up.
const OF_SUMMARIES: Form = Pattern("^[^,/ ]+$");

/// The names of images have slashes.
const OF_IMAGES: Form = NAMES;

/// The kinds that Kubernetes has, by their names and short names.
const WORKLOAD: &str = concat!(
    "^(deployment|deploy|statefulset|sts|daemonset|ds|replicaset|rs|job|cronjob|cj)",
    "/[a-z0-9-]+$"
);

/// A number, or a bound of it.
const NUMBERS: &str = "^(!=|>=|<=|>|<)?[0-9]{1,6}$";

/// Opaque to clients; what an answer printed fits.
const CURSOR: &str = "^[0-9]{1,16}\\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\\.[^.]*\\..*$";

/// Name, form, example.
const PARAMETERS: [(&str, Form, &str); 37] = [
    ("cluster", NAMES, "demo"),
    ("namespace", NAMES, "shop,bank"),
    ("since", Pattern("^[1-9][0-9]{0,2}[smhd]$"), "2h"),
    (
        "zone",
        Pattern("^(UTC|[+-](0[0-9]|1[0-3]):[0-5][0-9])$"),
        "+02:00",
    ),
    ("from", Format("date-time"), "2026-11-23T06:00:00Z"),
    ("to", Format("date-time"), "2026-11-23T07:00:00Z"),
    ("at", Format("date-time"), "2026-11-23T06:15:00Z"),
    ("name", Pattern(POD), "web-*"),
    ("labels", Pattern(LABELS), "app=web,tier!=db"),
    ("workload", Pattern(WORKLOAD), "deploy/web"),
    ("node", NAMES, "node-1"),
    ("image", NAMES, "nginx"),
    ("ip", Address, "10.0.3.17"),
    (
        "container_id",
        Pattern("^[A-Za-z0-9_.+:-]{1,64}$"),
        "4f2d8a91c0de",
    ),
    (
        "uid",
        Format("uuid"),
        "0b5c1d9e-7a43-4c1f-9b7e-2f4f3f0e6a11",
    ),
    ("user", NAMES, "alice"),
    ("reason", NAMES, "OOMKilled"),
    ("exit_code", Pattern(NUMBERS), "!=0"),
    (
        "why",
        Pattern("^(exited|finished|deleted|evicted)$"),
        "deleted",
    ),
    ("by", NAMES, "alice"),
    ("restarts", Pattern(NUMBERS), ">3"),
    ("state", Pattern("^(running|ended|failed)$"), "failed"),
    ("created_by", NAMES, "alice"),
    ("service_account", NAMES, "default"),
    ("order", Pattern("^(newest|oldest)$"), "newest"),
    ("limit", Limit, "100"),
    (
        "cursor",
        Pattern(CURSOR),
        "1764028800000000.0b5c1d9e-7a43-4c1f-9b7e-2f4f3f0e6a11.main.4f2d",
    ),
    ("fields", Fields, "namespace,pod"),
    ("explain", Flag, "true"),
    ("container", NAMES, "app"),
    ("all_containers", Flag, "true"),
    ("previous", Flag, "true"),
    ("instance", Number, "0"),
    ("tail", Number, "100"),
    ("head", Number, "100"),
    ("grep", Pattern("^[a-z ]+$"), "timeout"),
    ("follow", Flag, "false"),
];

/// Filters that don't find such rows: the question is refused (`query::check`).
fn unfit(path: &str) -> &'static [&'static str] {
    match path {
        "/api/v1/containers" | "/api/v1/pods" => &["user"],
        "/api/v1/sessions" => &[
            "labels",
            "workload",
            "node",
            "image",
            "ip",
            "container_id",
            "uid",
            "reason",
            "exit_code",
            "why",
            "by",
            "restarts",
            "state",
            "created_by",
            "service_account",
        ],
        _ if group(path).is_some() => NOT_OF_SUMMARIES,
        _ => &[],
    }
}

/// Where a path is of summaries: of what.
fn group(path: &str) -> Option<Group> {
    let name = path.trim_start_matches("/api/v1/");
    Group::ALL.into_iter().find(|group| group.plural() == name)
}

/// What summaries take no part in: they have no rows that go on, and all of their fields.
const NOT_OF_SUMMARIES: &[&str] = &["user", "order", "cursor", "fields", "explain"];

/// The names of the fields of a path's rows.
fn fields(path: &str) -> Vec<String> {
    match path.trim_start_matches("/api/v1/") {
        Container::PLURAL => names_of::<Container>(),
        Pod::PLURAL => names_of::<Pod>(),
        Session::PLURAL => names_of::<Session>(),
        _ => Vec::new(),
    }
}

/// Completes the query parameters.
pub fn describe(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let operation = item.get.as_mut();
        let parameters = operation.and_then(|operation| operation.parameters.as_mut());
        let Some(parameters) = parameters else {
            continue;
        };
        let unfit = unfit(path);
        let is_query = |it: &Parameter| it.parameter_in == ParameterIn::Query;
        parameters.retain(|it| match it {
            RefOr::T(it) => !is_query(it) || !unfit.contains(&&*it.name),
            RefOr::Ref(_) => true,
        });
        for parameter in parameters {
            if let RefOr::T(parameter) = parameter
                && is_query(parameter)
            {
                complete(parameter, path);
            }
        }
    }
}

fn complete(parameter: &mut Parameter, path: &str) {
    let mut known = PARAMETERS.iter();
    let Some((_, form, example)) = known.find(|(name, ..)| *name == parameter.name) else {
        return;
    };
    let summed = group(path).filter(|_| parameter.name == "name");
    let form = match summed {
        None => form,
        Some(Group::Images) => &OF_IMAGES,
        Some(_) => &OF_SUMMARIES,
    };
    if summed.is_some() {
        let text = match summed {
            Some(Group::Workloads) => {
                "Names, or `kind/name`, separated by commas; `*` and `?` are wildcards in names."
            }
            _ => "Names of the summarized things, separated by commas; `*` and `?` are wildcards.",
        };
        parameter.description = Some(text.to_owned());
    }
    if matches!(form, Fields) {
        parameter.style = Some(ParameterStyle::Form);
        parameter.explode = Some(false);
    }
    let example = match form {
        Fields => json!(example.split(',').collect::<Vec<_>>()),
        _ => serde_json::from_str::<Value>(example).unwrap_or_else(|_| json!(example)),
    };
    parameter.schema = Some(schema(form, example, path));
}

fn schema(form: &Form, example: Value, path: &str) -> RefOr<Schema> {
    let examples = [example];
    let text = ObjectBuilder::new().schema_type(Type::String);
    let text = text.examples(examples.clone());
    let known = |format| Some(SchemaFormat::KnownFormat(format));
    match form {
        Pattern(pattern) => text.pattern(Some(*pattern)).into(),
        Format(format) => text
            .format(Some(SchemaFormat::Custom((*format).to_owned())))
            .into(),
        Address => {
            let text = || ObjectBuilder::new().schema_type(Type::String);
            let either = OneOfBuilder::new()
                .item(text().format(known(KnownFormat::Ipv4)))
                .item(text().format(known(KnownFormat::Ipv6)));
            either.examples(examples).into()
        }
        Limit => ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(known(KnownFormat::Int64))
            .minimum(Some(1))
            .maximum(Some(isize::try_from(ROWS_MAX).unwrap_or(isize::MAX)))
            .examples(examples)
            .into(),
        Number => ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(known(KnownFormat::Int32))
            .minimum(Some(0))
            .maximum(Some(NUMBER_MAX))
            .examples(examples)
            .into(),
        Fields => {
            let names = ObjectBuilder::new().schema_type(Type::String);
            let names = names.enum_values(Some(fields(path)));
            let list = ArrayBuilder::new().items(names).min_items(Some(1));
            list.examples(examples).into()
        }
        Flag => ObjectBuilder::new()
            .schema_type(Type::Boolean)
            .examples(examples)
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;
    use axum::http::Uri;
    use jiff::Timestamp;
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::http::{docs, openapi};
    use crate::logs;
    use crate::query::{self, Params};

    fn escaped(example: &str) -> String {
        let escapes = [('!', "%21"), ('+', "%2B"), ('>', "%3E")];
        escapes
            .iter()
            .fold(example.to_owned(), |text, (letter, escape)| {
                text.replace(*letter, escape)
            })
    }

    fn params<P: DeserializeOwned>(query: &str) -> P {
        let uri: Uri = format!("/?{query}").parse().expect("a URI");
        let Query(params) = Query::try_from_uri(&uri).expect("parameters");
        params
    }

    fn question(query: &str) -> query::Question {
        let params: Params = params(query);
        params.question(Timestamp::now()).expect("a question")
    }

    /// A parameter that is new to `Params` has to be described here as well.
    #[test]
    fn every_parameter_has_a_form_and_an_example_that_is_taken() {
        let document = openapi::routes().into_openapi();
        for (path, operation) in docs::operations(&document) {
            for parameter in operation.parameters.iter().flatten() {
                let RefOr::T(it) = parameter else { continue };
                if it.parameter_in != ParameterIn::Query {
                    continue;
                }
                let name = &it.name;
                assert!(it.description.is_some(), "{path} {name}: describe it");
                let known = PARAMETERS.iter().find(|(known, ..)| known == name);
                let (.., example) = known.unwrap_or_else(|| panic!("{path} {name}: add its form"));
                let text = format!("{name}={}", escaped(example));
                if path == "/api/v1/logs" {
                    let params: logs::Params = params(&text);
                    params.read(Timestamp::now()).expect("a question");
                    continue;
                }
                let asked = question(&text);
                let taken = match path.trim_start_matches("/api/v1/") {
                    Container::PLURAL => query::check::<Container>(&asked),
                    Pod::PLURAL => query::check::<Pod>(&asked),
                    Session::PLURAL => query::check::<Session>(&asked),
                    _ => match group(path) {
                        Some(group) => query::check_summary(group, &asked),
                        None => Ok(()),
                    },
                };
                assert!(taken.is_ok(), "{path}?{name}: {taken:?}");
            }
        }
    }

    #[test]
    fn what_is_left_out_is_refused() {
        let refused = |name: &str| {
            let mut known = PARAMETERS.iter();
            let (.., example) = known.find(|(known, ..)| *known == name).expect("known");
            let asked = question(&format!("{name}={}", escaped(example)));
            (
                query::check::<Pod>(&asked).is_err(),
                query::check::<Session>(&asked).is_err(),
                query::check_summary(Group::Nodes, &asked).is_err(),
            )
        };
        for name in unfit("/api/v1/pods") {
            assert!(refused(name).0, "{name}");
        }
        for name in unfit("/api/v1/sessions") {
            assert!(refused(name).1, "{name}");
        }
        // The order cannot be distinguished from an absent one if it is the default.
        for name in unfit("/api/v1/nodes") {
            assert!(refused(name).2 || *name == "order", "{name}");
        }
    }
}
