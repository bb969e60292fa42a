//! The life of a connection, a type and a file per stage, each consuming the one before. The file
//! listing reads like the protocol: accepted, greeted, secured, identified, authenticated,
//! attached, relaying.
//!
//! A stage that can't go on tells the client why and ends in an [`Ending`].

pub(crate) mod accepted;
pub(crate) mod attached;
pub(crate) mod authenticated;
pub(crate) mod greeted;
pub(crate) mod identified;
pub(crate) mod relaying;
pub(crate) mod secured;

use crate::error_packet::err_packet;
use crate::limits;
use crate::source::Eviction;
use std::time::Duration;
use tidegate_model::journal::Ending;
use tidegate_model::{Refusal, RefusalKind, Wording};
use tidegate_wire::packet::write_packet;
use tidegate_wire::response::ErrPacket;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

/// Why a wait of an unproven connection ended early.
pub(crate) enum Interrupted {
    Deadline,
    Evicted,
}

/// Waits for work of an unproven connection, until its deadline or until its place is given to
/// another.
pub(crate) async fn unproven<T>(
    eviction: Eviction,
    deadline: Instant,
    work: impl Future<Output = T>,
) -> Result<T, Interrupted> {
    tokio::select! {
        biased;
        () = eviction.wait() => Err(Interrupted::Evicted),
        done = tokio::time::timeout_at(deadline, work) => done.map_err(|_| Interrupted::Deadline),
    }
}

/// The end of a connection whose place was given to another.
pub(crate) fn evicted() -> Ending {
    let kind = RefusalKind::TooManyFromAddress;
    Ending::Refused {
        kind,
        detail: Some("ended for a newcomer".to_owned()),
    }
}

/// Tells the client so, if its socket takes the packet at once: nobody waits for it.
pub(crate) async fn refuse_evicted<S: AsyncWrite + Unpin>(
    stream: &mut S,
    seq: u8,
    wording: &Wording,
) -> Ending {
    let err = err_packet(&RefusalKind::TooManyFromAddress.into(), wording, None);
    send_last_within(stream, seq, &err, Duration::ZERO).await;
    evicted()
}

/// Sends a refusal as the packet with this sequence number, and ends.
pub(crate) async fn refuse<S: AsyncWrite + Unpin>(
    stream: &mut S,
    seq: u8,
    refusal: Refusal,
    wording: &Wording,
) -> Ending {
    refuse_client(stream, seq, refusal, wording, None).await
}

/// The same to a client that has said what it is.
pub(crate) async fn refuse_client<S: AsyncWrite + Unpin>(
    stream: &mut S,
    seq: u8,
    refusal: Refusal,
    wording: &Wording,
    client: Option<&str>,
) -> Ending {
    send_last(stream, seq, &err_packet(&refusal, wording, client)).await;
    Ending::Refused {
        kind: refusal.kind,
        detail: refusal.detail,
    }
}

/// Sends an error as the last packet of a connection, and closes it. Bounded: the client may not
/// read.
pub(crate) async fn send_last<S: AsyncWrite + Unpin>(stream: &mut S, seq: u8, err: &ErrPacket) {
    send_last_within(stream, seq, err, limits::REFUSAL_WRITE).await;
}

async fn send_last_within<S: AsyncWrite + Unpin>(
    stream: &mut S,
    mut seq: u8,
    err: &ErrPacket,
    patience: Duration,
) {
    let mut out = Vec::new();
    write_packet(&mut seq, &err.encode(), &mut out);
    let until = Instant::now() + patience;
    let _ = tokio::time::timeout_at(until, async {
        stream.write_all(&out).await?;
        stream.flush().await?;
        stream.shutdown().await
    })
    .await;
}
