//! Greeted: the client has the greeting, and sends the next packet.

use super::accepted::Accepted;
use crate::connection::Connection;
use crate::endings::{client_closed, internal_error};
use rustix::io::Errno;
use rustix::net::SendFlags;
use tidegate_model::error_chain;
use tidegate_model::journal::Ending;
use tidegate_wire::packet::write_packet;
use tidegate_wire::slices::tail;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

pub(crate) struct Greeted {
    pub connection: Connection,
    pub tcp: TcpStream,
    pub salt: [u8; 20],
    pub greeted: Instant,
}

impl Greeted {
    /// Sends the greeting.
    pub async fn send_greeting(accepted: Accepted) -> Result<Self, Ending> {
        let Accepted {
            connection,
            mut tcp,
        } = accepted;
        let shared = &connection.shared;
        let salt = shared
            .salt()
            .map_err(|e| Ending::ClientGone(error_chain(&e)))?;
        let greeting = shared.greeting(connection.guard.id(), salt);
        // A greeting has about 100 bytes.
        let mut out = Vec::with_capacity(128);
        write_packet(&mut 0, &greeting.encode(), &mut out);
        // The send buffer of a new connection is empty, so a direct send saves the wait until the
        // socket is reported as writable.
        let at_once = match rustix::net::send(&tcp, &out, SendFlags::NOSIGNAL) {
            Ok(n) => n,
            Err(Errno::WOULDBLOCK | Errno::INTR) => 0,
            // It closed before it read: its first packet would come after the greeting.
            Err(_) => return Err(Ending::NothingSent),
        };
        let rest = tail(&out, at_once).map_err(internal_error)?;
        match timeout_at(connection.login_deadline(), tcp.write_all(rest)).await {
            Ok(Ok(())) => Ok(Self {
                connection,
                tcp,
                salt,
                greeted: Instant::now(),
            }),
            Ok(Err(e)) => Err(client_closed(&e)),
            Err(_) => Err(Ending::ClientGone(
                "it did not read the greeting".to_owned(),
            )),
        }
    }
}
