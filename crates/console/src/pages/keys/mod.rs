//! Page of the API keys. A key is only in the answer to the request that created it: the server
//! stores its hash.

mod view;

#[cfg(test)]
pub mod sample;

use super::frame::{Frame, MenuEntry, Notice};
use super::respond::{html_page, status_of};
use super::sign_in::NoFields;
use super::words::Moment;
use crate::auth::{CheckedForm, SignedIn};
use crate::state::Web;
use crate::types::Secret;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use std::time::Duration;
use tidegate_control::{ApiKey, ControlError, ErrorCode, Scopes};
use tidegate_tls::Identity;
use view::{KeyRow, KeysPage, MadeKey};

const DAY_SECONDS: u64 = 86_400;

#[derive(Deserialize)]
pub struct NewKeyForm {
    #[serde(default)]
    name: String,
    /// Empty for a key that is valid until it is revoked.
    #[serde(default)]
    days: String,
    /// `read`, `clusters` or `all`.
    #[serde(default)]
    scope: String,
    /// Pattern of the scope `clusters`.
    #[serde(default)]
    pattern: String,
}

/// Returns the scopes that were chosen in the form.
fn chosen_scopes(form: &NewKeyForm) -> Result<Scopes, ControlError> {
    let text = match form.scope.as_str() {
        "clusters" => format!("clusters:{}", form.pattern.trim()),
        other => other.to_owned(),
    };
    // A comma would add a scope that the form does not show.
    let one = Some(&text)
        .filter(|text| !text.contains(','))
        .and_then(|text| Scopes::parse(text).ok());
    one.ok_or_else(|| {
        let hint = "a pattern contains a-z, 0-9, '-' and '*', for example shop-*";
        ControlError::new(
            ErrorCode::BadName,
            "the scope of the key is missing or invalid",
            hint,
        )
    })
}

pub async fn list_keys(State(web): State<Web>, who: SignedIn) -> Response {
    html_page(StatusCode::OK, &keys_page(&web, &who, KeysExtra::default()))
}

pub async fn create_key(State(web): State<Web>, form: CheckedForm<NewKeyForm>) -> Response {
    let NewKeyForm { name, days, .. } = &form.fields;
    let life = (!days.is_empty()).then(|| {
        // Text that is not a number becomes zero, which is refused.
        Duration::from_secs(
            days.parse::<u64>()
                .unwrap_or_default()
                .saturating_mul(DAY_SECONDS),
        )
    });
    let made = match chosen_scopes(&form.fields) {
        Ok(scopes) => web.api.control.create_key(name.trim(), scopes, life).await,
        Err(error) => Err(error),
    };
    let (status, extra) = match made {
        Ok(made) => {
            tracing::info!(
                key = made.made.id,
                operator = form.who.operator(),
                "API key created"
            );
            let made = MadeKey {
                name: made.made.name,
                key: Secret::new(made.token),
            };
            (
                StatusCode::OK,
                KeysExtra {
                    made: Some(made),
                    ..KeysExtra::default()
                },
            )
        }
        Err(error) => {
            let extra = KeysExtra {
                notice: Some(Notice::from(&error)),
                wanted: name.clone(),
                ..KeysExtra::default()
            };
            (status_of(&error), extra)
        }
    };
    html_page(status, &keys_page(&web, &form.who, extra))
}

pub async fn revoke_key(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: CheckedForm<NoFields>,
) -> Response {
    match web.api.control.revoke_key(&id).await {
        Ok(()) => {
            tracing::info!(key = id, operator = form.who.operator(), "API key revoked");
            Redirect::to("/keys").into_response()
        }
        Err(error) => {
            let extra = KeysExtra {
                notice: Some(Notice::from(&error)),
                ..KeysExtra::default()
            };
            html_page(status_of(&error), &keys_page(&web, &form.who, extra))
        }
    }
}

/// Parts of the page other than the list.
#[derive(Default)]
struct KeysExtra {
    made: Option<MadeKey>,
    notice: Option<Notice>,
    wanted: String,
}

fn keys_page(web: &Web, who: &SignedIn, extra: KeysExtra) -> KeysPage {
    let rows = web.api.control.keys().into_iter().map(key_row).collect();
    let face = web.api.face.borrow().clone();
    // The commands connect to the console, which may have another certificate than the database.
    let trust = web
        .api
        .console_identity
        .as_ref()
        .map_or(face.trust, Identity::trust);
    let ca = trust.ca_path().is_some();
    let server = face.console.unwrap_or_default();
    let KeysExtra {
        made,
        notice,
        wanted,
    } = extra;
    KeysPage {
        frame: Frame {
            notice,
            ..Frame::of(who, "API keys", MenuEntry::Keys)
        },
        profile: profile_line(&server, ca),
        curl: curl_line(&server, ca),
        ca_offered: ca,
        rows,
        made,
        wanted,
    }
}

/// Name of the CA file that this page offers.
const CA_FILE: &str = "tidegate-ca.pem";

/// Command that stores the server in a profile, on another machine. It asks for the key.
pub fn profile_line(server: &str, ca: bool) -> String {
    let ca = if ca {
        format!(" --ca {CA_FILE}")
    } else {
        String::new()
    };
    format!("tidegate profile add console {server}{ca}")
}

/// Command that lists the clusters with curl.
pub fn curl_line(server: &str, ca: bool) -> String {
    let ca = if ca {
        format!(" --cacert {CA_FILE}")
    } else {
        String::new()
    };
    format!("curl{ca} -H \"Authorization: Bearer $TIDEGATE_API_KEY\" {server}/v1/clusters")
}

fn key_row(key: ApiKey) -> KeyRow {
    KeyRow {
        id: key.id,
        name: key.name,
        scopes: key.scopes.words(),
        created: Moment::from_unix(key.created_unix),
        expires: key.expires_unix.map(Moment::from_unix),
        expired: key
            .expires_unix
            .is_some_and(|end| end <= Moment::now_unix()),
        used: key.used_unix.map(Moment::from_unix),
    }
}
