//! Repeated writes with an idempotency key: each is executed once, whatever happens to the client's
//! connection or to the server. This test has its own `main`, because the program is also executed
//! to become an engine, and to become a server that ends with kill -9.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod crashes;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each test program uses its own part")]
mod support;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::Server;
use tidegate_console::router;
use tidegate_control::OperationStep;
use tidegate_model::{Claim, Directory, PrefixTag, Verifier};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == "engine-exec") {
        tidegate_control::engine_exec_main();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    if let [_, what, case, data] = args.as_slice()
        && what == "crash-in"
    {
        runtime.block_on(crashes::crash_in(case.parse().unwrap(), Path::new(data)));
        return;
    }
    runtime.block_on(async {
        let tmp = tempfile::Builder::new()
            .permissions(PermissionsExt::from_mode(0o711))
            .tempdir()
            .unwrap();
        let data = tmp.path().join("data");
        let server = Server::start_with(&data, |settings| {
            settings.after_step = Some(note_step);
        })
        .await;
        let mut answers = first_answers(&server).await;
        println!("test a_repeated_write_gets_its_first_answer ... ok");
        refusals_are_not_kept(&server).await;
        println!("test a_refused_write_is_executed_again ... ok");
        bad_keys(&server).await;
        println!("test a_bad_key_is_refused ... ok");
        running_requests(&server).await;
        println!("test a_write_goes_on_without_its_client ... ok");
        server.control.shutdown().await;
        no_secret_in_the_store(&data, &answers);
        drop(server);

        let server = restart(&data).await;
        for call in &mut answers {
            let again = call.ask(&server).await;
            assert_eq!(again, call.first(), "{call:?} after a restart");
        }
        println!("test a_restarted_server_repeats_its_answers ... ok");
        after_a_rotation(&server, &answers).await;
        println!("test an_answer_of_a_replaced_master_key_is_not_executed_again ... ok");
        server.control.shutdown().await;
        drop(server);

        crashes::killed_in_each_write(&data).await;
        println!("test a_write_that_a_crash_interrupted_is_done_once ... ok");
    });
}

/// Whether a cluster is being created.
static RESERVED: AtomicBool = AtomicBool::new(false);

fn note_step(step: OperationStep) {
    if step == OperationStep::CreateReserved {
        RESERVED.store(true, Ordering::Release);
    }
}

/// Starts a server again.
pub async fn restart(data: &Path) -> Server {
    wait_for_data(data).await;
    Server::start(data).await
}

/// Waits until the former server has let the folder go, which is a moment after its shutdown.
pub async fn wait_for_data(data: &Path) {
    for _ in 0..6_000 {
        if tidegate_control::DataDir::lock(data).is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the data directory is not let go in a minute");
}

/// Answer to a request with an idempotency key.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub is_replayed: bool,
    pub body: Value,
}

impl Answer {
    fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

/// A request with an idempotency key.
#[derive(Debug, Clone)]
pub struct Call {
    pub key: String,
    pub method: &'static str,
    pub path: String,
    pub body: String,
    first: Option<Answer>,
}

impl Call {
    pub fn new(key: &str, method: &'static str, path: &str, body: &str) -> Self {
        Self {
            key: key.to_owned(),
            method,
            path: path.to_owned(),
            body: body.to_owned(),
            first: None,
        }
    }

    fn request(&self) -> Request<Body> {
        Request::builder()
            .method(self.method)
            .uri(&self.path)
            .header("content-type", "application/json")
            .header("idempotency-key", &self.key)
            .body(Body::from(self.body.clone()))
            .unwrap()
    }

    pub async fn ask(&self, server: &Server) -> Answer {
        send(server, self.request()).await
    }

    /// Answer that a repetition should get.
    fn first(&self) -> Answer {
        Answer {
            is_replayed: true,
            ..self.first.clone().unwrap()
        }
    }

    /// Sends the request twice: the second answer is the first one.
    async fn twice(mut self, server: &Server, status: u16) -> Self {
        let first = self.ask(server).await;
        assert_eq!(
            (first.status, first.is_replayed),
            (status, false),
            "{self:?}"
        );
        self.first = Some(first);
        assert_eq!(self.ask(server).await, self.first(), "{self:?}");
        self
    }
}

async fn send(server: &Server, request: Request<Body>) -> Answer {
    let response = TowerToHyperService::new(router(server.api()))
        .call(request)
        .await
        .unwrap();
    let headers = response.headers().clone();
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    assert_eq!(headers.contains_key("content-type"), !bytes.is_empty());
    Answer {
        status,
        is_replayed: headers.contains_key("idempotency-replayed"),
        body: match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).unwrap(),
        },
    }
}

/// Names of all clusters.
pub async fn clusters(server: &Server) -> Vec<String> {
    let all = server.control.clusters().await.unwrap();
    all.into_iter().map(|view| view.name.to_string()).collect()
}

/// Whether a user has this password, by the copy of the sleeping cluster's accounts.
pub async fn is_password(server: &Server, cluster: &str, user: &str, password: &str) -> bool {
    server.control.sleep_cluster(cluster).await.unwrap();
    let prefix = server.control.cluster(cluster).await.unwrap().prefix;
    let claim = Claim {
        names: vec![user.to_owned()],
        client: "203.0.113.9".parse().unwrap(),
    };
    let found = server.control.find(&prefix, PrefixTag(7), &claim).await;
    let tenant = found.unwrap().tenant().cloned().unwrap();
    let hash = Verifier::Native(Sha1::digest(Sha1::digest(password)).into());
    tenant
        .accounts
        .iter()
        .any(|a| a.user == user && a.verifiers.contains(&hash))
}

/// Writes of every kind, and their repetitions. Returns them with their answers.
async fn first_answers(server: &Server) -> Vec<Call> {
    let create = Call::new("1", "POST", "/v1/clusters", r#"{"name":"demo"}"#);
    let create = create.twice(server, 201).await;
    let unnamed = Call::new("2", "POST", "/v1/clusters", "{}");
    let unnamed = unnamed.twice(server, 201).await;
    assert_eq!(clusters(server).await.len(), 2, "each was created once");
    let name = unnamed.first().body["name"].as_str().unwrap().to_owned();
    let delete = Call::new("3", "DELETE", &format!("/v1/clusters/{name}"), "");
    let delete = delete.twice(server, 204).await;
    let password = Call::new("4", "POST", "/v1/clusters/demo/password", "");
    let password = password.twice(server, 200).await;
    let current = password.first().body["password"].clone();
    assert!(is_password(server, "demo", "root", current.as_str().unwrap()).await);
    let key = Call::new("5", "POST", "/v1/keys", r#"{"name":"k","scopes":["all"]}"#);
    let key = key.twice(server, 201).await;
    assert_eq!(server.control.keys().len(), 1);

    // The same key for something else.
    for (method, path, body) in [
        ("POST", "/v1/clusters", r#"{"name":"other"}"#),
        ("POST", "/v1/clusters/demo/sleep", r#"{"name":"demo"}"#),
        ("PATCH", "/v1/clusters/demo", r#"{"name":"demo"}"#),
    ] {
        let other = Call::new("1", method, path, body).ask(server).await;
        assert_eq!(other.refusal(), (422, "idempotency_key_reused"), "{path}");
    }
    // A read has no use for it.
    let read = Call::new("1", "GET", "/v1/clusters/demo", "");
    let read = read.ask(server).await;
    assert_eq!((read.status, read.is_replayed), (200, false));
    // Keys of another caller are other keys.
    let token = key.first().body["key"].as_str().unwrap().to_owned();
    let (mut head, body) = create.request().into_parts();
    let bearer = format!("Bearer {token}").parse().unwrap();
    head.headers.insert("authorization", bearer);
    let web = tidegate_console::web::app(tidegate_console::web::Web::new(server.api(), 1_000));
    let response = TowerToHyperService::new(web)
        .call(Request::from_parts(head, body))
        .await
        .unwrap();
    assert_eq!(response.status(), 409, "the name is taken");
    vec![create, unnamed, delete, password, key]
}

async fn refusals_are_not_kept(server: &Server) {
    let create = Call::new("6", "POST", "/v1/clusters", r#"{"name":"second"}"#);
    let first = Call::new("7", "POST", "/v1/clusters", r#"{"name":"second"}"#);
    first.twice(server, 201).await;
    for _ in 0..2 {
        let refused = create.ask(server).await;
        assert_eq!(refused.refusal(), (409, "exists"));
    }
    let delete = Call::new("8", "DELETE", "/v1/clusters/second", "");
    delete.twice(server, 204).await;
    create.twice(server, 201).await;
    let unknown = Call::new("9", "PUT", "/v1/clusters", "");
    assert_eq!(unknown.ask(server).await.refusal(), (405, "no_method"));
    let unknown = Call::new("9", "POST", "/v1/nothing", "");
    assert_eq!(unknown.ask(server).await.refusal(), (404, "no_route"));
    let large = "x".repeat(70_000);
    let large = Call::new("9", "POST", "/v1/clusters", &large);
    assert_eq!(large.ask(server).await.refusal(), (413, "bad_request"));
}

async fn bad_keys(server: &Server) {
    let path = "/v1/clusters/demo/sleep";
    let long = "x".repeat(256);
    for key in ["", " ", &long, "a\tb", "caf\u{e9}"] {
        let refused = Call::new(key, "POST", path, "").ask(server).await;
        assert_eq!(refused.refusal(), (400, "bad_idempotency_key"), "{key:?}");
    }
    let (mut head, body) = Call::new("a", "POST", path, "").request().into_parts();
    head.headers.append("idempotency-key", "b".parse().unwrap());
    let refused = send(server, Request::from_parts(head, body)).await;
    assert_eq!(refused.refusal(), (400, "bad_idempotency_key"), "two");
    for key in [&long[1..], "\"a b\"", "~"] {
        Call::new(key, "POST", path, "").twice(server, 200).await;
    }
}

async fn running_requests(server: &Server) {
    let create = Call::new("10", "POST", "/v1/clusters", r#"{"name":"slow"}"#);
    let other = Call::new("10", "POST", "/v1/clusters", r#"{"name":"fast"}"#);
    RESERVED.store(false, Ordering::Release);
    let service = TowerToHyperService::new(router(server.api()));
    let mut client = Box::pin(service.call(create.request()));
    while !RESERVED.load(Ordering::Acquire) {
        tokio::select! {
            answer = &mut client => panic!("{answer:?}"),
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
        let reused = other.ask(server).await;
        assert_eq!(reused.refusal(), (422, "idempotency_key_reused"));
    }
    // The client closes its connection.
    drop(client);
    for _ in 0..60_000 {
        let again = create.ask(server).await;
        if again.refusal() == (409, "in_progress") {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        assert_eq!((again.status, again.is_replayed), (201, true), "{again:?}");
        let password = again.body["password"].as_str().unwrap();
        assert!(is_password(server, "slow", "root", password).await);
        assert_eq!(clusters(server).await, ["demo", "second", "slow"]);
        return;
    }
    panic!("no answer after 60,000 repetitions");
}

/// Neither a password nor a key is in the store's files.
fn no_secret_in_the_store(data: &Path, answers: &[Call]) {
    let mut secrets = 0;
    for field in ["password", "key"] {
        for call in answers {
            let Some(secret) = call.first().body[field].as_str().map(str::to_owned) else {
                continue;
            };
            secrets += 1;
            for entry in std::fs::read_dir(data).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let bytes = std::fs::read(&path).unwrap();
                    let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
                    assert!(!found, "{call:?} in {}", path.display());
                }
            }
        }
    }
    assert_eq!(secrets, 4);
}

async fn after_a_rotation(server: &Server, answers: &[Call]) {
    let before = clusters(server).await;
    let rotate = Call::new("11", "POST", "/v1/server/master-key", "");
    rotate.twice(server, 200).await;
    for call in answers {
        let again = call.ask(server).await;
        assert_eq!(again.refusal(), (409, "outcome_unknown"), "{call:?}");
    }
    assert_eq!(clusters(server).await, before);
    let fresh = Call::new("12", "POST", "/v1/clusters/demo/sleep", "");
    let fresh = fresh.twice(server, 200).await;
    assert_eq!(fresh.first().body["name"], json!("demo"));
}
