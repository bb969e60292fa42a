//! Private listener: metrics for Prometheus, and `/livez` and `/readyz` for health checks. Nothing
//! here is secret, but it is meant for a private address.

use super::Metrics;
use crate::bounded::{self, ConnectionBounds};
use crate::limits;
use crate::readiness::{Readiness, ReadyState};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Encoder, TEXT_FORMAT, TextEncoder};
use tidegate_control::Control;
use tidegate_model::{ClusterState, LogBudget};
use tidegate_tls::{Handshakes, Identity};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Server of the metrics. Values that no event reports are read at each request.
#[derive(Clone)]
pub struct MetricsServer {
    pub metrics: Metrics,
    pub control: Control,
    pub readiness: Readiness,
    pub identity: Identity,
    /// Certificate of the console, if it has a separate one.
    pub console_identity: Option<Identity>,
    /// Use of the processor by connections without a proven password.
    pub handshakes: Handshakes,
}

impl MetricsServer {
    /// Serves until `stop`.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let bounds = ConnectionBounds {
            connections: limits::PRIVATE_CONNECTIONS_MAX,
            life: Some(limits::PRIVATE_LIFE),
        };
        bounded::serve_bounded(listener, self.router(), bounds, stop.cancelled()).await;
    }

    fn router(self) -> Router {
        Router::new()
            .route("/metrics", get(scrape))
            .route("/livez", get(live))
            // The name that `/livez` had first, which monitors may still use.
            .route("/healthz", get(live))
            .route("/readyz", get(ready))
            .with_state(self)
    }

    /// Reads the values that no event reports.
    fn refresh_gauges(&self) {
        let set = &self.metrics.set;
        let counts = self.control.cluster_counts();
        for state in ClusterState::ALL {
            let count = counts.of_state(state);
            set.clusters
                .with_label_values(&[&state.to_string()])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        set.sessions
            .set(i64::try_from(counts.sessions).unwrap_or(i64::MAX));
        self.metrics.update_certificate("database", &self.identity);
        if let Some(identity) = &self.console_identity {
            self.metrics.update_certificate("console", identity);
        }
        let ready = self.readiness.state() == ReadyState::Ready;
        set.ready.set(i64::from(ready));
        let disk_full = self.control.disk_full().is_some();
        set.disk_full.set(i64::from(disk_full));
        self.metrics.update_log_lines(LogBudget::of_process());
        let waits = &set.stranger_waits;
        waits.inc_by(self.handshakes.waits().saturating_sub(waits.get()));
    }
}

async fn scrape(State(server): State<MetricsServer>) -> Response {
    let refreshed = server.clone();
    // It may read the state of certificates from disk. If it panics, the gauges keep their values.
    drop(tokio::task::spawn_blocking(move || refreshed.refresh_gauges()).await);
    let mut text = Vec::new();
    match TextEncoder::new().encode(&server.metrics.set.registry.gather(), &mut text) {
        Ok(()) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Answers that the process serves requests. It says nothing about the database's port: a server
/// that recovers or drains must not be restarted for it.
async fn live() -> &'static str {
    "ok\n"
}

/// Answers whether new clients should be sent to this server.
async fn ready(State(server): State<MetricsServer>) -> Response {
    let state = server.readiness.state();
    let status = if state == ReadyState::Ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, format!("{}\n", state.word())).into_response()
}
