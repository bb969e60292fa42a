//! The API's description is in the repository, so that a change of the API is seen in review.
//! `script/docs` writes it.

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
    assert!(
        now == then,
        "docs/openapi.json is outdated: run script/docs, which writes it (this test with UPDATE=1)"
    );
}

/// The guard enforces the declared scopes. A route without a scope would be closed to every key.
#[test]
fn every_operation_declares_the_scope_that_it_needs() {
    let text = tidegate_console::description().to_json().unwrap();
    let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut declared = std::collections::BTreeMap::<String, Vec<String>>::new();
    for (path, item) in whole["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array();
            let scopes = security.and_then(|all| all[0]["key"].as_array());
            let [scope] = scopes.map_or(&[][..], Vec::as_slice) else {
                panic!("{method} {path} declares no scope")
            };
            declared
                .entry(scope.as_str().unwrap().to_owned())
                .or_default()
                .push(format!("{method} {path}"));
        }
    }
    let scopes: Vec<_> = declared.keys().map(String::as_str).collect();
    assert_eq!(scopes, ["all", "clusters", "operator", "read"]);
    let operator = &declared["operator"];
    let of_keys = |route: &&String| route.contains("/v1/keys") || route.contains("/v1/operator/");
    assert_eq!(
        operator.iter().filter(of_keys).count(),
        4,
        "no key makes, lists or revokes keys: {operator:?}"
    );
    assert!(
        declared["read"]
            .iter()
            .all(|route| route.starts_with("get ")),
        "{:?}",
        declared["read"]
    );
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
            let error =
                &operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(error, "#/components/schemas/ErrorBody", "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
    assert_eq!(operations, 36);
    let state = &whole["components"]["schemas"]["State"]["enum"];
    assert_eq!(
        *state,
        serde_json::json!(["asleep", "waking", "awake", "draining", "failed"])
    );
}
