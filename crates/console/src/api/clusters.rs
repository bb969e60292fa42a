//! Routes of clusters. Each handler converts the request, calls one operation of room `control` and
//! converts its result.

use super::idempotency::WriteApi;
use super::json_body::JsonObject;
use super::paging::ClusterQuery;
use crate::auth::scoped::ApiCaller;
use crate::errors::ApiError;
use crate::state::Api;
use crate::timestamp::{rfc3339_date, whole_seconds};
use crate::types::{
    ChangeCluster, Cluster, ClusterList, CreateCluster, DATABASE, EngineKind, EngineKindList,
    ErrorBody, Limits, RenameCluster, Secret, StateSchema, Warning,
};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use std::time::Duration;
use tidegate_control::{ClusterView, NewCluster, ROOT, WithPassword};
use utoipa::IntoParams;

/// Lists the clusters by name, page by page. Without `limit`, a page has 1000 of them. Pages that
/// are read one after the other contain every cluster that exists all the time exactly once.
#[utoipa::path(
    get,
    path = "/v1/clusters",
    tag = "clusters",
    security(("key" = ["read"])),
    params(
        ("after" = Option<String>, Query, description = "only clusters after this name: the `next` \
         of the page before", pattern = "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("limit" = Option<u16>, Query, description = "most clusters of the page", minimum = 1,
         maximum = 1000),
        ("find" = Option<String>, Query, description = "only clusters whose name or \
         administrator's login contains this text", max_length = 100),
        ("prefix" = Option<String>, Query, description = "only the cluster with this prefix"),
        ("state" = Option<StateSchema>, Query, description = "only clusters in this state")
    ),
    responses(
        (status = 200, body = ClusterList),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn list_clusters(
    State(api): State<Api>,
    caller: ApiCaller,
    Query(query): Query<ClusterQuery>,
) -> Result<Json<ClusterList>, ApiError> {
    let wanted = query.wanted()?;
    let page = api
        .control
        .cluster_page(&wanted, |name| caller.may_read(name))
        .await?;
    let last = page.rows.last().filter(|_| page.more);
    Ok(Json(ClusterList {
        next: last.map(|view| view.name.to_string()),
        clusters: page
            .rows
            .into_iter()
            .map(|view| api.describe_to(&caller, view))
            .collect(),
    }))
}

/// Lists the kinds of engines that a cluster can be created with.
#[utoipa::path(
    get,
    path = "/v1/engines",
    tag = "clusters",
    security(("key" = ["read"])),
    responses(
        (status = 200, body = EngineKindList),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn list_engine_kinds(State(api): State<Api>, _: ApiCaller) -> Json<EngineKindList> {
    let engines = api.control.engine_kinds().map(EngineKind::from).collect();
    Json(EngineKindList { engines })
}

/// Creates a cluster. Only this answer contains its password: the server does not store it.
#[utoipa::path(
    post,
    path = "/v1/clusters",
    tag = "clusters",
    security(("key" = ["clusters"])),
    request_body = CreateCluster,
    responses(
        (status = 201, body = Cluster),
        (status = 409, description = "the name is taken", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn create_cluster(
    WriteApi(api): WriteApi,
    caller: ApiCaller,
    JsonObject(wanted): JsonObject<CreateCluster>,
) -> Result<(StatusCode, Json<Cluster>), ApiError> {
    caller.check_create(wanted.name.as_deref())?;
    let change = wanted.limits.change();
    let defaults = api.control.default_limits();
    caller.check_limits(&change, defaults)?;
    let limits = change.apply_to(defaults);
    let made = api
        .control
        .create_cluster(NewCluster {
            name: wanted.name,
            engine: wanted.engine,
            parameters: wanted.parameters,
            limits: Some(limits),
        })
        .await?;
    Ok((StatusCode::CREATED, Json(api.describe_with_password(made))))
}

/// Shows a cluster.
#[utoipa::path(
    get,
    path = "/v1/clusters/{name}",
    tag = "clusters",
    security(("key" = ["read"])),
    params(("name" = String, Path)),
    responses(
        (status = 200, body = Cluster),
        (status = 404, description = "no such cluster", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn show_cluster(
    State(api): State<Api>,
    Path(name): Path<String>,
    caller: ApiCaller,
) -> Result<Json<Cluster>, ApiError> {
    let usage = api.control.usage(&name).await?;
    let events = api.control.events(&name).await?;
    let shown = api.describe_to(&caller, api.control.cluster(&name).await?);
    Ok(Json(Cluster {
        usage: Some(usage.into()),
        events_defined: events.defined,
        events_running: events.running,
        ..shown
    }))
}

/// Changes a cluster's limits and settings, asleep or awake. What is missing keeps its value; open
/// sessions continue.
#[utoipa::path(
    patch,
    path = "/v1/clusters/{name}",
    tag = "clusters",
    security(("key" = ["clusters"])),
    params(("name" = String, Path), VersionQuery),
    request_body = ChangeCluster,
    responses(
        (status = 200, body = Cluster),
        (status = 400, description = "a value is not accepted", body = ErrorBody),
        (status = 404, description = "no such cluster", body = ErrorBody),
        (status = 409, description = "it was changed meanwhile", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn change_cluster(
    WriteApi(api): WriteApi,
    Path(name): Path<String>,
    Query(at): Query<VersionQuery>,
    caller: ApiCaller,
    JsonObject(wanted): JsonObject<ChangeCluster>,
) -> Result<Json<Cluster>, ApiError> {
    let change = wanted.change();
    caller.check_limits(&change.limits, api.control.default_limits())?;
    let control = api.control.at_version(at.version);
    if let Some(seconds) = wanted.allow_shrink_seconds {
        // A number that no `Duration` can represent becomes zero, which is refused.
        control
            .allow_shrink(
                &name,
                Duration::try_from_secs_f64(seconds).unwrap_or_default(),
            )
            .await?;
    }
    let changed = control.change_cluster(&name, change).await?;
    // It tells whether one of the limits waits for the next wake.
    let usage = api.control.usage(&name).await?;
    Ok(Json(Cluster {
        usage: Some(usage.into()),
        ..api.describe(changed, None)
    }))
}

/// Gives a cluster another name. Its prefix stays, and so do its logins and open sessions.
#[utoipa::path(
    post,
    path = "/v1/clusters/{name}/rename",
    tag = "clusters",
    security(("key" = ["clusters"])),
    params(("name" = String, Path), VersionQuery),
    request_body = RenameCluster,
    responses(
        (status = 200, body = Cluster),
        (status = 404, description = "no such cluster", body = ErrorBody),
        (status = 409, description = "taken name, or a stale version", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn rename_cluster(
    WriteApi(api): WriteApi,
    Path(name): Path<String>,
    Query(at): Query<VersionQuery>,
    caller: ApiCaller,
    JsonObject(wanted): JsonObject<RenameCluster>,
) -> Result<Json<Cluster>, ApiError> {
    // With a name outside of its pattern, the key would lose the cluster, or get another's name.
    caller.check_create(Some(&wanted.name))?;
    let control = api.control.at_version(at.version);
    let renamed = control.rename_cluster(&name, &wanted.name).await?;
    Ok(Json(api.describe(renamed, None)))
}

/// Closes a cluster's sessions and deletes it with all its data. Refused while it is protected
/// against deletion.
#[utoipa::path(
    delete,
    path = "/v1/clusters/{name}",
    tag = "clusters",
    security(("key" = ["clusters"])),
    params(("name" = String, Path), VersionQuery),
    responses(
        (status = 204),
        (status = 404, description = "no such cluster", body = ErrorBody),
        (status = 409, description = "protected, or a stale version", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn delete_cluster(
    WriteApi(api): WriteApi,
    Path(name): Path<String>,
    Query(at): Query<VersionQuery>,
) -> Result<StatusCode, ApiError> {
    let control = api.control.at_version(at.version);
    control.delete_cluster(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts a cluster to sleep now; idle sessions are disconnected. Refused while one is busy.
#[utoipa::path(
    post,
    path = "/v1/clusters/{name}/sleep",
    tag = "clusters",
    security(("key" = ["clusters"])),
    params(("name" = String, Path), VersionQuery),
    responses(
        (status = 200, body = Cluster),
        (status = 409, description = "a session is busy", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn sleep_cluster(
    WriteApi(api): WriteApi,
    Path(name): Path<String>,
    Query(at): Query<VersionQuery>,
) -> Result<Json<Cluster>, ApiError> {
    let control = api.control.at_version(at.version);
    Ok(Json(
        api.describe(control.sleep_cluster(&name).await?, None),
    ))
}

/// Wakes a cluster. The answer comes when it is awake.
#[utoipa::path(
    post,
    path = "/v1/clusters/{name}/wake",
    tag = "clusters",
    security(("key" = ["clusters"])),
    params(("name" = String, Path), VersionQuery),
    responses(
        (status = 200, body = Cluster),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn wake_cluster(
    WriteApi(api): WriteApi,
    Path(name): Path<String>,
    Query(at): Query<VersionQuery>,
) -> Result<Json<Cluster>, ApiError> {
    let control = api.control.at_version(at.version);
    Ok(Json(api.describe(control.wake_cluster(&name).await?, None)))
}

/// Query of a change.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VersionQuery {
    /// The `version` that the cluster must have: 409 `stale` if its name, limits or settings were
    /// changed meanwhile.
    #[param(minimum = 0)]
    pub version: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordQuery {
    #[serde(default)]
    repair: bool,
    version: Option<u64>,
}

/// Replaces the password of the cluster's root. Only this answer contains the new one: the server
/// does not store it.
#[utoipa::path(
    post,
    path = "/v1/clusters/{name}/password",
    tag = "clusters",
    security(("key" = ["clusters"])),
    params(
        ("name" = String, Path),
        VersionQuery,
        ("repair" = Option<bool>, Query, description = "end the engine and all its sessions first, \
         repair its accounts, and create root anew")
    ),
    responses(
        (status = 200, body = Cluster),
        (status = 409, description = "the engine is busy; nothing was repaired", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn new_password(
    WriteApi(api): WriteApi,
    Path(name): Path<String>,
    Query(change): Query<PasswordQuery>,
) -> Result<Json<Cluster>, ApiError> {
    let control = api.control.at_version(change.version);
    let changed = match change.repair {
        true => control.repair_password(&name).await?,
        false => control.new_password(&name).await?,
    };
    Ok(Json(api.describe_with_password(changed)))
}

impl Api {
    /// Describes a cluster to this caller. The reason of a failure quotes the engine's log, which
    /// only callers who may change the cluster see.
    fn describe_to(&self, caller: &ApiCaller, view: ClusterView) -> Cluster {
        let may_see_logs = caller.may_change(view.name.as_str());
        let mut shown = self.describe(view, None);
        if !may_see_logs && shown.failure.is_some() {
            shown.failure = Some(
                "not shown to a key of scope read, because it quotes the engine's log".to_owned(),
            );
        }
        shown
    }

    fn describe(&self, view: ClusterView, password: Option<Secret>) -> Cluster {
        let face = self.face.borrow();
        let incomplete_accounts =
            (!view.complete_book).then(|| Warning::incomplete_accounts(view.name.as_str()));
        let networks = view.settings.ip_allow.iter().map(ToString::to_string);
        let networks = networks.collect();
        Cluster {
            user: format!("{}.{ROOT}", view.prefix),
            name: view.name.into(),
            prefix: view.prefix.into(),
            version: view.version,
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
            created_at: rfc3339_date(view.created_unix),
            sessions: view.sessions,
            limits: Limits {
                connections_max: view.limits.connections_max,
                sleep_after_seconds: whole_seconds(view.limits.sleep_after),
                transaction_idle_max_seconds: whole_seconds(view.limits.transaction_idle_max),
                memory_max_bytes: view.limits.memory_max_bytes,
                disk_max_bytes: view.limits.disk_max_bytes,
                cpu_weight: view.limits.cpu_weight,
                tasks_max: view.limits.tasks_max,
            },
            deletion_protection: view.settings.deletion_protection,
            ping_holds: view.settings.ping_holds,
            events: view.settings.events,
            events_defined: None,
            events_running: None,
            ip_allow: networks,
            variables: view.settings.variables,
            variables_wait: view.variables_wait,
            usage: None,
        }
    }

    fn describe_with_password(&self, made: WithPassword) -> Cluster {
        self.describe(made.cluster, Some(Secret::new(made.password)))
    }
}
