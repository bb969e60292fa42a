//! Operations over real engines. A test program with a `main` of its own, since it is also the
//! program that becomes an engine: its first argument says so.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::{Server, find_bytes, root_claim, seen};
use sha2::Digest;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};
use tidegate_control::store::{AccessStore, Phase, Reservation, SqliteStore, Store, Strays};
use tidegate_control::{
    Control, ControlSettings, DataDir, ErrorCode, LimitsChange, Look, NewCluster, Scopes,
    WebSessionLife,
};
use tidegate_model::{
    ClusterEngine, ClusterId, ClusterLimits, ClusterName, ClusterState, Directory, Found, Prefix,
    PrefixTag, SessionId, Sessions, Tenant, Verifier,
};

fn main() {
    if std::env::args()
        .nth(1)
        .is_some_and(|arg| arg == "engine-exec")
    {
        tidegate_engine::engine_exec_main();
    }
    if let [_, what, root] = std::env::args().collect::<Vec<_>>().as_slice()
        && what == "create-until-killed"
    {
        return common::block_on(create_until_killed(root.into()));
    }
    common::run(vec![
        common::test(
            "a_new_cluster_is_asleep_and_known_by_its_hash_only",
            a_new_cluster,
        ),
        common::test("names_and_limits_that_will_not_do_are_refused", refused),
        common::test(
            "limits_change_for_lookups_and_for_the_next_start",
            new_limits,
        ),
        common::test(
            "a_web_session_lives_by_use_and_ends_by_idleness",
            web_sessions,
        ),
        common::test("made_up_tokens_never_reach_the_store", made_up_tokens),
        common::test(
            "keys_and_sessions_are_after_a_restart_what_they_were_before",
            credentials_last,
        ),
        common::test("a_lookup_costs_the_same_for_a_stranger", lookups),
        common::test("what_was_made_is_there_after_a_restart", restart),
        common::test("a_new_password_is_read_back_and_the_old_one_ends", password),
        common::test("no_password_ever_lies_on_the_disk", no_clear_password),
        common::test(
            "an_interrupted_creation_or_deletion_is_swept_at_start",
            swept,
        ),
        common::test(
            "a_server_killed_while_creating_leaves_whole_clusters_only",
            killed_while_creating,
        ),
        common::test("a_run_without_an_end_is_recovered_before_ready", recovered),
        common::test(
            "a_login_s_cluster_is_recovered_before_those_that_nobody_waits_for",
            recovered_first,
        ),
        common::test("a_deleted_cluster_leaves_nothing", deleted),
        common::test("an_operation_ends_although_its_caller_left", left),
        common::test(
            "a_book_that_is_not_in_memory_costs_a_stranger_the_same_read",
            book_reads,
        ),
        common::test(
            "damage_of_one_cluster_s_rows_is_its_own_and_an_operator_gets_in",
            damaged_book,
        ),
        common::test(
            "a_directory_of_no_cluster_is_left_alone_and_its_number_avoided",
            strays,
        ),
    ]);
}

fn named(name: &str) -> NewCluster {
    NewCluster {
        name: Some(name.to_owned()),
        ..NewCluster::default()
    }
}

async fn a_new_cluster() {
    let server = Server::start().await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    assert_eq!(
        (made.cluster.state, made.cluster.sessions),
        (ClusterState::Asleep, 0)
    );
    assert_eq!(made.password.len(), 16);
    let tenant = find(&server.control, &made.cluster.prefix).await.unwrap();
    assert!(tenant.settled);
    assert_eq!(tenant.accounts.len(), 1);
    assert_eq!(
        tenant.accounts[0].verifiers,
        [Verifier::Native(common::stage2(&made.password))]
    );

    let other = server
        .control
        .create_cluster(NewCluster::default())
        .await
        .unwrap();
    assert_ne!(other.cluster.prefix, made.cluster.prefix);
    assert_ne!(*other.password, *made.password);
    let names: Vec<_> = server
        .control
        .clusters()
        .into_iter()
        .map(|c| c.name)
        .collect();
    assert!(names.is_sorted() && names.len() == 2, "{names:?}");
    server.stop().await;
}

async fn refused() {
    let server = Server::start().await;
    let control = &server.control;
    control.create_cluster(named("demo")).await.unwrap();
    let code = |r: Result<_, tidegate_control::ControlError>| r.map(|_: ()| ()).unwrap_err().code;
    let create = async |new| control.create_cluster(new).await.map(drop);
    assert_eq!(code(create(named("demo")).await), ErrorCode::Exists);
    assert_eq!(code(create(named("../demo")).await), ErrorCode::BadName);
    let none = ClusterLimits {
        connections_max: 0,
        ..ClusterLimits::default()
    };
    assert_eq!(
        code(
            create(NewCluster {
                limits: Some(none),
                ..NewCluster::default()
            })
            .await
        ),
        ErrorCode::BadLimits
    );
    for missing in ["nobody", "../demo", ""] {
        assert_eq!(
            code(control.cluster(missing).map(drop)),
            ErrorCode::NotFound
        );
        assert_eq!(
            code(control.wake_cluster(missing).await.map(drop)),
            ErrorCode::NotFound
        );
        assert_eq!(
            code(control.delete_cluster(missing).await),
            ErrorCode::NotFound
        );
    }
    assert_eq!(code(control.kill_session(7, |_| true)), ErrorCode::NotFound);
    assert_eq!(
        code(control.kill_session(u64::from(SessionId::new(7).0), |_| true)),
        ErrorCode::NotFound
    );
    assert_eq!(control.clusters().len(), 1);
    server.stop().await;
}

async fn new_limits() {
    let server = Server::start().await;
    let control = &server.control;
    let made = control.create_cluster(named("demo")).await.unwrap().cluster;
    let minute = Duration::from_secs(60);
    let change = LimitsChange {
        sleep_after: Some(minute),
        ..LimitsChange::default()
    };
    let shown = control.change_limits("demo", change).await.unwrap();
    let want = ClusterLimits {
        sleep_after: minute,
        ..made.limits
    };
    assert_eq!(shown.limits, want, "what is not named stays");
    assert_eq!(find(control, &made.prefix).await.unwrap().limits, want);
    let none = LimitsChange {
        connections_max: Some(0),
        sleep_after: Some(minute * 2),
        ..LimitsChange::default()
    };
    let refused = control.change_limits("demo", none).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.hint.as_str()),
        (ErrorCode::BadLimits, "give a number from 1 to 10000")
    );
    assert_eq!(
        control.cluster("demo").unwrap().limits,
        want,
        "all or nothing"
    );
    assert_eq!(
        control
            .change_limits("nobody", change)
            .await
            .unwrap_err()
            .code,
        ErrorCode::NotFound
    );
    let server = Server::open(server.stop_and_keep().await).await;
    assert_eq!(server.control.cluster("demo").unwrap().limits, want);
    server.stop().await;
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
    assert!(signed_in(&server, Look::Alone));
    assert!(
        ago(&server).await.unwrap() >= long,
        "a page that refreshes itself is no use"
    );
    assert!(signed_in(&server, Look::Use));
    // Noted beside the request.
    while ago(&server).await.unwrap() >= long {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server = seen_ago(server, seconds(life.idle)).await;
    assert!(!signed_in(&server, Look::Use), "too late");
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
        assert!(control.web_session(token, Look::Use).is_none());
        assert!(control.key_of(token).is_none());
        let refused = control.redeem_link(token).await.err().unwrap();
        assert_eq!(refused.code, ErrorCode::NotAuthorized, "{refused}");
    }
    assert!(control.web_session(&session.token, Look::Use).is_some());
    assert_eq!(control.key_of(&key.token).unwrap().id, key.made.id);
    server.stop().await;
}

/// Written through: what was made or ended before a restart is so after it.
async fn credentials_last() {
    let server = Server::start().await;
    let control = &server.control;
    let (kept, revoked) = (
        control
            .create_key("kept", Scopes::parse("read,clusters:a-*").unwrap(), None)
            .await
            .ok()
            .unwrap(),
        control
            .create_key("revoked", Scopes::all(), None)
            .await
            .ok()
            .unwrap(),
    );
    control.revoke_key("revoked").await.unwrap();
    assert_eq!(
        control.revoke_key("revoked").await.unwrap_err().code,
        ErrorCode::NotFound
    );
    let sign_in = async || {
        let link = control.new_sign_in_link().await.unwrap().token;
        control.redeem_link(&link).await.ok().unwrap()
    };
    let (stays, out) = (sign_in().await, sign_in().await);
    control.end_web_session(&out.made).await.unwrap();
    let unused = control.new_sign_in_link().await.unwrap().token;
    let check = |control: &Control| {
        assert_eq!(
            control.key_of(&kept.token).unwrap().scopes.to_string(),
            "clusters:a-*,read"
        );
        assert!(control.key_of(&revoked.token).is_none());
        assert!(control.web_session(&stays.token, Look::Alone).is_some());
        assert!(control.web_session(&out.token, Look::Alone).is_none());
        assert_eq!(control.keys().len(), 1);
    };
    check(control);
    let server = server.restart().await;
    check(&server.control);
    assert!(server.control.redeem_link(&unused).await.is_ok());
    server.stop().await;
}

async fn lookups() {
    let server = Server::start().await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    let before = server.control.lookups();
    assert!(find(&server.control, &made.cluster.prefix).await.is_some());
    let known = server.control.lookups() - before;
    assert!(
        find(&server.control, &Prefix::random().unwrap())
            .await
            .is_none()
    );
    let unknown = server.control.lookups() - before - known;
    assert_eq!((known, unknown), (1, 1));
    server.stop().await;
}

async fn book_reads() {
    let mut server = Server::start().await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    for prefix in [made.cluster.prefix.clone(), Prefix::random().unwrap()] {
        server = server.restart().await;
        assert_eq!(server.control.book_reads(), 0, "no book is read at start");
        let known = find(&server.control, &prefix).await.is_some();
        assert_eq!(known, prefix == made.cluster.prefix);
        assert_eq!(server.control.book_reads(), 1, "known: {known}");
        find(&server.control, &prefix).await;
        assert_eq!(server.control.book_reads(), 1, "known: {known}");
        assert!(server.control.books_memory() > 0);
    }
    server.stop().await;
}

async fn restart() {
    let server = Server::start().await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    let server = server.restart().await;
    let tenant = find(&server.control, &made.cluster.prefix).await.unwrap();
    assert!(tenant.settled);
    let book = server
        .control
        .refresh(made.cluster.id, &root_claim(), Instant::now())
        .await
        .unwrap();
    assert!(seen(&book, &made.password));
    let state = server.control.cluster("demo").unwrap().state;
    assert_eq!(
        state,
        ClusterState::Asleep,
        "reading a sleeper's accounts wakes nobody"
    );
    assert_eq!(
        tenant.accounts[0].verifiers,
        [Verifier::Native(common::stage2(&made.password))]
    );
    assert_eq!(
        server.control.cluster("demo").unwrap().created_unix,
        made.cluster.created_unix
    );
    server.stop().await;
}

/// As if a disk had damaged the accounts of one cluster and the row of another.
async fn damage(root: &std::path::Path, book_of: ClusterId, row_of: ClusterId) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(root.join("store.sqlite"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let book = "UPDATE books SET accounts = x'FFFFFF' WHERE cluster = ?";
    sqlx::query(book)
        .bind(book_of.0.cast_signed())
        .execute(&pool)
        .await
        .unwrap();
    let row = "UPDATE clusters SET connections_max = 'many' WHERE id = ?";
    sqlx::query(row)
        .bind(row_of.0.cast_signed())
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
}

async fn damaged_book() {
    let server = Server::start().await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    let lost = server.control.create_cluster(named("lost")).await.unwrap();
    let other = server.control.create_cluster(named("other")).await.unwrap();
    let root = server.stop_and_keep().await;
    damage(root.path(), made.cluster.id, lost.cluster.id).await;

    let server = Server::open(root).await;
    let control = &server.control;
    let names: Vec<_> = control
        .clusters()
        .into_iter()
        .map(|c| c.name.to_string())
        .collect();
    assert_eq!(
        names,
        ["demo", "other"],
        "the server starts without the damaged row"
    );
    assert!(
        server
            .root()
            .join("engines")
            .join(lost.cluster.id.to_string())
            .exists(),
        "its data stay"
    );
    assert!(seen(
        &find(control, &other.cluster.prefix).await.unwrap().accounts,
        &other.password
    ));
    let tenant = find(control, &made.cluster.prefix).await.unwrap();
    assert!(
        tenant.accounts.is_empty() && tenant.settled,
        "nobody can be judged, and nothing wakes"
    );
    // The operator's way in, and from there on everybody's.
    let fresh = control.new_password("demo").await.unwrap();
    assert!(seen(
        &find(control, &made.cluster.prefix).await.unwrap().accounts,
        &fresh.password
    ));
    control.sleep_cluster("demo").await.unwrap();
    let server = server.restart().await;
    let tenant = find(&server.control, &made.cluster.prefix).await.unwrap();
    assert!(tenant.settled && seen(&tenant.accounts, &fresh.password));
    server.stop().await;
}

async fn password() {
    let server = Server::start().await;
    let control = &server.control;
    let made = control.create_cluster(named("demo")).await.unwrap();
    let fresh = control.new_password("demo").await.unwrap();
    assert_ne!(*fresh.password, *made.password);
    let tenant = find(control, &made.cluster.prefix).await.unwrap();
    assert!(!tenant.settled, "awake: a mismatch is no verdict");
    let book = control
        .refresh(tenant.cluster, &root_claim(), Instant::now())
        .await
        .unwrap();
    assert!(seen(&book, &fresh.password) && !seen(&book, &made.password));

    let slept = control.sleep_cluster("demo").await.unwrap();
    assert_eq!(slept.state, ClusterState::Asleep);
    let tenant = find(control, &made.cluster.prefix).await.unwrap();
    assert!(tenant.settled && seen(&tenant.accounts, &fresh.password));
    assert_eq!(
        control.wake_cluster("demo").await.unwrap().state,
        ClusterState::Awake
    );
    // And again after a restart, which stops the engine in order.
    let server = server.restart().await;
    let tenant = find(&server.control, &made.cluster.prefix).await.unwrap();
    assert!(
        tenant.settled
            && seen(&tenant.accounts, &fresh.password)
            && !seen(&tenant.accounts, &made.password)
    );
    server.stop().await;
}

async fn no_clear_password() {
    let server = Server::start().await;
    let first = server.control.create_cluster(named("demo")).await.unwrap();
    let second = server.control.new_password("demo").await.unwrap();
    for password in [&first.password, &second.password] {
        assert_eq!(
            find_bytes(server.root(), password.as_bytes()),
            Vec::<String>::new(),
            "while awake"
        );
    }
    let root = server.stop_and_keep().await;
    for password in [&first.password, &second.password] {
        assert_eq!(
            find_bytes(root.path(), password.as_bytes()),
            Vec::<String>::new(),
            "after the stop"
        );
    }
    // The search itself can find something.
    assert!(!find_bytes(root.path(), first.cluster.prefix.as_str().as_bytes()).is_empty());
}

async fn swept() {
    let server = Server::start().await;
    let kept = server.control.create_cluster(named("kept")).await.unwrap();
    let doomed = server
        .control
        .create_cluster(named("doomed"))
        .await
        .unwrap();
    let root = server.stop_and_keep().await;
    let half = {
        let dir = DataDir::lock(root.path()).unwrap();
        let store = SqliteStore::open(&dir.store()).await.unwrap();
        // A server that died before the files were whole, and one that died before they were all
        // gone.
        let wanted = Reservation {
            name: ClusterName::parse("half").unwrap(),
            prefix: Prefix::random().unwrap(),
            created_unix: 0,
            engine: ClusterEngine::default(),
            limits: ClusterLimits::default(),
        };
        let half = store
            .reserve(&wanted, None, &Strays::default())
            .await
            .unwrap();
        std::fs::create_dir(dir.engines().join(half.id.to_string())).unwrap();
        std::fs::write(dir.engines().join(half.id.to_string()).join("part"), "x").unwrap();
        store.begin_delete(doomed.cluster.id).await.unwrap();
        store.close().await;
        half
    };
    let server = Server::open(root).await;
    let names: Vec<String> = server
        .control
        .clusters()
        .into_iter()
        .map(|c| c.name.into())
        .collect();
    assert_eq!(names, ["kept"]);
    let folder =
        |id: tidegate_model::ClusterId| server.control.data().engines().join(id.to_string());
    // A server never waits for it at its start.
    until("what was left half-made is removed", || {
        !folder(half.id).exists() && !folder(doomed.cluster.id).exists()
    })
    .await;
    assert!(folder(kept.cluster.id).exists());
    assert!(find(&server.control, &half.prefix).await.is_none());
    assert!(
        find(&server.control, &doomed.cluster.prefix)
            .await
            .is_none()
    );
    let again = server.control.create_cluster(named("half")).await.unwrap();
    assert!(
        again.cluster.id > half.id,
        "the number is not given out again"
    );
    server.stop().await;
}

/// The part of the server that the next test kills.
async fn create_until_killed(root: std::path::PathBuf) {
    let dir = DataDir::lock(&root).unwrap();
    let settings = ControlSettings::new(&dir);
    let control = Control::open(dir, settings, Sessions::default(), common::silent())
        .await
        .unwrap();
    loop {
        let made = control.create_cluster(NewCluster::default()).await.unwrap();
        println!("{}", made.cluster.name);
    }
}

async fn killed_while_creating() {
    let mut root = Server::start().await.stop_and_keep().await;
    let mut told = Vec::new();
    for round in 1..=6 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                std::ffi::OsStr::new("create-until-killed"),
                root.path().as_os_str(),
            ])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Each time it has told of one, it is at work on the next.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        told.extend(lines.by_ref().take(2).map(Result::unwrap));
        // Somewhere in the next creation, elsewhere in each round.
        std::thread::sleep(Duration::from_millis(round * 5));
        child.kill().unwrap();
        child.wait().unwrap();
        // Not before: a broken pipe would have ended it more gently.
        drop(lines);

        let server = Server::open(root).await;
        let names: BTreeSet<String> = server
            .control
            .clusters()
            .into_iter()
            .map(|c| c.name.into())
            .collect();
        assert!(
            told.iter().all(|name| names.contains(name)),
            "one that was told of is gone"
        );
        let folders = || {
            std::fs::read_dir(server.control.data().engines())
                .unwrap()
                .count()
        };
        until(
            "each folder has a cluster, and each cluster a folder",
            || folders() == names.len(),
        )
        .await;
        // The one that nobody was told of, if it came that far, is as good as any.
        let newest = server
            .control
            .clusters()
            .into_iter()
            .max_by_key(|c| c.id)
            .unwrap();
        assert_eq!(
            server
                .control
                .new_password(newest.name.as_str())
                .await
                .unwrap()
                .password
                .len(),
            16
        );
        root = server.stop_and_keep().await;
    }
}

/// Waits for what happens beside the start, and fails when it does not happen.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(
            std::time::Instant::now() < deadline,
            "not within 20 s: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn find(control: &Control, prefix: &Prefix) -> Option<Tenant> {
    control
        .find(prefix, PrefixTag(7), &root_claim())
        .await
        .unwrap()
        .tenant()
        .cloned()
}

async fn recovered() {
    let server = Server::start().await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    let id = made.cluster.id;
    server.control.wake_cluster("demo").await.unwrap();
    let root = server.stop_and_keep().await;
    {
        // As kill -9 leaves it: a run begun, none ended.
        let dir = DataDir::lock(root.path()).unwrap();
        let store = SqliteStore::open(&dir.store()).await.unwrap();
        assert_eq!(store.begin_run(id).await.unwrap().0, 2);
        store.close().await;
    }
    let server = Server::open(root).await;
    let tenant = find(&server.control, &made.cluster.prefix).await.unwrap();
    assert!(!tenant.settled, "no login is judged by what may be stale");
    assert!(tenant.recovering);
    let (stranger, claim) = (Prefix::random().unwrap(), root_claim());
    let unknown = server
        .control
        .find(&stranger, PrefixTag(7), &claim)
        .await
        .unwrap();
    let Found::Nobody(Some(twin)) = unknown else {
        panic!("nobody has this prefix");
    };
    assert!(
        twin.recovering && !twin.settled,
        "an unknown prefix waits as the one cluster does"
    );
    server.control.recovered(id).await;
    assert!(
        !find(&server.control, &made.cluster.prefix)
            .await
            .unwrap()
            .recovering
    );
    let book = server
        .control
        .refresh(id, &root_claim(), Instant::now())
        .await
        .unwrap();
    assert!(seen(&book, &made.password));
    server.control.sleep_cluster("demo").await.unwrap();
    assert!(
        find(&server.control, &made.cluster.prefix)
            .await
            .unwrap()
            .settled
    );
    server.stop().await;
}

async fn recovered_first() {
    const CLUSTERS: usize = 20;
    let server = Server::start().await;
    let mut ids = Vec::new();
    for n in 0..CLUSTERS {
        ids.push(
            server
                .control
                .create_cluster(named(&format!("c{n}")))
                .await
                .unwrap()
                .cluster
                .id,
        );
    }
    let root = server.stop_and_keep().await;
    {
        let dir = DataDir::lock(root.path()).unwrap();
        let store = SqliteStore::open(&dir.store()).await.unwrap();
        for id in &ids {
            store.begin_run(*id).await.unwrap();
        }
        store.close().await;
    }
    let server = Server::open(root).await;
    server.control.recovered(ids[CLUSTERS - 1]).await;
    let mut waiting = 0;
    for cluster in server.control.clusters() {
        waiting += usize::from(
            find(&server.control, &cluster.prefix)
                .await
                .unwrap()
                .recovering,
        );
    }
    // Four had begun, and each of their turns may have passed on once more meanwhile.
    assert!(
        waiting >= CLUSTERS - 9,
        "{waiting} of {CLUSTERS} are not recovered yet"
    );
    until("all are recovered", || server.control.is_recovered()).await;
    server.stop().await;
}

async fn deleted() {
    let server = Server::start().await;
    let control = &server.control;
    let made = control.create_cluster(named("demo")).await.unwrap();
    let session = server.sessions.open("127.0.0.1:9".parse().unwrap());
    session
        .admit(made.cluster.id, "root", "TLS 1.3", 10)
        .unwrap();
    assert_eq!(control.cluster("demo").unwrap().sessions, 1);
    let listed = control.session_list(Some("demo")).unwrap();
    assert_eq!(
        listed[0].cluster.as_ref().map(ClusterName::as_str),
        Some("demo")
    );

    let folder = control.data().engines().join(made.cluster.id.to_string());
    assert!(folder.exists());
    control.delete_cluster("demo").await.unwrap();
    session.killed().await;
    assert!(!folder.exists());
    assert!(find(control, &made.cluster.prefix).await.is_none());
    assert_eq!(
        control.cluster("demo").unwrap_err().code,
        ErrorCode::NotFound
    );
    let again = control.create_cluster(named("demo")).await.unwrap();
    assert!(again.cluster.id > made.cluster.id && again.cluster.prefix != made.cluster.prefix);
    drop(session);
    let root = server.stop_and_keep().await;
    let store = SqliteStore::open(&root.path().join("store.sqlite"))
        .await
        .unwrap();
    assert!(
        store
            .load()
            .await
            .unwrap()
            .iter()
            .all(|row| row.phase == Phase::Live)
    );
    store.close().await;
}

async fn left() {
    let server = Server::start().await;
    let control = &server.control;
    {
        let mut creating = Box::pin(control.create_cluster(named("demo")));
        // Once asked, it is on its way; then its caller goes.
        let first = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(creating.as_mut().poll(cx).is_ready())
        })
        .await;
        assert!(!first, "too quick to be left in the middle");
    }
    common::until("the cluster is made", || control.cluster("demo").is_ok()).await;
    assert_eq!(
        control.new_password("demo").await.unwrap().password.len(),
        16
    );
    server.stop().await;
}

async fn strays() {
    let server = Server::start().await;
    let root = server.stop_and_keep().await;
    let foreign = root.path().join("engines/41");
    std::fs::create_dir_all(&foreign).unwrap();
    let server = Server::open(root).await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    assert_eq!(made.cluster.id.0, 42);
    assert!(foreign.exists());
    server.stop().await;
}
