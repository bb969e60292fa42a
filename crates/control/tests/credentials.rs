//! Keys, sign-in links and web sessions: how long they are valid, and their state after a restart.
//! A test program with its own `main`, because it is also the program that becomes an engine.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::Server;
use sha2::Digest;
use std::time::Duration;
use tidegate_control::store::{AccessStore, SqliteStore, Store};
use tidegate_control::{Control, ErrorCode, Scopes, WebSessionLife, WebSessionUse};

fn main() {
    common::become_engine_if_asked();
    common::run(vec![
        common::test(
            "a_web_session_lives_by_use_and_ends_by_idleness",
            web_sessions,
        ),
        common::test("made_up_tokens_never_reach_the_store", made_up_tokens),
        common::test(
            "keys_and_sessions_are_after_a_restart_what_they_were_before",
            credentials_last,
        ),
    ]);
}

async fn web_sessions() {
    let mut server = Server::start().await;
    let life = WebSessionLife::default();
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap();
    let link = server.control.new_sign_in_link().await.unwrap();
    let token = server
        .control
        .redeem_link(&link.token)
        .await
        .ok()
        .unwrap()
        .token;
    let hash: tidegate_control::store::Hash = sha2::Sha256::digest(token.as_bytes()).into();
    let signed_in = |server: &Server, look| server.control.web_session(&token, look).is_some();
    // Read at the start, so the clock is turned back while the server is down.
    let seen_ago = async |server: Server, ago: i64| {
        let root = server.stop_and_keep().await;
        let store = SqliteStore::open(&root.path().join("store.sqlite"))
            .await
            .unwrap();
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        store
            .saw_web_session(hash, seconds(now) - ago)
            .await
            .unwrap();
        store.close().await;
        Server::open(root).await
    };
    let ago = async |server: &Server| {
        let store = SqliteStore::open(&server.control.data().store())
            .await
            .unwrap();
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        let rows = store.load_access().await.unwrap().sessions;
        store.close().await;
        rows.first().map(|row| seconds(now) - row.seen_unix)
    };
    let long = seconds(life.idle) - 600;
    server = seen_ago(server, long).await;
    assert!(signed_in(&server, WebSessionUse::Refresh));
    assert!(
        ago(&server).await.unwrap() >= long,
        "a page that refreshes itself is no use"
    );
    assert!(signed_in(&server, WebSessionUse::Person));
    // Noted beside the request.
    while ago(&server).await.unwrap() >= long {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server = seen_ago(server, seconds(life.idle)).await;
    assert!(!signed_in(&server, WebSessionUse::Person), "too late");
    while ago(&server).await.is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.stop().await;
}

/// A closed store would be noticed by whoever asked it.
async fn made_up_tokens() {
    let server = Server::start().await;
    let control = &server.control;
    let key = control
        .create_key("real", Scopes::all(), None)
        .await
        .ok()
        .unwrap();
    let link = control.new_sign_in_link().await.unwrap();
    let session = control.redeem_link(&link.token).await.ok().unwrap();
    control.shutdown().await;
    for token in ["", "made up", &"f".repeat(64), &link.token] {
        assert!(control.web_session(token, WebSessionUse::Person).is_none());
        assert!(control.key_of(token).is_none());
        let refused = control.redeem_link(token).await.err().unwrap();
        assert_eq!(refused.code, ErrorCode::NotAuthorized, "{refused}");
    }
    assert!(
        control
            .web_session(&session.token, WebSessionUse::Person)
            .is_some()
    );
    assert_eq!(control.key_of(&key.token).unwrap().id, key.made.id);
    server.stop().await;
}

/// Written through: what was made or ended before a restart is so after it.
async fn credentials_last() {
    let server = Server::start().await;
    let control = &server.control;
    let kept = control
        .create_key("kept", Scopes::parse("read,clusters:a-*").unwrap(), None)
        .await
        .ok()
        .unwrap();
    let revoked = control
        .create_key("revoked", Scopes::all(), None)
        .await
        .ok()
        .unwrap();
    control.revoke_key("revoked").await.unwrap();
    assert_eq!(
        control.revoke_key("revoked").await.unwrap_err().code,
        ErrorCode::NotFound
    );
    let sign_in = async || {
        let link = control.new_sign_in_link().await.unwrap().token;
        control.redeem_link(&link).await.ok().unwrap()
    };
    let stays = sign_in().await;
    let out = sign_in().await;
    control.end_web_session(&out.made).await.unwrap();
    let unused = control.new_sign_in_link().await.unwrap().token;
    let check = |control: &Control| {
        assert_eq!(
            control.key_of(&kept.token).unwrap().scopes.to_string(),
            "clusters:a-*,read"
        );
        assert!(control.key_of(&revoked.token).is_none());
        assert!(
            control
                .web_session(&stays.token, WebSessionUse::Refresh)
                .is_some()
        );
        assert!(
            control
                .web_session(&out.token, WebSessionUse::Refresh)
                .is_none()
        );
        assert_eq!(control.keys().len(), 1);
    };
    check(control);
    let server = server.restart().await;
    check(&server.control);
    assert!(server.control.redeem_link(&unused).await.is_ok());
    server.stop().await;
}
