//! Accepted: a TCP connection, the address it really comes from, and its one deadline.

use super::greeted::Greeted;
use super::refuse;
use crate::gateway::Shared;
use crate::limits;
use crate::source::Place;
use rustix::io::Errno;
use rustix::net::SendFlags;
use std::net::SocketAddr;
use std::sync::Arc;
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{Refusal, RefusalKind, SessionGuard};
use tidegate_wire::proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

pub(crate) struct Accepted {
    pub tcp: TcpStream,
    pub shared: Arc<Shared>,
    pub guard: SessionGuard,
    pub client: SocketAddr,
    pub local: SocketAddr,
    pub accepted: Instant,
    pub place: Place,
}

/// A connection as the listener gave it.
pub(crate) struct Arrival {
    pub tcp: TcpStream,
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub accepted: Instant,
}

impl Arrival {
    /// Where the client really is: from the PROXY header where this peer must send one, else the
    /// peer itself. `Err`: no valid header from a network that must send one.
    pub async fn client(&mut self, shared: &Shared) -> Result<SocketAddr, Ending> {
        if !shared
            .settings
            .proxy_networks
            .iter()
            .any(|n| n.contains(self.peer.ip()))
        {
            return Ok(self.peer);
        }
        let Ok(_waiting) = shared.headers.try_acquire() else {
            return Err(Ending::ClientGone(
                "PROXY header: too many connections wait for theirs".to_owned(),
            ));
        };
        let until = self.accepted + limits::PROXY_HEADER_DEADLINE;
        match tokio::time::timeout_at(until, read_proxy_header(&mut self.tcp)).await {
            Ok(Ok(source)) => Ok(source.unwrap_or(self.peer)),
            Ok(Err(reason)) => Err(Ending::ClientGone(format!("PROXY header: {reason}"))),
            Err(_) => Err(Ending::ClientGone(
                "PROXY header: none within its deadline".to_owned(),
            )),
        }
    }
}

/// Reads a PROXY header and not one byte behind it.
async fn read_proxy_header(tcp: &mut TcpStream) -> Result<Option<SocketAddr>, String> {
    let mut head = Vec::with_capacity(128);
    loop {
        match proxy::parse(&head) {
            Ok(proxy::Parsed::Complete { source, .. }) => return Ok(source),
            Ok(proxy::Parsed::Incomplete { at_least }) => {
                let want = at_least.max(1);
                if head.len() + want > limits::PROXY_HEADER_MAX {
                    return Err("too long".to_owned());
                }
                let from = head.len();
                head.resize(from + want, 0);
                let room = head.get_mut(from..).unwrap_or_default();
                tcp.read_exact(room).await.map_err(|e| e.to_string())?;
            }
            Err(e) => return Err(e.to_string()),
        }
    }
}

impl Accepted {
    /// Takes a place among the unproven connections, or says that there are too many.
    pub async fn admit(
        mut arrival: Arrival,
        client: SocketAddr,
        shared: Arc<Shared>,
        guard: SessionGuard,
    ) -> Result<Self, Ending> {
        let place = match shared.admission.admit(client.ip(), limits::COST_GREETED) {
            Ok(place) => place,
            Err(full) => {
                let refusal = Refusal::because(RefusalKind::TooManyFromAddress, full.to_string());
                // An error instead of a greeting: drivers report it as they report MySQL's own
                // 1040.
                return Err(refuse(&mut arrival.tcp, 0, refusal, &shared.settings.wording).await);
            }
        };
        Ok(Self {
            tcp: arrival.tcp,
            shared,
            guard,
            client,
            local: arrival.local,
            accepted: arrival.accepted,
            place,
        })
    }

    /// When the credential must have been proved.
    pub fn deadline(&self) -> Instant {
        self.accepted + self.shared.settings.login_deadline
    }

    pub async fn greet(mut self, _facts: &mut ConnectionFacts) -> Result<Greeted, Ending> {
        let salt = self
            .shared
            .salt()
            .map_err(|e| Ending::ClientGone(e.to_string()))?;
        let greeting = self.shared.greeting(self.guard.id(), salt);
        let mut out = Vec::with_capacity(128);
        let mut seq = 0;
        tidegate_wire::packet::write_packet(&mut seq, &greeting.encode(), &mut out);
        // A new connection's buffer is empty: no need to hear first that it can be written to.
        let at_once = match rustix::net::send(&self.tcp, &out, SendFlags::NOSIGNAL) {
            Ok(n) => n,
            Err(Errno::WOULDBLOCK | Errno::INTR) => 0,
            Err(_) => return Err(Ending::ClientClosed),
        };
        let rest = out.get(at_once..).unwrap_or_default();
        match tokio::time::timeout_at(self.deadline(), self.tcp.write_all(rest)).await {
            Ok(Ok(())) => Ok(Greeted {
                accepted: self,
                salt,
                greeted: Instant::now(),
            }),
            Ok(Err(_)) => Err(Ending::ClientClosed),
            Err(_) => Err(Ending::ClientGone("did not read the greeting".to_owned())),
        }
    }
}
