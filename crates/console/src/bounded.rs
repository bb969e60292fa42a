//! HTTP without TLS, for the control socket and the private listener: a bounded number of
//! connections, with a bounded idle time.

use crate::limits;
use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionBounds {
    /// Connections at once; the next ones wait in the listener's backlog.
    pub connections: usize,
    /// Lifetime of a connection, whatever it does. `None` if each request has its own limit.
    pub life: Option<Duration>,
}

/// Serves until `stop`. Then open requests may finish within [`limits::GOODBYE_MAX`].
pub(crate) async fn serve_bounded<L: Listener>(
    mut listener: L,
    app: Router,
    bounds: ConnectionBounds,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let tasks = TaskTracker::new();
    let stopping = CancellationToken::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            // The place first: connections beyond the bound wait in the kernel, where they cost
            // nothing here.
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await.0)
        };
        let (place, stream) = tokio::select! {
            () = stop.as_mut() => break,
            next = next => next,
        };
        let app = app.clone();
        let stopping = stopping.clone();
        tasks.spawn(async move {
            serve_connection(stream, app, bounds.life, stopping).await;
            drop(place);
        });
    }
    // Closed first, so that new clients are refused and don't wait for a server that stops.
    drop(listener);
    stopping.cancel();
    tasks.close();
    let _ = timeout(limits::GOODBYE_MAX, tasks.wait()).await;
}

async fn serve_connection<S>(
    stream: S,
    app: Router,
    life: Option<Duration>,
    stopping: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits::WEB_HEAD_MAX)
        .max_headers(limits::WEB_HEADERS_MAX);
    let mut connection =
        std::pin::pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app)));
    let over = async {
        match life {
            Some(life) => tokio::time::sleep(life).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => Ok(ended),
        () = over => Err(()),
        () = stopping.cancelled() => Err(()),
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(()) => {
            connection.as_mut().graceful_shutdown();
            match timeout(limits::GOODBYE_MAX, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn the_number_and_lifetime_of_connections_are_bounded() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let app = Router::new().route("/", get(|| async { "ok\n" }));
        let bounds = ConnectionBounds {
            connections: 2,
            life: Some(Duration::from_millis(100)),
        };
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve_bounded(
            listener,
            app,
            bounds,
            stop.clone().cancelled_owned(),
        ));
        // Two silent connections take all places. A third is served when their lifetime is over.
        let mut idle = [
            TcpStream::connect(at).await.unwrap(),
            TcpStream::connect(at).await.unwrap(),
        ];
        let mut third = TcpStream::connect(at).await.unwrap();
        third
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        third.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"),
            "{answer}"
        );
        for stream in &mut idle {
            assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0, "closed");
        }
        stop.cancel();
        serving.await.unwrap();
    }
}
