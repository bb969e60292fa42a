//! The API over real clusters: as a function, and over its socket by its own client. A test program
//! with a `main` of its own, since it is also the program that becomes an engine.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tidegate_console::events::Events;
use tidegate_console::probe::NoProber;
use tidegate_console::types::{CreateCluster, LimitsWanted};
use tidegate_console::web::{Web, app};
use tidegate_console::{Api, Client, ClientError, ControlSocket, PublicFace, router, socket};
use tidegate_control::{Control, ControlSettings, DataDir, NewCluster, Scopes};
use tidegate_model::{ClusterState, Event, Journal, Sessions, Trust};
use tidegate_tls::{Identity, TlsSettings};
use tokio::sync::{oneshot, watch};

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
        // Longer than a socket's address.
        let data = tmp.path().join("d".repeat(60)).join("e".repeat(60));
        let server = Server::start(&data).await;
        as_a_function(&server).await;
        println!("test the_router_answers_as_a_function ... ok");
        scopes_of_keys(&server).await;
        println!("test a_key_may_do_what_its_scopes_say ... ok");
        let server = over_the_socket(server, &tmp).await;
        println!("test the_client_does_everything_over_the_socket ... ok");
        server.control.shutdown().await;
    });
}

struct Silent;

impl Journal for Silent {
    fn record(&self, _event: &Event) {}
}

struct Server {
    control: Control,
    sessions: Sessions,
    face: watch::Sender<PublicFace>,
    identity: Identity,
    events: Events,
}

impl Server {
    async fn start(data: &Path) -> Self {
        let dir = DataDir::lock(data).unwrap();
        // Every folder that was made on the way must let engines with users of their own pass.
        for folder in data.ancestors().take(2) {
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o711)).unwrap();
        }
        // As in the server: whoever makes `master.key` closes the folder, and the engines' room
        // opens it for them again.
        let identity = Identity::open(TlsSettings::new(data), |_| {}).unwrap();
        let settings = ControlSettings::new(&dir);
        let sessions = Sessions::default();
        let control = Control::open(dir, settings, sessions.clone(), Arc::new(Silent))
            .await
            .unwrap();
        let face = PublicFace {
            host: "127.0.0.1".to_owned(),
            port: 4000,
            trust: Trust::Local("/somewhere/ca.pem".into()),
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            listeners: vec!["127.0.0.1:4000".parse().unwrap()],
            console: None,
        };
        Self {
            control,
            sessions,
            face: watch::Sender::new(face),
            identity,
            events: Events::default(),
        }
    }

    fn api(&self) -> Api {
        Api {
            control: self.control.clone(),
            face: self.face.subscribe(),
            identity: self.identity.clone(),
            console_identity: None,
            events: self.events.clone(),
            prober: Arc::new(NoProber),
        }
    }

    /// Over HTTPS, with a key.
    async fn with_key(&self, key: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        let request = request
            .header("authorization", format!("Bearer {key}"))
            .body(Body::from(body.to_owned()))
            .unwrap();
        let web = app(Web::new(self.api(), 1_000));
        let response = TowerToHyperService::new(web).call(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (
            status,
            if bytes.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&bytes).unwrap()
            },
        )
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&str>) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        let request = request
            .body(Body::from(body.unwrap_or_default().to_owned()))
            .unwrap();
        let response = TowerToHyperService::new(router(self.api()))
            .call(request)
            .await
            .unwrap();
        let status = response.status();
        let id = response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let value = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap()
        };
        if status.is_client_error() || status.is_server_error() {
            let mut fields: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
            fields.sort();
            assert_eq!(fields, ["code", "hint", "message", "request_id"]);
            assert_eq!(value["request_id"], id.as_str());
            assert!(!value["hint"].as_str().unwrap().is_empty());
        }
        (status, value)
    }

    /// Status and code of an error.
    async fn error(&self, method: &str, path: &str, body: Option<&str>) -> (u16, String) {
        let (status, value) = self.ask(method, path, body).await;
        (
            status.as_u16(),
            value["code"].as_str().unwrap_or_default().to_owned(),
        )
    }
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
    assert_eq!(shown, expected, "the same without its password");

    // What is no request of ours gets the same shape of error as everything else.
    let error = async |method, path, body| server.error(method, path, body).await;
    let is = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(
        error("POST", "/v1/clusters", Some(r#"{"name":"demo"}"#)).await,
        is(409, "exists")
    );
    assert_eq!(
        error("POST", "/v1/clusters", Some(r#"{"name":"A b"}"#)).await,
        is(400, "bad_name")
    );
    assert_eq!(
        error("POST", "/v1/clusters", Some(r#"{"nmae":"x"}"#)).await,
        is(422, "bad_request")
    );
    assert_eq!(
        error("POST", "/v1/clusters", Some("{")).await,
        is(400, "bad_request")
    );
    let limits = r#"{"limits":{"sleep_after_seconds":-1}}"#;
    assert_eq!(
        error("POST", "/v1/clusters", Some(limits)).await,
        is(400, "bad_limits")
    );
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(70_000));
    assert_eq!(
        error("POST", "/v1/clusters", Some(&large)).await,
        is(413, "bad_request")
    );
    assert_eq!(
        error("GET", "/v1/clusters/nobody", None).await,
        is(404, "not_found")
    );
    assert_eq!(error("GET", "/v1/nothing", None).await, is(404, "no_route"));
    assert_eq!(
        error("PUT", "/v1/clusters", None).await,
        is(405, "no_method")
    );
    assert_eq!(
        error("DELETE", "/v1/sessions/abc", None).await,
        is(400, "bad_request")
    );
    assert_eq!(
        error("DELETE", "/v1/sessions/2147483655", None).await,
        is(404, "not_found")
    );

    // Limits change one by one, and a list is no object.
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
        made["limits"]["sleep_after_seconds"]
    );
    let patch = async |body| server.error("PATCH", "/v1/clusters/demo", Some(body)).await;
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
    assert_eq!(
        patch(r#"{"allow_shrink_seconds":0}"#).await,
        is(400, "bad_limits")
    );
    assert_eq!(
        patch(r#"{"allow_shrink_seconds":3601}"#).await,
        is(400, "bad_limits")
    );
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
        patch(r#"{"limits":{"connections_max":0}}"#).await,
        is(400, "bad_limits")
    );
    assert_eq!(
        patch(r#"{"limits":{"sleep_after_seconds":1e300}}"#).await,
        is(400, "bad_limits")
    );
    assert_eq!(patch(r#"{"limits":[7]}"#).await, is(422, "bad_request"));
    assert_eq!(patch(r#"{"name":"other"}"#).await, is(422, "bad_request"));
    assert_eq!(
        server.ask("GET", "/v1/clusters/demo", None).await.1["limits"]["connections_max"],
        7
    );

    // A swapped certificate changes what is told, at once.
    server.face.send_modify(|face| face.trust = Trust::Public);
    let (_, shown) = server.ask("GET", "/v1/clusters/demo", None).await;
    assert!(shown.as_object().unwrap().contains_key("ca") && shown["ca"].is_null());
    assert_eq!(
        server.ask("GET", "/v1/server", None).await.1["trust"],
        "public"
    );
}

async fn scopes_of_keys(server: &Server) {
    let key = async |name: &str, scopes: &str| {
        server
            .control
            .create_key(name, Scopes::parse(scopes).unwrap(), None)
            .await
            .ok()
            .unwrap()
            .token
    };
    let (all, read, shop) = (
        key("all", "all").await,
        key("read", "read").await,
        key("shop", "clusters:shop-*").await,
    );
    let both = key("both", "read,clusters:shop-*").await;
    let made = server
        .control
        .create_cluster(NewCluster {
            name: Some("bank".to_owned()),
            ..NewCluster::default()
        })
        .await;
    let bank = made.ok().unwrap().cluster;
    let code = async |key: &str, method: &str, path: &str, body: &str| {
        let (status, value) = server.with_key(key, method, path, body).await;
        (
            status,
            value["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let is = |status: u16, code: &str| (status, code.to_owned());

    // No key makes, lists or revokes keys, and none makes an operator.
    for key in [&all, &read, &shop, &both] {
        let wanted = r#"{"name":"longer","scopes":["all"]}"#;
        assert_eq!(
            code(key, "POST", "/v1/keys", wanted).await,
            is(403, "only_local")
        );
        assert_eq!(
            code(key, "GET", "/v1/keys", "").await,
            is(403, "only_local")
        );
        assert_eq!(
            code(key, "DELETE", "/v1/keys/read", "").await,
            is(403, "only_local")
        );
        assert_eq!(
            code(key, "POST", "/v1/operator/link", "").await,
            is(403, "only_local")
        );
        assert_eq!(
            code(key, "GET", "/v1/nothing", "").await,
            is(404, "no_route")
        );
        assert_eq!(
            code(key, "PUT", "/v1/clusters", "").await,
            is(405, "no_method")
        );
    }
    assert_eq!(server.control.keys().len(), 4);

    // Clusters by name.
    assert_eq!(
        code(&read, "POST", "/v1/clusters", r#"{"name":"x"}"#).await,
        is(403, "out_of_scope")
    );
    for body in [r#"{"name":"bank-2"}"#, "{}"] {
        assert_eq!(
            code(&shop, "POST", "/v1/clusters", body).await,
            is(403, "out_of_scope")
        );
    }
    let (status, made) = server
        .with_key(&shop, "POST", "/v1/clusters", r#"{"name":"shop-1"}"#)
        .await;
    assert_eq!((status, made["password"].is_string()), (201, true));
    let names = async |key: &str| {
        let (_, list) = server.with_key(key, "GET", "/v1/clusters", "").await;
        list["clusters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&shop).await, ["shop-1"]);
    assert!(
        names(&read).await.len() == 3
            && names(&both).await.len() == 3
            && names(&all).await.len() == 3
    );
    for (method, path) in [
        ("GET", ""),
        ("GET", "/events"),
        ("GET", "/connect?with=mysql"),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/sleep"),
        ("POST", "/wake"),
        ("POST", "/password"),
        ("POST", "/test"),
    ] {
        let mut hidden = server
            .with_key(&shop, method, &format!("/v1/clusters/bank{path}"), "{}")
            .await;
        let mut missing = server
            .with_key(&shop, method, &format!("/v1/clusters/nobody{path}"), "{}")
            .await;
        for answer in [&mut hidden, &mut missing] {
            answer.1.as_object_mut().unwrap().remove("request_id");
        }
        let text = hidden.1.to_string().replace("bank", "nobody");
        assert_eq!(
            (hidden.0, text),
            (missing.0, missing.1.to_string()),
            "{method} {path}: as if it did not exist"
        );
        assert_eq!(hidden.0, 404, "{method} {path}");
        let (read_status, read_code) =
            code(&read, method, &format!("/v1/clusters/bank{path}"), "{}").await;
        match method {
            "GET" => assert_eq!(read_status, 200, "{path}"),
            _ => assert_eq!(
                (read_status, read_code.as_str()),
                (403, "out_of_scope"),
                "{method} {path}"
            ),
        }
        if method != "GET" {
            assert_eq!(
                code(&both, method, &format!("/v1/clusters/bank{path}"), "{}").await,
                is(403, "out_of_scope")
            );
        }
    }
    limits_and_server(server, [&all, &read, &shop]).await;
    sessions_and_events(server, [&all, &read, &shop], bank.id).await;
    for name in ["bank", "shop-1"] {
        assert_eq!(
            server
                .with_key(&all, "DELETE", &format!("/v1/clusters/{name}"), "")
                .await
                .0,
            204
        );
    }
}

async fn limits_and_server(server: &Server, [all, read, shop]: [&str; 3]) {
    let path = "/v1/clusters/shop-1";
    let patch = async |key: &str, limits: &str| {
        let (status, answer) = server
            .with_key(key, "PATCH", path, &format!(r#"{{"limits":{limits}}}"#))
            .await;
        (
            status,
            answer["message"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(
        patch(shop, r#"{"connections_max":200,"sleep_after_seconds":10}"#)
            .await
            .0,
        200
    );
    for limits in [
        r#"{"connections_max":201}"#,
        r#"{"sleep_after_seconds":301}"#,
    ] {
        let (status, message) = patch(shop, limits).await;
        assert!(
            status == 403 && message.contains("above this server's default"),
            "{status} {message}"
        );
    }
    assert_eq!(patch(all, r#"{"connections_max":201}"#).await.0, 200);
    let create = r#"{"name":"shop-2","limits":{"connections_max":201}}"#;
    assert_eq!(
        server
            .with_key(shop, "POST", "/v1/clusters", create)
            .await
            .0,
        403
    );
    for key in [all, read, shop] {
        assert_eq!(server.with_key(key, "GET", "/v1/server", "").await.0, 200);
        assert_eq!(server.with_key(key, "HEAD", "/v1/server", "").await.0, 200);
    }
    for key in [read, shop] {
        for path in [
            "/v1/server/ca",
            "/v1/certificate/renew",
            "/v1/certificate/import",
            "/v1/certificate/check",
        ] {
            assert_eq!(
                server.with_key(key, "POST", path, "{}").await.0,
                403,
                "{path}"
            );
        }
    }
}

async fn sessions_and_events(
    server: &Server,
    [all, read, shop]: [&str; 3],
    bank: tidegate_model::ClusterId,
) {
    let of_shop = server.control.cluster("shop-1").unwrap().id;
    let open = |cluster| {
        let session = server.sessions.open("127.0.0.1:9".parse().unwrap());
        session.admit(cluster, "root", "TLS 1.3", 10).unwrap();
        session
    };
    let (theirs, ours) = (open(bank), open(of_shop));
    let list = async |key: &str, query: &str| {
        let (status, list) = server
            .with_key(key, "GET", &format!("/v1/sessions{query}"), "")
            .await;
        (status, list["sessions"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(
        (
            list(all, "").await,
            list(read, "").await,
            list(shop, "").await
        ),
        ((200, 2), (200, 2), (200, 1))
    );
    assert_eq!(list(shop, "?cluster=bank").await.0, 404);
    let kill = async |key: &str, id: u32| {
        server
            .with_key(key, "DELETE", &format!("/v1/sessions/{id}"), "")
            .await
            .0
    };
    assert_eq!(
        (
            kill(read, ours.id().0).await,
            kill(read, theirs.id().0).await
        ),
        (404, 404)
    );
    assert_eq!(
        (
            kill(shop, theirs.id().0).await,
            kill(shop, ours.id().0).await
        ),
        (404, 204)
    );
    ours.killed().await;
    assert_eq!(kill(all, theirs.id().0).await, 204);

    let closed = |cluster, message: &str| {
        Event::ConnectionClosed(Box::new(tidegate_model::journal::ConnectionClosed {
            session: theirs.id(),
            client: "127.0.0.1:9".parse().unwrap(),
            via: None,
            facts: tidegate_model::journal::ConnectionFacts {
                cluster: Some(cluster),
                ..Default::default()
            },
            open: std::time::Duration::ZERO,
            end: tidegate_model::journal::Ending::EngineRefused {
                code: 1049,
                message: message.to_owned(),
            },
        }))
    };
    server.events.record(&closed(of_shop, "SELECT secret"));
    let meaning = async |key: &str| {
        let (_, events) = server
            .with_key(key, "GET", "/v1/clusters/shop-1/events", "")
            .await;
        events["refusals"][0]["meaning"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(meaning(read).await, "refused by the engine");
    assert_eq!(
        (meaning(shop).await, meaning(all).await),
        ("SELECT secret".to_owned(), "SELECT secret".to_owned())
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

    // A socket that a dead server left is no obstacle.
    std::fs::write(socket::path(&data), "").unwrap();
    let bound = ControlSocket::bind(&data).unwrap();
    assert_eq!(
        socket::path(&data).metadata().unwrap().mode() & 0o777,
        0o600
    );
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(bound.serve(server.api(), async move { drop(stopped.await) }));

    let facts = client.server().await.unwrap();
    assert_eq!(
        (facts.pid, facts.port, facts.listeners),
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
        (7, 1.5)
    );
    let first = made.password.clone().unwrap();
    assert!(!format!("{made:?}").contains(first.reveal()));
    assert_eq!(client.cluster(&made.name).await.unwrap().password, None);

    assert_eq!(
        client.wake(&made.name).await.unwrap().state,
        ClusterState::Awake
    );
    let second = client.password(&made.name).await.unwrap().password.unwrap();
    assert_ne!(first.reveal(), second.reveal());
    assert_eq!(
        client.sleep(&made.name).await.unwrap().state,
        ClusterState::Asleep
    );

    let id = server.control.cluster(&made.name).unwrap().id;
    let session = server.sessions.open("127.0.0.1:9".parse().unwrap());
    session.admit(id, "root", "TLS 1.3", 10).unwrap();
    let listed = client.sessions(Some(&made.name)).await.unwrap();
    assert_eq!(
        (listed[0].id, listed[0].cluster.as_deref()),
        (session.id().0, Some(made.name.as_str()))
    );
    assert!(client.sessions(Some("demo")).await.unwrap().is_empty());
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
    assert_eq!(client.clusters().await.unwrap().len(), 1);

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
