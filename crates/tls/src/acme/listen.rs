//! Listeners that are open while an order runs. Never shares a port with another program.

use crate::acme::limits::{
    CHALLENGE_CONNECTIONS_MAX, CHALLENGE_COST, CHALLENGE_PER_SOURCE, CHALLENGE_REQUEST_MAX,
    CHECK_DELAY_MIN,
};
use rustix::io::Errno;
use rustix::net::sockopt::set_ipv6_v6only;
use std::io;
use std::net::SocketAddr;
use tidegate_model::{Admission, AdmissionLimits};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// Open listeners of challenges. They close a moment after the last order that needs them has
/// dropped them.
pub struct OpenListeners {
    _serving: JoinSet<()>,
}

impl OpenListeners {
    /// Answers on each listener, until the last clone of the value is dropped.
    pub fn serve<S>(listeners: Vec<TcpListener>, answer: impl Fn(TcpListener) -> S) -> Self
    where
        S: Future<Output = ()> + Send + 'static,
    {
        let mut serving = JoinSet::new();
        for listener in listeners {
            serving.spawn(answer(listener));
        }
        Self { _serving: serving }
    }
}

/// Opens all addresses. Those of a family that this machine lacks may fail as long as one is open.
/// A port that the console of this server has open is skipped: the console answers there.
pub fn open_all(addresses: &[SocketAddr], doors: &[u16]) -> io::Result<Vec<TcpListener>> {
    let mut open = Vec::new();
    let mut refused = None;
    for address in addresses {
        match listen(*address) {
            Ok(listener) => open.push(listener),
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && doors.contains(&address.port()) => {}
            Err(error) if lacks_family(&error) => refused = Some(named(*address, &error)),
            Err(error) => return Err(named(*address, &error)),
        }
    }
    match refused {
        Some(error) if open.is_empty() => Err(error),
        _ => Ok(open),
    }
}

/// Answers connections until the future is dropped, each within a time limit. When all places are
/// taken, a new connection replaces the oldest one of the largest network, so that idle connections
/// can't keep validators out.
pub async fn serve<A>(listener: TcpListener, answer: impl Fn(TcpStream) -> A)
where
    A: Future<Output: Send> + Send + 'static,
{
    let admission = Admission::new(AdmissionLimits {
        per_source: CHALLENGE_PER_SOURCE,
        total: CHALLENGE_CONNECTIONS_MAX,
        memory: u64::from(CHALLENGE_CONNECTIONS_MAX) * 2 * CHALLENGE_COST,
        late_max: 1,
    });
    let mut open = JoinSet::new();
    loop {
        // Finished tasks stay in the set until they are joined.
        while open.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Ok(place) = admission.admit(peer.ip(), CHALLENGE_COST) else {
                    continue;
                };
                let answered = answer(stream);
                let eviction = place.eviction();
                open.spawn(async move {
                    tokio::select! {
                        _ = tokio::time::timeout(CHALLENGE_REQUEST_MAX, answered) => {}
                        () = eviction.wait() => {}
                    }
                    drop(place);
                });
            }
            // For example out of file descriptors. The validator connects again.
            Err(_) => tokio::time::sleep(CHECK_DELAY_MIN).await,
        }
    }
}

fn named(address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("listening on {address}: {error}"))
}

fn lacks_family(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(
        errno,
        Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL | Errno::PROTONOSUPPORT)
    )
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => {
            let socket = TcpSocket::new_v6()?;
            // So that `0.0.0.0:80` and `[::]:80` can be open at the same time.
            set_ipv6_v6only(&socket, true)?;
            socket
        }
    };
    // So that the next order does not wait for closed connections in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(CHALLENGE_CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn dial(source: &str, listener: std::net::SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
        socket.connect(listener).await.unwrap()
    }

    #[tokio::test]
    async fn whoever_idles_keeps_no_validator_out() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let at = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, |mut stream: TcpStream| async move {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.ok()?;
            stream.write_all(b"answer").await.ok()
        }));
        let mut idle = Vec::new();
        for n in 0..200 {
            idle.push(dial(&format!("127.0.1.{}", 1 + n % 50), at).await);
        }
        for n in 2..12 {
            let mut validator = dial(&format!("127.0.{n}.1"), at).await;
            validator.write_all(b"?").await.unwrap();
            let mut answer = String::new();
            validator.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, "answer", "{n}");
        }
        serving.abort();
    }

    #[tokio::test]
    async fn both_families_stand_side_by_side_and_a_taken_port_is_named() {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let both = [
            format!("0.0.0.0:{port}").parse().unwrap(),
            format!("[::]:{port}").parse().unwrap(),
        ];
        let first = open_all(&both, &[]).unwrap();
        let error = open_all(&both, &[]).err().unwrap().to_string();
        assert!(error.contains(&format!("0.0.0.0:{port}")), "{error}");
        drop(first);
    }
}
