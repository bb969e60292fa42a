//! The routes under `/v1/`. Each handler reads typed values, calls one operation and writes typed
//! values; none decides anything.

use crate::auth::keyed;
use crate::auth::scoped::Caller;
use crate::engine_kinds::{EngineKind, EngineKindList};
use crate::errors::{self, ApiError};
use crate::events::Events;
use crate::face::PublicFace;
use crate::limits;
use crate::object::Object;
use crate::probe::Prober;
use crate::types::{
    ChangeCluster, Cluster, ClusterList, CreateCluster, DATABASE, ErrorBody, Limits, LocalCa,
    Secret, Server, Session, SessionList, Warning,
};
use crate::web::Web;
use crate::{access, activity, certificate, dialog};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tidegate_control::{
    ClusterView, Control, ControlError, NewCluster, ROOT, SessionView, WithPassword,
};
use tidegate_tls::Identity;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;
use utoipa::openapi::OpenApi as Description;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What every handler has at hand.
#[derive(Clone)]
pub struct Api {
    pub control: Control,
    /// Changes when a certificate is swapped.
    pub face: watch::Receiver<PublicFace>,
    pub identity: Identity,
    /// The console's own certificate, where it has one.
    pub console_identity: Option<Identity>,
    pub events: Events,
    pub prober: Arc<dyn Prober>,
}

#[derive(OpenApi)]
#[openapi(modifiers(&Bearer), security(("key" = [])), components(schemas(dialog::OldestTls)), info(
    title = "Tidegate",
    version = "1",
    description = "Clusters behind a TLS-only endpoint: make them, look at them, wake them, end their sessions.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Info;

const KEY_HELP: &str = "An API key. Its scopes: `read`, `clusters:PATTERN` and `all`. Each operation lists the scope that it \
    needs; `read` operations show a key of `clusters:PATTERN` its own clusters only. No key has `operator`: such \
    operations are for the console and the control socket.";

/// Over HTTPS; the control socket asks for no key.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut Description) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(KEY_HELP))
            .build();
        let parts = openapi.components.get_or_insert_default();
        parts.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// The routes and their description, before a server stands behind them.
fn parts() -> (Router<Api>, Description) {
    OpenApiRouter::with_openapi(Info::openapi())
        .routes(routes!(list_clusters, create_cluster))
        .routes(routes!(show_cluster, change_cluster, delete_cluster))
        .routes(routes!(list_engine_kinds))
        .routes(routes!(sleep_cluster))
        .routes(routes!(wake_cluster))
        .routes(routes!(new_password))
        .routes(routes!(list_sessions))
        .routes(routes!(kill_session))
        .routes(routes!(show_server))
        .routes(routes!(renew_ca))
        .routes(routes!(certificate::show_certificate))
        .routes(routes!(certificate::renew_certificate))
        .routes(routes!(certificate::import_certificate))
        .routes(routes!(certificate::check_certificate))
        .routes(routes!(activity::cluster_events))
        .routes(routes!(dialog::list_clients))
        .routes(routes!(dialog::connect_strings))
        .routes(routes!(dialog::test_connection))
        .routes(routes!(access::list_keys, access::create_key))
        .routes(routes!(access::revoke_key))
        .routes(routes!(access::create_link))
        .split_for_parts()
}

/// The API's description.
pub fn description() -> Description {
    parts().1
}

/// The API as a service, for whoever may reach the control socket.
pub fn router(api: Api) -> Router {
    let routes = parts().0.with_state(api).layer(Extension(Caller::Owner));
    routes
        .layer(DefaultBodyLimit::max(limits::REQUEST_BODY_MAX))
        .layer(from_fn(errors::finish))
}

/// The same for holders of an API key; refusals of the guard look like the API's own.
pub(crate) fn keyed(web: &Web) -> Router {
    let guard = from_fn_with_state(web.clone(), keyed::require_key);
    let routes = parts()
        .0
        .with_state(web.api.clone())
        .layer(DefaultBodyLimit::max(limits::REQUEST_BODY_MAX));
    routes.layer(guard).layer(from_fn(errors::finish))
}

/// All clusters, by name.
#[utoipa::path(get, path = "/v1/clusters", tag = "clusters", security(("key" = ["read"])), responses(
    (status = 200, body = ClusterList),
    (status = "default", body = ErrorBody)
))]
async fn list_clusters(State(api): State<Api>, caller: Caller) -> Json<ClusterList> {
    let visible = api
        .control
        .clusters()
        .into_iter()
        .filter(|view| caller.may_read(view.name.as_str()));
    Json(ClusterList {
        clusters: visible.map(|view| api.show_to(&caller, view)).collect(),
    })
}

/// Kinds of engines that a cluster can be created with.
#[utoipa::path(get, path = "/v1/engines", tag = "clusters", security(("key" = ["read"])), responses(
    (status = 200, body = EngineKindList),
    (status = "default", body = ErrorBody)
))]
async fn list_engine_kinds(State(api): State<Api>, _: Caller) -> Json<EngineKindList> {
    let engines = api.control.engine_kinds().map(EngineKind::from).collect();
    Json(EngineKindList { engines })
}

/// Makes a cluster. The answer holds its password, which is kept nowhere.
#[utoipa::path(post, path = "/v1/clusters", tag = "clusters", security(("key" = ["clusters"])), request_body = CreateCluster, responses(
    (status = 201, body = Cluster),
    (status = 409, description = "the name is taken", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
async fn create_cluster(
    State(api): State<Api>,
    caller: Caller,
    Object(wanted): Object<CreateCluster>,
) -> Result<(StatusCode, Json<Cluster>), ApiError> {
    caller.check_create(wanted.name.as_deref())?;
    let (change, defaults) = (wanted.limits.change(), api.control.default_limits());
    caller.check_limits(&change, defaults)?;
    let limits = change.of(defaults);
    let made = api
        .control
        .create_cluster(NewCluster {
            name: wanted.name,
            engine: wanted.engine,
            parameters: wanted.parameters,
            limits: Some(limits),
        })
        .await?;
    Ok((StatusCode::CREATED, Json(api.show_once(made))))
}

/// One cluster.
#[utoipa::path(get, path = "/v1/clusters/{name}", tag = "clusters", security(("key" = ["read"])), params(("name" = String, Path)), responses(
    (status = 200, body = Cluster),
    (status = 404, description = "no such cluster", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
async fn show_cluster(
    State(api): State<Api>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<Json<Cluster>, ApiError> {
    let usage = api.control.usage(&name).await?;
    let shown = api.show_to(&caller, api.control.cluster(&name)?);
    Ok(Json(Cluster {
        usage: Some(usage.into()),
        ..shown
    }))
}

/// Changes what a cluster may use, asleep or awake. What is missing stays as it is; open sessions
/// go on.
#[utoipa::path(patch, path = "/v1/clusters/{name}", tag = "clusters", security(("key" = ["clusters"])), params(("name" = String, Path)),
    request_body = ChangeCluster,
    responses(
        (status = 200, body = Cluster),
        (status = 404, description = "no such cluster", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
async fn change_cluster(
    State(api): State<Api>,
    Path(name): Path<String>,
    caller: Caller,
    Object(wanted): Object<ChangeCluster>,
) -> Result<Json<Cluster>, ApiError> {
    let change = wanted.limits.change();
    caller.check_limits(&change, api.control.default_limits())?;
    if let Some(seconds) = wanted.allow_shrink_seconds {
        // A number no duration can hold becomes zero, which is refused.
        api.control
            .allow_shrink(
                &name,
                Duration::try_from_secs_f64(seconds).unwrap_or_default(),
            )
            .await?;
    }
    Ok(Json(api.show(
        api.control.change_limits(&name, change).await?,
        None,
    )))
}

/// Ends a cluster's sessions and removes it with all its data.
#[utoipa::path(delete, path = "/v1/clusters/{name}", tag = "clusters", security(("key" = ["clusters"])), params(("name" = String, Path)), responses(
    (status = 204),
    (status = 404, description = "no such cluster", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
async fn delete_cluster(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    api.control.delete_cluster(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts a cluster to sleep now; idle sessions are disconnected. Refused while one is busy.
#[utoipa::path(post, path = "/v1/clusters/{name}/sleep", tag = "clusters", security(("key" = ["clusters"])), params(("name" = String, Path)), responses(
    (status = 200, body = Cluster),
    (status = 409, description = "a session is busy", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
async fn sleep_cluster(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Cluster>, ApiError> {
    Ok(Json(
        api.show(api.control.sleep_cluster(&name).await?, None),
    ))
}

/// Wakes a cluster and answers when it is awake.
#[utoipa::path(post, path = "/v1/clusters/{name}/wake", tag = "clusters", security(("key" = ["clusters"])), params(("name" = String, Path)), responses(
    (status = 200, body = Cluster),
    (status = "default", body = ErrorBody)
))]
async fn wake_cluster(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Cluster>, ApiError> {
    Ok(Json(api.show(api.control.wake_cluster(&name).await?, None)))
}

/// Gives the cluster's root a new password, and the old one ends. The answer holds it; it is kept
/// nowhere.
#[utoipa::path(post, path = "/v1/clusters/{name}/password", tag = "clusters", security(("key" = ["clusters"])), params(("name" = String, Path)), responses(
    (status = 200, body = Cluster),
    (status = "default", body = ErrorBody)
))]
async fn new_password(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Cluster>, ApiError> {
    Ok(Json(api.show_once(api.control.new_password(&name).await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionFilter {
    cluster: Option<String>,
}

/// Sessions that have logged in.
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", security(("key" = ["read"])),
    params(("cluster" = Option<String>, Query, description = "only those of this cluster")),
    responses((status = 200, body = SessionList), (status = "default", body = ErrorBody))
)]
async fn list_sessions(
    State(api): State<Api>,
    caller: Caller,
    Query(filter): Query<SessionFilter>,
) -> Result<Json<SessionList>, ApiError> {
    // As if a cluster that may not be seen did not exist.
    if let Some(hidden) = filter
        .cluster
        .as_deref()
        .filter(|name| !caller.may_read(name))
    {
        return Err(ControlError::not_found(hidden).into());
    }
    let sessions = api
        .control
        .session_list(filter.cluster.as_deref())?
        .into_iter();
    let seen = |session: &SessionView| match &session.cluster {
        Some(name) => caller.may_read(name.as_str()),
        None => caller.is_all(),
    };
    Ok(Json(SessionList {
        sessions: sessions.filter(seen).map(session).collect(),
    }))
}

/// Ends a session.
#[utoipa::path(delete, path = "/v1/sessions/{id}", tag = "sessions", security(("key" = ["clusters"])), params(("id" = u64, Path)), responses(
    (status = 204),
    (status = 404, description = "no such session", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
async fn kill_session(
    State(api): State<Api>,
    Path(id): Path<u64>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    api.control.kill_session(id, |cluster| match cluster {
        Some(name) => caller.may_change(name),
        None => caller.is_all(),
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// The server itself.
#[utoipa::path(get, path = "/v1/server", tag = "server", security(("key" = ["read"])), responses(
    (status = 200, body = Server),
    (status = "default", body = ErrorBody)
))]
async fn show_server(State(api): State<Api>) -> Json<Server> {
    let face = api.face.borrow().clone();
    Json(Server {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        listeners: face.listeners.iter().map(ToString::to_string).collect(),
        trust: face.trust_word().to_owned(),
        ca: face.ca(),
        names: face.names,
        host: face.host,
        port: face.port,
        console: face.console,
        ready: api.control.is_recovered(),
        disk_full: api.control.disk_full().as_deref().map(Warning::disk_full),
    })
}

/// Makes a whole new local CA and serves a certificate of it. Open sessions go on; every client
/// then needs the new file.
#[utoipa::path(post, path = "/v1/server/ca", tag = "server", security(("key" = ["all"])), responses(
    (status = 200, body = LocalCa),
    (status = 409, description = "the certificate is not a local CA's", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
async fn renew_ca(State(api): State<Api>) -> Result<Json<LocalCa>, ApiError> {
    let identity = api.identity;
    let renewed = move || {
        identity
            .renew_ca()
            .map(|()| (identity.ca_path(), identity.names()))
    };
    let (ca, names) = tokio::task::spawn_blocking(renewed)
        .await
        .map_err(ApiError::panicked)??;
    Ok(Json(LocalCa {
        ca: ca
            .map(|path| path.display().to_string())
            .unwrap_or_default(),
        names,
    }))
}

impl Api {
    /// The cluster as this caller may see it: the reason of a failure quotes the engine's log.
    fn show_to(&self, caller: &Caller, view: ClusterView) -> Cluster {
        let may_see_logs = caller.may_change(view.name.as_str());
        let mut shown = self.show(view, None);
        if !may_see_logs && shown.failure.is_some() {
            shown.failure = Some(
                "the reason quotes the engine's log: a key of scope read does not see it"
                    .to_owned(),
            );
        }
        shown
    }

    fn show(&self, view: ClusterView, password: Option<Secret>) -> Cluster {
        let face = self.face.borrow();
        let created = OffsetDateTime::from_unix_timestamp(view.created_unix)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let incomplete_accounts =
            (!view.complete_book).then(|| Warning::incomplete_accounts(view.name.as_str()));
        Cluster {
            user: format!("{}.{ROOT}", view.prefix),
            name: view.name.into(),
            prefix: view.prefix.into(),
            host: face.host.clone(),
            port: face.port,
            password,
            database: DATABASE.to_owned(),
            ca: face.ca(),
            state: view.state,
            failure: view.failure,
            incomplete_accounts,
            engine: view.engine.kind,
            sleeps: view.sleeps,
            parameters: view.engine.parameters.as_map().clone(),
            created_at: created.format(&Rfc3339).unwrap_or_default(),
            sessions: view.sessions,
            limits: Limits {
                connections_max: view.limits.connections_max,
                sleep_after_seconds: view.limits.sleep_after.as_secs_f64(),
                transaction_idle_max_seconds: view.limits.transaction_idle_max.as_secs_f64(),
                memory_max_bytes: view.limits.memory_max_bytes,
                disk_max_bytes: view.limits.disk_max_bytes,
                cpu_weight: view.limits.cpu_weight,
                tasks_max: view.limits.tasks_max,
            },
            usage: None,
        }
    }

    fn show_once(&self, made: WithPassword) -> Cluster {
        self.show(made.cluster, Some(Secret::new(made.password)))
    }
}

fn session(view: SessionView) -> Session {
    Session {
        id: view.id.0,
        cluster: view.cluster.map(String::from),
        user: view.user,
        client: view.client.to_string(),
        tls: view.tls.to_owned(),
        age_seconds: view.age.as_secs_f64(),
    }
}
