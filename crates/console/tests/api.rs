//! The API over real clusters: called as a function, and over its socket by its client. This test
//! has its own `main`, because the program is also executed to become an engine.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod key_scopes;
mod support;
mod versions;

use axum::http::StatusCode;
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use support::{Server, refusal};
use tempfile::TempDir;
use tidegate_console::types::{CreateCluster, LimitsWanted};
use tidegate_console::{Client, ClientError, ClusterFilter, ControlSocket, SessionFilter, socket};
use tidegate_model::{ClusterState, Trust};
use tokio::sync::oneshot;

fn main() {
    if std::env::args()
        .nth(1)
        .is_some_and(|arg| arg == "engine-exec")
    {
        tidegate_control::engine_exec_main();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tmp = tempfile::Builder::new()
            .permissions(PermissionsExt::from_mode(0o711))
            .tempdir()
            .unwrap();
        // Longer than the address of a socket can be.
        let data = tmp.path().join("d".repeat(60)).join("e".repeat(60));
        let server = Server::start(&data).await;
        as_a_function(&server).await;
        println!("test the_router_answers_as_a_function ... ok");
        pages_of_lists(&server).await;
        println!("test lists_are_answered_page_by_page ... ok");
        key_scopes::scopes_of_keys(&server).await;
        println!("test a_key_may_do_what_its_scopes_say ... ok");
        let server = over_the_socket(server, &tmp).await;
        println!("test the_client_does_everything_over_the_socket ... ok");
        server.control.shutdown().await;
    });
}

/// Returns the names of the clusters in a list.
fn names(list: &Value) -> Vec<String> {
    let rows = list["clusters"].as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Pages of clusters and sessions; `demo` exists.
async fn pages_of_lists(server: &Server) {
    let (status, _) = server
        .ask("POST", "/v1/clusters", Some(r#"{"name":"second"}"#))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, all) = server.ask("GET", "/v1/clusters", None).await;
    assert_eq!(names(&all), ["demo", "second"]);
    assert!(all.get("next").is_none(), "{all}");
    let (_, first) = server.ask("GET", "/v1/clusters?limit=1", None).await;
    assert_eq!(
        (names(&first), &first["next"]),
        (vec!["demo".to_owned()], &json!("demo"))
    );
    let (_, next) = server
        .ask("GET", "/v1/clusters?limit=1&after=demo", None)
        .await;
    assert_eq!(names(&next), ["second"]);
    assert!(next.get("next").is_none(), "{next}");
    let prefix = all["clusters"][1]["prefix"].as_str().unwrap();
    for (query, found) in [
        (format!("prefix={prefix}"), vec!["second"]),
        (format!("find={prefix}.root"), vec!["second"]),
        ("find=DEMO".to_owned(), vec!["demo"]),
        ("state=asleep&limit=1000".to_owned(), vec!["demo", "second"]),
        ("state=failed".to_owned(), vec![]),
    ] {
        let (status, list) = server
            .ask("GET", &format!("/v1/clusters?{query}"), None)
            .await;
        assert_eq!(
            (status, names(&list)),
            (
                StatusCode::OK,
                found.into_iter().map(str::to_owned).collect()
            ),
            "{query}"
        );
    }
    let long = format!("/v1/clusters?find={}", "x".repeat(101));
    for wrong in [
        "/v1/clusters?limit=0",
        "/v1/clusters?limit=1001",
        "/v1/clusters?limit=x",
        "/v1/clusters?after=-",
        "/v1/clusters?after=",
        "/v1/clusters?state=dead",
        "/v1/clusters?page=2",
        "/v1/sessions?limit=0",
        "/v1/sessions?after=-1",
        &long,
    ] {
        let (status, error) = server.ask("GET", wrong, None).await;
        assert_eq!(
            (status, &error["code"]),
            (StatusCode::BAD_REQUEST, &json!("bad_request")),
            "{wrong}"
        );
    }
    let id = server.control.cluster("second").await.unwrap().id;
    let own = ["root", "app", "root"].map(|user| {
        let session = server.sessions.open("127.0.0.1:9".parse().unwrap());
        session.admit(id, user, "TLS 1.3", 10).unwrap();
        session
    });
    let app_id = own[1].id().0;
    // The counter of the ids may start again in between.
    let mut ids = own.each_ref().map(|session| session.id().0);
    ids.sort();
    let (_, first) = server
        .ask("GET", "/v1/sessions?limit=2&cluster=second", None)
        .await;
    assert_eq!(first["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(first["next"], json!(ids[1]));
    let rest = format!("/v1/sessions?limit=2&cluster=second&after={}", ids[1]);
    let (_, rest) = server.ask("GET", &rest, None).await;
    assert_eq!(rest["sessions"][0]["id"], json!(ids[2]));
    assert!(rest.get("next").is_none(), "{rest}");
    let (_, app) = server
        .ask("GET", "/v1/sessions?user=app&limit=1", None)
        .await;
    assert_eq!(app["sessions"][0]["id"], json!(app_id));
    assert!(app.get("next").is_none(), "{app}");
    versions::changes_at_a_version(server).await;
}

async fn as_a_function(server: &Server) {
    assert_eq!(
        server.ask("GET", "/v1/clusters", None).await,
        (StatusCode::OK, json!({"clusters": []}))
    );
    let (status, made) = server
        .ask("POST", "/v1/clusters", Some(r#"{"name":"demo"}"#))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let prefix = made["prefix"].as_str().unwrap();
    assert_eq!(made["user"], format!("{prefix}.root"));
    assert_eq!(made["password"].as_str().unwrap().len(), 16);
    for (field, want) in [
        ("name", json!("demo")),
        ("host", json!("127.0.0.1")),
        ("port", json!(4000)),
        ("database", json!("test")),
        ("ca", json!("/somewhere/ca.pem")),
        ("state", json!("asleep")),
        ("sessions", json!(0)),
    ] {
        assert_eq!(made[field], want, "{field}");
    }
    assert!(
        made["created_at"].as_str().unwrap().ends_with('Z'),
        "{}",
        made["created_at"]
    );

    let (_, mut shown) = server.ask("GET", "/v1/clusters/demo", None).await;
    let usage = shown.as_object_mut().unwrap().remove("usage").unwrap();
    assert_eq!(
        (&usage["memory_bytes"], &usage["tasks"]),
        (&json!(0), &json!(0)),
        "asleep: {usage}"
    );
    let mut expected = made.clone();
    expected.as_object_mut().unwrap().remove("password");
    expected["events_running"] = false.into();
    assert_eq!(shown, expected, "the same without its password");

    errors_have_one_form(server).await;
    limits_change_one_by_one(server, &made["limits"]).await;
    settings_and_names(server).await;

    // Another certificate changes the answers at once.
    server.face.send_modify(|face| face.trust = Trust::Public);
    let (_, shown) = server.ask("GET", "/v1/clusters/demo", None).await;
    assert!(shown.as_object().unwrap().contains_key("ca") && shown["ca"].is_null());
    assert_eq!(
        server.ask("GET", "/v1/server", None).await.1["trust"],
        "public"
    );
}

/// A protected cluster can't be deleted, and a name belongs to one cluster.
async fn settings_and_names(server: &Server) {
    let demo = "/v1/clusters/demo";
    let on = r#"{"deletion_protection":true,"ping_holds":true}"#;
    let (status, changed) = server.ask("PATCH", demo, Some(on)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(changed["deletion_protection"], true);
    assert_eq!(changed["ping_holds"], true);
    let refused = server.error("DELETE", demo, None).await;
    assert_eq!(refused, refusal(409, "protected"));
    let off = r#"{"deletion_protection":false}"#;
    let (_, changed) = server.ask("PATCH", demo, Some(off)).await;
    assert_eq!(changed["deletion_protection"], false);
    assert_eq!(changed["ping_holds"], true, "it was not named");
    // All of a change or nothing.
    let both = r#"{"ping_holds":false,"limits":{"connections_max":0}}"#;
    let refused = server.error("PATCH", demo, Some(both)).await;
    assert_eq!(refused, refusal(400, "bad_limits"));
    assert_eq!(server.ask("GET", demo, None).await.1["ping_holds"], true);
    server
        .ask("PATCH", demo, Some(r#"{"ping_holds":false}"#))
        .await;

    let rename = "/v1/clusters/demo/rename";
    let (_, made) = server
        .ask("POST", "/v1/clusters", Some(r#"{"name":"second"}"#))
        .await;
    for (body, error) in [
        (r#"{"name":"second"}"#, refusal(409, "exists")),
        (r#"{"name":"A b"}"#, refusal(400, "bad_name")),
        (r#"{}"#, refusal(422, "bad_request")),
    ] {
        let got = server.error("POST", rename, Some(body)).await;
        assert_eq!(got, error, "{body}");
    }
    let second = "/v1/clusters/second/rename";
    let (status, renamed) = server
        .ask("POST", second, Some(r#"{"name":"third"}"#))
        .await;
    assert_eq!(
        (status, &renamed["name"]),
        (StatusCode::OK, &json!("third"))
    );
    assert_eq!(renamed["prefix"], made["prefix"]);
    let missing = server.error("POST", second, Some(r#"{"name":"x"}"#)).await;
    assert_eq!(missing, refusal(404, "not_found"));
    let (status, _) = server.ask("DELETE", "/v1/clusters/third", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
}

/// Errors that axum finds have the same form as all others.
async fn errors_have_one_form(server: &Server) {
    let limits = r#"{"limits":{"sleep_after_seconds":-1}}"#;
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(70_000));
    for (method, path, body, error) in [
        (
            "POST",
            "/v1/clusters",
            Some(r#"{"name":"demo"}"#),
            refusal(409, "exists"),
        ),
        (
            "POST",
            "/v1/clusters",
            Some(r#"{"name":"A b"}"#),
            refusal(400, "bad_name"),
        ),
        (
            "POST",
            "/v1/clusters",
            Some(r#"{"nmae":"x"}"#),
            refusal(422, "bad_request"),
        ),
        (
            "POST",
            "/v1/clusters",
            Some("{"),
            refusal(400, "bad_request"),
        ),
        (
            "POST",
            "/v1/clusters",
            Some(limits),
            refusal(400, "bad_limits"),
        ),
        (
            "POST",
            "/v1/clusters",
            Some(&large),
            refusal(413, "bad_request"),
        ),
        (
            "GET",
            "/v1/clusters/nobody",
            None,
            refusal(404, "not_found"),
        ),
        ("GET", "/v1/nothing", None, refusal(404, "no_route")),
        ("PUT", "/v1/clusters", None, refusal(405, "no_method")),
        (
            "DELETE",
            "/v1/sessions/abc",
            None,
            refusal(400, "bad_request"),
        ),
        (
            "DELETE",
            "/v1/sessions/2147483655",
            None,
            refusal(404, "not_found"),
        ),
    ] {
        let got = server.error(method, path, body).await;
        assert_eq!(got, error, "{method} {path} {body:?}");
    }
}

/// Limits change one by one, and a list is not accepted as an object.
async fn limits_change_one_by_one(server: &Server, before: &Value) {
    let (status, changed) = server
        .ask(
            "PATCH",
            "/v1/clusters/demo",
            Some(r#"{"limits":{"connections_max":7}}"#),
        )
        .await;
    assert_eq!(
        (status, &changed["limits"]["connections_max"]),
        (StatusCode::OK, &json!(7))
    );
    assert_eq!(
        changed["limits"]["sleep_after_seconds"],
        before["sleep_after_seconds"]
    );
    let machine = r#"{"limits":{"memory_max_bytes":268435456,"disk_max_bytes":1e9,"cpu_weight":50,"tasks_max":100}}"#;
    let (_, changed) = server
        .ask("PATCH", "/v1/clusters/demo", Some(machine))
        .await;
    for (limit, want) in [
        ("memory_max_bytes", 256 << 20),
        ("disk_max_bytes", 1_000_000_000),
        ("cpu_weight", 50),
        ("tasks_max", 100),
    ] {
        assert_eq!(changed["limits"][limit], json!(want), "{limit}");
    }
    for (limits, want) in [
        (
            r#"{"memory_max_bytes":0}"#,
            "memory_max of 0 is too small: the engine can't start with it",
        ),
        (r#"{"memory_max_bytes":134217727}"#, "is too small"),
        (r#"{"disk_max_bytes":1}"#, "is too small"),
        (r#"{"disk_max_bytes":9007199254740992}"#, "is too large"),
        (r#"{"cpu_weight":0}"#, "cpu_weight of 0 is out of range"),
        (r#"{"tasks_max":63}"#, "tasks_max of 63 is out of range"),
    ] {
        let body = format!(r#"{{"limits":{limits}}}"#);
        let (status, refused) = server.ask("PATCH", "/v1/clusters/demo", Some(&body)).await;
        assert_eq!(
            (status.as_u16(), &refused["code"]),
            (400, &json!("bad_limits")),
            "{limits}"
        );
        assert!(
            refused["message"].as_str().unwrap().contains(want),
            "{limits}: {refused}"
        );
    }
    for (body, error) in [
        (r#"{"allow_shrink_seconds":0}"#, refusal(400, "bad_limits")),
        (
            r#"{"allow_shrink_seconds":3601}"#,
            refusal(400, "bad_limits"),
        ),
        (
            r#"{"limits":{"connections_max":0}}"#,
            refusal(400, "bad_limits"),
        ),
        (
            r#"{"limits":{"sleep_after_seconds":1e300}}"#,
            refusal(400, "bad_limits"),
        ),
        (r#"{"limits":[7]}"#, refusal(422, "bad_request")),
        (r#"{"name":"other"}"#, refusal(422, "bad_request")),
    ] {
        let got = server.error("PATCH", "/v1/clusters/demo", Some(body)).await;
        assert_eq!(got, error, "{body}");
    }
    assert_eq!(
        server
            .ask(
                "PATCH",
                "/v1/clusters/demo",
                Some(r#"{"allow_shrink_seconds":600}"#)
            )
            .await
            .0,
        200
    );
    assert_eq!(
        server.ask("GET", "/v1/clusters/demo", None).await.1["limits"]["connections_max"],
        7
    );
}

async fn over_the_socket(server: Server, tmp: &TempDir) -> Server {
    let data = server.control.data().root().to_owned();
    assert!(socket::path(&data).as_os_str().len() > 107);
    let client = Client::new(&data);
    assert!(matches!(
        client.server().await,
        Err(ClientError::NoServer { .. })
    ));
    assert!(matches!(
        Client::new(tmp.path()).server().await,
        Err(ClientError::NoServer { .. })
    ));

    // A socket of a server that is gone is replaced.
    std::fs::write(socket::path(&data), "").unwrap();
    let bound = ControlSocket::bind(&data).unwrap();
    assert_eq!(
        socket::path(&data).metadata().unwrap().mode() & 0o777,
        0o600
    );
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(bound.serve(server.api(), async move { drop(stopped.await) }));

    let description = client.server().await.unwrap();
    assert_eq!(
        (description.pid, description.port, description.listeners),
        (std::process::id(), 4000, vec!["127.0.0.1:4000".to_owned()])
    );
    let limits = LimitsWanted {
        connections_max: Some(7),
        sleep_after_seconds: Some(1.5),
        ..LimitsWanted::default()
    };
    let made = client
        .create(&CreateCluster {
            limits,
            ..CreateCluster::default()
        })
        .await
        .unwrap();
    assert_eq!(
        (made.limits.connections_max, made.limits.sleep_after_seconds),
        (7, 2),
        "rounded up"
    );
    let first = made.password.clone().unwrap();
    assert!(!format!("{made:?}").contains(first.reveal()));
    assert_eq!(client.cluster(&made.name).await.unwrap().password, None);

    assert_eq!(
        client.wake(&made.name).await.unwrap().state,
        ClusterState::Awake
    );
    let second = client
        .password(&made.name, false)
        .await
        .unwrap()
        .password
        .unwrap();
    assert_ne!(first.reveal(), second.reveal());
    assert_eq!(
        client.sleep(&made.name).await.unwrap().state,
        ClusterState::Asleep
    );

    let id = server.control.cluster(&made.name).await.unwrap().id;
    let session = server.sessions.open("127.0.0.1:9".parse().unwrap());
    session.admit(id, "root", "TLS 1.3", 10).unwrap();
    let own = sessions_of(&made.name);
    let listed = client.sessions(&own).await.unwrap();
    assert_eq!(
        (listed[0].id, listed[0].cluster.as_deref()),
        (session.id().0, Some(made.name.as_str()))
    );
    let others = sessions_of("demo");
    assert!(client.sessions(&others).await.unwrap().is_empty());
    client
        .kill_session(u64::from(session.id().0))
        .await
        .unwrap();
    session.killed().await;

    client.delete(&made.name).await.unwrap();
    let gone = client.cluster(&made.name).await.unwrap_err();
    assert_eq!(gone.code(), Some("not_found"));
    assert!(gone.hint().contains("cluster list"));
    assert_eq!(
        client.cluster("../server").await.unwrap_err().code(),
        Some("not_found")
    );
    let all = client.clusters(&ClusterFilter::default()).await;
    assert_eq!(all.unwrap().len(), 1);

    let before = std::fs::read(data.join("ca.pem")).unwrap();
    let renewed = client.renew_ca().await.unwrap();
    assert_eq!(renewed.ca, data.join("ca.pem").display().to_string());
    assert_eq!(renewed.names, ["localhost", "127.0.0.1", "::1"]);
    assert_ne!(std::fs::read(data.join("ca.pem")).unwrap(), before);

    stop.send(()).unwrap();
    serving.await.unwrap();
    assert!(!socket::path(&data).exists());
    assert!(matches!(
        client.server().await,
        Err(ClientError::NoServer { .. })
    ));
    server
}

/// Returns the filter of the sessions of one cluster.
fn sessions_of(cluster: &str) -> SessionFilter {
    SessionFilter {
        cluster: Some(cluster.to_owned()),
        user: None,
    }
}
