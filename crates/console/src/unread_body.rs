//! Bodies that a handler did not read, because it refused the request by its head.
//!
//! hyper closes a connection whose request was not read to its end. A client that still writes the
//! body then finds a closed connection in place of the answer.

use crate::limits;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::time::timeout;

/// Answers a request after the rest of its body has arrived and was dropped, up to
/// [`limits::UNREAD_BODY_MAX`] bytes and for at most [`limits::UNREAD_BODY_WAIT`].
pub(crate) async fn drop_unread_body(request: Request, next: Next) -> Response {
    // This client sends its body only when it is asked for, which reading does.
    if request.headers().contains_key(EXPECT) {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let lent = LentBody(Arc::new(Mutex::new(body)));
    let mut rest = lent.clone();
    let response = next.run(Request::from_parts(head, Body::new(lent))).await;
    // An operation in its own task may still have the body, and reads it itself.
    if Arc::strong_count(&rest.0) == 1 {
        let _ = timeout(limits::UNREAD_BODY_WAIT, rest.drop_frames()).await;
    }
    response
}

/// A body that the handler reads, and that is read on after it.
#[derive(Clone)]
struct LentBody(Arc<Mutex<Body>>);

impl LentBody {
    async fn drop_frames(&mut self) {
        let mut left = limits::UNREAD_BODY_MAX;
        while let Some(Ok(frame)) = self.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(less) = left.checked_sub(length) else {
                return;
            };
            left = less;
        }
    }

    fn with<T>(&self, read: impl FnOnce(&mut Body) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpBody for LentBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.with(|body| Pin::new(body).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| body.size_hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounded::{ConnectionBounds, serve_bounded};
    use axum::Router;
    use axum::http::StatusCode;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinHandle;
    use tokio_util::sync::CancellationToken;

    /// Server that refuses every request by its head.
    struct Refusing {
        at: SocketAddr,
        stop: CancellationToken,
        serving: JoinHandle<()>,
    }

    impl Refusing {
        async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let at = listener.local_addr().unwrap();
            let app = Router::new()
                .route("/", post(|| async { StatusCode::FORBIDDEN }))
                .layer(from_fn(drop_unread_body));
            let bounds = ConnectionBounds {
                connections: 1,
                life: None,
            };
            let stop = CancellationToken::new();
            let stopped = stop.clone().cancelled_owned();
            let serving = tokio::spawn(serve_bounded(listener, app, bounds, stopped));
            Self { at, stop, serving }
        }

        async fn stop(self) {
            self.stop.cancel();
            self.serving.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_refused_client_can_write_its_body_and_send_another_request() {
        let server = Refusing::start().await;
        let mut client = TcpStream::connect(server.at).await.unwrap();
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
        for request in 0..3 {
            client.write_all(head).await.unwrap();
            // The handler can answer the head before the body comes.
            client.flush().await.unwrap();
            tokio::task::yield_now().await;
            for _ in 0..60 {
                client.write_all(&[b'x'; 1000]).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut answer = [0; 12];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 403", "request {request}");
            let mut rest = Vec::new();
            while !rest.ends_with(b"\r\n\r\n") {
                rest.push(client.read_u8().await.unwrap());
            }
        }
        drop(client);
        server.stop().await;
    }

    #[tokio::test]
    async fn a_body_without_end_is_dropped_up_to_a_bound() {
        let server = Refusing::start().await;
        let mut client = TcpStream::connect(server.at).await.unwrap();
        client
            .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
            .await
            .unwrap();
        let mut sent = 0;
        // Ends with an error, since the server closes the connection.
        while client.write_all(&[b'x'; 10_000]).await.is_ok() {
            sent += 10_000;
            assert!(sent < 100_000_000, "the server reads without a bound");
        }
        server.stop().await;
    }
}
