//! The routes of the certificate.

use super::json_body::JsonObject;
use crate::errors::ApiError;
use crate::state::Api;
use crate::types::{Certificate, CertificatePair, CheckFinding, CheckResult, ErrorBody};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use tidegate_tls::{Identity, TlsError};

/// Which of the two certificates.
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

/// The certificate.
#[utoipa::path(get, path = "/v1/certificate", tag = "certificate", security(("key" = ["read"])), responses(
    (status = 200, body = Certificate),
    (status = "default", body = ErrorBody)
))]
pub async fn show_certificate(State(api): State<Api>) -> Result<Json<Certificate>, ApiError> {
    let look = move || {
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
        tokio::task::spawn_blocking(look)
            .await
            .map_err(ApiError::panicked)??,
    ))
}

/// Asks the CA for a new certificate now. The answer does not wait for it; the CA's limits hold all
/// the same.
#[utoipa::path(post, path = "/v1/certificate/renew", tag = "certificate", security(("key" = ["all"])),
    params(("console" = Option<bool>, Query, description = "of the console's own certificate; \
         false if missing")),
    responses(
    (status = 202, description = "the order will be placed"),
    (status = 409, description = "certificates do not come by ACME", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
pub async fn renew_certificate(
    State(api): State<Api>,
    Query(of): Query<CertificateQuery>,
) -> Result<StatusCode, ApiError> {
    of.identity(api)?.renew()?;
    Ok(StatusCode::ACCEPTED)
}

/// Takes a pair that was got elsewhere, as if the CA had issued it: it is served at once and
/// renewed in time.
#[utoipa::path(post, path = "/v1/certificate/import", tag = "certificate", security(("key" = ["all"])), request_body = CertificatePair,
    params(("console" = Option<bool>, Query, description = "of the console's own certificate; \
         false if missing")),
    responses(
    (status = 200, body = Certificate),
    (status = 400, description = "the pair may not be served", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
pub async fn import_certificate(
    State(api): State<Api>,
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

/// Looks whether the next order could succeed. Nothing is ordered.
#[utoipa::path(post, path = "/v1/certificate/check", tag = "certificate", security(("key" = ["all"])),
    params(("console" = Option<bool>, Query, description = "of the console's own certificate; \
         false if missing")),
    responses(
    (status = 200, body = CheckResult),
    (status = 409, description = "certificates do not come by ACME", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
pub async fn check_certificate(
    State(api): State<Api>,
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
