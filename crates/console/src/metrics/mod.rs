//! Metrics for Prometheus. Labels come from closed sets only, never from a client or a tenant.

mod metric_set;
mod server;

pub use server::MetricsServer;

use metric_set::MetricSet;
use std::sync::Arc;
use tidegate_model::journal::{ConnectionClosed, Ending};
use tidegate_model::{Event, Journal, LogBudget, RefusalKind};
use tidegate_tls::{AlarmKind, Identity};

/// Metrics, as counted from events. Cheap to clone; all clones share the same values.
#[derive(Clone)]
pub struct Metrics {
    set: Arc<MetricSet>,
}

/// Cipher suites of the public profile. Another one would be a bug and is counted as `other`.
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
    /// If two metrics have the same name, which a test excludes.
    pub fn new() -> Result<Self, prometheus::Error> {
        let set = MetricSet::register()?;
        for kind in RefusalKind::ALL {
            // A counter that starts at zero shows its first refusal as an increase.
            set.refusals.with_label_values(&[kind.entry().slug]);
        }
        Ok(Self { set: Arc::new(set) })
    }

    /// Brings the counters of log lines up to those of the process.
    fn update_log_lines(&self, budget: &LogBudget) {
        let MetricSet {
            log_lines_dropped,
            log_lines_withheld,
            ..
        } = &*self.set;
        // A counter can only be increased, so the difference is added.
        log_lines_dropped.inc_by(budget.dropped().saturating_sub(log_lines_dropped.get()));
        log_lines_withheld.inc_by(budget.withheld().saturating_sub(log_lines_withheld.get()));
    }

    /// Sets the gauges of a certificate. It may block on reading the disk.
    fn update_certificate(&self, which: &str, identity: &Identity) {
        self.set
            .not_after
            .with_label_values(&[which])
            .set(identity.not_after().unix_timestamp());
        let alarms = identity
            .status()
            .map(|status| status.alarms)
            .unwrap_or_default();
        for kind in AlarmKind::ALL {
            let raised = alarms.iter().any(|alarm| alarm.kind == kind);
            self.set
                .alarms
                .with_label_values(&[which, kind.as_str()])
                .set(i64::from(raised));
        }
    }

    fn record_closed(&self, closed: &ConnectionClosed) {
        let version = version_label(closed.facts.tls);
        let cipher = cipher_label(closed.facts.cipher.as_deref());
        let outcome = match &closed.end {
            Ending::TlsFailed(_) => Some("failed"),
            Ending::Refused {
                kind: RefusalKind::InsecureTransport,
                ..
            } => Some("not_asked_for"),
            // Completed handshakes are counted at `Event::Secured`.
            _ => None,
        };
        if let Some(outcome) = outcome {
            self.set
                .handshakes
                .with_label_values(&[version, cipher, outcome])
                .inc();
        }
        if let Ending::Refused { kind, .. } = &closed.end {
            self.set
                .refusals
                .with_label_values(&[kind.entry().slug])
                .inc();
        } else if matches!(closed.end, Ending::EngineRefused { .. }) {
            self.set.refusals.with_label_values(&["engine"]).inc();
        }
        self.set
            .bytes
            .with_label_values(&["from_client"])
            .inc_by(closed.facts.bytes_from_client);
        self.set
            .bytes
            .with_label_values(&["to_client"])
            .inc_by(closed.facts.bytes_to_client);
    }
}

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
                self.set.handshakes.with_label_values(&labels).inc();
            }
            Event::EngineStarted { took, recovery, .. } => {
                let kind = if *recovery { "recovery" } else { "wake" };
                self.set.wakes.with_label_values(&[kind]).inc();
                self.set.wake_seconds.observe(took.as_secs_f64());
            }
            Event::EngineDied { .. } | Event::EngineFailed { .. } => self.set.engine_failures.inc(),
            // The death of a frozen engine is a separate event.
            Event::EngineFrozen { .. }
            | Event::ClusterDeleted { .. }
            | Event::UserChanged(_)
            | Event::EngineSlept { .. }
            | Event::CertificateSwapped { .. }
            | Event::CertificateRejected { .. }
            | Event::CertificateAlarm { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_labels_come_from_closed_sets() {
        Metrics::new().unwrap();
        assert_eq!(
            cipher_label(Some("TLS13_AES_128_GCM_SHA256")),
            "TLS13_AES_128_GCM_SHA256"
        );
        let budget = LogBudget::default();
        let metrics = Metrics::new().unwrap();
        budget.drop_lines(3);
        (0..2).for_each(|_| metrics.update_log_lines(&budget));
        budget.drop_lines(2);
        metrics.update_log_lines(&budget);
        assert_eq!(metrics.set.log_lines_dropped.get(), 5, "counted once");
        assert_eq!(
            (cipher_label(Some("{evil}")), version_label(Some("{evil}"))),
            ("other", "other")
        );
    }
}
