//! What is wrong with Kafka is told in one line at the start; what is right works, over TLS.

use super::broker::{PASSWORD, Record, USER, folder_with, shared};
use crate::support::{Bygone, new_database, on_shared, run, setting, stderr, wait_for};

/// The section for the secure listener.
fn secure(more: &str) -> String {
    let broker = shared();
    format!(
        "[kafka]\nbrokers = {:?}\ncluster = \"demo\"\ntls = true\nsasl_user = {USER:?}\n{more}\n",
        broker.secure_address(),
    )
}

/// How `bygone serve` ends with this configuration.
fn end(config: &str) -> String {
    let folder = folder_with(&[
        ("bygone.toml", config),
        ("right", PASSWORD),
        ("wrong", "not-the-password"),
    ]);
    let dir = folder.path().to_str().expect("UTF-8");
    let file = format!("{dir}/bygone.toml");
    std::fs::write(&file, config.replace("{dir}", dir)).expect("written");
    let args = ["serve", "--config", &file, "--data-dir", dir];
    let any = [
        "--ingest-listen",
        "127.0.0.1:0",
        "--api-listen",
        "127.0.0.1:0",
    ];
    // Else that there are no tables may be said first.
    let database = new_database();
    let applied = run(&mut on_shared(&database, &["schema", "apply"]));
    assert!(applied.status.success(), "{}", stderr(&applied));
    let output = run(&mut on_shared(&database, &[&args[..], &any].concat()));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(
        !said.contains(PASSWORD) && !said.contains("not-the-password"),
        "{said}"
    );
    said
}

/// One line, which holds these words.
fn check(config: &str, words: &[&str]) {
    let said = end(config);
    assert_eq!(said.lines().count(), 1, "{said}");
    println!("{}", said.trim_end());
    for word in words {
        assert!(said.contains(word), "{word:?}: {said}");
    }
}

#[test]
fn wrong_credentials() {
    let ca = format!(
        "tls_ca_file = \"{}/ca.crt\"\ntopics = [\"any\"]\n",
        shared().dir()
    );
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
        let more =
            format!("{ca}sasl_mechanism = {mechanism:?}\nsasl_password_file = \"{{dir}}/wrong\"");
        check(
            &secure(&more),
            &[
                "bygone: kafka: authentication of user \"bygone\" failed",
                "see kafka.sasl_user",
            ],
        );
    }
}

#[test]
fn wrong_ca() {
    let more = format!(
        "tls_ca_file = \"{}/other-ca.crt\"\ntopics = [\"any\"]\nsasl_mechanism = \"PLAIN\"\n\
         sasl_password_file = \"{{dir}}/right\"",
        shared().dir()
    );
    check(
        &secure(&more),
        &["bygone: kafka: tls:", "see kafka.tls_ca_file"],
    );
}

#[test]
fn unknown_topic() {
    let broker = shared();
    let config = format!(
        "[kafka]\nbrokers = {:?}\ntopics = [\"nowhere\"]\ncluster = \"demo\"\n",
        broker.address()
    );
    check(
        &config,
        &["bygone: kafka: topic \"nowhere\" does not exist"],
    );
}

#[test]
fn slips_of_the_configuration() {
    let kafka = "[kafka]\nbrokers = \"127.0.0.1:1\"\n";
    for (lines, word) in [
        ("", "kafka.topics: at least one is required"),
        (
            "topics = [\"a\"]",
            "kafka.cluster: no cluster is configured",
        ),
        (
            "topics = [\"a\"]\ncluster = \"b\"\nsasl_user = \"c\"",
            "kafka.sasl_user: it needs kafka.sasl_mechanism",
        ),
        (
            "topics = [\"a\"]\ncluster = \"b\"\nsasl_user = \"c\"\nsasl_mechanism = \"PLAIN\"",
            "kafka.sasl_mechanism: PLAIN sends the password in clear text",
        ),
        (
            "topics = [\"a\"]\ncluster = \"b\"\ntls_ca_file = \"/c\"",
            "kafka.tls_ca_file: it needs kafka.tls = true",
        ),
        (
            "topics = [\"a\"]\ncluster = \"b\"\n[kafka.librdkafka]\n\
             \"enable.ssl.certificate.verification\" = false",
            "kafka.librdkafka: enable.ssl.certificate.verification cannot be set here",
        ),
        (
            "topics = [\"a\"]\ncluster = \"b\"\n[kafka.librdkafka]\n\"no.such\" = 1",
            "no.such",
        ),
        (
            "topics = [\"a\"]\ncluster = \"b\"\nstart = \"soon\"",
            "invalid start \"soon\"",
        ),
    ] {
        check(&format!("{kafka}{lines}\n"), &["bygone: ", word]);
    }
}

/// SCRAM and PLAIN over TLS with a CA of its own and a client certificate, the topics by a pattern.
#[test]
fn right_credentials() {
    let broker = shared();
    let pods = setting("BYGONE_KAFKA_PODS", 1);
    for mechanism in ["SCRAM-SHA-512", "PLAIN"] {
        let topic = format!("secure-{}", mechanism.to_lowercase());
        broker.topic(&topic, 1);
        let dir = broker.dir();
        let more = format!(
            "topics = [\"^{topic}$\"]\ngroup_id = {topic:?}\nsasl_mechanism = {mechanism:?}\n\
             sasl_password_file = \"{{dir}}/right\"\ntls_ca_file = \"{dir}/ca.crt\"\n\
             tls_certificate_file = \"{dir}/client.crt\"\ntls_key_file = \"{dir}/client.key\"\n\
             group_instance_id = \"one\""
        );
        let folder = folder_with(&[("right", PASSWORD)]);
        let bygone = Bygone::start_configured(&secure(&more), folder);
        let records = (0..pods).map(|pod| Record::new(0, crate::load::body(pod)));
        broker.produce(&topic, records);
        wait_for("its pods", || {
            (!bygone.rows(&["pods", "-A"]).is_empty()).then_some(())
        });
    }
}
