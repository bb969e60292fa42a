//! Compares `docs/connect.md` with the guide that the table of clients generates. `script/docs`
//! writes it.

#![allow(clippy::unwrap_used, reason = "a test may panic; that is how it fails")]

use std::path::PathBuf;
use tidegate_connect::{clients, guide, platforms};

#[test]
fn the_guide_is_that_of_the_table() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/connect.md");
    let wanted = guide();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &wanted).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        wanted,
        "run script/docs, which writes it (this test with UPDATE=1)"
    );
}

#[test]
fn the_guide_names_every_client_and_platform_and_no_password() {
    let guide = guide();
    for client in clients() {
        assert!(
            guide.contains(&format!("\n### {}\n", client.name)),
            "{}",
            client.id
        );
    }
    for platform in platforms() {
        assert!(guide.contains(&platform.ca), "{}", platform.id);
    }
    assert!(guide.contains("Can TLS be turned off?\n\nNo."));
}
