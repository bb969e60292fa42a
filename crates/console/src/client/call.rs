//! A request of the API's client, with its idempotency key.

use super::error::{ClientError, ClientResult};
use axum::body::Bytes;
use hyper::Method;
use tidegate_model::Prefix;

/// A request that may be sent more than once.
pub struct Call {
    pub method: Method,
    pub path: String,
    pub body: Bytes,
    /// Idempotency key of a write.
    pub idempotency_key: Option<String>,
}

/// Makes a key of 118 random bits, as a structured string (RFC 8941).
pub fn new_idempotency_key() -> ClientResult<String> {
    Ok(format!("\"{}-{}\"", random_text()?, random_text()?))
}

/// Text of 59 random bits.
fn random_text() -> ClientResult<Prefix> {
    Prefix::random().map_err(|e| ClientError::BadRequest(e.into()))
}
