//! What others on the machine, and accounts in the engine, get out of it: nothing.

use super::*;

use crate::support::Account;

/// Sends a request as it is: the status and the body.
async fn raw(url: &str, request: &str) -> (u16, String) {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut reply)).await;
    read.unwrap_or_else(|_| panic!("no answer: {request}"))
        .unwrap();
    let reply = String::from_utf8_lossy(&reply).into_owned();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        body.to_owned(),
    )
}

/// Who has nothing but the port, though he may have a password.
#[tokio::test]
async fn without_the_key_nothing_is_answered() {
    let dir = TempDir::new().unwrap();
    let engine = start(dir.path()).await;
    let secret = dir.path().join("secret");
    fs::write(&secret, "canary").unwrap();
    let sql = format!("SELECT file('{}')", secret.display());
    let paths = [
        "/",
        "/ping",
        "/play",
        "/dashboard",
        "/metrics",
        "/replicas_status",
        "/binary",
        "/merges",
        "/jemalloc",
        "/?query=SELECT+1",
        "/?add_http_cors_header=1&query=SELECT+1",
        "/?user=bygone&query=SELECT+1",
        "/?X-Bygone-Key=1&query=SELECT+1",
        "/js/uplot.js",
    ];
    let wrong_key = format!("X-Bygone-Key: {}\r\n", "0".repeat(64));
    let key = engine.key();
    let half_a_key = format!("X-Bygone-Key: {}\r\n", &key[..32]);
    let password = format!(
        "X-ClickHouse-User: bygone\r\nX-ClickHouse-Key: {}\r\n",
        engine.password()
    );
    for path in paths {
        for headers in [
            "",
            "X-ClickHouse-User: default\r\n",
            &wrong_key,
            &half_a_key,
            &password,
        ] {
            for method in ["GET", "POST", "OPTIONS", "HEAD", "PUT"] {
                let body = if method == "POST" { &*sql } else { "" };
                let request = format!(
                    "{method} {path} HTTP/1.0\r\nOrigin: http://evil.example\r\n{headers}Content-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let (status, answer) = raw(engine.url(), &request).await;
                assert!(
                    matches!(status, 404 | 501),
                    "{method} {path} {headers}: {status} {answer}"
                );
                assert!(!answer.contains("canary"), "{method} {path}: {answer}");
                assert!(
                    !answer.to_lowercase().contains("access-control"),
                    "{answer}"
                );
            }
        }
    }
    // The native protocol's hello, on the same port.
    let address = engine.url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream
        .write_all(b"\x00\x0aClickHouse\x18\x0a\x00\x07default\x00\x00")
        .await
        .unwrap();
    let mut answer = Vec::new();
    _ = timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
    assert!(!String::from_utf8_lossy(&answer).contains("ClickHouse server version"));
    assert_eq!(ask(&engine, "SELECT 1").await, "1");
    engine.stop().await;
}

/// The sockets that a process listens on, and those of the file system: "tcp ADDRESS:PORT", "unix PATH".
fn sockets(pid: u32) -> Vec<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = links.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let inodes: Vec<String> = links
        .filter_map(|link| {
            let link = link.to_str()?.to_owned();
            Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let mut sockets = Vec::new();
    for (name, inode_at) in [
        ("tcp", 9),
        ("tcp6", 9),
        ("udp", 9),
        ("udp6", 9),
        ("unix", 6),
    ] {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // State 0A is "listens"; of the flags of a Unix socket 00010000 is that.
            let listens = match name {
                "tcp" | "tcp6" => fields.get(3) == Some(&"0A"),
                "unix" => fields.get(3) == Some(&"00010000"),
                _ => true,
            };
            if listens
                && fields
                    .get(inode_at)
                    .is_some_and(|inode| inodes.iter().any(|own| own == inode))
            {
                let place = if name == "unix" {
                    fields.get(7).unwrap_or(&"")
                } else {
                    fields[1]
                };
                sockets.push(format!("{name} {place}"));
            }
        }
    }
    sockets
}

#[tokio::test]
async fn it_listens_on_one_port_of_loopback() {
    let dir = TempDir::new().unwrap();
    let engine = start(dir.path()).await;
    let (_, port) = engine.url().rsplit_once(':').unwrap();
    let port: u16 = port.parse().unwrap();
    assert_eq!(
        sockets(engine.pid().unwrap()),
        [format!("tcp 0100007F:{port:04X}")]
    );
    let status = fs::read_to_string(format!("/proc/{}/status", engine.pid().unwrap())).unwrap();
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    let limits = fs::read_to_string(format!("/proc/{}/limits", engine.pid().unwrap())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    assert_eq!(
        core.unwrap().split_whitespace().nth(4),
        Some("0"),
        "{limits}"
    );
    engine.stop().await;
}

/// What would leave the database, by a file that may not be read, its folder, a file to be written, one beside the engine's
/// folder, and an address.
fn ways_out(paths: [&Path; 4], elsewhere: &str) -> Vec<String> {
    let [secret, outside, written, beside] = paths.map(Path::display);
    let parent = std::process::id();
    vec![
        format!("SELECT file('{secret}')"),
        format!("SELECT * FROM file('{secret}', TSV, 'a String')"),
        format!("SELECT * FROM file('{}/*', LineAsString)", outside),
        "SELECT file('/etc/passwd')".to_owned(),
        "SELECT file('/etc/shadow')".to_owned(),
        "SELECT file('../../../../../../../etc/passwd')".to_owned(),
        format!("SELECT file('{}')", beside),
        "SELECT file('../beside')".to_owned(),
        format!("SELECT file('/proc/{parent}/environ')"),
        "SELECT * FROM file('/proc/1/environ', LineAsString)".to_owned(),
        "SELECT * FROM file('/proc/*/cmdline', LineAsString)".to_owned(),
        format!(
            "INSERT INTO FUNCTION file('{}', TSV, 'a String') VALUES ('x')",
            written
        ),
        format!("SELECT 1 INTO OUTFILE '{}'", written),
        format!("SELECT * FROM url('http://{elsewhere}/', LineAsString)"),
        format!("INSERT INTO FUNCTION url('http://{elsewhere}/', TSV, 'a String') VALUES ('x')"),
        format!("SELECT * FROM url('file://{secret}', LineAsString)"),
        format!("SELECT * FROM remote('{elsewhere}', system.one)"),
        format!("SELECT * FROM s3('http://{elsewhere}/b/k', 'a', 'b', LineAsString)"),
        format!("SELECT * FROM mysql('{elsewhere}', 'd', 't', 'u', 'p')"),
        format!("SELECT * FROM postgresql('{elsewhere}', 'd', 't', 'u', 'p')"),
        format!("SELECT * FROM mongodb('{elsewhere}', 'd', 'c', 'u', 'p', 'a String')"),
        format!("SELECT * FROM sqlite('{secret}', 't')"),
        "SELECT * FROM executable('/bin/cat /etc/passwd', TSV, 'a String')".to_owned(),
        "SELECT * FROM executable('id', TSV, 'a String')".to_owned(),
        format!(
            "CREATE DICTIONARY d.x (a String) PRIMARY KEY a SOURCE(FILE(path '{secret}' format 'TSV')) LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)"
        ),
        "SELECT dictGet('d.x', 'a', tuple('canary'))".to_owned(),
        format!(
            "CREATE DICTIONARY d.y (a String) PRIMARY KEY a SOURCE(HTTP(url 'http://{elsewhere}/' format 'TSV')) LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)"
        ),
        "SELECT dictGet('d.y', 'a', tuple('canary'))".to_owned(),
        format!("CREATE DATABASE f ENGINE = Filesystem('{}')", outside),
        "SELECT * FROM f.`secret.tsv`".to_owned(),
        format!("BACKUP DATABASE d TO File('{}')", written),
        format!(
            "ATTACH TABLE d.u FROM '{}' (a String) ENGINE = File(TSV)",
            outside
        ),
        format!("CREATE TABLE d.v (a String) ENGINE = File(TSV, '{secret}')"),
        "SELECT * FROM d.v".to_owned(),
        "SELECT catboostEvaluate('/etc/passwd', 1)".to_owned(),
    ]
}

/// Who has an account with every right there is.
#[tokio::test]
async fn an_account_does_not_leave_the_database() {
    let dir = TempDir::new().unwrap();
    let account = Account::write(dir.path());
    let outside = TempDir::new().unwrap();
    let secret = outside.path().join("secret.tsv");
    fs::write(&secret, "canary\n").unwrap();
    fs::write(dir.path().join("beside"), "canary\n").unwrap();
    let web = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = web.local_addr().unwrap();
    let engine = start(dir.path()).await;
    let ask = async |sql: &str| {
        let request = format!(
            // It does not try again and again.
            "POST /?http_max_tries=1&s3_retry_attempts=1&connect_timeout=2&backup_restore_s3_retry_attempts=1 HTTP/1.0\r\n\
             X-ClickHouse-User: {}\r\nX-ClickHouse-Key: {}\r\nContent-Length: {}\r\n\r\n{sql}",
            account.user,
            account.password,
            sql.len()
        );
        raw(engine.url(), &request).await
    };
    for sql in [
        "CREATE DATABASE d",
        "CREATE TABLE d.t (a String) ENGINE = MergeTree ORDER BY a",
        "INSERT INTO d.t SELECT 'within'",
    ] {
        assert_eq!(ask(sql).await.0, 200, "{sql}");
    }
    assert_eq!(ask("SELECT a FROM d.t").await, (200, "within\n".to_owned()));
    let written = outside.path().join("written");
    let beside = dir.path().join("beside");
    for sql in ways_out(
        [&secret, outside.path(), &written, &beside],
        &elsewhere.to_string(),
    ) {
        let (status, answer) = ask(&sql).await;
        // Some only say later that they can't; a pattern matches nothing.
        let is_nothing = sql.starts_with("CREATE ") || answer.is_empty();
        assert!(status != 200 || is_nothing, "{sql}: {answer}");
        for leak in ["canary\n", "root:", "PATH="] {
            assert!(!answer.contains(leak), "{sql}: {answer}");
        }
    }
    assert!(!written.exists());
    // Nobody came.
    let visitor = timeout(Duration::from_millis(200), web.accept()).await;
    assert!(visitor.is_err(), "the engine spoke to {elsewhere}");
    assert_eq!(ask("SELECT a FROM d.t").await, (200, "within\n".to_owned()));
    engine.stop().await;
}
