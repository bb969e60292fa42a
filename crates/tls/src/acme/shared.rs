//! State that all certificates of one server share: the ports of challenges, and one account per
//! CA. Two orders can run at the same time; neither closes the other's port.

use crate::acme::alpn01::{self, Alpn01};
use crate::acme::http01::{self, Http01};
use crate::acme::limits::{CHECK_DELAY_MIN, PORT_TRIES};
use crate::acme::listen::{self, OpenListeners};
use crate::error::TlsError;
use crate::lock::locked;
use rustls::ServerConfig;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use tokio::net::TcpListener;
use tokio::sync;

/// State shared by the ACME managers of one server. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct AcmeShared {
    inner: Arc<Inner>,
}

struct Inner {
    http_listen: Vec<SocketAddr>,
    alpn_listen: Vec<SocketAddr>,
    http: http01::ChallengeAnswers,
    alpn: Arc<alpn01::ChallengeAnswers>,
    alpn_config: Arc<ServerConfig>,
    http_open: sync::Mutex<Weak<OpenListeners>>,
    alpn_open: sync::Mutex<Weak<OpenListeners>>,
    /// Ports of the console, which also answers TLS-ALPN-01.
    doors: Mutex<Vec<u16>>,
    /// Locked while an account is loaded or created, so that two managers create only one.
    accounts: sync::Mutex<()>,
}

impl fmt::Debug for AcmeShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            http_listen,
            alpn_listen,
            ..
        } = &*self.inner;
        f.debug_struct("AcmeShared")
            .field("http_listen", http_listen)
            .field("alpn_listen", alpn_listen)
            .finish()
    }
}

impl AcmeShared {
    /// Makes the shared state. HTTP-01 is answered at `http_listen`, TLS-ALPN-01 at `alpn_listen`.
    /// CAs connect to ports 80 and 443.
    ///
    /// # Errors
    /// If the crypto provider supports neither TLS 1.2 nor 1.3; the one in use supports both.
    pub fn new(
        http_listen: Vec<SocketAddr>,
        alpn_listen: Vec<SocketAddr>,
    ) -> Result<Self, TlsError> {
        let alpn = Arc::new(alpn01::ChallengeAnswers::default());
        let alpn_config = alpn01::server_config(alpn.clone())?;
        let inner = Inner {
            http_listen,
            alpn_listen,
            http: http01::ChallengeAnswers::default(),
            alpn,
            alpn_config,
            http_open: sync::Mutex::default(),
            alpn_open: sync::Mutex::default(),
            doors: Mutex::default(),
            accounts: sync::Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    pub(super) async fn http(&self) -> io::Result<Http01> {
        let inner = &self.inner;
        let open = self.open(&inner.http_open, &inner.http_listen, &[], |listener| {
            http01::serve(listener, inner.http.clone())
        });
        Ok(Http01::new(inner.http.clone(), open.await?))
    }

    pub(super) async fn alpn(&self) -> io::Result<Alpn01> {
        let inner = &self.inner;
        let doors = inner.doors().clone();
        let open = self.open(&inner.alpn_open, &inner.alpn_listen, &doors, |listener| {
            alpn01::serve(listener, inner.alpn_config.clone())
        });
        Ok(Alpn01::new(inner.alpn.clone(), open.await?))
    }

    /// Returns the open listeners, or opens them.
    async fn open<S>(
        &self,
        slot: &sync::Mutex<Weak<OpenListeners>>,
        addresses: &[SocketAddr],
        doors: &[u16],
        serve: impl Fn(TcpListener) -> S,
    ) -> io::Result<Arc<OpenListeners>>
    where
        S: Future<Output = ()> + Send + 'static,
    {
        // Locked while the ports open: a second order waits and then uses the same listeners.
        let mut slot = slot.lock().await;
        if let Some(open) = slot.upgrade() {
            return Ok(open);
        }
        let mut tries = 1;
        let listeners = loop {
            match listen::open_all(addresses, doors) {
                // Most likely the last order's listeners are just being closed.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < PORT_TRIES => {
                    tries += 1;
                    tokio::time::sleep(CHECK_DELAY_MIN).await;
                }
                opened => break opened?,
            }
        };
        let open = Arc::new(OpenListeners::serve(listeners, serve));
        // A weak reference: the listeners close with the last order that uses them.
        *slot = Arc::downgrade(&open);
        Ok(open)
    }

    /// Registers addresses where [`crate::WebDoor`] answers validators.
    pub(crate) fn answered_at(&self, listening: &[SocketAddr]) {
        self.inner
            .doors()
            .extend(listening.iter().map(SocketAddr::port));
    }

    /// Returns the server profile that answers validators, whether a challenge is open or not.
    pub(crate) fn alpn_config(&self) -> Arc<ServerConfig> {
        self.inner.alpn_config.clone()
    }

    /// Locks the accounts until the guard is dropped.
    pub(super) async fn one_account(&self) -> sync::MutexGuard<'_, ()> {
        self.inner.accounts.lock().await
    }
}

impl Inner {
    fn doors(&self) -> MutexGuard<'_, Vec<u16>> {
        locked(&self.doors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    fn free() -> SocketAddr {
        std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    }

    async fn ask(at: SocketAddr, token: &str) -> String {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let request = format!("GET /.well-known/acme-challenge/{token} HTTP/1.1\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn two_orders_share_a_port_and_the_first_to_end_does_not_close_it() {
        let at = free();
        let shared = AcmeShared::new(vec![at], vec![]).unwrap();
        let mut one = shared.http().await.unwrap();
        let mut two = shared.http().await.unwrap();
        one.answer("tok-1", "print-1");
        two.answer("tok-2", "print-2");
        assert!(ask(at, "tok-1").await.ends_with("print-1"));
        assert!(ask(at, "tok-2").await.ends_with("print-2"));
        drop(one);
        assert!(
            ask(at, "tok-1").await.starts_with("HTTP/1.1 404"),
            "its answers went with its order"
        );
        assert!(ask(at, "tok-2").await.ends_with("print-2"));
        drop(two);
        // The port can be opened again at once.
        drop(shared.http().await.unwrap());
    }

    #[tokio::test]
    async fn a_challenge_is_answered_over_both_families() {
        let four = free();
        let six = format!("[::1]:{}", four.port()).parse().unwrap();
        let shared = AcmeShared::new(vec![four, six], vec![]).unwrap();
        let mut order = shared.http().await.unwrap();
        order.answer("tok", "print");
        for at in [four, six] {
            if std::net::TcpListener::bind((at.ip(), 0)).is_err() {
                // Past the captured output, so that it is not counted as passed.
                let why = format!("\nnot run: this machine lacks {}\n", at.ip());
                std::io::Write::write_all(&mut std::io::stderr(), why.as_bytes()).unwrap();
                continue;
            }
            assert!(ask(at, "tok").await.ends_with("print"), "{at}");
        }
    }

    #[tokio::test]
    async fn a_port_that_a_door_of_ours_has_is_left_to_it_and_a_strangers_is_an_error() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();
        let shared = AcmeShared::new(vec![], vec![at]).unwrap();
        assert_eq!(
            shared.alpn().await.err().map(|error| error.kind()),
            Some(io::ErrorKind::AddrInUse)
        );
        shared.answered_at(&[at]);
        shared.alpn().await.unwrap();
    }
}
