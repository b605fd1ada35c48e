use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;

use super::*;

/// A store that answers by these, on a port of its own.
async fn serve(router: Router) -> Config {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Config {
        name: "s".to_owned(),
        address: Some(address),
        timeout_seconds: 1,
        ..Config::default()
    }
}

async fn ask(client: &Client, path: &str) -> Result<Response, Error> {
    client.send(client.request(Method::GET, path)).await
}

#[tokio::test]
async fn refusals_are_sorted_and_show_no_bodies() {
    let long = format!(
        r#"{{"error":{{"root_cause":[{{"reason":"{}"}}]}}}}"#,
        "x".repeat(300)
    );
    let router = Router::new()
        .route("/401", get(|| async { StatusCode::UNAUTHORIZED }))
        .route("/404", get(|| async { (StatusCode::NOT_FOUND, "{}") }))
        .route(
            "/302",
            get(|| async { (StatusCode::FOUND, [("location", "http://127.0.0.2/")]) }),
        )
        .route(
            "/html",
            get(|| async { axum::response::Html("<h1>secret</h1>") }),
        )
        .route(
            "/500",
            get(|| async {
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "one\nsecret second line".to_owned(),
                )
            }),
        )
        .route(
            "/400",
            get(|| async move { (StatusCode::BAD_REQUEST, long) }),
        )
        .route("/list", get(|| async { r#"["secret"]"# }))
        .route("/silent", get(std::future::pending::<String>));
    let client = Client::open(&serve(router).await).unwrap();
    let mut said = String::new();
    for path in ["/401", "/302", "/html", "/500", "/400", "/silent"] {
        let error = ask(&client, path).await.unwrap_err();
        said += &format!("{path}: {error}\n");
    }
    let list = ask(&client, "/list").await.unwrap();
    let error = client.json::<Vec<u8>>(list, 100).await.unwrap_err();
    said += &format!("{error}\n");
    let list = ask(&client, "/list").await.unwrap();
    let error = client.json::<Value>(list, 3).await.unwrap_err();
    said += &format!("{error}\n");
    expect_test::expect![[r#"
        /401: logs store s refused our credentials (401 Unauthorized): check its user and files
        /302: logs store s sent an answer that can't be read: it answered 302 Found: it refers to another address: check its address
        /html: logs store s sent an answer that can't be read: it answered 200 OK: an HTML page: check its address, and what stands in front of it
        /500: logs store s refused the query (500 Internal Server Error): one
        /400: logs store s refused the query (400 Bad Request): xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        /silent: logs store s did not answer within 1 s: ask for a shorter time
        logs store s sent an answer that can't be read: it answered 200 OK: not the JSON that was expected, at line 1 column 9
        logs store s sent an answer that can't be read: it answered 200 OK: its answer has more than 3 bytes
    "#]]
    .assert_eq(&said);
    let missing = ask(&client, "/404").await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_busy_store_is_asked_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let router = Router::new()
        .route(
            "/soon",
            get(move || async move {
                match count.fetch_add(1, Ordering::Relaxed) {
                    0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response(),
                    1 => StatusCode::BAD_GATEWAY.into_response(),
                    _ => "1".into_response(),
                }
            }),
        )
        .route("/never", get(|| async { StatusCode::SERVICE_UNAVAILABLE }));
    let client = Client::open(&serve(router).await).unwrap();
    let answer = ask(&client, "/soon").await.unwrap();
    assert_eq!(client.json::<u8>(answer, 10).await.unwrap(), 1);
    let error = ask(&client, "/never").await.unwrap_err().to_string();
    assert_eq!(
        error,
        "logs store s refused the query (503 Service Unavailable): no reason"
    );
}

/// Whether the store is let in with this header, and with which one we came.
async fn echo(headers: HeaderMap) -> impl IntoResponse {
    let header = headers
        .get("authorization")
        .map_or(b"".as_slice(), |value| value.as_bytes());
    let header = String::from_utf8(header.to_vec()).unwrap();
    match header.contains("old") {
        true => StatusCode::UNAUTHORIZED.into_response(),
        false => axum::Json(header).into_response(),
    }
}

#[tokio::test]
async fn credentials_come_from_files_that_may_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let config = serve(Router::new().route("/", get(echo))).await;
    let token = Config {
        token_file: Some(file.clone()),
        ..config.clone()
    };
    let api_key = Config {
        api_key_file: Some(file.clone()),
        ..config.clone()
    };
    let basic = Config {
        user: Some("reader".to_owned()),
        password_file: Some(file.clone()),
        ..config.clone()
    };
    for (config, header) in [
        (&token, "Bearer new"),
        (&api_key, "ApiKey new"),
        (&basic, "Basic cmVhZGVyOm5ldw=="),
        (&config, ""),
    ] {
        std::fs::write(&file, "old\n").unwrap();
        let client = Client::open(config).unwrap();
        if config.token_file.is_some() {
            let error = ask(&client, "/").await.unwrap_err();
            assert!(matches!(error, Error::Credentials { .. }), "{error}");
        }
        std::fs::write(&file, "new\n").unwrap();
        let client = match config.user.is_some() {
            // base64 hides "old" from the echo.
            true => Client::open(config).unwrap(),
            false => client,
        };
        let answer = ask(&client, "/").await.unwrap();
        let given: String = client.json(answer, 100).await.unwrap();
        assert_eq!(given, header);
    }
    std::fs::write(&file, "two words").unwrap();
    let error = Client::open(&token).err().unwrap().to_string();
    assert!(error.ends_with("secret: not a token"), "{error}");
    assert!(!error.contains("two"), "{error}");
    let both = Config {
        token_file: Some(file),
        ..basic
    };
    assert!(Client::open(&both).is_err());
}

#[test]
fn addresses() {
    for (address, expected) in [
        ("http://es:9200", Ok("http://es:9200")),
        ("https://es/logs/", Ok("https://es/logs")),
        (
            "http://me:secret@es",
            Err("its address contains a user: set user and password_file instead"),
        ),
        (
            "es:9200",
            Err("invalid address \"es:9200\": use one like http://127.0.0.1:9200"),
        ),
    ] {
        let base = base(address);
        assert_eq!(base.as_deref().map_err(|error| &**error), expected);
    }
}
