//! Traffic on a public port: load balancers and their headers, guessed passwords, unknown names in
//! the handshake, and client certificates.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tidegate_e2e::balancer::{behind_a_balancer, from_source, from_the_balancer, login_from};
use tidegate_e2e::certificates::{Company, EXPIRED};
use tidegate_e2e::clients::{has_verified, mariadb_command, s_client};
use tidegate_e2e::limits::soon;
use tidegate_e2e::probe::{Probe, Verdict, read_until_ended, try_login};
use tidegate_e2e::session::Session;
use tidegate_e2e::wire::{self, Refused, Response};
use tidegate_e2e::{Cluster, Server, tls};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// Returns a v2 header with this client's address and the bytes after the addresses.
fn v2(ip: [u8; 16], port: u16, tlvs: &[u8]) -> Vec<u8> {
    let mut out = b"\r\n\r\n\0\r\nQUIT\n\x21\x21".to_vec();
    out.extend_from_slice(&u16::try_from(36 + tlvs.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&ip);
    out.extend_from_slice(&std::net::Ipv6Addr::LOCALHOST.octets());
    out.extend_from_slice(&port.to_be_bytes());
    out.extend_from_slice(&4000_u16.to_be_bytes());
    out.extend_from_slice(tlvs);
    out
}

#[test]
fn case_12_a_header_with_ipv6_and_tlvs_may_come_byte_by_byte() {
    let server = behind_a_balancer("");
    let mut tcp = from_the_balancer(&server);
    let client: std::net::Ipv6Addr = "2001:db8::9".parse().unwrap();
    // PP2_TYPE_AUTHORITY, and an unknown type.
    for byte in v2(client.octets(), 4711, b"\x02\0\x04name\xee\0\x01x") {
        tcp.write_all(&[byte]).unwrap();
    }
    // One that sends nothing more is taken for a health check, and not logged.
    Probe::over(tcp).raw(b"\x01").unwrap();
    soon("the log line", || {
        server.log().contains("[2001:db8::9]:4711").then_some(())
    });
}

#[test]
fn case_12_half_a_header_is_waited_for_in_bounds_and_never_greeted() {
    let server = behind_a_balancer("");
    for half in [
        &b"PROXY TCP4 203.0.113.9 "[..],
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0",
        b"",
    ] {
        let mut tcp = from_the_balancer(&server);
        tcp.write_all(half).unwrap();
        let mut said = Vec::new();
        // The timeout of this read is far above that of the server, and would be an error.
        tcp.read_to_end(&mut said)
            .unwrap_or_else(|e| panic!("{half:?}: {e}"));
        assert_eq!(said, b"", "{half:?}");
    }
    let long = v2([0; 16], 1, &[0; 2000]);
    let mut tcp = from_the_balancer(&server);
    let _ = tcp.write_all(&long);
    let said = read_until_ended(&mut tcp);
    assert_eq!(said, b"", "longer than the bound");
}

/// Returns whether the client at this address is greeted, with its connection, which keeps its
/// place.
fn greeted(server: &Server, source: &str) -> Result<TcpStream, Refused> {
    let mut tcp = from_source(server, source);
    let mut head = [0; 5];
    tcp.read_exact(&mut head).expect("a packet");
    if head[4] != 0xff {
        return Ok(tcp);
    }
    let mut rest = vec![0xff];
    tcp.read_to_end(&mut rest).expect("an error, then the end");
    Err(Refused::parse(&rest).expect("an error packet"))
}

#[test]
fn case_13_places_are_counted_by_the_address_in_the_header() {
    let server = behind_a_balancer("unproven_per_source = 1\nunproven_total = 4\n");
    let one = greeted(&server, "203.0.113.9").expect("the first of its source");
    assert_eq!(greeted(&server, "203.0.113.9").unwrap_err().code, 1040);
    let _two = greeted(&server, "203.0.113.10").expect("another source, the same balancer");
    let _six = greeted(&server, "2001:db8:1:1::1").expect("a third");
    assert_eq!(
        greeted(&server, "2001:db8:1:1:ffff::2").unwrap_err().code,
        1040,
        "the same /64"
    );
    let _next = greeted(&server, "2001:db8:1:2::1").expect("the next /64");
    let _five = greeted(&server, "198.51.100.1").expect("a newcomer of another network");
    // Four in all: one of the others was closed for it.
    let others = [one, _two, _six, _next];
    let ended = soon("the end of another", || {
        let mut ended = Vec::new();
        for mut tcp in others.iter() {
            tcp.set_nonblocking(true).unwrap();
            let mut said = Vec::new();
            // The rest of the greeting, and perhaps an error after it.
            let closed = tcp.read_to_end(&mut said).is_ok();
            closed.then(|| ended.push(said));
        }
        (!ended.is_empty()).then_some(ended)
    });
    assert_eq!(ended.len(), 1);
    soon("the log line", || {
        server
            .log()
            .contains("closed to make room for a new connection")
            .then_some(())
    });
}

/// Refusal of a wrong password from this source, and how long it took.
fn wrong_password(
    server: &Server,
    source: &str,
    cluster: &Cluster,
    user: &str,
) -> (Refused, Duration) {
    let began = Instant::now();
    let refused = login_from(server, source, cluster, user, "not it").refused();
    (refused, began.elapsed())
}

#[test]
fn case_49_wrong_passwords_wait_and_right_ones_never_do() {
    let server = behind_a_balancer("");
    let cluster = server.create("guessed");
    // An existing name and an unknown one get the same text, and both are delayed.
    let (first, _) = wrong_password(&server, "203.0.113.9", &cluster, &cluster.user);
    for user in [&*cluster.user, "zzzzzzzzzzzz.root"] {
        let mut took = Duration::ZERO;
        for _ in 0..6 {
            let (refused, this) = wrong_password(&server, "203.0.113.9", &cluster, user);
            assert_eq!(refused, first, "{user}");
            took = this;
        }
        // A lower limit only, so that a slow machine can't fail it.
        assert!(
            took >= Duration::from_millis(1_400),
            "{user}: the sixth no came after {took:?}"
        );
    }
    let (_, took) = wrong_password(&server, "203.0.113.10", &cluster, &cluster.user);
    assert!(took >= Duration::from_millis(100), "{took:?}");
    std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| wrong_password(&server, "203.0.113.9", &cluster, &cluster.user))
            })
            .collect();
        // The right password logs in while they wait, from another source and from the same one.
        let mut before = 0;
        for source in ["198.51.100.7", "203.0.113.9"] {
            assert_eq!(
                login_from(&server, source, &cluster, &cluster.user, &cluster.password),
                Verdict::In
            );
            before += guesses.iter().filter(|guess| !guess.is_finished()).count();
        }
        assert!(before > 0, "the right passwords waited for the wrong ones");
        for guess in guesses {
            assert_eq!(guess.join().unwrap().0, first);
        }
    });
}

#[test]
fn case_17_unknown_names_and_addresses_get_the_certificate_and_the_prefix_decides() {
    let one = SERVER.create("sni-one");
    let two = SERVER.create("sni-two");
    for name in ["127.0.0.1", "unknown.test", &two.prefix, "a.b.c.d.e.test"] {
        let said = s_client(&one, &["-servername", name]);
        assert!(said.contains("BEGIN CERTIFICATE"), "{name}: {said}");
    }
    // The name of another cluster in the handshake, the right one in the login.
    let mut probe = Probe::connect(one.addr());
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::unverified(), &format!("{}.test", two.prefix))
        .expect("the TLS handshake");
    assert_eq!(
        probe.login(&Response::new(&one.user), &one.password),
        Verdict::In
    );
}

#[test]
fn case_18_names_in_any_spelling_get_the_certificate() {
    let cluster = SERVER.create("spelled");
    for name in ["LOCALHOST", "LocalHost", "localhost."] {
        for version in ["-tls1_2", "-tls1_3"] {
            let said = s_client(
                &cluster,
                &[
                    "-servername",
                    name,
                    version,
                    "-verify_hostname",
                    "localhost",
                ],
            );
            assert!(has_verified(&said), "{name} {version}: {said}");
            let said = s_client(
                &cluster,
                &[
                    "-servername",
                    name,
                    version,
                    "-verify_hostname",
                    "other.test",
                ],
            );
            assert!(
                !has_verified(&said),
                "{name} {version}, and another name is wanted: {said}"
            );
        }
    }
    // A pattern is not a host name, and no client asks for one.
    let said = s_client(&cluster, &["-servername", "*.localhost"]);
    assert!(!has_verified(&said) && said.contains("alert"), "{said}");
    let said = s_client(&cluster, &["-tls1_1"]);
    assert!(
        said.contains("Verify return code: 0 (ok)") && !has_verified(&said),
        "there was no handshake: {said}"
    );
}

#[test]
fn case_22_a_client_certificate_is_never_checked_even_an_expired_one() {
    let cluster = SERVER.create("late-client");
    let folder = tempfile::tempdir().unwrap();
    Company::new().leaf(EXPIRED).write(folder.path());
    let chain = format!("--ssl-cert={}", folder.path().join("chain.pem").display());
    let key = format!("--ssl-key={}", folder.path().join("key.pem").display());
    let out = mariadb_command(&cluster, &[&chain, &key])
        .args(["-e", "SELECT 5"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "5", "{out:?}");
}

#[test]
fn case_22_an_account_that_requires_a_certificate_ends_in_the_documented_error() {
    let cluster = SERVER.create("x509");
    let mut root = Session::open(&cluster);
    for (user, require) in [
        ("cert", "X509"),
        ("subject", "SUBJECT '/CN=me'"),
        ("cipher", "CIPHER 'x'"),
    ] {
        root.run(&format!(
            "CREATE USER {user}@'%' IDENTIFIED BY 'pw' REQUIRE {require}"
        ));
        let refused = try_login(cluster.addr(), &cluster.ca, &cluster.login(user), "pw")
            .1
            .refused();
        assert_eq!(
            (refused.code, refused.state.as_str()),
            (1045, "28000"),
            "{require}: {refused:?}"
        );
    }
    assert!(root.ping(), "other sessions are not affected");
}
