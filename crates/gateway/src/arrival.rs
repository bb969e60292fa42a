//! Connections as their listener accepted them, and the client's address behind a load balancer.

use crate::limits;
use crate::shared::GatewayShared;
use std::io;
use std::net::SocketAddr;
use tidegate_model::error_chain;
use tidegate_model::journal::Ending;
use tidegate_wire::proxy::{self, ProxyError};
use tidegate_wire::slices::{OutOfBounds, tail_mut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// Connection as its listener accepted it.
pub(crate) struct Arrival {
    pub tcp: TcpStream,
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub accepted: Instant,
    /// Given back once the connection has a place, or waits in another bound.
    pub arriving: Option<OwnedSemaphorePermit>,
}

/// Reason why a connection from a load balancer has no valid PROXY header.
#[derive(Debug, thiserror::Error)]
enum HeaderError {
    #[error("the connection was closed without one")]
    NothingSent,
    #[error("too many connections are waiting for theirs")]
    TooManyWait,
    #[error("it had not arrived when others needed the room")]
    Evicted,
    #[error("it did not arrive in time")]
    Deadline,
    #[error("it is longer than {} bytes", limits::PROXY_HEADER_MAX)]
    TooLong,
    #[error("it could not be read")]
    Read(#[from] io::Error),
    #[error(transparent)]
    Invalid(#[from] ProxyError),
    #[error(transparent)]
    OutOfBounds(#[from] OutOfBounds),
}

impl Arrival {
    /// Returns the client's address: from the PROXY header if the peer is in a network that must
    /// send one, else the peer's address.
    ///
    /// # Errors
    /// If a peer that must send a header sent no valid one.
    pub async fn client_address(&mut self, shared: &GatewayShared) -> Result<SocketAddr, Ending> {
        let networks = &shared.settings.proxy_networks;
        if !networks.iter().any(|n| n.contains(self.peer.ip())) {
            return Ok(self.peer);
        }
        match self.header_address(shared).await {
            Ok(source) => Ok(source.unwrap_or(self.peer)),
            // A balancer's health check may send no header.
            Err(HeaderError::NothingSent) => Err(Ending::NothingSent),
            Err(e) => Err(Ending::ClientGone(format!(
                "PROXY header: {}",
                error_chain(&e)
            ))),
        }
    }

    async fn header_address(
        &mut self,
        shared: &GatewayShared,
    ) -> Result<Option<SocketAddr>, HeaderError> {
        let place = shared
            .headers
            .admit(self.peer.ip(), limits::COST_HEADER)
            .map_err(|_| HeaderError::TooManyWait)?;
        // The wait for the header has its own bound, so the listener may accept the next
        // connection.
        drop(self.arriving.take());
        let until = self.accepted + limits::PROXY_HEADER_DEADLINE;
        let eviction = place.eviction();
        let header = tokio::select! {
            biased;
            header = tokio::time::timeout_at(until, read_proxy_header(&mut self.tcp)) => header,
            () = eviction.wait() => return Err(HeaderError::Evicted),
        };
        let source = header.map_err(|_| HeaderError::Deadline)??;
        // A balancer that sends valid headers has a reserve, whatever others send.
        place.prove();
        Ok(source)
    }
}

/// Reads a PROXY header and not one byte behind it: the next byte belongs to the client.
async fn read_proxy_header(tcp: &mut TcpStream) -> Result<Option<SocketAddr>, HeaderError> {
    let mut head = Vec::with_capacity(128);
    loop {
        match proxy::parse(&head)? {
            proxy::Parsed::Complete { source, .. } => return Ok(source),
            proxy::Parsed::Incomplete { at_least } => {
                let want = at_least.max(1);
                if head.len() + want > limits::PROXY_HEADER_MAX {
                    return Err(HeaderError::TooLong);
                }
                let from = head.len();
                head.resize(from + want, 0);
                let room = tail_mut(&mut head, from)?;
                if from > 0 {
                    tcp.read_exact(room).await?;
                    continue;
                }
                match tcp.read(room).await {
                    Ok(0) | Err(_) => return Err(HeaderError::NothingSent),
                    Ok(first) => head.truncate(first),
                }
            }
        }
    }
}
