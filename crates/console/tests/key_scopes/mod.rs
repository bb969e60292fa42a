//! Scopes of API keys, for clusters, limits, the server, sessions and events.

use crate::support::Server;
use tidegate_control::{NewCluster, Scopes};
use tidegate_model::{Event, Journal};

pub async fn scopes_of_keys(server: &Server) {
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
