//! HTTP-01: a listener that is open while orders run and answers their challenges only. It never
//! serves a file and never redirects.

use crate::acme::limits::CHALLENGE_HEAD_MAX;
use crate::acme::listen::{self, OpenListeners};
use crate::lock::locked;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PATH: &str = "/.well-known/acme-challenge/";

/// Answers by token.
pub type ChallengeAnswers = Arc<Mutex<HashMap<String, String>>>;

/// The answers of one order. They are removed when this is dropped, and the listeners close with
/// the last order.
pub struct Http01 {
    answers: ChallengeAnswers,
    tokens: Vec<String>,
    _open: Arc<OpenListeners>,
}

impl Http01 {
    pub fn new(answers: ChallengeAnswers, open: Arc<OpenListeners>) -> Self {
        Self {
            answers,
            tokens: Vec::new(),
            _open: open,
        }
    }

    pub fn answer(&mut self, token: &str, with: &str) {
        let mut answers = locked(&self.answers);
        answers.insert(token.to_owned(), with.to_owned());
        self.tokens.push(token.to_owned());
    }
}

impl Drop for Http01 {
    fn drop(&mut self) {
        let mut answers = locked(&self.answers);
        // Only this order's tokens: another order may be running.
        answers.retain(|token, _| !self.tokens.contains(token));
    }
}

/// Answers requests until the future is dropped.
pub async fn serve(listener: TcpListener, answers: ChallengeAnswers) {
    let answer = |stream| {
        let answers = answers.clone();
        async move { one(stream, &answers).await }
    };
    listen::serve(listener, answer).await;
}

async fn one(mut stream: TcpStream, answers: &ChallengeAnswers) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read_buf(&mut head).await?;
        if read == 0 || head.len() > CHALLENGE_HEAD_MAX {
            return Ok(());
        }
    }
    let found = token(&head).and_then(|token| {
        let answers = locked(answers);
        answers.get(token).cloned()
    });
    let answer = match found {
        Some(found) => format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{found}",
            found.len()
        ),
        None => {
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
        }
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// Returns the token of a challenge request; none for any other request.
fn token(head: &[u8]) -> Option<&str> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let method = words.next()?;
    let target = words.next()?;
    let version = words.next()?;
    let asked = method == "GET" && version.starts_with("HTTP/1.") && words.next().is_none();
    let path = target.split('?').next()?;
    asked.then(|| path.strip_prefix(PATH)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acme::AcmeShared;

    async fn open(port: u16) -> Http01 {
        let at = format!("127.0.0.1:{port}").parse().unwrap();
        AcmeShared::new(vec![at], vec![])
            .unwrap()
            .http()
            .await
            .unwrap()
    }

    async fn ask(port: u16, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    fn free_port() -> u16 {
        std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
    }

    #[tokio::test]
    async fn it_answers_its_challenges_and_nothing_else() {
        let port = free_port();
        let mut http = open(port).await;
        http.answer("tok-1", "tok-1.print");
        let good = ask(
            port,
            b"GET /.well-known/acme-challenge/tok-1 HTTP/1.1\r\nHost: a\r\n\r\n",
        )
        .await;
        assert!(
            good.starts_with("HTTP/1.1 200") && good.ends_with("\r\n\r\ntok-1.print"),
            "{good}"
        );
        for other in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET /.well-known/acme-challenge/tok-2 HTTP/1.1\r\n\r\n",
            "GET /.well-known/acme-challenge/../acme-challenge/tok-1 HTTP/1.1\r\n\r\n",
            "POST /.well-known/acme-challenge/tok-1 HTTP/1.1\r\n\r\n",
            "GET /.well-known/acme-challenge/tok-1\r\n\r\n",
        ] {
            let answer = ask(port, other.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 404"), "{other:?}: {answer}");
        }
        let endless = ask(port, &vec![b'a'; CHALLENGE_HEAD_MAX + 1]).await;
        assert_eq!(endless, "", "closed without a word");
    }

    #[tokio::test]
    async fn it_is_closed_when_the_order_has_ended() {
        let port = free_port();
        let http = open(port).await;
        drop(http);
        tokio::task::yield_now().await;
        let mut tries = 0;
        while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tries += 1;
            assert!(tries < 100, "still open");
            tokio::task::yield_now().await;
        }
    }
}
