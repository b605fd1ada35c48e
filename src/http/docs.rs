//! `GET /api/v1/docs`: the description of the API as a page.
//!
//! Without scripts and external resources: it works offline.

use std::fmt::Write;

use axum::http::{HeaderName, header};
use axum::response::{Html, IntoResponse, Response};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::{ArrayItems, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{OpenApi, RefOr, Schema};

use super::problem::Kind;

/// No scripts, and no external resources, whatever the page contains.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
    table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}\
    td,th{border-bottom:1px solid #8884;padding:.25rem .75rem .25rem 0;text-align:left;vertical-align:top}\
    code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}h2,h3{margin-top:2rem}\
    :root{color-scheme:light dark}";

/// The page, with the headers that keep it harmless.
pub fn response(page: &'static str) -> Response {
    let nosniff = HeaderName::from_static("x-content-type-options");
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (nosniff, "nosniff"),
    ];
    (headers, Html(page)).into_response()
}

/// Writes the page.
pub fn page(document: &OpenApi) -> String {
    let mut page = String::new();
    write_page(document, &mut page).expect("a String takes all");
    page
}

fn write_page(document: &OpenApi, out: &mut String) -> std::fmt::Result {
    let info = &document.info;
    let (title, version) = (prose(&info.title), prose(&info.version));
    let about = prose(info.description.as_deref().unwrap_or_default());
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title} API</title><style>{STYLE}</style></head><body>\n\
         <h1>{title} API {version}</h1>\n<p>{about}</p>\n\
         <p>For programs: <a href=\"/api/v1/openapi.json\">openapi.json</a>. Responses are JSON, \
         NDJSON or YAML, rows also CSV, selected by <code>Accept</code>; gzip and zstd by \
         <code>Accept-Encoding</code>.</p>\n<h2>Paths</h2>\n"
    )?;
    for (path, operation) in operations(document) {
        write_operation(path, operation, out)?;
    }
    out.push_str("<h2>Schemas</h2>\n");
    let components = document.components.iter();
    for (name, schema) in components.flat_map(|components| &components.schemas) {
        if let RefOr::T(schema) = schema {
            write_schema(name, schema, out)?;
        }
    }
    out.push_str("<h2>Problems</h2>\n<p>Every error is a document <code>application/problem+json</code> (RFC 9457).</p>\n");
    out.push_str("<table><tr><th>Status</th><th>Problem</th><th>What to do</th></tr>\n");
    for kind in Kind::all() {
        let (name, status, title) = (kind.name(), kind.status(), prose(kind.title()));
        let remedy = prose(kind.remedy());
        writeln!(
            out,
            "<tr id=\"{name}\"><td>{status}</td><td>{title}</td><td>{remedy}</td></tr>"
        )?;
    }
    out.push_str("</table>\n</body></html>\n");
    Ok(())
}

fn write_operation(path: &str, operation: &Operation, out: &mut String) -> std::fmt::Result {
    let text = |text: &Option<String>| prose(text.as_deref().unwrap_or_default());
    let (summary, about) = (text(&operation.summary), text(&operation.description));
    let path = escaped(path);
    writeln!(
        out,
        "<h3><code>GET {path}</code></h3>\n<p>{summary}. {about}</p>"
    )?;
    let parameters = operation.parameters.iter().flatten();
    let mut parameters = parameters.filter_map(|it| match it {
        RefOr::T(it) => Some(it),
        RefOr::Ref(_) => None,
    });
    if let Some(first) = parameters.next() {
        out.push_str("<table><tr><th>Parameter</th><th>Type</th><th></th></tr>\n");
        write_parameter(first, out)?;
        for parameter in parameters {
            write_parameter(parameter, out)?;
        }
        out.push_str("</table>\n");
    }
    if let Some(RefOr::T(response)) = operation.responses.responses.get("200") {
        let types: Vec<String> = response.content.keys().map(|it| escaped(it)).collect();
        let json = response.content.get("application/json");
        let schema = json.and_then(|content| match content {
            RefOr::T(content) => content.schema.as_ref(),
            RefOr::Ref(_) => None,
        });
        let schema = schema.map(type_of).unwrap_or_default();
        writeln!(out, "<p>Answers {schema} as {}.</p>", types.join(", "))?;
    }
    Ok(())
}

fn write_parameter(parameter: &Parameter, out: &mut String) -> std::fmt::Result {
    let name = escaped(&parameter.name);
    let place = match parameter.parameter_in {
        ParameterIn::Path => " (path)",
        _ => "",
    };
    let kind = parameter.schema.as_ref().map(type_of).unwrap_or_default();
    let about = prose(parameter.description.as_deref().unwrap_or_default());
    let example = parameter.schema.as_ref().and_then(example_of);
    let example = example.map(|example| {
        let example = example
            .as_str()
            .map_or_else(|| example.to_string(), str::to_owned);
        format!(" Example: <code>{}</code>", escaped(&example))
    });
    let example = example.unwrap_or_default();
    writeln!(
        out,
        "<tr><td><code>{name}</code>{place}</td><td>{kind}</td><td>{about}{example}</td></tr>"
    )
}

fn write_schema(name: &str, schema: &Schema, out: &mut String) -> std::fmt::Result {
    let kind = type_of(&RefOr::T(schema.clone()));
    let name = escaped(name);
    writeln!(out, "<h3 id=\"schema-{name}\">{name}</h3>")?;
    let Schema::Object(object) = schema else {
        return writeln!(out, "<p>{kind}</p>");
    };
    let about = prose(object.description.as_deref().unwrap_or_default());
    if object.properties.is_empty() {
        return writeln!(out, "<p>{kind}. {about}</p>");
    }
    writeln!(out, "<p>{about}</p>\n<table>")?;
    for (field, schema) in &object.properties {
        let (field, kind) = (escaped(field), type_of(schema));
        let about = prose(description_of(schema));
        writeln!(
            out,
            "<tr><td><code>{field}</code></td><td>{kind}</td><td>{about}</td></tr>"
        )?;
    }
    out.push_str("</table>\n");
    Ok(())
}

fn description_of(schema: &RefOr<Schema>) -> &str {
    match schema {
        RefOr::Ref(reference) => &reference.description,
        RefOr::T(Schema::Object(it)) => it.description.as_deref().unwrap_or_default(),
        RefOr::T(Schema::Array(it)) => it.description.as_deref().unwrap_or_default(),
        RefOr::T(Schema::OneOf(it)) => it.description.as_deref().unwrap_or_default(),
        RefOr::T(_) => "",
    }
}

fn example_of(schema: &RefOr<Schema>) -> Option<&serde_json::Value> {
    match schema {
        RefOr::T(Schema::Object(it)) => it.examples.first(),
        RefOr::T(Schema::Array(it)) => it.examples.first(),
        RefOr::T(Schema::OneOf(it)) => it.examples.first(),
        RefOr::T(_) | RefOr::Ref(_) => None,
    }
}

/// A type in a few words, with links to others.
fn type_of(schema: &RefOr<Schema>) -> String {
    match schema {
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next();
            let name = escaped(name.unwrap_or_default());
            format!("<a href=\"#schema-{name}\">{name}</a>")
        }
        RefOr::T(Schema::Array(array)) => match &array.items {
            ArrayItems::RefOrSchema(items) => format!("list of {}", type_of(items)),
            ArrayItems::False => "list".to_owned(),
        },
        RefOr::T(Schema::Object(object)) => object_type(object),
        RefOr::T(Schema::OneOf(one_of)) => joined(&one_of.items),
        RefOr::T(Schema::AnyOf(any_of)) => joined(&any_of.items),
        RefOr::T(Schema::AllOf(all_of)) => joined(&all_of.items),
        RefOr::T(_) => String::new(),
    }
}

fn joined(items: &[RefOr<Schema>]) -> String {
    let types = items.iter().map(type_of);
    // Null last: "Time or null".
    let (nulls, others): (Vec<String>, Vec<String>) = types.partition(|it| it == "null");
    [others, nulls].concat().join(" or ")
}

fn object_type(object: &utoipa::openapi::Object) -> String {
    if let Some(items) = object.properties.get("items") {
        return type_of(items);
    }
    if let Some(values) = &object.enum_values {
        let values = values.iter().map(|value| {
            let value = value.as_str().unwrap_or_default();
            format!("<code>{}</code>", escaped(value))
        });
        return values.collect::<Vec<_>>().join(", ");
    }
    let format = match &object.format {
        Some(SchemaFormat::KnownFormat(format)) => serde_json::to_value(format).ok(),
        Some(SchemaFormat::Custom(format)) => Some(format.clone().into()),
        None => None,
    };
    let format = format.and_then(|format| Some(format!(" ({})", format.as_str()?)));
    let kind = match &object.schema_type {
        SchemaType::Type(kind) => name_of(kind).to_owned(),
        SchemaType::Array(kinds) => {
            let names: Vec<&str> = kinds.iter().map(name_of).collect();
            names.join(" or ")
        }
        SchemaType::AnyValue => "any".to_owned(),
    };
    kind + &escaped(&format.unwrap_or_default())
}

fn name_of(kind: &Type) -> &'static str {
    match kind {
        Type::Object => "object",
        Type::String => "string",
        Type::Integer => "integer",
        Type::Number => "number",
        Type::Boolean => "boolean",
        Type::Array => "list",
        Type::Null => "null",
    }
}

/// What the doc comments hold of Markdown: code between backticks.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(at, part)| match at % 2 {
        0 => escaped(part),
        _ => format!("<code>{}</code>", escaped(part)),
    });
    parts.collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// What an operation takes and answers, of a path.
pub fn operations(document: &OpenApi) -> impl Iterator<Item = (&String, &Operation)> {
    let paths = document.paths.paths.iter();
    paths.filter_map(|(path, item)| Some((path, item.get.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = page(&openapi::routes().into_openapi());
        for from_elsewhere in ["<script", "src=", "http://", "https://", "@import", "url("] {
            assert!(!page.contains(from_elsewhere), "{from_elsewhere}");
        }
        assert!(page.contains("<code>GET /api/v1/containers/{id}</code>"));
    }

    /// The `type` of a problem leads to its row, a type's name to its fields.
    #[test]
    fn every_link_has_its_place() {
        let page = page(&openapi::routes().into_openapi());
        let links = page.split("href=\"#").skip(1);
        let links = links.filter_map(|rest| rest.split('"').next());
        let mut links: Vec<String> = links.map(str::to_owned).collect();
        links.extend(Kind::all().map(|kind| kind.name().to_owned()));
        for link in links {
            assert!(page.contains(&format!("id=\"{link}\"")), "{link}");
        }
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(
            prose("a < `b & \"c\"`"),
            "a &lt; <code>b &amp; &quot;c&quot;</code>"
        );
    }
}
