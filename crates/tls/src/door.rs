//! Acceptor of the console's port. It reads the ClientHello and answers TLS-ALPN-01 validators of
//! CAs itself, so that port 443 serves both the console and validation. It never sees a request.

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

/// Acceptor of TLS streams on the console's port. Cheap to clone; all clones share one state.
#[derive(Clone)]
pub struct WebDoor {
    web: Arc<ServerConfig>,
    challenges: Option<Arc<ServerConfig>>,
}

impl WebDoor {
    /// Makes an acceptor for listeners at these addresses. From now on ACME orders leave their
    /// ports to it.
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

    /// Completes one handshake and returns the stream; none if the peer was a validator, which has
    /// its answer then. The handshake waits for a turn. The caller sets the deadline.
    ///
    /// # Errors
    /// If the handshake fails or the server stops.
    pub async fn accept(
        &self,
        tcp: TcpStream,
        turns: &mut Turns,
    ) -> io::Result<Option<TlsStream<TcpStream>>> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
        // After the ClientHello: a client that sends nothing must not occupy a turn.
        let Some(turn) = turns.turn().await else {
            return Err(io::Error::other("the server stops"));
        };
        match &self.challenges {
            Some(challenges) if alpn01::is_asked(&start.client_hello()) => {
                // The certificate is the whole answer to a validator. Without an open challenge
                // there is no certificate, and the handshake fails.
                turn.run(|| start.into_stream(challenges.clone()))
                    .await
                    .map(|_| None)
            }
            // The first poll computes key exchange and signature, so it runs inside the turn.
            _ => turn
                .run(|| start.into_stream(self.web.clone()))
                .await
                .map(Some),
        }
    }
}
