//! Events inside of other JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Expected::{Life, Rejected};
use super::{Form, Source, expect, life, lines};

const TIME: &str = "2026-11-28T09:00:00.004000Z";
const AKS: &str =
    "/subscriptions/0/resourcegroups/rg1/providers/microsoft.containerservice/managedclusters/aks1";

pub fn forms(source: &Source) -> Vec<Form> {
    let mut forms = clouds(source);
    forms.extend(google(source));
    forms.extend(stores(source));
    forms.extend(queues(source));
    forms
}

/// Each event as a text, in a list of these.
fn listed(source: &Source, record: impl FnMut(&&str) -> Value) -> Vec<Value> {
    source.events.iter().map(record).collect()
}

fn clouds(source: &Source) -> Vec<Form> {
    let message = |event: &&str| json!({"logStreamName": "kube-apiserver-audit-0a1b", "timestamp": 1, "message": event});
    let other =
        json!({"logStreamName": "authenticator-0a1b", "timestamp": 1, "message": "anything"});
    let mut messages = listed(source, message);
    let answer = json!({"events": messages, "searchedLogStreams": []}).to_string();
    messages.push(other);
    let diagnostics = |event: &&str| {
        json!({"TimeGenerated": TIME, "Category": "kube-audit", "_ResourceId": AKS, "stream_s": "stdout",
            "log_s": format!("{event}\n"), "Type": "AzureDiagnostics"})
    };
    let columns = [("TimeGenerated", "datetime"), ("log_s", "string")];
    let columns = columns.map(|(name, kind)| json!({"name": name, "type": kind}));
    let rows = |rows: Vec<Value>, columns: &[Value]| {
        json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}).to_string()
    };
    let under_another = |event: &str| {
        json!({"time": TIME, "category": "kube-apiserver", "resourceId": AKS,
            "properties": {"log": format!("{event}\n"), "stream": "stdout", "pod": "kube-apiserver-1"}})
        .to_string()
    };
    vec![
        life("the answer of filter-log-events", &*answer),
        expect(
            "the same among other streams",
            json!({"events": messages}).to_string(),
            Life(1),
        ),
        life(
            "the table AzureDiagnostics",
            Value::from(listed(source, diagnostics)).to_string(),
        ),
        life(
            "rows of AzureDiagnostics",
            rows(listed(source, |event| json!([TIME, event])), &columns),
        ),
        life("rows of AKSAudit", audit_table(source)),
        life(
            "audit events under another category",
            source.lines(under_another),
        ),
    ]
}

/// The answer of Log Analytics' API: JSON in strings, in the order of the columns.
fn audit_table(source: &Source) -> String {
    let columns = [
        ("AuditId", "auditID"),
        ("Level", "level"),
        ("Stage", "stage"),
        ("Verb", "verb"),
        ("RequestUri", "requestURI"),
        ("User", "user"),
        ("ObjectRef", "objectRef"),
        ("ResponseStatus", "responseStatus"),
        ("RequestObject", "requestObject"),
        ("ResponseObject", "responseObject"),
        ("RequestReceivedTime", "requestReceivedTimestamp"),
        ("StageReceivedTime", "stageTimestamp"),
        ("Annotations", "annotations"),
    ];
    let cell = |value: &Value| match value {
        Value::Object(_) => json!(value.to_string()),
        value => value.clone(),
    };
    let row = |event: &Value| Value::from_iter(columns.map(|(_, name)| cell(&event[name])));
    let rows: Vec<Value> = source.values().iter().map(row).collect();
    let columns = columns.map(|(name, _)| json!({"name": name, "type": "string"}));
    json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}).to_string()
}

fn google(source: &Source) -> Vec<Form> {
    let message =
        |entry: &str| json!({"data": STANDARD.encode(entry), "messageId": "1", "attributes": {}});
    let push = |entry: &str| json!({"message": message(entry), "subscription": "s"}).to_string();
    let pulled: Vec<Value> = source
        .entries
        .iter()
        .map(|entry| json!({"ackId": "a", "message": message(entry)}))
        .collect();
    let entries = &source.entries;
    vec![
        life("a push of Pub/Sub", lines(entries, push)),
        life(
            "a pull of Pub/Sub",
            json!({"receivedMessages": pulled}).to_string(),
        ),
        life(
            "what gcloud prints of a pull",
            Value::from(pulled).to_string(),
        ),
        life("gcloud logging read", format!("[{}]", entries.join(","))),
        life(
            "rows of BigQuery",
            lines(entries, |entry| big_query(entry, false)),
        ),
        life(
            "rows of BigQuery, in its own names",
            lines(entries, |entry| big_query(entry, true)),
        ),
    ]
}

fn big_query(entry: &str, is_snake: bool) -> String {
    let name = |snake: &'static str, camel: &'static str| if is_snake { snake } else { camel };
    let entry: Value = serde_json::from_str(entry).expect("JSON");
    let payload = &entry["protoPayload"];
    let time = entry["timestamp"].as_str().expect("text");
    let caller = &payload["authenticationInfo"]["principalEmail"];
    let object = |name: &str| json!(payload[name].to_string());
    json!({
        "logName": entry["logName"], "timestamp": time.replace('T', " ").replace('Z', " UTC"),
        "resource": entry["resource"], "operation": {"first": "true", "last": "true"},
        name("insert_id", "insertId"): entry["insertId"],
        "protopayload_auditlog": {
            name("service_name", "serviceName"): "k8s.io",
            name("method_name", "methodName"): payload["methodName"],
            name("resource_name", "resourceName"): payload["resourceName"],
            name("authentication_info", "authenticationInfo"):
                {name("principal_email", "principalEmail"): caller},
            name("request_json", "requestJson"): object("request"),
            name("response_json", "responseJson"): object("response"),
            "status": {"code": "0"},
        },
    })
    .to_string()
}

fn stores(source: &Source) -> Vec<Form> {
    let decoded = |event: &str| -> Value { serde_json::from_str(event).expect("JSON") };
    let pairs = || listed(source, |event| json!(["1795856400000000000", event]));
    let streams = || json!([{"stream": {"job": "auditID"}, "values": pairs()}]);
    let hits = |hit: fn(&str) -> Value| {
        let hits = listed(source, |event| hit(event));
        json!({"took": 3, "hits": {"total": {"value": 5}, "hits": hits}}).to_string()
    };
    let source_hits = hits(|event| json!({"_index": "a", "_source": {"message": event}}));
    let fields_hits = hits(|event| json!({"_index": "a", "fields": {"message": [event]}}));
    vec![
        life("Splunk's collector", source.lines(|event| json!({"time": 1.5, "sourcetype": "audit", "event": decoded(event)}).to_string())),
        life("Splunk's collector, of texts without ends of lines", listed(source, |event| json!({"event": event})).iter().map(Value::to_string).collect::<String>()),
        life("an export of Splunk", source.lines(|event| json!({"preview": false, "result": {"_raw": event, "host": "cp-1"}}).to_string())),
        life("an export of Splunk as a list", json!({"results": listed(source, |event| json!({"_raw": event}))}).to_string()),
        life("rows of Splunk", json!({"fields": ["_time", "_raw"], "rows": listed(source, |event| json!(["now", event]))}).to_string()),
        life("a push of Loki", json!({"streams": streams()}).to_string()),
        life("an answer of Loki", json!({"status": "success", "data": {"resultType": "streams", "result": streams()}}).to_string()),
        life("logcli as JSON Lines", source.lines(|event| json!({"labels": {"a": "b"}, "line": event, "timestamp": TIME}).to_string())),
        life("elasticdump", source.lines(|event| json!({"_index": "a", "_score": 1, "_source": decoded(event)}).to_string())),
        life("a search of Elasticsearch", source_hits),
        life("fields of Elasticsearch", fields_hits),
        life("an archive of Datadog", source.lines(|event| json!({"_id": "A", "date": TIME, "attributes": decoded(event), "tags": ["a:b"]}).to_string())),
        life("GELF", source.lines(|event| json!({"version": "1.1", "short_message": &event[..200], "full_message": event, "level": 6}).to_string())),
        life("GELF with a short message alone", source.lines(|event| json!({"version": "1.1", "short_message": event, "_file": "audit.log"}).to_string())),
        life("what nobody has told us of", source.lines(|event| json!({"a": [{"b": {"c": [event]}}], "d": "auditid"}).to_string())),
    ]
}

fn queues(source: &Source) -> Vec<Form> {
    let decoded = |event: &str| -> Value { serde_json::from_str(event).expect("JSON") };
    let cloud = |data: &str, value: Value| {
        json!({"specversion": "1.0", "type": "t", "time": TIME, data: value}).to_string()
    };
    let bytes = |event: &str| Value::from(event.as_bytes());
    let journal = |message: Value| {
        json!({"__REALTIME_TIMESTAMP": "1", "_HOSTNAME": "cp-1", "MESSAGE": message}).to_string()
    };
    let schema = json!({"type": "struct", "fields": [{"field": "auditID", "type": "string"}]});
    let connect = |payload: Value| json!({"schema": schema, "payload": payload}).to_string();
    vec![
        life("CloudEvents", source.lines(|event| cloud("data", decoded(event)))),
        life("CloudEvents of texts", source.lines(|event| cloud("data", event.into()))),
        life("CloudEvents in base64", source.lines(|event| cloud("data_base64", STANDARD.encode(event).into()))),
        life("a batch of CloudEvents", format!("[{}]", source.events.iter().map(|event| cloud("data", decoded(event))).collect::<Vec<_>>().join(","))),
        life("base64 with escaped slashes", source.lines(|event| cloud("data_base64", STANDARD.encode(event).into()).replace('/', "\\/"))),
        life("the journal", source.lines(|event| journal(event.into()))),
        life("the journal, in bytes", source.lines(|event| journal(bytes(event)))),
        expect("the journal, without a message", source.lines(|event| journal(event.into())) + &journal(Value::Null), Rejected(1, "not an audit event")),
        life("Kafka Connect's schema and payload", source.lines(|event| connect(decoded(event)))),
        life("Kafka Connect's payload of text", source.lines(|event| connect(event.into()))),
        life("a record of Kinesis", json!({"Records": listed(source, |event| json!({"kinesis": {"data": STANDARD.encode(event)}}))}).to_string()),
    ]
}
