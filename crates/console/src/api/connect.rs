//! Routes of connection strings and of the connection test. The strings come from room `connect`,
//! byte for byte as the command line prints them.

use super::idempotency::WriteApi;
use super::json_body::JsonObject;
use crate::errors::ApiError;
use crate::machine::machine_platform;
use crate::probe::{ProbeLogin, ProbeStep};
use crate::state::Api;
use crate::types::{
    ClientList, ConnectStrings, DATABASE, ErrorBody, KnownClient, KnownPlatform, TestConnection,
    TestResult, TestStep,
};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tidegate_connect::{
    ConnectError, Endpoint, RenderOptions, Rendered, TlsMinimum, clients, platforms, render,
};
use tidegate_control::{ClusterView, ROOT};
use utoipa::ToSchema;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectQuery {
    with: String,
    os: Option<String>,
    tls: Option<OldestTls>,
    user: Option<String>,
    database: Option<String>,
}

/// Oldest TLS version that a client should accept.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub enum OldestTls {
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
}

/// Lists the clients and operating systems with connection strings.
#[utoipa::path(
    get,
    path = "/v1/connect",
    tag = "connect",
    security(("key" = ["read"])),
    responses(
        (status = 200, body = ClientList),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn list_clients() -> Json<ClientList> {
    let clients = clients().iter().map(|client| KnownClient {
        id: client.id.clone(),
        name: client.name.clone(),
        language: client.language.clone(),
        tls13: client.tls13,
    });
    let platforms = platforms().iter().map(|platform| KnownPlatform {
        id: platform.id.clone(),
        name: platform.name.clone(),
    });
    Json(ClientList {
        clients: clients.collect(),
        platforms: platforms.collect(),
    })
}

/// Shows the connection strings for one client, with the same bytes as `tidegate connect NAME
/// --with CLIENT --json`.
#[utoipa::path(
    get,
    path = "/v1/clusters/{name}/connect",
    tag = "connect",
    security(("key" = ["read"])),
    params(
        ("name" = String, Path),
        ("with" = String, Query, description = "id of a client"),
        ("os" = Option<String>, Query, description = "id of an operating system"),
        ("tls" = Option<OldestTls>, Query, description = "oldest TLS version to accept; 1.2 if \
            missing"),
        ("user" = Option<String>, Query, description = "user name without the prefix; root if \
            missing", pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$"),
        ("database" = Option<String>, Query, description = "database to use; test if missing",
            pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$"),
    ),
    responses(
        (status = 200, body = ConnectStrings),
        (
            status = 404,
            description = "no such cluster, client or operating system",
            body = ErrorBody
        ),
        (
            status = 409,
            description = "this client's strings can't require TLS 1.3",
            body = ErrorBody
        ),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn connect_strings(
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(asked): Query<ConnectQuery>,
) -> Result<Response, ApiError> {
    let tls = match asked.tls {
        None | Some(OldestTls::Tls12) => TlsMinimum::Tls12,
        Some(OldestTls::Tls13) => TlsMinimum::Tls13,
    };
    let view = api.control.cluster(&name).await?;
    let names = api.face.borrow().names.clone();
    let wish = RenderOptions {
        os: asked.os.as_deref(),
        tls,
        password: None,
        ca_machine: Some(machine_platform()),
        names: &names,
    };
    let mut endpoint = api.endpoint(&view, asked.user.as_deref());
    if let Some(database) = asked.database {
        endpoint.database = database;
    }
    let rendered = render(&asked.with, &endpoint, wish)?;
    let text = serde_json::to_string_pretty(&rendered).map_err(|_| ApiError::unwritable())?;
    Ok(([(CONTENT_TYPE, "application/json")], format!("{text}\n")).into_response())
}

/// Tests a connection: logs in through the public endpoint as a client that verifies the
/// certificate does, which wakes the cluster. The answer has each step with its time. Without a
/// password, the test stops before the login.
#[utoipa::path(
    post,
    path = "/v1/clusters/{name}/test",
    tag = "connect",
    security(("key" = ["clusters"])),
    params(("name" = String, Path)),
    request_body = TestConnection,
    responses(
        (status = 200, description = "result of the test, also if it failed", body = TestResult),
        (status = 404, description = "no such cluster", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn test_connection(
    WriteApi(api): WriteApi,
    Path(name): Path<String>,
    JsonObject(asked): JsonObject<TestConnection>,
) -> Result<Json<TestResult>, ApiError> {
    let view = api.control.cluster(&name).await?;
    let steps = api.test(&view, &asked).await;
    let ok = steps.iter().all(|step| step.failure.is_none());
    Ok(Json(TestResult {
        ok,
        steps: steps.into_iter().map(step_body).collect(),
    }))
}

impl Api {
    /// Returns the cluster's endpoint, for connection strings.
    pub(crate) fn endpoint(&self, view: &ClusterView, user: Option<&str>) -> Endpoint {
        let face = self.face.borrow();
        Endpoint {
            host: face.host.clone(),
            port: face.port,
            user: format!("{}.{}", view.prefix, user.unwrap_or(ROOT)),
            database: DATABASE.to_owned(),
            trust: face.trust.clone(),
        }
    }

    /// Renders the connection strings of one client.
    pub(crate) fn strings(
        &self,
        view: &ClusterView,
        user: Option<&str>,
        client: &str,
        wish: RenderOptions<'_>,
    ) -> Result<Rendered, ConnectError> {
        render(client, &self.endpoint(view, user), wish)
    }

    pub(crate) async fn test(&self, view: &ClusterView, asked: &TestConnection) -> Vec<ProbeStep> {
        let login = ProbeLogin {
            user: format!("{}.{}", view.prefix, asked.user.as_deref().unwrap_or(ROOT)),
            password: asked.password.clone(),
            database: asked
                .database
                .clone()
                .unwrap_or_else(|| DATABASE.to_owned()),
        };
        self.prober.probe(login).await
    }
}

fn step_body(step: ProbeStep) -> TestStep {
    TestStep {
        step: step.step.as_str().to_owned(),
        took_ms: (step.took.as_secs_f64() * 10_000.0).round() / 10.0,
        detail: step.detail,
        failure: step.failure,
    }
}
