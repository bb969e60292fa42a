//! Keys, sign-in links and web sessions: how long they are valid, and their state after a restart.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::Server;
use common::store::hold_writer;
use sha2::Digest;
use sqlx::Connection;
use std::time::Duration;
use tidegate_control::store::{AccessStore, Hash, SqliteStore, Store};
use tidegate_control::{
    ApiKey, Control, ErrorCode, Scopes, WebSession, WebSessionLife, WebSessionUse, WithToken,
};

fn main() {
    common::run(vec![
        common::test(
            "a_web_session_lives_by_use_and_ends_by_idleness",
            web_sessions,
        ),
        common::test("made_up_tokens_never_reach_the_store", made_up_tokens),
        common::test(
            "a_key_that_waits_for_the_store_delays_no_sign_in_and_no_login",
            held_up_change,
        ),
        common::test(
            "a_change_whose_caller_is_gone_is_made_in_the_store_and_in_memory",
            abandoned_changes,
        ),
        common::test(
            "keys_and_sessions_are_after_a_restart_what_they_were_before",
            credentials_last,
        ),
    ]);
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap()
}

fn now_unix() -> i64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    seconds(now)
}

fn is_signed_in(server: &Server, token: &str, seen_by: WebSessionUse) -> bool {
    server.control.web_session(token, seen_by).is_some()
}

/// Restarts the server with a session whose last use was this many seconds ago. Times of use are
/// read at the start, so the store is changed while the server is down.
async fn used_before(server: Server, session: Hash, ago: i64) -> Server {
    let root = server.stop_and_keep().await;
    let store = SqliteStore::open(&root.path().join("store.sqlite"))
        .await
        .unwrap();
    store
        .saw_web_session(session, now_unix() - ago)
        .await
        .unwrap();
    store.close().await;
    Server::open(root).await
}

/// Seconds since the stored last use of the only session. `None` if there is no session.
async fn idle_for(server: &Server) -> Option<i64> {
    let store = SqliteStore::open(&server.control.data().store())
        .await
        .unwrap();
    let rows = store.load_access().await.unwrap().sessions;
    store.close().await;
    rows.first().map(|row| now_unix() - row.seen_unix)
}

async fn sign_in(control: &Control) -> WithToken<WebSession> {
    let link = control.new_sign_in_link().await.unwrap().token;
    control.redeem_link(&link).await.ok().unwrap()
}

async fn create_key(control: &Control, name: &str, scopes: &str) -> WithToken<ApiKey> {
    let scopes = Scopes::parse(scopes).unwrap();
    control.create_key(name, scopes, None).await.ok().unwrap()
}

async fn web_sessions() {
    let mut server = Server::start().await;
    let life = WebSessionLife::default();
    let link = server.control.new_sign_in_link().await.unwrap();
    let token = server
        .control
        .redeem_link(&link.token)
        .await
        .ok()
        .unwrap()
        .token;
    let hash: Hash = sha2::Sha256::digest(token.as_bytes()).into();
    let long = seconds(life.idle) - 600;
    server = used_before(server, hash, long).await;
    assert!(is_signed_in(&server, &token, WebSessionUse::Refresh));
    assert!(
        idle_for(&server).await.unwrap() >= long,
        "a page that refreshes itself is no use"
    );
    assert!(is_signed_in(&server, &token, WebSessionUse::Person));
    // The time of use is stored after the request.
    while idle_for(&server).await.unwrap() >= long {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server = used_before(server, hash, seconds(life.idle)).await;
    assert!(
        !is_signed_in(&server, &token, WebSessionUse::Person),
        "too late"
    );
    while idle_for(&server).await.is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.stop().await;
}

/// The store is closed, so a lookup in it would fail.
async fn made_up_tokens() {
    let server = Server::start().await;
    let control = &server.control;
    let key = create_key(control, "real", "all").await;
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

/// The lock of all changes of keys, links and sessions is taken, because the store can't write.
async fn held_up_change() {
    let server = Server::start().await;
    let control = &server.control;
    let made = control
        .create_cluster(common::named("other"))
        .await
        .unwrap();
    control.sleep_cluster("other").await.unwrap();
    let key = create_key(control, "real", "all").await;
    let session = sign_in(control).await;
    let held = hold_writer(&control.data().store()).await;
    let mut change = Box::pin(create_key(control, "second", "all"));
    let others = async {
        for _ in 0..50 {
            assert!(is_signed_in(&server, &session.token, WebSessionUse::Person));
            assert!(control.key_of(&key.token).is_some());
            assert!(control.key_of("made up").is_none());
            let refused = control.redeem_link("made up").await.err().unwrap();
            assert_eq!(refused.code, ErrorCode::NotAuthorized);
            let prefix = made.cluster.prefix.clone();
            assert!(common::find(control, &prefix).await.is_some());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        biased;
        _ = &mut change => panic!("the change was made before the others were answered"),
        () = others => {}
    }
    held.close().await.unwrap();
    let second = change.await;
    assert!(control.key_of(&second.token).is_some());
    server.stop().await;
}

/// A client closes its connection while the store can't write, which drops the request's future.
async fn abandoned_changes() {
    let mut server = Server::start().await;
    let control = &server.control;
    let key = create_key(control, "real", "all").await;
    let held = hold_writer(&control.data().store()).await;
    let mut changes = Box::pin(async {
        tokio::join!(
            control.revoke_key("real"),
            create_key(control, "second", "all"),
        )
    });
    let begun = std::future::poll_fn(|context| {
        std::task::Poll::Ready(changes.as_mut().poll(context).is_pending())
    });
    assert!(begun.await, "they wait for the store");
    drop(changes);
    held.close().await.unwrap();
    while control.keys().iter().map(|key| &*key.name).ne(["second"]) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(control.key_of(&key.token).is_none());
    server = server.restart().await;
    assert!(server.control.key_of(&key.token).is_none());
    assert_eq!(server.control.keys().len(), 1);
    server.stop().await;
}

/// Changes before a restart are still there after it.
async fn credentials_last() {
    let mut server = Server::start().await;
    let control = &server.control;
    let kept = create_key(control, "kept", "read,clusters:a-*").await;
    let revoked = create_key(control, "revoked", "all").await;
    control.revoke_key("revoked").await.unwrap();
    assert_eq!(
        control.revoke_key("revoked").await.unwrap_err().code,
        ErrorCode::NotFound
    );
    let stays = sign_in(control).await;
    let out = sign_in(control).await;
    control.end_web_session(&out.made).await.unwrap();
    let unused = control.new_sign_in_link().await.unwrap().token;
    for restart in [false, true] {
        if restart {
            server = server.restart().await;
        }
        let control = &server.control;
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
    }
    assert!(server.control.redeem_link(&unused).await.is_ok());
    server.stop().await;
}
