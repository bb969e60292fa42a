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

/// Form with its operator. `T` has the fields other than `csrf` and must not deny unknown fields.
pub struct CheckedForm<T> {
    pub who: SignedIn,
    pub fields: T,
}

#[derive(Deserialize)]
struct Token {
    csrf: Secret,
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
        let fits = sent.is_ok_and(|sent| {
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
        Ok(Self { who, fields })
    }
}
