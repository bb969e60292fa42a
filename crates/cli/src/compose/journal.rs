//! Adapter that writes the journal's events to the log: one line for each event, one for each
//! connection. No event contains a password or SQL.

use std::sync::Arc;
use std::time::Duration;
use tidegate_console::events::Events;
use tidegate_console::metrics::Metrics;
use tidegate_model::journal::{ConnectionClosed, Ending, UserChanged};
use tidegate_model::{Event, Journal, LogBudget, Severity};
use tracing::{debug, error, info, warn};

#[derive(Debug, Default)]
pub struct LogJournal;

impl Journal for LogJournal {
    fn record(&self, event: &Event) {
        match event {
            // Health checks of load balancers would fill the log and use up its budget.
            Event::ConnectionClosed(closed) if matches!(closed.end, Ending::NothingSent) => {}
            // The budget counts the lines that are left out.
            Event::ConnectionClosed(closed) if !within_budget(closed) => {}
            Event::ConnectionClosed(closed) => log_connection(closed),
            Event::Secured { version, cipher } => {
                if tracing::enabled!(tracing::Level::DEBUG) && LogBudget::of_process().take() {
                    debug!(version, cipher, "handshake done");
                }
            }
            Event::UserChanged(changed) => log_user_changed(changed),
            Event::ClusterDeleted { cluster } => info!(%cluster, "cluster deleted"),
            Event::EngineStarted {
                cluster,
                run,
                took,
                recovery,
            } => {
                info!(%cluster, run = run.0, took_ms = ms(*took), recovery, "engine started");
            }
            Event::EngineSlept {
                cluster,
                run,
                sessions_evicted,
            } => {
                info!(%cluster, run = run.0, sessions_evicted, "engine asleep");
            }
            Event::EngineDied {
                cluster,
                run,
                status,
            } => error!(%cluster, run = run.0, status, "engine died"),
            Event::EngineFrozen {
                cluster,
                run,
                silent,
            } => {
                error!(%cluster, run = run.0, silent_s = silent.as_secs_f64(), "engine does not \
                     answer and is killed");
            }
            Event::EngineFailed { cluster, reason } => {
                error!(%cluster, reason, "engine can't start")
            }
            Event::CertificateSwapped {
                names,
                not_after_unix,
            } => {
                info!(
                    names = names.join(","),
                    not_after_unix, "certificate swapped"
                );
            }
            Event::CertificateAlarm { what } => error!(what, "certificate alarm"),
            Event::CertificateRejected { reason } => {
                warn!(reason, "new certificate rejected; the old one stays in use")
            }
        }
    }
}

/// Returns a journal that passes each event to the log, the console's events and the metrics.
pub fn journal_of_all(events: &Events, metrics: &Metrics) -> Arc<dyn Journal> {
    let all: Vec<Arc<dyn Journal>> = vec![
        Arc::new(LogJournal),
        Arc::new(events.clone()),
        Arc::new(metrics.clone()),
    ];
    Arc::new(FanOut(all))
}

/// Journal that passes each event to several journals.
struct FanOut(Vec<Arc<dyn Journal>>);

impl Journal for FanOut {
    fn record(&self, event: &Event) {
        for journal in &self.0 {
            journal.record(event);
        }
    }
}

/// Whether the log's budget still has a line for this connection. Logins of a cluster share the
/// cluster's budget; all other connections share one.
fn within_budget(closed: &ConnectionClosed) -> bool {
    let budget = LogBudget::of_process();
    match (&closed.facts.user, closed.facts.cluster) {
        // A cluster with many logins must not use up the lines of the others.
        (Some(_), Some(cluster)) => budget.take_for(cluster),
        _ => budget.take(),
    }
}

fn log_user_changed(changed: &UserChanged) {
    let UserChanged {
        session,
        client,
        from,
        to,
    } = changed;
    // A pool may change the user for every request.
    let has_budget = to
        .cluster
        .is_none_or(|cluster| LogBudget::of_process().take_for(cluster));
    if has_budget {
        info!(
            session = session.0,
            %client,
            from_cluster = from.cluster.map(tracing::field::display),
            from_name = from.cluster_name.as_deref(),
            from_user = from.user.as_deref(),
            cluster = to.cluster.map(tracing::field::display),
            name = to.cluster_name.as_deref(),
            user = to.user.as_deref(),
            "user changed"
        );
    }
}

fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Writes the line of a connection, at the level of the reason why it was closed.
fn log_connection(c: &ConnectionClosed) {
    let (end, why) = ending(&c.end);
    let facts = &c.facts;
    // A macro, because the level of an event must be a constant.
    macro_rules! line {
        ($level:ident) => {
            $level!(
                session = c.session.0,
                client = %c.client,
                via = c.via.map(tracing::field::display),
                cluster = facts.cluster.map(tracing::field::display),
                name = facts.cluster_name.as_deref(),
                user = facts.user.as_deref(),
                tls = facts.tls,
                cipher = facts.cipher.as_deref(),
                sni = facts.sni.as_deref(),
                tls_ms = facts.greeting_to_tls.map(ms),
                login_ms = facts.tls_to_login.map(ms),
                attach_ms = facts.login_to_attached.map(ms),
                woken = facts.woken,
                open_ms = ms(c.open),
                bytes_in = facts.bytes_from_client,
                bytes_out = facts.bytes_to_client,
                end,
                why = why.as_deref(),
                "connection closed"
            )
        };
    }
    match severity(&c.end) {
        Severity::Error => line!(error),
        Severity::Warn => line!(warn),
        Severity::Info => line!(info),
    }
}

/// Returns the level of an ending. That of a refusal is a column of the table of refusals.
fn severity(end: &Ending) -> Severity {
    match end {
        Ending::InternalError(_) | Ending::Panicked => Severity::Error,
        Ending::Refused { kind, .. } => kind.entry().severity,
        _ => Severity::Info,
    }
}

fn ending(end: &Ending) -> (&'static str, Option<String>) {
    match end {
        Ending::Quit => ("quit", None),
        Ending::NothingSent => ("nothing sent", None),
        Ending::ClientClosed => ("client closed", None),
        Ending::ClientGone(why) => ("client gone", Some(why.clone())),
        Ending::Evicted => ("cluster went to sleep", None),
        Ending::Killed => ("killed", None),
        Ending::Shutdown => ("server stopped", None),
        Ending::Refused { kind, detail, .. } => (kind.entry().slug, detail.clone()),
        Ending::EngineRefused { code, message } => {
            ("refused by the engine", Some(format!("{code} {message}")))
        }
        Ending::TlsFailed(why) => ("tls failed", Some(why.clone())),
        Ending::InternalError(why) => ("internal error", Some(why.clone())),
        Ending::Panicked => ("panicked", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::sink::Sink;
    use tidegate_model::journal::ConnectionFacts;
    use tidegate_model::log_budget::CLUSTER_LINES;
    use tidegate_model::{ClusterId, RefusalKind, SessionId};

    /// Returns the JSON lines that are logged meanwhile.
    fn logged(work: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        String::from_utf8(sink.bytes()).unwrap()
    }

    fn line(end: Ending) -> serde_json::Value {
        let closed = ConnectionClosed {
            session: SessionId::new(7),
            client: "127.0.0.1:5".parse().unwrap(),
            via: None,
            facts: ConnectionFacts {
                cluster: Some(ClusterId(3)),
                cluster_name: Some("demo".into()),
                user: Some("root".into()),
                tls: Some("TLS 1.3"),
                cipher: Some("TLS13_AES_128_GCM_SHA256".into()),
                greeting_to_tls: Some(Duration::from_micros(1540)),
                woken: true,
                bytes_from_client: 10,
                bytes_to_client: 20,
                ..ConnectionFacts::default()
            },
            open: Duration::from_secs(2),
            end,
        };
        let text = logged(|| LogJournal.record(&Event::ConnectionClosed(Box::new(closed))));
        assert_eq!(text.lines().count(), 1, "one line per connection: {text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_connection_is_logged_as_one_line_with_all_known_fields() {
        let json = line(Ending::Quit);
        let fields = &json["fields"];
        assert_eq!(json["level"], "INFO");
        for (key, want) in [
            ("client", "127.0.0.1:5"),
            ("name", "demo"),
            ("tls", "TLS 1.3"),
            ("end", "quit"),
        ] {
            assert_eq!(fields[key], want, "{key}");
        }
        assert_eq!(fields["tls_ms"], 1.5);
        assert_eq!(fields["woken"], true);
        assert!(fields.get("sni").is_none(), "what is not known is left out");
    }

    #[test]
    fn the_level_is_a_column_of_the_refusals() {
        for kind in RefusalKind::ALL {
            let end = Ending::Refused {
                kind: *kind,
                detail: None,
            };
            let want = match kind.entry().severity {
                Severity::Info => "INFO",
                Severity::Warn => "WARN",
                Severity::Error => "ERROR",
            };
            assert_eq!(line(end)["level"], want, "{kind:?}");
        }
        // A stop of the server and a used-up TLS key are caused by the gateway, but are no errors.
        for (kind, severity) in [
            (RefusalKind::AccessDenied, Severity::Info),
            (RefusalKind::EngineFailed, Severity::Warn),
            (RefusalKind::DiskFull, Severity::Error),
            (RefusalKind::ServerStopping, Severity::Info),
            (RefusalKind::RecycleTls12, Severity::Info),
        ] {
            assert_eq!(kind.entry().severity, severity, "{kind:?}");
        }
        assert_eq!(line(Ending::Panicked)["level"], "ERROR");
    }

    fn close_login(cluster: u64) {
        let facts = ConnectionFacts {
            cluster: Some(ClusterId(cluster)),
            user: Some("root".into()),
            ..ConnectionFacts::default()
        };
        let closed = ConnectionClosed {
            session: SessionId::new(7),
            client: "127.0.0.1:5".parse().unwrap(),
            via: None,
            facts,
            open: Duration::ZERO,
            end: Ending::Quit,
        };
        LogJournal.record(&Event::ConnectionClosed(Box::new(closed)));
    }

    fn lines_of(cluster: u64, text: &str) -> usize {
        text.matches(&format!("\"cluster\":\"{cluster}\"")).count()
    }

    #[test]
    fn logins_of_one_cluster_are_cut_at_its_budget_and_counted() {
        let loud = 77_001;
        let quiet = 77_002;
        let logins = 10 * CLUSTER_LINES.burst as usize;
        let before = LogBudget::of_process().withheld();
        let text = logged(|| {
            (0..logins).for_each(|_| close_login(loud));
            close_login(quiet);
        });
        assert_eq!(
            lines_of(quiet, &text),
            1,
            "another cluster's budget is full"
        );
        let written = lines_of(loud, &text);
        assert!((1..logins / 2).contains(&written), "{written}");
        let withheld = LogBudget::of_process().withheld() - before;
        assert!(withheld as usize >= logins - written, "{withheld}");
    }
}
