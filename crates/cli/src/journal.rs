//! The adapter that writes the journal's events to the log: one line each, one line per connection.
//! It never sees a password or SQL, since no event carries them.

use std::time::Duration;
use tidegate_model::journal::{ConnectionClosed, Ending};
use tidegate_model::{Blame, Event, Journal, LogBudget};
use tracing::{debug, error, info, warn};

#[derive(Debug, Default)]
pub struct LogJournal;

impl Journal for LogJournal {
    fn record(&self, event: &Event) {
        match event {
            // Strangers share a budget of lines; what is left out is counted.
            Event::ConnectionClosed(closed)
                if closed.user.is_none() && !LogBudget::of_process().take() => {}
            Event::ConnectionClosed(closed) => connection(closed),
            Event::Secured { version, cipher } => {
                if tracing::enabled!(tracing::Level::DEBUG) && LogBudget::of_process().take() {
                    debug!(version, cipher, "handshake done");
                }
            }
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
                error!(%cluster, run = run.0, silent_s = silent.as_secs_f64(), "engine frozen, it is killed");
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
                warn!(reason, "new certificate rejected, the old one stays")
            }
        }
    }
}

fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// The level is by blame: a client's slip is information, ours is an error.
fn connection(c: &ConnectionClosed) {
    let (end, why) = ending(&c.end);
    macro_rules! line {
        ($level:ident) => {
            $level!(
                session = c.session.0,
                client = %c.client,
                via = c.via.map(tracing::field::display),
                cluster = c.cluster.map(tracing::field::display),
                name = c.cluster_name.as_deref(),
                user = c.user.as_deref(),
                tls = c.tls.as_deref(),
                cipher = c.cipher.as_deref(),
                sni = c.sni.as_deref(),
                tls_ms = c.greeting_to_tls.map(ms),
                login_ms = c.tls_to_login.map(ms),
                attach_ms = c.login_to_attached.map(ms),
                woken = c.woken,
                open_ms = ms(c.open),
                bytes_in = c.bytes_from_client,
                bytes_out = c.bytes_to_client,
                end,
                why = why.as_deref(),
                "connection closed"
            )
        };
    }
    match &c.end {
        Ending::Panicked
        | Ending::Refused {
            blame: Blame::Gateway,
            ..
        } if !is_stop(&c.end) => line!(error),
        Ending::EngineGone(_)
        | Ending::Refused {
            blame: Blame::Cluster,
            ..
        } => line!(warn),
        _ => line!(info),
    }
}

/// Refusals that are ours but no fault: a server that was told to stop, a key that is used up.
fn is_stop(end: &Ending) -> bool {
    use tidegate_model::RefusalKind::{ChangeUser, RecycleTls12, ServerStopping};
    matches!(
        end,
        Ending::Refused {
            kind: ServerStopping | RecycleTls12 | ChangeUser,
            ..
        }
    )
}

fn ending(end: &Ending) -> (&'static str, Option<String>) {
    match end {
        Ending::Quit => ("quit", None),
        Ending::ClientClosed => ("client closed", None),
        Ending::ClientGone(why) => ("client gone", Some(why.clone())),
        Ending::EngineClosed => ("engine closed", None),
        Ending::EngineGone(why) => ("engine gone", Some(why.clone())),
        Ending::Evicted => ("cluster went to sleep", None),
        Ending::Killed => ("killed", None),
        Ending::Shutdown => ("server stopped", None),
        Ending::Refused { kind, detail, .. } => (kind.entry().slug, detail.clone()),
        Ending::EngineRefused { code, message } => {
            ("refused by the engine", Some(format!("{code} {message}")))
        }
        Ending::TlsFailed(why) => ("tls failed", Some(why.clone())),
        Ending::Panicked => ("panicked", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_sink::Sink;
    use tidegate_model::{ClusterId, RefusalKind, SessionId};

    fn line(end: Ending) -> serde_json::Value {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(move || writer.clone())
            .finish();
        let closed = ConnectionClosed {
            session: SessionId::new(7),
            client: "127.0.0.1:5".parse().unwrap(),
            via: None,
            cluster: Some(ClusterId(3)),
            cluster_name: Some("demo".into()),
            user: Some("root".into()),
            tls: Some("TLS 1.3".into()),
            cipher: Some("TLS13_AES_128_GCM_SHA256".into()),
            sni: None,
            greeting_to_tls: Some(Duration::from_micros(1540)),
            tls_to_login: None,
            login_to_attached: None,
            woken: true,
            open: Duration::from_secs(2),
            bytes_from_client: 10,
            bytes_to_client: 20,
            end,
        };
        tracing::subscriber::with_default(subscriber, || {
            LogJournal.record(&Event::ConnectionClosed(Box::new(closed)));
        });
        let bytes = sink.bytes();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.lines().count(), 1, "one line per connection: {text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_connection_is_one_line_with_all_that_is_known() {
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
    fn the_level_is_by_blame() {
        let refused = |kind: RefusalKind| {
            let end = Ending::Refused {
                kind,
                blame: kind.entry().blame,
                detail: None,
            };
            line(end)["level"].as_str().unwrap().to_owned()
        };
        assert_eq!(refused(RefusalKind::AccessDenied), "INFO");
        assert_eq!(refused(RefusalKind::EngineFailed), "WARN");
        assert_eq!(refused(RefusalKind::ServerStopping), "INFO");
        assert_eq!(line(Ending::Panicked)["level"], "ERROR");
    }
}
