//! Tests of the API's client.

use super::*;
use crate::socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn a_name_never_becomes_another_path() {
    assert_eq!(cluster_path("demo-2", "/wake"), "/v1/clusters/demo-2/wake");
    assert_eq!(
        cluster_path("../server", ""),
        "/v1/clusters/%2E%2E%2Fserver"
    );
    assert_eq!(percent_encoded("a b?x=1&ä"), "a%20b%3Fx%3D1%26%C3%A4");
}

#[test]
fn only_https_addresses_are_accepted() {
    let tls = tidegate_tls::client_config(tidegate_tls::Roots::Mozilla).unwrap();
    let key = Secret::new("k".to_owned().into());
    for good in [
        "https://db.example",
        "https://127.0.0.1:4443",
        "https://[::1]:4443/",
    ] {
        let client = Client::https(good, key.clone(), Arc::clone(&tls));
        assert!(client.is_ok(), "{good}");
    }
    for bad in [
        "http://db.example",
        "db.example:4443",
        "https://a@db.example",
        "https://db.example/x",
        "",
    ] {
        let client = Client::https(bad, key.clone(), Arc::clone(&tls));
        assert!(
            matches!(client, Err(ClientError::BadServer { .. })),
            "{bad}"
        );
    }
}

/// Reads the head of a request.
async fn read_head(stream: &mut tokio::net::UnixStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

fn idempotency_key(head: &str) -> Option<&str> {
    head.lines()
        .find_map(|line| line.strip_prefix("idempotency-key: "))
}

#[tokio::test]
async fn a_lost_request_is_repeated_with_the_same_key() {
    let tmp = tempfile::tempdir().unwrap();
    let listener = tokio::net::UnixListener::bind(socket::path(tmp.path())).unwrap();
    let client = Client::new(tmp.path());
    let asking = tokio::spawn(async move {
        client.sleep("demo").await.unwrap_err();
        client.server().await.unwrap_err();
    });
    let mut keys = Vec::new();
    let busy = r#"{"code":"in_progress","message":"m","hint":"h","request_id":"1"}"#;
    let end = r#"{"code":"busy","message":"m","hint":"h","request_id":"1"}"#;
    for answer in [None, None, Some(busy), Some(end)] {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        keys.push(idempotency_key(&head).unwrap().to_owned());
        if let Some(body) = answer {
            let length = body.len();
            let head = format!("HTTP/1.1 409 Conflict\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body.as_bytes()).await.unwrap();
        }
    }
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(keys[0].len() > 20 && keys[0].starts_with('"'), "{keys:?}");
    // The next request is another one, and a read needs no key.
    for _ in 0..=limits::LOST_PAUSES.len() {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        assert_eq!(idempotency_key(&head), None);
    }
    asking.await.unwrap();
}

#[tokio::test]
async fn without_a_server_the_error_says_how_to_start_one() {
    let tmp = tempfile::tempdir().unwrap();
    let e = Client::new(tmp.path()).server().await.unwrap_err();
    assert_eq!(
        e.to_string(),
        format!("no server runs on {}", tmp.path().display())
    );
    assert!(e.hint().contains("tidegate serve") && e.hint().contains("tidegate up"));
    // The socket of a server that is gone.
    drop(std::os::unix::net::UnixListener::bind(socket::path(tmp.path())).unwrap());
    assert!(matches!(
        Client::new(tmp.path()).server().await,
        Err(ClientError::NoServer { .. })
    ));
}
