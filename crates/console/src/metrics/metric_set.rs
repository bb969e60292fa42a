//! All metrics, with their names and help texts, and their registration.

use prometheus::core::Collector;
use prometheus::{
    Error, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

pub struct MetricSet {
    pub registry: Registry,
    pub handshakes: IntCounterVec,
    pub refusals: IntCounterVec,
    pub wakes: IntCounterVec,
    pub wake_seconds: Histogram,
    pub engine_failures: IntCounter,
    pub bytes: IntCounterVec,
    pub sessions: IntGauge,
    pub clusters: IntGaugeVec,
    pub not_after: IntGaugeVec,
    pub alarms: IntGaugeVec,
    pub ready: IntGauge,
    pub disk_full: IntGauge,
    pub log_lines_dropped: IntCounter,
    pub log_lines_withheld: IntCounter,
    pub stranger_waits: IntCounter,
}

/// Bounds of the histogram of wakes. The target is 80 ms, the deadline 12 s.
const WAKE_SECONDS: [f64; 10] = [0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 12.0];

impl MetricSet {
    /// # Errors
    /// If two metrics have the same name.
    pub fn register() -> Result<Self, Error> {
        let r = Registry::new_custom(Some("tidegate".to_owned()), None)?;
        Ok(Self {
            handshakes: counters(
                &r,
                "handshakes_total",
                "TLS handshakes with the endpoint, counted when they end",
                &["version", "cipher", "outcome"],
            )?,
            refusals: counters(
                &r,
                "refusals_total",
                "Connections refused, by the slug of the help page",
                &["reason"],
            )?,
            wakes: counters(&r, "wakes_total", "Engines started", &["kind"])?,
            wake_seconds: wake_histogram(&r)?,
            engine_failures: counter(
                &r,
                "engine_failures_total",
                "Engines that died or could not start",
            )?,
            bytes: counters(
                &r,
                "bytes_total",
                "Bytes of closed connections",
                &["direction"],
            )?,
            sessions: gauge(&r, "sessions", "Sessions that have logged in")?,
            clusters: gauges(&r, "clusters", "Clusters, by state", &["state"])?,
            not_after: gauges(
                &r,
                "certificate_not_after_seconds",
                "Expiry of the served certificate, in Unix time",
                &["certificate"],
            )?,
            alarms: gauges(
                &r,
                "certificate_alarms",
                "1 while a certificate needs attention, by kind of problem",
                &["certificate", "kind"],
            )?,
            ready: gauge(
                &r,
                "ready",
                "1 while /readyz answers 200: neither at the start nor while the server drains",
            )?,
            disk_full: gauge(
                &r,
                "disk_full",
                "1 while the disk of the data directory is too full to wake clusters",
            )?,
            log_lines_dropped: counter(
                &r,
                "log_lines_dropped_total",
                "Log lines lost because the log was not read or written in time",
            )?,
            log_lines_withheld: counter(
                &r,
                "log_lines_withheld_total",
                "Log lines omitted because their budget (unauthenticated connections, a cluster's \
                 logins, libraries) was used up",
            )?,
            stranger_waits: counter(
                &r,
                "stranger_waits_total",
                "Times that a connection without a proven password waited for the processor",
            )?,
            registry: r,
        })
    }
}

fn wake_histogram(registry: &Registry) -> Result<Histogram, Error> {
    let options = HistogramOpts::new("wake_seconds", "Time from asleep to awake");
    registered(
        registry,
        Histogram::with_opts(options.buckets(WAKE_SECONDS.to_vec())),
    )
}

/// Registers a collector. All clones of a collector share their values.
fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: Result<C, Error>,
) -> Result<C, Error> {
    let collector = collector?;
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, Error> {
    registered(registry, IntCounter::new(name, help))
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, Error> {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, Error> {
    registered(registry, IntGauge::new(name, help))
}

fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, Error> {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels))
}
