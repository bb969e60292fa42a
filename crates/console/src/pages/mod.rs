//! Pages of the console, rendered on the server. Only copying and refreshing need a script. Each
//! handler calls one operation of room `control` and shows its result.

mod assets;
mod certificate;
mod cluster;
mod cluster_row;
mod clusters;
mod connect;
mod frame;
mod help;
mod keys;
mod problem;
mod respond;
mod sign_in;
mod users;
mod words;

#[cfg(test)]
mod samples;

use crate::state::Web;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use cluster::actions;
use frame::Visitor;

/// Builds the router of all pages.
pub fn router(web: Web) -> Router {
    Router::new()
        .route("/", get(clusters::list_clusters))
        .route(
            "/clusters",
            get(|| async { Redirect::to("/") }).post(clusters::create_cluster),
        )
        .route("/clusters/{name}", get(cluster::show_cluster))
        .route("/clusters/{name}/sleep", post(actions::sleep_cluster))
        .route("/clusters/{name}/wake", post(actions::wake_cluster))
        .route("/clusters/{name}/limits", post(actions::change_limits))
        .route("/clusters/{name}/settings", post(actions::change_settings))
        .route("/clusters/{name}/rename", post(actions::rename_cluster))
        .route("/clusters/{name}/delete", post(actions::delete_cluster))
        .route(
            "/clusters/{name}/sessions/{id}/end",
            post(actions::end_session),
        )
        .route(
            "/clusters/{name}/connect",
            get(connect::show_connect).post(connect::show_choice),
        )
        .route(
            "/clusters/{name}/users",
            get(users::show_users).post(users::create_user),
        )
        .route(
            "/clusters/{name}/users/wake",
            get(users::redirect_to_users).post(users::wake_for_users),
        )
        .route(
            "/clusters/{name}/users/password",
            get(users::redirect_to_users).post(users::new_user_password),
        )
        .route(
            "/clusters/{name}/users/delete",
            get(users::redirect_to_users).post(users::delete_user),
        )
        .route(
            "/clusters/{name}/databases",
            get(users::redirect_to_users).post(users::create_database),
        )
        .route(
            "/clusters/{name}/databases/delete",
            get(users::redirect_to_users).post(users::delete_database),
        )
        // A browser that reloads the address of an answer with a password gets the page without it.
        .route(
            "/clusters/{name}/connect/password",
            get(connect::redirect_to_connect).post(connect::new_password),
        )
        .route(
            "/clusters/{name}/connect/test",
            get(connect::redirect_to_connect).post(connect::test_connection),
        )
        .route("/keys", get(keys::list_keys).post(keys::create_key))
        .route("/keys/{id}/revoke", post(keys::revoke_key))
        .route("/certificate", get(certificate::show_certificate))
        .route("/ca.pem", get(certificate::ca_file))
        .route("/help", get(help::list_refusals))
        .route("/help/refusals/{slug}", get(help::show_refusal))
        .route("/sign-in", get(sign_in::show_sign_in))
        .route(
            "/link/{token}",
            get(sign_in::show_link).post(sign_in::redeem_link),
        )
        .route("/sign-out", post(sign_in::sign_out))
        .route("/assets/{file}", get(asset))
        .fallback(|visitor: Visitor| async move { problem::not_found(&visitor) })
        .with_state(web)
        .layer(map_response(problem::error_as_page))
}

async fn asset(Path(file): Path<String>) -> Response {
    assets::serve(&file).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}
