//! The private listener: metrics for Prometheus, health and readiness. Labels come from closed sets
//! only, never from a client or a tenant, and nothing here is secret; still it is for a private
//! address.

use crate::bounded::{self, ConnectionBounds};
use crate::limits;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};
use prometheus::{TEXT_FORMAT, TextEncoder};
use std::sync::Arc;
use tidegate_control::Control;
use tidegate_model::journal::{ConnectionClosed, Ending};
use tidegate_model::{ClusterState, Event, Journal, LogBudget, RefusalKind};
use tidegate_tls::{AlarmKind, Handshakes, Identity};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Counts events. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<MetricSet>,
}

struct MetricSet {
    registry: Registry,
    handshakes: IntCounterVec,
    refusals: IntCounterVec,
    wakes: IntCounterVec,
    wake_seconds: Histogram,
    engine_failures: IntCounter,
    bytes: IntCounterVec,
    sessions: IntGauge,
    clusters: IntGaugeVec,
    not_after: IntGaugeVec,
    alarms: IntGaugeVec,
    ready: IntGauge,
    disk_full: IntGauge,
    log_lines_dropped: IntCounter,
    log_lines_withheld: IntCounter,
    stranger_waits: IntCounter,
}

/// What a look at the server adds to what events have counted.
#[derive(Clone)]
pub struct MetricsServer {
    pub metrics: Metrics,
    pub control: Control,
    pub identity: Identity,
    /// The console's own certificate, where it has one.
    pub console_identity: Option<Identity>,
    /// Turns at the processor of connections that have proved nothing.
    pub handshakes: Handshakes,
}

const STATES: [ClusterState; 5] = [
    ClusterState::Asleep,
    ClusterState::Waking,
    ClusterState::Awake,
    ClusterState::Draining,
    ClusterState::Failed,
];

/// The suites that the public profile speaks; another one would be a bug and is counted as such.
const CIPHERS: [&str; 9] = [
    "TLS13_AES_256_GCM_SHA384",
    "TLS13_AES_128_GCM_SHA256",
    "TLS13_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

impl Metrics {
    /// # Errors
    /// If two metrics have one name, which a test rules out.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("tidegate".to_owned()), None)?;
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let made = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(made.clone()))?;
            Ok::<_, prometheus::Error>(made)
        };
        let gauge = |name: &str, help: &str| {
            let made = IntGauge::new(name, help)?;
            registry.register(Box::new(made.clone()))?;
            Ok::<_, prometheus::Error>(made)
        };
        let counter = |name: &str, help: &str| {
            let made = IntCounter::new(name, help)?;
            registry.register(Box::new(made.clone()))?;
            Ok::<_, prometheus::Error>(made)
        };
        let handshakes = "TLS handshakes with the endpoint, counted when they end";
        let handshakes = counters(
            "handshakes_total",
            handshakes,
            &["version", "cipher", "outcome"],
        )?;
        let refusals = counters(
            "refusals_total",
            "Connections refused, by the slug of the help page",
            &["reason"],
        )?;
        let wakes = counters("wakes_total", "Engines started", &["kind"])?;
        let bytes = counters("bytes_total", "Bytes of ended connections", &["direction"])?;
        let options = HistogramOpts::new("wake_seconds", "From asleep to awake")
            .buckets(WAKE_SECONDS.to_vec());
        let wake_seconds = Histogram::with_opts(options)?;
        registry.register(Box::new(wake_seconds.clone()))?;
        let engine_failures = IntCounter::new(
            "engine_failures_total",
            "Engines that died or could not start",
        )?;
        registry.register(Box::new(engine_failures.clone()))?;
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let made = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(made.clone()))?;
            Ok::<_, prometheus::Error>(made)
        };
        let not_after = "When the served certificate ends, Unix time";
        let not_after = gauges("certificate_not_after_seconds", not_after, &["certificate"])?;
        let alarms = "1 while somebody must look at a certificate, by why";
        let alarms = gauges("certificate_alarms", alarms, &["certificate", "kind"])?;
        let clusters = gauges("clusters", "Clusters, by state", &["state"])?;
        let inner = MetricSet {
            handshakes,
            refusals,
            wakes,
            wake_seconds,
            engine_failures,
            bytes,
            clusters,
            sessions: gauge("sessions", "Sessions that have logged in")?,
            not_after,
            alarms,
            log_lines_dropped: counter(
                "log_lines_dropped_total",
                "Log lines lost: the log was not read or written in time",
            )?,
            log_lines_withheld: counter(
                "log_lines_withheld_total",
                "Log lines left out beyond a budget: of strangers, of one cluster's logins, of libraries",
            )?,
            stranger_waits: counter(
                "stranger_waits_total",
                "Turns at the processor that connections without a proved password waited for",
            )?,
            ready: gauge("ready", "1 once recovery after the start has ended")?,
            disk_full: gauge(
                "disk_full",
                "1 while the disk of the data directory is too full to wake clusters",
            )?,
            registry,
        };
        for kind in RefusalKind::ALL {
            // So that a first refusal is a step from zero.
            inner.refusals.with_label_values(&[kind.entry().slug]);
        }
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Brings the counters of log lines up to those of the process.
    fn log_lines(&self, budget: &LogBudget) {
        let MetricSet {
            log_lines_dropped,
            log_lines_withheld,
            ..
        } = &*self.inner;
        log_lines_dropped.inc_by(budget.dropped().saturating_sub(log_lines_dropped.get()));
        log_lines_withheld.inc_by(budget.withheld().saturating_sub(log_lines_withheld.get()));
    }

    /// May block on the disk.
    fn certificate(&self, which: &str, identity: &Identity) {
        self.inner
            .not_after
            .with_label_values(&[which])
            .set(identity.not_after().unix_timestamp());
        let alarms = identity
            .status()
            .map(|status| status.alarms)
            .unwrap_or_default();
        for kind in AlarmKind::ALL {
            let raised = alarms.iter().any(|alarm| alarm.kind == kind);
            self.inner
                .alarms
                .with_label_values(&[which, kind.as_str()])
                .set(i64::from(raised));
        }
    }

    fn record_closed(&self, closed: &ConnectionClosed) {
        let (version, cipher) = (
            version_label(closed.facts.tls),
            cipher_label(closed.facts.cipher.as_deref()),
        );
        let outcome = match &closed.end {
            Ending::TlsFailed(_) => Some("failed"),
            Ending::Refused {
                kind: RefusalKind::InsecureTransport,
                ..
            } => Some("not_asked_for"),
            // Those that are done were counted then.
            _ => None,
        };
        if let Some(outcome) = outcome {
            self.inner
                .handshakes
                .with_label_values(&[version, cipher, outcome])
                .inc();
        }
        if let Ending::Refused { kind, .. } = &closed.end {
            self.inner
                .refusals
                .with_label_values(&[kind.entry().slug])
                .inc();
        } else if matches!(closed.end, Ending::EngineRefused { .. }) {
            self.inner.refusals.with_label_values(&["engine"]).inc();
        }
        self.inner
            .bytes
            .with_label_values(&["from_client"])
            .inc_by(closed.facts.bytes_from_client);
        self.inner
            .bytes
            .with_label_values(&["to_client"])
            .inc_by(closed.facts.bytes_to_client);
    }
}

/// The target is 80 ms, the deadline 12 s.
const WAKE_SECONDS: [f64; 10] = [0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 12.0];

fn version_label(tls: Option<&str>) -> &'static str {
    match tls {
        Some("TLS 1.3") => "1.3",
        Some("TLS 1.2") => "1.2",
        Some(_) => "other",
        None => "none",
    }
}

fn cipher_label(name: Option<&str>) -> &'static str {
    match name {
        Some(name) => CIPHERS
            .into_iter()
            .find(|known| *known == name)
            .unwrap_or("other"),
        None => "none",
    }
}

impl Journal for Metrics {
    fn record(&self, event: &Event) {
        match event {
            Event::ConnectionClosed(closed) => self.record_closed(closed),
            Event::Secured { version, cipher } => {
                let labels = [version_label(Some(version)), cipher_label(*cipher), "done"];
                self.inner.handshakes.with_label_values(&labels).inc();
            }
            Event::EngineStarted { took, recovery, .. } => {
                let kind = if *recovery { "recovery" } else { "wake" };
                self.inner.wakes.with_label_values(&[kind]).inc();
                self.inner.wake_seconds.observe(took.as_secs_f64());
            }
            Event::EngineDied { .. } | Event::EngineFailed { .. } => {
                self.inner.engine_failures.inc()
            }
            // Its death is an event of its own.
            Event::EngineFrozen { .. }
            | Event::ClusterDeleted { .. }
            | Event::EngineSlept { .. }
            | Event::CertificateSwapped { .. }
            | Event::CertificateRejected { .. }
            | Event::CertificateAlarm { .. } => {}
        }
    }
}

impl MetricsServer {
    /// Until `stop`.
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
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(self)
    }

    fn refresh_gauges(&self) {
        let (inner, views) = (&self.metrics.inner, self.control.clusters());
        for state in STATES {
            let count = views.iter().filter(|view| view.state == state).count();
            inner
                .clusters
                .with_label_values(&[&state.to_string()])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        inner
            .sessions
            .set(views.iter().map(|view| i64::from(view.sessions)).sum());
        self.metrics.certificate("database", &self.identity);
        if let Some(identity) = &self.console_identity {
            self.metrics.certificate("console", identity);
        }
        inner.ready.set(i64::from(self.control.is_recovered()));
        let disk_full = self.control.disk_full().is_some();
        inner.disk_full.set(i64::from(disk_full));
        self.metrics.log_lines(LogBudget::of_process());
        let waits = &inner.stranger_waits;
        waits.inc_by(self.handshakes.waits().saturating_sub(waits.get()));
    }
}

async fn scrape(State(watched): State<MetricsServer>) -> Response {
    let server = watched.clone();
    // It reads what is remembered of certificates. A look that panics leaves the numbers of the one
    // before.
    drop(tokio::task::spawn_blocking(move || server.refresh_gauges()).await);
    let mut text = Vec::new();
    match TextEncoder::new().encode(&watched.metrics.inner.registry.gather(), &mut text) {
        Ok(()) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Whether logins are served: not while clusters are recovered after a start.
async fn ready(State(watched): State<MetricsServer>) -> Response {
    if watched.control.is_recovered() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "recovering\n").into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_its_own_and_labels_are_closed() {
        Metrics::new().unwrap();
        assert_eq!(
            cipher_label(Some("TLS13_AES_128_GCM_SHA256")),
            "TLS13_AES_128_GCM_SHA256"
        );
        let (budget, metrics) = (LogBudget::default(), Metrics::new().unwrap());
        budget.drop_lines(3);
        (0..2).for_each(|_| metrics.log_lines(&budget));
        budget.drop_lines(2);
        metrics.log_lines(&budget);
        assert_eq!(metrics.inner.log_lines_dropped.get(), 5, "counted once");
        assert_eq!(
            (cipher_label(Some("{evil}")), version_label(Some("{evil}"))),
            ("other", "other")
        );
    }
}
