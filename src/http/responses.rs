//! What handlers answer, as their descriptions say it.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use utoipa::openapi::response::{Response, ResponseBuilder, ResponsesBuilder};
use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Schema};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::format::{Format, OF_DOCUMENTS, OF_LOGS, OF_ROWS};
use super::problem::{Kind, PROBLEM_JSON, Problem};
use crate::logs::Record;
use crate::query::Cost;

type Responses = BTreeMap<String, RefOr<Response>>;

/// Rows, in every form of rows.
pub struct ListOf<T>(PhantomData<T>);

/// Rows that fit no table.
pub struct ShortListOf<T>(PhantomData<T>);

/// One row.
pub struct RowOf<T>(PhantomData<T>);

/// One document that fits no table.
pub struct DocumentOf<T>(PhantomData<T>);

impl<T: ToSchema> IntoResponses for ListOf<T> {
    fn responses() -> Responses {
        answered("Rows", OF_ROWS, &list::<T>())
    }
}

/// Lines of logs.
pub struct LogLines;

impl IntoResponses for LogLines {
    fn responses() -> Responses {
        answered("Lines, and at last an end", OF_LOGS, &reference::<Record>())
    }
}

impl<T: ToSchema> IntoResponses for ShortListOf<T> {
    fn responses() -> Responses {
        answered("Rows", OF_DOCUMENTS, &list::<T>())
    }
}

impl<T: ToSchema> IntoResponses for RowOf<T> {
    fn responses() -> Responses {
        answered("The row", OF_ROWS, &reference::<T>())
    }
}

impl<T: ToSchema> IntoResponses for DocumentOf<T> {
    fn responses() -> Responses {
        answered("The document", OF_DOCUMENTS, &reference::<T>())
    }
}

fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

fn list<T: ToSchema>() -> RefOr<Schema> {
    let cost = OneOfBuilder::new()
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .item(reference::<Cost>());
    let text_or_null = SchemaType::from_iter([Type::String, Type::Null]);
    let hints = ArrayBuilder::new()
        .items(ObjectBuilder::new().schema_type(Type::String))
        .description(Some(
            "For an empty answer: names in the query that are unknown",
        ));
    let list = ObjectBuilder::new()
        .property("items", ArrayBuilder::new().items(reference::<T>()))
        .property("more", ObjectBuilder::new().schema_type(Type::Boolean))
        .property("cursor", ObjectBuilder::new().schema_type(text_or_null))
        .property("cost", cost)
        .property("hints", hints)
        .required("items")
        .required("more")
        .required("cursor");
    list.into()
}

fn answered(what: &str, formats: &[Format], schema: &RefOr<Schema>) -> Responses {
    let mut response = ResponseBuilder::new().description(what);
    for format in formats {
        let content = match format {
            Format::Json | Format::Yaml => ContentBuilder::new().schema(Some(schema.clone())),
            Format::Ndjson => lines(
                "One JSON object per line; the last line of a list is {\"end\": {\"more\", \"cursor\"}}",
            ),
            Format::Csv => lines(
                "RFC 4180 with a header line; more and cursor follow as trailers, bygone-more and bygone-cursor",
            ),
        };
        response = response.content(format.name(), content.build());
    }
    Responses::from([("200".to_owned(), response.build().into())])
}

fn lines(what: &str) -> ContentBuilder {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(what));
    ContentBuilder::new().schema(Some(text))
}

/// What every question may be answered instead.
pub struct Problems;

/// Where there may be no such thing.
pub struct NotFound;

/// Where an ID may be that of several things.
pub struct Ambiguous;

impl IntoResponses for Problems {
    fn responses() -> Responses {
        refused(&[
            Kind::InvalidRequest,
            Kind::Unauthorized,
            Kind::Forbidden,
            Kind::MethodNotAllowed,
            Kind::NotAcceptable,
            Kind::UnsupportedMediaType,
            Kind::Misdirected,
            Kind::StoreUnavailable,
            Kind::TooManyQuestions,
        ])
    }
}

impl IntoResponses for NotFound {
    fn responses() -> Responses {
        refused(&[Kind::NotFound])
    }
}

impl IntoResponses for Ambiguous {
    fn responses() -> Responses {
        refused(&[Kind::Ambiguous])
    }
}

fn refused(kinds: &[Kind]) -> Responses {
    let responses = ResponsesBuilder::new();
    let responses = kinds.iter().fold(responses, |responses, kind| {
        let content = ContentBuilder::new().schema(Some(reference::<Problem>()));
        let response = ResponseBuilder::new()
            .description(format!("{}. {}", kind.title(), kind.remedy()))
            .content(PROBLEM_JSON, content.build());
        responses.response(kind.status().to_string(), response)
    });
    responses.build().responses
}

/// As it is sent; see [`super::problem`].
impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        let text = |what: &str| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some(what))
        };
        let reference = SchemaFormat::Custom("uri-reference".to_owned());
        let status = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)));
        let schema = ObjectBuilder::new()
            .description(Some("Problem details (RFC 9457)"))
            .property(
                "type",
                text("Identifies the kind of problem; a link to its explanation")
                    .format(Some(reference)),
            )
            .property("title", text("Short name of the kind"))
            .property("status", status)
            .property("detail", text("What went wrong, and what to do"))
            .required("type")
            .required("title")
            .required("status")
            .required("detail");
        schema.into()
    }
}

impl ToSchema for Problem {}
