//! Server without a network for the API's tests: they call the API as a function.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tidegate_console::events::Events;
use tidegate_console::probe::NoProber;
use tidegate_console::web::{Web, app};
use tidegate_console::{Api, PublicFace, router};
use tidegate_control::{Control, ControlSettings, DataDir, Scopes};
use tidegate_model::{Event, Journal, Sessions, Trust};
use tidegate_tls::{Identity, TlsSettings};
use tokio::sync::watch;
use zeroize::Zeroizing;

struct Silent;

impl Journal for Silent {
    fn record(&self, _event: &Event) {}
}

pub struct Server {
    pub control: Control,
    pub sessions: Sessions,
    pub face: watch::Sender<PublicFace>,
    pub identity: Identity,
    pub events: Events,
}

impl Server {
    pub async fn start(data: &Path) -> Self {
        Self::start_with(data, |_| {}).await
    }

    pub async fn start_with(data: &Path, change: impl FnOnce(&mut ControlSettings)) -> Self {
        let dir = DataDir::lock(data).unwrap();
        // Engines run as other users, which must be able to enter the folders above the data
        // directory.
        for folder in data.ancestors().take(2) {
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o711)).unwrap();
        }
        // In the same order as in the server: `Identity::open` creates `master.key` and closes the
        // folder for others, and `Control::open` lets the engines enter it again.
        let identity = Identity::open(TlsSettings::new(data), |_| {}).unwrap();
        let mut settings = ControlSettings::new(&dir);
        change(&mut settings);
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

    pub fn api(&self) -> Api {
        Api {
            control: self.control.clone(),
            face: self.face.subscribe(),
            identity: self.identity.clone(),
            console_identity: None,
            events: self.events.clone(),
            prober: Arc::new(NoProber),
        }
    }

    /// Sends a request over HTTPS, with a key.
    pub async fn with_key(&self, key: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
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

    /// Sends a request on the control socket and checks the form of its error.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&str>) -> (StatusCode, Value) {
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

    /// Creates a key and returns its token.
    pub async fn new_key(&self, name: &str, scopes: &str) -> Zeroizing<String> {
        let scopes = Scopes::parse(scopes).unwrap();
        let made = self.control.create_key(name, scopes, None).await;
        made.ok().unwrap().token
    }

    /// Sends a request with a key and returns its status and the code of its error.
    pub async fn key_error(
        &self,
        key: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> (u16, String) {
        let (status, value) = self.with_key(key, method, path, body).await;
        let code = value["code"].as_str().unwrap_or_default();
        (status, code.to_owned())
    }

    /// Sends a request on the control socket and returns status and code of its error.
    pub async fn error(&self, method: &str, path: &str, body: Option<&str>) -> (u16, String) {
        let (status, value) = self.ask(method, path, body).await;
        (
            status.as_u16(),
            value["code"].as_str().unwrap_or_default().to_owned(),
        )
    }
}

/// Status and code that an error should have.
pub fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
