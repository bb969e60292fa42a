//! The middleware around every request to the API: it writes the bodies of errors and the log.

use crate::errors::ApiError;
use crate::limits;
use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tidegate_model::LogBudget;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Around every request: its id, its bound in time, its line in the log, and the body of its error.
pub async fn finish_response(request: Request, next: Next) -> Response {
    let (id, began) = (next_request_id(), Instant::now());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answered = tokio::time::timeout(limits::REQUEST_MAX, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| ApiError::timed_out().into_response());
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let error = match response.extensions_mut().remove::<ApiError>() {
            Some(error) => error,
            None => {
                let body = std::mem::take(response.body_mut());
                ApiError::foreign(status, &body_text(body).await)
            }
        };
        // Whoever has no key can cause these as well.
        if status.is_server_error() || LogBudget::of_process().take() {
            tracing::info!(request = id, %method, path, status = status.as_u16(), code = error.code(), error = error.message(), took = ?began.elapsed(), "api");
        }
        let body = error.into_body(id.clone());
        // Headers that belong to the error (when to come again) stay; those of a body that is
        // replaced go.
        let mut headers = std::mem::take(response.headers_mut());
        headers.remove(CONTENT_TYPE);
        headers.remove(CONTENT_LENGTH);
        response = (status, Json(body)).into_response();
        response.headers_mut().extend(headers);
    } else {
        tracing::info!(request = id, %method, path, status = status.as_u16(), took = ?began.elapsed(), "api");
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

async fn body_text(body: Body) -> String {
    match axum::body::to_bytes(body, limits::FOREIGN_ERROR_MAX).await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

/// Unique within a log: when this process took its first request, and how many came since.
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
