//! The console's door: reads the ClientHello, answers a CA's validator itself and hands every other
//! stream on, so that one port 443 serves both. It never sees a request.

use crate::acme::{AcmeShared, alpn01};
use crate::handshakes::Turns;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct WebDoor {
    web: Arc<ServerConfig>,
    challenges: Option<Arc<ServerConfig>>,
}

impl WebDoor {
    /// For listeners that are open at these addresses. From here on orders leave their ports to
    /// this door.
    pub fn new(
        web: Arc<ServerConfig>,
        shared: Option<&AcmeShared>,
        listening: &[SocketAddr],
    ) -> Self {
        if let Some(shared) = shared {
            shared.answered_at(listening);
        }
        Self {
            web,
            challenges: shared.map(AcmeShared::alpn_config),
        }
    }

    /// Returns one stream, with its handshake done; none where a validator has got its answer. The
    /// handshake waits for a turn. The caller sets the deadline.
    ///
    /// # Errors
    /// If there is no handshake to be had.
    pub async fn accept(
        &self,
        tcp: TcpStream,
        turns: &mut Turns,
    ) -> io::Result<Option<TlsStream<TcpStream>>> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
        let Some(turn) = turns.turn().await else {
            return Err(io::Error::other("the server stops"));
        };
        match &self.challenges {
            Some(challenges) if alpn01::is_asked(&start.client_hello()) => {
                // The certificate is the whole answer. While no challenge is open there is none.
                turn.run(|| start.into_stream(challenges.clone()))
                    .await
                    .map(|_| None)
            }
            // The key exchange and the signature are made here, before the first wait.
            _ => turn
                .run(|| start.into_stream(self.web.clone()))
                .await
                .map(Some),
        }
    }
}
