//! The API's description stands in the repository, so that a change of the API is seen in review.
//! `UPDATE=1 cargo test -p tidegate-console` writes it anew.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

use std::path::Path;

#[test]
fn the_description_in_the_repository_is_this_apis() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let mut now = tidegate_console::description().to_pretty_json().unwrap();
    now.push('\n');
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    let then = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(now == then, "docs/openapi.json is not this API's: run UPDATE=1 cargo test -p tidegate-console");
}

#[test]
fn every_operation_says_how_its_errors_look() {
    let text = tidegate_console::description().to_json().unwrap();
    let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut operations = 0;
    for (path, item) in whole["paths"].as_object().unwrap() {
        assert!(path.starts_with("/v1/"), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            let error = &operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(error, "#/components/schemas/ErrorBody", "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
    assert_eq!(operations, 24);
    let state = &whole["components"]["schemas"]["State"]["enum"];
    assert_eq!(*state, serde_json::json!(["asleep", "waking", "awake", "draining", "failed"]));
}
