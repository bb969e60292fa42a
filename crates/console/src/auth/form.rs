//! Extractor for a form that a signed-in operator sent from a page of this console. Its fields are
//! read only after its origin and its token were checked.

use super::{SignedIn, origin};
use crate::limits;
use crate::state::Web;
use crate::types::Secret;
use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;
use tidegate_control::Control;

/// Form with its operator. `T` has the fields other than `csrf` and `version` and must not deny
/// unknown fields.
pub struct CheckedForm<T> {
    pub who: SignedIn,
    pub fields: T,
    /// Version of the cluster that the form's page showed.
    version: Option<u64>,
}

impl<T> CheckedForm<T> {
    /// Returns the operations for the cluster that the form's page showed. They fail with `stale`
    /// if it was changed meanwhile, or has given its name to another one.
    pub fn control(&self, web: &Web) -> Control {
        web.api.control.at_version(self.version)
    }
}

#[derive(Deserialize)]
struct Token {
    csrf: Secret,
    version: Option<String>,
}

impl<T: DeserializeOwned> FromRequest<Web> for CheckedForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let who = SignedIn::from_request_parts(&mut parts, web).await?;
        if !origin::is_same_origin(&parts.headers) {
            return Err((
                StatusCode::FORBIDDEN,
                "this form was not sent by a page of this console; hint: open the console's own \
                 page and send the form there",
            )
                .into_response());
        }
        let body = to_bytes(body, limits::REQUEST_BODY_MAX).await;
        let body = body.map_err(|_| {
            let text = format!(
                "this form is longer than {} bytes; hint: shorten its fields",
                limits::REQUEST_BODY_MAX
            );
            (StatusCode::PAYLOAD_TOO_LARGE, text).into_response()
        })?;
        // The token alone, so that no field of a forged form is read.
        let sent = serde_urlencoded::from_bytes::<Token>(&body);
        let fits = sent.as_ref().is_ok_and(|sent| {
            bool::from(sent.csrf.reveal().as_bytes().ct_eq(who.csrf().as_bytes()))
        });
        if !fits {
            return Err((
                StatusCode::FORBIDDEN,
                "this page is older than your session; hint: reload the page and send the form \
                 again",
            )
                .into_response());
        }
        // serde's message may quote a field, such as a password, so it is not repeated.
        let fields = serde_urlencoded::from_bytes(&body).map_err(|_| {
            (
                StatusCode::BAD_REQUEST,
                "a field of this form is missing or invalid; hint: reload the page and fill in all \
                 fields",
            )
                .into_response()
        })?;
        // A version that is no number is none that a cluster has.
        let version = sent.ok().and_then(|sent| sent.version);
        let version = version.map(|version| version.parse().unwrap_or(0));
        Ok(Self {
            who,
            fields,
            version,
        })
    }
}
