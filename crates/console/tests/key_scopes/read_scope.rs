//! Answers that a key of scope `read` gets from the routes that it may use: never rows, SQL, logs,
//! hashes or passwords.

use super::refused_by_engine;
use crate::support::Server;
use serde_json::Value;
use std::time::Duration;
use tidegate_control::NewCluster;
use tidegate_model::{ClusterState, Journal};

/// Words of the engine's log when its tablespace is damaged, which the reason of the failure
/// quotes.
const LOG_WORDS: &str = "ibdata1";

/// SQL in an error of the engine.
const SQL_WORDS: &str = "SELECT salary FROM staff";

/// Paths of all routes that are declared for the scope `read`, for this cluster.
fn read_routes(cluster: &str) -> Vec<String> {
    let text = tidegate_console::description().to_json().unwrap();
    let whole: Value = serde_json::from_str(&text).unwrap();
    let mut routes = Vec::new();
    for (path, item) in whole["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["security"][0]["key"] != serde_json::json!(["read"]) {
                continue;
            }
            assert_eq!(method, "get", "{path}");
            let path = path.replace("{name}", cluster);
            assert!(!path.contains('{'), "{path}: an unknown parameter");
            let query = match path.ends_with(&format!("{cluster}/connect")) {
                true => "?with=mysql",
                false => "",
            };
            routes.push(format!("{path}{query}"));
        }
    }
    routes
}

pub async fn shows_no_contents(server: &Server, all: &str, read: &str) {
    let wanted = NewCluster {
        name: Some("broken".to_owned()),
        ..NewCluster::default()
    };
    let made = server.control.create_cluster(wanted).await.ok().unwrap();
    let id = made.cluster.id;
    let folder = server.control.data().engines().join(id.to_string());
    std::fs::write(folder.join("data/ibdata1"), b"not a tablespace").unwrap();
    assert!(server.control.wake_cluster("broken").await.is_err());
    let cluster = server.control.cluster("broken").await.unwrap();
    assert_eq!(cluster.state, ClusterState::Failed);
    let session = server.sessions.open("127.0.0.1:9".parse().unwrap());
    session.admit(id, "root", "TLS 1.3", 10).unwrap();
    server
        .events
        .record(&refused_by_engine(session.id(), id, SQL_WORDS));

    let hash = hash_of(&made.password);
    let mut shown_to_all = String::new();
    let routes = read_routes("broken");
    assert_eq!(routes.len(), 9, "{routes:?}");
    for path in routes {
        let (status, answer) = server.with_key(all, "GET", &path, "").await;
        assert_eq!(status, 200, "{path}: {answer}");
        shown_to_all.push_str(&answer.to_string());
        let (status, answer) = server.with_key(read, "GET", &path, "").await;
        assert_eq!(status, 200, "{path}: {answer}");
        let answer = answer.to_string();
        for secret in [LOG_WORDS, SQL_WORDS, &made.password, &hash, all, read] {
            assert!(!answer.contains(secret), "{path} shows {secret}: {answer}");
        }
    }
    for words in [LOG_WORDS, SQL_WORDS] {
        assert!(shown_to_all.contains(words), "{words}: {shown_to_all}");
    }
    drop(session);
    tokio::time::timeout(
        Duration::from_secs(60),
        server.control.delete_cluster("broken"),
    )
    .await
    .unwrap()
    .unwrap();
}

/// Hash of a password as MariaDB stores it, without the asterisk.
fn hash_of(password: &str) -> String {
    use sha1::{Digest, Sha1};
    let stage2 = Sha1::digest(Sha1::digest(password.as_bytes()));
    stage2.iter().map(|byte| format!("{byte:02X}")).collect()
}
