//! Idempotency keys: a write that a client repeats with the same `Idempotency-Key` is executed once
//! and gets the same answer (draft-ietf-httpapi-idempotency-key-header-07). `control` records the
//! requests; this module reads them from HTTP, and seals what is stored.
//!
//! Only answers with status 2xx are kept. A 4xx means that nothing was changed, so the repetition
//! is executed and judged by the facts at that time; so is a 5xx, whose first execution may have
//! done a part that the second one finds.

use crate::auth::scoped::ApiCaller;
use crate::errors::ApiError;
use crate::limits;
use crate::state::Api;
use axum::RequestPartsExt;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;
use tidegate_control::{Control, OpenRequest, RepeatableRequest, RequestSeal, RequestStart};
use tidegate_tls::{MasterKey, SubKey};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, OpenApi as Description, PathItem, Required};
use zeroize::Zeroizing;

const NAME: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Bytes before the body in a kept answer: its status.
const STATUS_BYTES: usize = 2;

/// Writes that must not be executed again after a crash: nobody can tell whether the first
/// execution has replaced the CA or the key.
const NOT_RESUMED: [&str; 2] = ["/v1/server/ca", "/v1/server/master-key"];

const HELP: &str = "A text that the client chooses for this request, best a random UUID: 1 to 255 \
    printable ASCII characters. A request that is repeated with it within 24 hours is executed \
    once and gets the first answer again, with the header `idempotency-replayed`, also after a \
    crash of the server. Only answers with status 2xx are kept, and 1000 for each API key. 422 \
    `idempotency_key_reused` if the key was used for another request, 409 `in_progress` while the \
    first one is executed.";

/// Seal of records of requests, by the server's master key.
struct MasterSeal(MasterKey);

impl RequestSeal for MasterSeal {
    fn seal(&self, place: &str, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.seal_record(SubKey::Answers, place, plain)
    }

    fn open(&self, place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0.open_record(SubKey::Answers, place, sealed)
    }
}

/// State of a handler that changes something: its operations know the idempotency key of the
/// request.
pub struct WriteApi(pub Api);

impl FromRequestParts<Api> for WriteApi {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Self::Rejection> {
        let mut api = api.clone();
        if let Some(RequestControl(control)) = parts.extensions.get() {
            api.control = control.clone();
        }
        Ok(Self(api))
    }
}

/// Server whose operations are for the request that has this extension.
#[derive(Clone)]
struct RequestControl(Control);

/// Executes a write with an idempotency key once. Everything else goes on unchanged.
pub async fn execute_once(State(api): State<Api>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || !request.headers().contains_key(NAME) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    // Without a route, the answer is 404.
    let Ok(route) = parts.extract::<MatchedPath>().await else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let key = match read_key(&parts.headers) {
        Ok(key) => key,
        Err(error) => return error.into_response(),
    };
    let whole = Request::from_parts(parts.clone(), body);
    let body = match Bytes::from_request(whole, &()).await {
        Ok(body) => body,
        Err(rejection) => return rejection.into_response(),
    };
    let caller = match parts.extensions.get::<ApiCaller>() {
        Some(caller) => caller.id().to_owned(),
        None => return ApiError::only_local().into_response(),
    };
    let wanted = RepeatableRequest {
        key: hash_key(&caller, &key),
        caller,
        request_hash: hash_request(&parts, &body),
        seal: Arc::new(MasterSeal(api.identity.master_key().clone())),
    };
    let may_resume = !NOT_RESUMED.contains(&route.as_str());
    let open = match api.control.begin_request(wanted).await {
        Err(error) => return ApiError::from(error).into_response(),
        Ok(RequestStart::Execute(open)) if open.is_resumed() && !may_resume => {
            return ApiError::outcome_unknown().into_response();
        }
        Ok(RequestStart::Execute(open)) => open,
        Ok(RequestStart::Unrecorded) => {
            return next.run(Request::from_parts(parts, body.into())).await;
        }
        Ok(RequestStart::Answered(kept)) => return replay(&kept),
        Ok(RequestStart::Running) => return in_progress(),
        Ok(RequestStart::OtherRequest) => return ApiError::key_reused().into_response(),
        Ok(RequestStart::Unreadable) => return ApiError::outcome_unknown().into_response(),
        Ok(RequestStart::TooMany) => {
            return ApiError::too_many("too many requests are executed", 1).into_response();
        }
    };
    parts.extensions.insert(RequestControl(open.control()));
    let request = Request::from_parts(parts, body.into());
    // In a task, so that it ends and its answer is kept even if the client has closed the
    // connection.
    let executed = tokio::spawn(async move {
        let response = next.run(request).await;
        keep_answer(open, may_resume, response).await
    });
    match executed.await {
        Ok(response) => response,
        Err(error) => ApiError::panicked(error).into_response(),
    }
}

/// Keeps an answer of status 2xx. Forgets the request after a refusal.
async fn keep_answer(open: OpenRequest, may_resume: bool, response: Response) -> Response {
    let status = response.status();
    if !status.is_success() {
        // After a failure of the server, a part may be done. The repetition resumes it.
        if status.is_client_error() || !may_resume {
            open.forget().await;
        }
        return response;
    }
    let (parts, body) = response.into_parts();
    // Its whole text is in memory already.
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return ApiError::unwritable().into_response();
    };
    // A larger answer has no secret that only it contains, so its request may be executed again.
    if body.len() <= limits::KEPT_ANSWER_MAX {
        let mut answer = Zeroizing::new(Vec::with_capacity(STATUS_BYTES + body.len()));
        answer.extend_from_slice(&status.as_u16().to_be_bytes());
        answer.extend_from_slice(&body);
        open.keep(&answer).await;
    }
    Response::from_parts(parts, body.into())
}

/// Makes the response of a kept answer.
fn replay(kept: &[u8]) -> Response {
    let Some((status, body)) = kept.split_first_chunk::<STATUS_BYTES>() else {
        return ApiError::unwritable().into_response();
    };
    let Ok(status) = StatusCode::from_u16(u16::from_be_bytes(*status)) else {
        return ApiError::unwritable().into_response();
    };
    let mut response = (status, Body::from(body.to_vec())).into_response();
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    if body.is_empty() {
        headers.remove(CONTENT_TYPE);
    } else {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

fn in_progress() -> Response {
    let mut response = ApiError::in_progress().into_response();
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Reads the key. Its characters are compared as they are, with their quotes: a client that sends a
/// structured string (RFC 8941) and one that does not are both understood.
fn read_key(headers: &HeaderMap) -> Result<String, ApiError> {
    let mut values = headers.get_all(NAME).iter();
    let text = values.next().and_then(|value| value.to_str().ok());
    let text = text.unwrap_or_default().trim();
    let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if values.next().is_some()
        || text.is_empty()
        || text.len() > limits::IDEMPOTENCY_KEY_MAX
        || !printable
    {
        return Err(ApiError::bad_idempotency_key());
    }
    Ok(text.to_owned())
}

/// Hash under which a caller's key is stored. The same key of another caller has another one.
fn hash_key(caller: &str, key: &str) -> String {
    let hash = Sha256::new()
        .chain_update(caller)
        .chain_update([0])
        .chain_update(key)
        .finalize();
    let mut text = String::with_capacity(2 * hash.len());
    for byte in hash {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Hash of method, URI and body. No method and no URI contains a line feed.
fn hash_request(parts: &Parts, body: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(parts.method.as_str())
        .chain_update("\n")
        .chain_update(parts.uri.to_string())
        .chain_update("\n")
        .chain_update(body)
        .finalize()
        .into()
}

/// Adds the header to all writes of the description.
pub fn describe_header(description: &mut Description) {
    for item in description.paths.paths.values_mut() {
        for operation in writes(item).into_iter().flatten() {
            let parameters = operation.parameters.get_or_insert_default();
            parameters.push(header().into());
        }
    }
}

fn writes(item: &mut PathItem) -> [Option<&mut Operation>; 4] {
    let PathItem {
        post,
        put,
        patch,
        delete,
        ..
    } = item;
    [post, put, patch, delete].map(Option::as_mut)
}

fn header() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[!-~]([ -~]{0,253}[!-~])?$"))
        .max_length(Some(limits::IDEMPOTENCY_KEY_MAX))
        .examples([serde_json::json!(
            "\"6f1c2a0e-3b1d-4c55-9f0e-7f6f6c1f7a54\""
        )])
        .build();
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(HELP))
        .schema(Some(schema))
        .build()
}
