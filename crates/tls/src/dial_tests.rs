//! Tests of connections by name: addresses that give no answer, and proxies.

use super::*;
use rustix::net::{AddressFamily, SocketType, bind, connect as connect_fd, getsockname, listen};
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

/// Far below the time after which the system gives up an address (127 s), and far above what the
/// next address takes.
const NEXT_MAX: Duration = Duration::from_secs(20);

/// Address that gives no answer: a listener whose queue is full. It is dead for as long as the
/// descriptors are open.
fn dead_address(ip: &str) -> (SocketAddr, Vec<OwnedFd>) {
    let address = SocketAddr::new(ip.parse().unwrap(), 0);
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let listener = rustix::net::socket(family, SocketType::STREAM, None).unwrap();
    bind(&listener, &address).unwrap();
    listen(&listener, 0).unwrap();
    let address: SocketAddr = getsockname(&listener).unwrap().try_into().unwrap();
    let filling = rustix::net::socket(family, SocketType::STREAM, None).unwrap();
    connect_fd(&filling, &address).unwrap();
    (address, vec![listener, filling])
}

#[tokio::test]
async fn an_address_without_an_answer_does_not_hold_up_the_next() {
    let live = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let good = live.local_addr().unwrap();
    let (dead6, _open6) = dead_address("::1");
    let (dead4, _open4) = dead_address("127.0.0.1");
    for addresses in [
        vec![dead6, good],
        vec![dead4, good],
        vec![dead6, dead4, dead6, dead4, good],
    ] {
        let connected = timeout(NEXT_MAX, connect_first(addresses.clone())).await;
        let stream = connected
            .unwrap_or_else(|_| panic!("{addresses:?}: it waits for the dead one"))
            .unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }
}

#[tokio::test]
async fn a_refused_address_is_followed_by_the_next_and_the_last_error_is_told() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = closed.local_addr().unwrap();
    drop(closed);
    let live = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let good = live.local_addr().unwrap();
    let stream = connect_first(vec![refused, good]).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), good);
    let error = connect_first(vec![refused]).await.unwrap_err();
    assert!(error.to_string().contains(&refused.to_string()), "{error}");
    let error = connect_first(Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("no address"), "{error}");
}

#[test]
fn families_take_turns_and_the_first_stays_first() {
    let at = |text: &str| text.parse::<SocketAddr>().unwrap();
    let found = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(at);
    let order = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"].map(at);
    assert_eq!(in_turns(found.into_iter()), order);
    let found = ["1.1.1.1:1", "[::1]:1", "2.2.2.2:1"].map(at);
    let order = ["1.1.1.1:1", "[::1]:1", "2.2.2.2:1"].map(at);
    assert_eq!(in_turns(found.into_iter()), order);
    assert_eq!(
        in_turns(std::iter::repeat_n(at("1.1.1.1:1"), 99)).len(),
        ADDRESSES_MAX
    );
}

/// Starts a proxy that answers one request with this status line, and what follows with "hello".
/// Returns its address, and its task, which ends with the request.
async fn proxy(status: &'static str) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let answer = format!("HTTP/1.1 {status}\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        // The tunnel is for TLS, whose client speaks first.
        if stream.read_u8().await.is_ok() {
            stream.write_all(b"hello").await.unwrap();
        }
        String::from_utf8(request).unwrap()
    });
    (address, task)
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_host_with_its_password() {
    let (address, task) = proxy("200 Connected").await;
    let proxies = Matcher::builder()
        .https(format!("http://me:secret@{address}"))
        .build();
    // A name that only the proxy could resolve.
    let mut stream = dial_by(&proxies, "ca.invalid", 14000).await.unwrap();
    stream.write_all(b"?").await.unwrap();
    let mut said = [0; 5];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"hello");
    let request = task.await.unwrap();
    assert!(
        request.starts_with("CONNECT ca.invalid:14000 HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_of_another_kind_is_named_without_its_password() {
    let (address, _task) = proxy("403 Forbidden").await;
    let refusing = format!("http://me:secret@{address}");
    for (proxy, words) in [
        (refusing.as_str(), "the proxy http://"),
        (
            "socks5://me:secret@127.0.0.1:1080",
            "only proxies of http:// can be used",
        ),
        (
            "https://me:secret@127.0.0.1:1080",
            "only proxies of http:// can be used",
        ),
    ] {
        let proxies = Matcher::builder().https(proxy.to_owned()).build();
        let error = dial_by(&proxies, "ca.invalid", 443)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(words) && !error.contains("secret"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn loopback_and_exempt_hosts_are_connected_to_directly() {
    let live = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = live.local_addr().unwrap().port();
    let everything = Matcher::builder()
        .https("http://127.0.0.1:1".to_owned())
        .build();
    for host in ["localhost", "127.0.0.1"] {
        dial_by(&everything, host, port).await.unwrap();
    }
    let exempt = Matcher::builder()
        .https("http://127.0.0.1:1".to_owned())
        .no("ca.invalid".to_owned())
        .build();
    let error = dial_by(&exempt, "ca.invalid", port)
        .await
        .unwrap_err()
        .to_string();
    assert!(!error.contains("proxy"), "{error}");
    let error = dial_by(&everything, "ca.invalid", port)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("the proxy http://127.0.0.1:1"), "{error}");
}
