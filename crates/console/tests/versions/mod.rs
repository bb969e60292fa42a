//! Changes that name the version of a cluster that they are for.

use crate::support::Server;
use axum::http::StatusCode;
use serde_json::json;

/// Path of a change of `second` at this version.
fn second_at(version: u64) -> String {
    format!("/v1/clusters/second?version={version}")
}

/// Path of a change of a part of `second` at this version.
fn part_of_second(part: &str, version: u64) -> String {
    format!("/v1/clusters/second/{part}?version={version}")
}

/// Changes of the cluster `second` that name its version. Deletes it.
pub async fn changes_at_a_version(server: &Server) {
    let (_, read) = server.ask("GET", "/v1/clusters/second", None).await;
    let version = read["version"].as_u64().unwrap();
    let protect = Some(r#"{"deletion_protection":true}"#);
    let (status, changed) = server.ask("PATCH", &second_at(version), protect).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    let now = changed["version"].as_u64().unwrap();
    assert!(now > version, "{version} {now}");
    // The same version again: somebody else was faster. Nothing is changed.
    let free = Some(r#"{"deletion_protection":false}"#);
    let rename = format!("/v1/clusters/second/rename?version={version}");
    for (method, path, body) in [
        ("PATCH", second_at(version), free),
        (
            "PATCH",
            second_at(version),
            Some(r#"{"allow_shrink_seconds":5}"#),
        ),
        ("DELETE", second_at(version), None),
        ("POST", rename.clone(), Some(r#"{"name":"other"}"#)),
        ("POST", part_of_second("sleep", version), None),
        ("POST", part_of_second("wake", version), None),
        ("POST", part_of_second("password", version), None),
        (
            "POST",
            part_of_second("databases", version),
            Some(r#"{"name":"shop"}"#),
        ),
        ("DELETE", part_of_second("databases/test", version), None),
        (
            "POST",
            part_of_second("users", version),
            Some(r#"{"name":"app","role":"admin"}"#),
        ),
        (
            "POST",
            part_of_second("users/app/password", version),
            Some("{}"),
        ),
        ("DELETE", part_of_second("users/app", version), None),
    ] {
        let (status, error) = server.ask(method, &path, body).await;
        assert_eq!(
            (status, &error["code"]),
            (StatusCode::CONFLICT, &json!("stale")),
            "{method} {path}"
        );
        assert!(
            error["hint"]
                .as_str()
                .unwrap()
                .contains("read the cluster again")
        );
    }
    let (_, read) = server.ask("GET", "/v1/clusters/second", None).await;
    assert_eq!(
        (&read["deletion_protection"], &read["version"]),
        (&json!(true), &json!(now))
    );
    for part in ["wake", "sleep", "password", "sleep"] {
        let (status, _) = server.ask("POST", &part_of_second(part, now), None).await;
        assert_eq!(status, StatusCode::OK, "{part} makes no other version");
    }
    let (status, error) = server
        .ask("POST", "/v1/clusters/second/sleep?versoin=1", None)
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a misspelt one: {error}");
    let (status, _) = server.ask("PATCH", "/v1/clusters/second", free).await;
    assert_eq!(status, StatusCode::OK, "without a version as before");
    let (_, read) = server.ask("GET", "/v1/clusters/second", None).await;
    let last = read["version"].as_u64().unwrap();
    assert_eq!(
        server.ask("DELETE", &second_at(last), None).await.0,
        StatusCode::NO_CONTENT
    );
}
