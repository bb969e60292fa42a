//! Routes of the certificate.

use super::idempotency::WriteApi;
use super::json_body::JsonObject;
use crate::errors::ApiError;
use crate::state::Api;
use crate::types::{Certificate, CertificatePair, CheckFinding, CheckResult, ErrorBody};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use tidegate_tls::{Identity, TlsError};

/// Choice between the certificate of the endpoint and that of the console.
#[derive(Debug, Deserialize)]
pub struct CertificateQuery {
    #[serde(default)]
    console: bool,
}

impl CertificateQuery {
    fn identity(&self, api: Api) -> Result<Identity, ApiError> {
        if !self.console {
            return Ok(api.identity);
        }
        Ok(api.console_identity.ok_or(TlsError::NoAcme)?)
    }
}

/// Shows the certificate and the state of its renewal.
#[utoipa::path(
    get,
    path = "/v1/certificate",
    tag = "certificate",
    security(("key" = ["read"])),
    responses(
        (status = 200, body = Certificate),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn show_certificate(State(api): State<Api>) -> Result<Json<Certificate>, ApiError> {
    // It may read the history from disk.
    let read_status = move || {
        let console = api
            .console_identity
            .map(|identity| identity.status())
            .transpose()?;
        let console = console.map(|status| Box::new(Certificate::from(status)));
        Ok::<_, TlsError>(Certificate {
            console,
            ..Certificate::from(api.identity.status()?)
        })
    };
    Ok(Json(
        tokio::task::spawn_blocking(read_status)
            .await
            .map_err(ApiError::panicked)??,
    ))
}

/// Orders a new certificate from the CA now. The answer does not wait for it. The CA's rate limits
/// apply.
#[utoipa::path(
    post,
    path = "/v1/certificate/renew",
    tag = "certificate",
    security(("key" = ["all"])),
    params(("console" = Option<bool>, Query, description = "the console's certificate instead of \
        the endpoint's; false if missing")),
    responses(
    (status = 202, description = "the order will be placed"),
    (status = 409, description = "certificates do not come from ACME", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
pub async fn renew_certificate(
    WriteApi(api): WriteApi,
    Query(of): Query<CertificateQuery>,
) -> Result<StatusCode, ApiError> {
    of.identity(api)?.renew()?;
    Ok(StatusCode::ACCEPTED)
}

/// Imports a certificate and its key from elsewhere. It is served at once and renewed in time, as
/// if the CA had issued it.
#[utoipa::path(
    post,
    path = "/v1/certificate/import",
    tag = "certificate",
    security(("key" = ["all"])),
    request_body = CertificatePair,
    params(("console" = Option<bool>, Query, description = "the console's certificate instead of \
        the endpoint's; false if missing")),
    responses(
    (status = 200, body = Certificate),
    (status = 400, description = "the certificate is not acceptable", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
pub async fn import_certificate(
    WriteApi(api): WriteApi,
    Query(of): Query<CertificateQuery>,
    JsonObject(pair): JsonObject<CertificatePair>,
) -> Result<Json<Certificate>, ApiError> {
    let identity = of.identity(api)?;
    let import = move || {
        identity
            .import(&pair.chain, pair.key.reveal())
            .and_then(|()| identity.status())
    };
    let status = tokio::task::spawn_blocking(import)
        .await
        .map_err(ApiError::panicked)??;
    Ok(Json(Certificate::from(status)))
}

/// Checks whether the next order could succeed, without placing one.
#[utoipa::path(
    post,
    path = "/v1/certificate/check",
    tag = "certificate",
    security(("key" = ["all"])),
    params(("console" = Option<bool>, Query, description = "the console's certificate instead of \
        the endpoint's; false if missing")),
    responses(
    (status = 200, body = CheckResult),
    (status = 409, description = "certificates do not come from ACME", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
pub async fn check_certificate(
    WriteApi(api): WriteApi,
    Query(of): Query<CertificateQuery>,
) -> Result<Json<CheckResult>, ApiError> {
    let found = of.identity(api)?.check().await?;
    let show = |f: tidegate_tls::OrderCheck| CheckFinding {
        what: f.what,
        good: f.good,
        detail: f.detail,
    };
    Ok(Json(CheckResult {
        findings: found.into_iter().map(show).collect(),
    }))
}
