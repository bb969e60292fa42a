//! Reading of packets before the password is proved. Memory is allocated for bytes that arrived,
//! not for the length that a header declares. Bytes beyond the part that is kept are read and
//! dropped.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use tidegate_wire::slices::{head_mut, tail_mut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use zeroize::Zeroize;

/// Bytes allocated for a packet before anything of it has arrived. Nearly all logins are shorter.
const FIRST_PIECE: usize = 1024;
/// Bytes dropped per read, on the stack.
const DROP_PIECE: usize = 1024;

/// Reads until `payload` has its first `len` bytes; it may contain some of them already. The
/// allocation grows once, when the first piece is full. The smaller one is wiped, since a login may
/// carry a password.
pub(crate) async fn read_kept<S: AsyncRead + Unpin>(
    stream: &mut S,
    payload: &mut Vec<u8>,
    len: usize,
) -> io::Result<()> {
    let first = len.min(FIRST_PIECE.max(payload.len()));
    fill(stream, payload, first).await?;
    fill(stream, payload, len).await
}

async fn fill<S: AsyncRead + Unpin>(
    stream: &mut S,
    payload: &mut Vec<u8>,
    len: usize,
) -> io::Result<()> {
    let have = payload.len();
    if have >= len {
        return Ok(());
    }
    let mut grown = Vec::with_capacity(len);
    grown.extend_from_slice(payload);
    payload.zeroize();
    grown.resize(len, 0);
    *payload = grown;
    let room = tail_mut(payload, have).map_err(io::Error::other)?;
    stream.read_exact(room).await?;
    Ok(())
}

/// Reads and drops this many bytes. Returns the last of them.
pub(crate) async fn discard<S: AsyncRead + Unpin>(
    stream: &mut S,
    mut left: usize,
) -> io::Result<Option<u8>> {
    let mut last = None;
    while left > 0 {
        let read = poll_fn(|cx| {
            // Inside the closure: as a local of the future it would enlarge every waiting
            // connection.
            let mut scrap = [0; DROP_PIECE];
            let most = head_mut(&mut scrap, left.min(DROP_PIECE)).map_err(io::Error::other)?;
            let mut buf = ReadBuf::new(most);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buf))?;
            let read = buf.filled();
            Poll::Ready(Ok::<_, io::Error>((read.len(), read.last().copied())))
        })
        .await?;
        let (len, end) = read;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        last = end;
        left = left.saturating_sub(len);
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_packet_costs_what_has_come_of_it() {
        let (mut near, mut far) = tokio::io::duplex(64 * 1024);
        let mut payload = Vec::new();
        far.write_all(&[7; 100]).await.unwrap();
        let waiting = read_kept(&mut near, &mut payload, 16 * 1024);
        assert!(
            tokio::time::timeout(std::time::Duration::from_millis(20), waiting)
                .await
                .is_err()
        );
        assert!(payload.capacity() <= FIRST_PIECE, "{}", payload.capacity());
    }

    #[tokio::test]
    async fn all_bytes_arrive_in_order_and_the_next_packet_is_left_alone() {
        let (mut near, mut far) = tokio::io::duplex(256 * 1024);
        let sent: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        far.write_all(&sent).await.unwrap();
        far.write_all(b"next").await.unwrap();
        drop(far);
        let mut payload = sent[..10].to_vec();
        discard(&mut near, 10).await.unwrap();
        read_kept(&mut near, &mut payload, 5_000).await.unwrap();
        assert_eq!(payload, sent[..5_000]);
        discard(&mut near, sent.len() - 5_000).await.unwrap();
        let mut rest = Vec::new();
        near.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"next");
        assert_eq!(
            discard(&mut near, 1).await.unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
