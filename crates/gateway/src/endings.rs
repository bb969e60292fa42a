//! Endings of connections whose client's stream failed, and of those in which a bug was found.

use std::io;
use tidegate_model::journal::Ending;
use tidegate_model::{Lease, RefusalKind, SessionGuard, Waker, error_chain};
use tidegate_wire::compression::CompressionError;
use tidegate_wire::relay::RelayError;
use tidegate_wire::slices::OutOfBounds;

/// Returns the ending of a session in which this program computed a wrong position: no byte after
/// it can be trusted.
pub(crate) fn internal_error(bug: OutOfBounds) -> Ending {
    Ending::InternalError(bug.to_string())
}

/// Returns the ending of a connection that failed while its client was logging in. The error itself
/// is left out of the log: scanners and health checks break off all the time.
pub(crate) fn client_closed(error: &io::Error) -> Ending {
    found_bug(error).map_or(Ending::ClientClosed, internal_error)
}

/// Returns the ending of a session whose client's socket or TLS session failed.
pub(crate) fn client_gone(error: &io::Error) -> Ending {
    found_bug(error).map_or_else(|| Ending::ClientGone(error_chain(error)), internal_error)
}

/// Returns the ending of a session whose client broke the protocol. It reads the refusal where an
/// error packet fits into its stream.
pub(crate) fn broken_protocol(error: RelayError) -> Ending {
    let kind = match error {
        RelayError::ChangeUserUntracked => RefusalKind::ChangeUser,
        RelayError::FileOutOfOrder { .. } | RelayError::CommandBehindFile => {
            RefusalKind::PacketsOutOfOrder
        }
        RelayError::OutOfBounds(e) => return internal_error(e),
    };
    Ending::Refused {
        kind,
        detail: Some(error.to_string()),
    }
}

/// Returns why an engine closed a session: by a KILL that passed through the gateway, by itself, or
/// because it ended.
pub(crate) async fn closed_by_engine(
    waker: &dyn Waker,
    guard: &SessionGuard,
    lease: &Lease,
) -> RefusalKind {
    if guard.is_killed_in_sql() {
        RefusalKind::KilledInSql
    } else if waker.is_alive(lease.cluster, lease.run).await {
        RefusalKind::ClosedByEngine
    } else {
        RefusalKind::EngineLost
    }
}

/// Returns the ending of a session whose client sent a frame that can't be read.
pub(crate) fn broken_compression(error: CompressionError) -> Ending {
    let kind = match error {
        CompressionError::OutOfOrder { .. } => RefusalKind::PacketsOutOfOrder,
        CompressionError::Corrupt | CompressionError::TooLong => RefusalKind::BadCompression,
        CompressionError::OutOfBounds(e) => return internal_error(e),
    };
    Ending::Refused {
        kind,
        detail: Some(error.to_string()),
    }
}

fn found_bug(error: &io::Error) -> Option<OutOfBounds> {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_wire::slices::tail;

    #[test]
    fn a_bug_is_never_logged_as_a_client_that_left() {
        let bug = io::Error::other(tail(b"abc", 4).unwrap_err());
        for ending in [client_closed(&bug), client_gone(&bug)] {
            let Ending::InternalError(why) = ending else {
                panic!("{ending:?}")
            };
            assert_eq!(why, "internal error: position 4 in 3 bytes");
        }
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(matches!(client_closed(&reset), Ending::ClientClosed));
        assert!(matches!(client_gone(&reset), Ending::ClientGone(_)));
    }
}
