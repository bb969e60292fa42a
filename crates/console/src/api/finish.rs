//! Middleware around every request to the API. It bounds the time, writes the bodies of errors and
//! logs the request.

use crate::errors::ApiError;
use crate::limits;
use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tidegate_model::LogBudget;
use tidegate_model::escape::printable_json;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers one request: bounds its time, writes the body of its error, logs it and gives it an id.
pub async fn finish_response(request: Request, next: Next) -> Response {
    let id = next_request_id();
    let began = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    // The end of this wait does not stop the operation, which runs in its own task.
    let answered = tokio::time::timeout(limits::REQUEST_MAX, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| ApiError::timed_out().into_response());
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let error = match response.extensions_mut().remove::<ApiError>() {
            Some(error) => error,
            None => {
                // An error of axum itself. Its text becomes the message.
                let body = std::mem::take(response.body_mut());
                ApiError::foreign(status, &body_text(body).await)
            }
        };
        // Clients without a key can cause client errors, so these share the budget of log lines.
        if status.is_server_error() || LogBudget::of_process().take() {
            tracing::info!(
                request = id,
                %method,
                path,
                status = status.as_u16(),
                code = error.code(),
                error = error.message(),
                took = ?began.elapsed(),
                "api"
            );
        }
        let body = error.into_body(id.clone());
        // Headers of the error stay, such as Retry-After. Those of the replaced body are removed.
        let mut headers = std::mem::take(response.headers_mut());
        headers.remove(CONTENT_TYPE);
        headers.remove(CONTENT_LENGTH);
        response = (status, Json(body)).into_response();
        response.headers_mut().extend(headers);
        response = printable_answer(response).await;
    } else {
        response = printable_answer(response).await;
        tracing::info!(
            request = id,
            %method,
            path,
            status = status.as_u16(),
            took = ?began.elapsed(),
            "api"
        );
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Escapes what controls a terminal in an answer of JSON: a person reads it with curl, and tenants
/// choose some of its text. The only place where the API does so.
async fn printable_answer(response: Response) -> Response {
    let is_json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
    if !response.headers().get(CONTENT_TYPE).is_some_and(is_json) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // Its whole text is in memory already: lists are bounded.
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return ApiError::unwritable().into_response();
    };
    let escaped = match std::str::from_utf8(&bytes).map(printable_json) {
        Ok(Cow::Owned(text)) => Some(text),
        _ => None,
    };
    parts.headers.remove(CONTENT_LENGTH);
    let body = escaped.map_or_else(|| Body::from(bytes), Body::from);
    Response::from_parts(parts, body)
}

async fn body_text(body: Body) -> String {
    match axum::body::to_bytes(body, limits::FOREIGN_ERROR_MAX).await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

/// Returns an id that is unique within a log: the time of this process's first request, and a
/// counter.
fn next_request_id() -> String {
    static EPOCH: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let epoch = EPOCH.get_or_init(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
    });
    format!("{epoch:x}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
