//! OpenTelemetry's log data model in JSON (`opentelemetry/proto/logs/v1/logs.proto`).

use super::fields::{Fields, text_of};

/// Objects and lists inside of each other. An audit event of a pod has about fifteen.
const DEPTH_MAX: usize = 32;

/// Attributes of a resource that name its cluster, the best first.
const CLUSTER_ATTRIBUTES: [&str; 3] = [
    "openshift.cluster.uid",
    "k8s.cluster.uid",
    "k8s.cluster.name",
];

/// The cluster in an item of `resourceLogs`.
pub fn cluster(logs: &Fields) -> Option<String> {
    let resource = logs.object("resource")?;
    let attributes = || resource.items("attributes").filter_map(Fields::of);
    CLUSTER_ATTRIBUTES.iter().find_map(|name| {
        let found =
            attributes().find(|attribute| attribute.text("key").as_deref() == Some(name))?;
        Some(found.object("value")?.text("stringValue")?.into_owned())
    })
}

/// The log records of an item of `resourceLogs`.
pub fn records<'a>(logs: &Fields<'a>) -> impl Iterator<Item = &'a str> {
    // The second is its name before 2022.
    let scopes = logs
        .items("scopeLogs")
        .chain(logs.items("instrumentationLibraryLogs"));
    scopes
        .filter_map(Fields::of)
        .flat_map(|scope| scope.items("logRecords"))
}

/// A value of the data model as ordinary JSON.
pub fn plain(value: &str) -> Option<Vec<u8>> {
    let mut json = String::new();
    write(value, DEPTH_MAX, &mut json)?;
    Some(json.into_bytes())
}

/// Exactly one member is there; none of them is an empty value.
fn write(value: &str, depth: usize, json: &mut String) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    let value = Fields::of(value)?;
    if let Some(kvlist) = value.object("kvlistValue") {
        json.push('{');
        for (place, member) in kvlist.items("values").enumerate() {
            let member = Fields::of(member)?;
            json.push_str(if place == 0 { "" } else { "," });
            json.push_str(
                member
                    .get("key")
                    .filter(|key| key.get().starts_with('"'))?
                    .get(),
            );
            json.push(':');
            match member.get("value") {
                Some(value) => write(value.get(), depth, json)?,
                None => json.push_str("null"),
            }
        }
        json.push('}');
    } else if let Some(array) = value.object("arrayValue") {
        json.push('[');
        for (place, item) in array.items("values").enumerate() {
            json.push_str(if place == 0 { "" } else { "," });
            write(item, depth, json)?;
        }
        json.push(']');
    } else if let Some(number) = value.get("intValue") {
        // 64 bits: a string in this encoding.
        match text_of(number) {
            Some(digits) => json.push_str(&digits.parse::<i64>().ok()?.to_string()),
            None => json.push_str(number.get()),
        }
    } else {
        let plain = ["stringValue", "boolValue", "doubleValue"];
        let plain = plain.iter().find_map(|name| value.get(name));
        json.push_str(plain.map_or("null", |plain| plain.get()));
    }
    Some(())
}
