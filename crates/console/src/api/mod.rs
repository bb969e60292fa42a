//! Routes under `/v1/`, their description, and the routers for the control socket and HTTPS.

mod access;
mod activity;
mod certificate;
mod clusters;
mod connect;
mod databases;
mod finish;
mod idempotency;
mod json_body;
mod paging;
mod server;
mod sessions;
mod users;

use crate::auth::keyed;
use crate::auth::scoped::ApiCaller;
use crate::limits;
use crate::state::{Api, Web};
use crate::unread_body::drop_unread_body;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use utoipa::openapi::OpenApi as Description;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    modifiers(&BearerScheme),
    security(("key" = [])),
    components(schemas(connect::OldestTls)),
    info(
        title = "Tidegate",
        version = "1",
        description = "MySQL-compatible clusters behind a TLS-only endpoint: create, list, wake \
                       and delete them, manage their users and databases, and close their \
                       sessions.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    )
)]
struct ApiInfo;

const KEY_HELP: &str = "An API key. Its scopes are `read`, `clusters:PATTERN` or `all`. Each \
    operation lists the scope that it needs. With a key of `clusters:PATTERN`, `read` operations \
    show only the clusters that match. No key has the scope `operator`: these operations are \
    available only in the console and on the control socket.";

/// Adds the security scheme of HTTPS to the description. The control socket needs no key.
struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, openapi: &mut Description) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(KEY_HELP))
            .build();
        let parts = openapi.components.get_or_insert_default();
        parts.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// Builds the routes and their description.
fn routes_and_description() -> (Router<Api>, Description) {
    let (routes, mut description) = OpenApiRouter::with_openapi(ApiInfo::openapi())
        .routes(routes!(clusters::list_clusters, clusters::create_cluster))
        .routes(routes!(
            clusters::show_cluster,
            clusters::change_cluster,
            clusters::delete_cluster
        ))
        .routes(routes!(clusters::list_engine_kinds))
        .routes(routes!(clusters::rename_cluster))
        .routes(routes!(clusters::sleep_cluster))
        .routes(routes!(clusters::wake_cluster))
        .routes(routes!(clusters::new_password))
        .routes(routes!(
            databases::list_databases,
            databases::create_database
        ))
        .routes(routes!(databases::delete_database))
        .routes(routes!(users::list_users, users::create_user))
        .routes(routes!(users::delete_user))
        .routes(routes!(users::set_user_password))
        .routes(routes!(users::delete_anonymous_user))
        .routes(routes!(users::set_anonymous_password))
        .routes(routes!(sessions::list_sessions))
        .routes(routes!(sessions::kill_session))
        .routes(routes!(server::show_server))
        .routes(routes!(server::renew_ca))
        .routes(routes!(server::rotate_master_key))
        .routes(routes!(certificate::show_certificate))
        .routes(routes!(certificate::renew_certificate))
        .routes(routes!(certificate::import_certificate))
        .routes(routes!(certificate::check_certificate))
        .routes(routes!(activity::cluster_events))
        .routes(routes!(connect::list_clients))
        .routes(routes!(connect::connect_strings))
        .routes(routes!(connect::test_connection))
        .routes(routes!(access::list_keys, access::create_key))
        .routes(routes!(access::revoke_key))
        .routes(routes!(access::create_link))
        .split_for_parts();
    idempotency::describe_header(&mut description);
    (routes, description)
}

/// Returns the API's description.
pub fn description() -> Description {
    routes_and_description().1
}

/// Builds the API for the control socket, where the caller is the owner.
pub fn router(api: Api) -> Router {
    let execute_once = from_fn_with_state(api.clone(), idempotency::execute_once);
    let routes = routes_and_description()
        .0
        .with_state(api)
        .layer(execute_once)
        .layer(Extension(ApiCaller::Owner));
    routes
        .layer(DefaultBodyLimit::max(limits::REQUEST_BODY_MAX))
        .layer(from_fn(finish::finish_response))
        .layer(from_fn(drop_unread_body))
}

/// Builds the API for HTTPS, where every request needs an API key.
pub(crate) fn keyed_router(web: &Web) -> Router {
    let key_check = from_fn_with_state(web.clone(), keyed::require_key);
    let execute_once = from_fn_with_state(web.api.clone(), idempotency::execute_once);
    let routes = routes_and_description()
        .0
        .with_state(web.api.clone())
        .layer(execute_once)
        .layer(DefaultBodyLimit::max(limits::REQUEST_BODY_MAX));
    // Outermost, so that errors of the check of keys get the API's body too.
    routes
        .layer(key_check)
        .layer(from_fn(finish::finish_response))
}
