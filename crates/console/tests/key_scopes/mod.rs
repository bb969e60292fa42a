//! Scopes of API keys, for clusters, limits, the server, sessions and events.

mod read_scope;

use crate::support::{Server, refusal};
use tidegate_control::NewCluster;
use tidegate_model::{ClusterId, Event, Journal, SessionId};

pub async fn scopes_of_keys(server: &Server) {
    let all = server.new_key("all", "all").await;
    let read = server.new_key("read", "read").await;
    let shop = server.new_key("shop", "clusters:shop-*").await;
    let both = server.new_key("both", "read,clusters:shop-*").await;
    let made = server
        .control
        .create_cluster(NewCluster {
            name: Some("bank".to_owned()),
            ..NewCluster::default()
        })
        .await;
    let bank = made.ok().unwrap().cluster;
    keys_and_links_are_only_local(server, [&all, &read, &shop, &both]).await;
    assert_eq!(server.control.keys().len(), 4);
    clusters_by_name(server, &all, &read, &shop, &both).await;
    limits_and_server(server, [&all, &read, &shop]).await;
    sessions_and_events(server, [&all, &read, &shop], bank.id).await;
    read_scope::shows_no_contents(server, &all, &read).await;
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

/// No key can create, list or revoke keys, or create sign-in links.
async fn keys_and_links_are_only_local(server: &Server, keys: [&str; 4]) {
    for key in keys {
        let wanted = r#"{"name":"longer","scopes":["all"]}"#;
        assert_eq!(
            server.key_error(key, "POST", "/v1/keys", wanted).await,
            refusal(403, "only_local")
        );
        assert_eq!(
            server.key_error(key, "GET", "/v1/keys", "").await,
            refusal(403, "only_local")
        );
        assert_eq!(
            server.key_error(key, "DELETE", "/v1/keys/read", "").await,
            refusal(403, "only_local")
        );
        assert_eq!(
            server.key_error(key, "POST", "/v1/operator/link", "").await,
            refusal(403, "only_local")
        );
        assert_eq!(
            server.key_error(key, "GET", "/v1/nothing", "").await,
            refusal(404, "no_route")
        );
        assert_eq!(
            server.key_error(key, "PUT", "/v1/clusters", "").await,
            refusal(405, "no_method")
        );
    }
}

async fn clusters_by_name(server: &Server, all: &str, read: &str, shop: &str, both: &str) {
    assert_eq!(
        server
            .key_error(read, "POST", "/v1/clusters", r#"{"name":"x"}"#)
            .await,
        refusal(403, "out_of_scope")
    );
    for body in [r#"{"name":"bank-2"}"#, "{}"] {
        assert_eq!(
            server.key_error(shop, "POST", "/v1/clusters", body).await,
            refusal(403, "out_of_scope")
        );
    }
    let (status, made) = server
        .with_key(shop, "POST", "/v1/clusters", r#"{"name":"shop-1"}"#)
        .await;
    assert_eq!((status, made["password"].is_string()), (201, true));
    assert_eq!(cluster_names(server, shop).await, ["shop-1"]);
    for key in [read, both, all] {
        assert_eq!(cluster_names(server, key).await.len(), 3);
    }
    let rename = "/v1/clusters/shop-1/rename";
    for outside in ["bank", "bank-1"] {
        let body = format!(r#"{{"name":"{outside}"}}"#);
        let got = server.key_error(shop, "POST", rename, &body).await;
        assert_eq!(got, refusal(403, "out_of_scope"), "{outside}");
    }
    let (status, _) = server
        .with_key(shop, "POST", rename, r#"{"name":"shop-2"}"#)
        .await;
    assert_eq!(status, 200);
    let back = "/v1/clusters/shop-2/rename";
    let (status, _) = server
        .with_key(shop, "POST", back, r#"{"name":"shop-1"}"#)
        .await;
    assert_eq!(status, 200);
    hidden_clusters_look_missing(server, read, shop, both).await;
}

async fn cluster_names(server: &Server, key: &str) -> Vec<String> {
    let (_, list) = server.with_key(key, "GET", "/v1/clusters", "").await;
    let clusters = list["clusters"].as_array().unwrap();
    clusters
        .iter()
        .map(|cluster| cluster["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Answers about a cluster that a key may not see are the same as about one that does not exist.
async fn hidden_clusters_look_missing(server: &Server, read: &str, shop: &str, both: &str) {
    for (method, path) in [
        ("GET", ""),
        ("GET", "/events"),
        ("GET", "/connect?with=mysql"),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/rename"),
        ("POST", "/sleep"),
        ("POST", "/wake"),
        ("POST", "/password"),
        ("POST", "/test"),
    ] {
        let mut hidden = server
            .with_key(shop, method, &format!("/v1/clusters/bank{path}"), "{}")
            .await;
        let mut missing = server
            .with_key(shop, method, &format!("/v1/clusters/nobody{path}"), "{}")
            .await;
        for answer in [&mut hidden, &mut missing] {
            answer.1.as_object_mut().unwrap().remove("request_id");
        }
        let text = hidden.1.to_string().replace("bank", "nobody");
        assert_eq!(
            (hidden.0, text),
            (missing.0, missing.1.to_string()),
            "{method} {path}: the answer for a missing cluster"
        );
        assert_eq!(hidden.0, 404, "{method} {path}");
        let (read_status, read_code) = server
            .key_error(read, method, &format!("/v1/clusters/bank{path}"), "{}")
            .await;
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
                server
                    .key_error(both, method, &format!("/v1/clusters/bank{path}"), "{}")
                    .await,
                refusal(403, "out_of_scope")
            );
        }
    }
}

async fn limits_and_server(server: &Server, [all, read, shop]: [&str; 3]) {
    let path = "/v1/clusters/shop-1";
    let lower = r#"{"limits":{"connections_max":200,"sleep_after_seconds":10}}"#;
    assert_eq!(server.with_key(shop, "PATCH", path, lower).await.0, 200);
    for limits in [
        r#"{"limits":{"connections_max":201}}"#,
        r#"{"limits":{"sleep_after_seconds":301}}"#,
    ] {
        let (status, answer) = server.with_key(shop, "PATCH", path, limits).await;
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(
            status == 403 && message.contains("above this server's default"),
            "{status} {message}"
        );
    }
    let higher = r#"{"limits":{"connections_max":201}}"#;
    assert_eq!(server.with_key(all, "PATCH", path, higher).await.0, 200);
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

async fn sessions_and_events(server: &Server, [all, read, shop]: [&str; 3], bank: ClusterId) {
    let of_shop = server.control.cluster("shop-1").await.unwrap().id;
    let [theirs, ours] = [bank, of_shop].map(|cluster| {
        let session = server.sessions.open("127.0.0.1:9".parse().unwrap());
        session.admit(cluster, "root", "TLS 1.3", 10).unwrap();
        session
    });
    assert_eq!(session_count(server, all, "").await, (200, 2));
    assert_eq!(session_count(server, read, "").await, (200, 2));
    assert_eq!(session_count(server, shop, "").await, (200, 1));
    assert_eq!(session_count(server, shop, "?cluster=bank").await.0, 404);
    for (key, id, status) in [
        (read, ours.id(), 404),
        (read, theirs.id(), 404),
        (shop, theirs.id(), 404),
        (shop, ours.id(), 204),
    ] {
        let path = format!("/v1/sessions/{}", id.0);
        assert_eq!(server.with_key(key, "DELETE", &path, "").await.0, status);
    }
    ours.killed().await;
    let path = format!("/v1/sessions/{}", theirs.id().0);
    assert_eq!(server.with_key(all, "DELETE", &path, "").await.0, 204);

    server
        .events
        .record(&refused_by_engine(theirs.id(), of_shop, "SELECT secret"));
    for (key, meaning) in [
        (read, "refused by the engine"),
        (shop, "SELECT secret"),
        (all, "SELECT secret"),
    ] {
        let path = "/v1/clusters/shop-1/events";
        let (_, events) = server.with_key(key, "GET", path, "").await;
        assert_eq!(events["refusals"][0]["meaning"], meaning);
    }
}

/// Status and number of the sessions in a list.
async fn session_count(server: &Server, key: &str, query: &str) -> (u16, usize) {
    let path = format!("/v1/sessions{query}");
    let (status, list) = server.with_key(key, "GET", &path, "").await;
    (status, list["sessions"].as_array().map_or(0, Vec::len))
}

fn refused_by_engine(session: SessionId, cluster: ClusterId, message: &str) -> Event {
    Event::ConnectionClosed(Box::new(tidegate_model::journal::ConnectionClosed {
        session,
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
}
