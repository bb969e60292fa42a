//! Failures on the way to a certificate: crashes, CAs that are down or overloaded, challenges that
//! fail, a change of the CA. Runs against a real ACME server; without Pebble a test prints "not
//! run" and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::io::{Read, Write};
use tidegate_e2e::acme::{Bench, DOMAIN, NAMES, ca, config, ordinary};
use tidegate_e2e::limits::soon;
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::server::write;
use tidegate_e2e::{Options, Server, tls};

#[test]
fn a_crash_loop_costs_one_order() {
    let Some(mut bench) = ordinary(
        Wanted {
            // The validators wait, so that the server is killed while an order runs. A validator
            // that asks a server that is down would make the order invalid.
            delay: 12,
            always_valid: true,
            ..Wanted::default()
        },
        "",
    ) else {
        return;
    };
    for _ in 0..3 {
        soon("the order is written down", || {
            bench.record().contains("my-order").then_some(())
        });
        bench.server.kill9();
        bench.server.run();
    }
    bench.wait_log("ready");
    assert_eq!(bench.pebble.orders(), 1);
    // An order by command does not wait. It continues the one that the CA has.
    bench.renew();
    bench.wait();
    assert_eq!((bench.pebble.orders(), bench.pebble.issued()), (1, 1));
}

#[test]
fn a_ca_that_is_down_leaves_the_old_certificate_and_raises_alarms() {
    let metrics = tidegate_e2e::ports::free_port();
    let more = format!("[metrics]\nlisten = \"127.0.0.1:{metrics}\"\n");
    let Some(mut bench) = ordinary(Wanted::default(), &more) else {
        return;
    };
    let leaf = bench.wait();
    assert_eq!(alarms(metrics), Vec::<String>::new());
    assert_eq!(bench.status()["alarms"].as_array().unwrap().len(), 0);
    bench.pebble.stop();
    let said = bench.server.fail(&["cert", "renew"]);
    assert!(said.contains("can't be reached"), "{said}");
    assert_eq!(bench.login(DOMAIN).unwrap(), leaf);
    let status = bench.status();
    assert!(
        status["alarms"][0]
            .as_str()
            .unwrap()
            .contains("no new ecdsa certificate"),
        "{status}"
    );
    assert_eq!(
        status["acme"]["certificates"][0]["last_error"]["step"], "directory",
        "{status}"
    );
    assert_eq!(alarms(metrics), ["failed"]);
    let text = bench.server.cli(&["cert", "status"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("ALARM"));
    let check = bench.server.cli(&["cert", "check", "--json"]);
    assert!(!check.status.success());
    // A restart does not shorten a wait: no attempt is made before its time.
    assert_eq!(bench.server.stop(), 0);
    bench.pebble.run();
    let before = bench.pebble.orders();
    bench.server.run();
    assert_eq!(bench.login(DOMAIN).unwrap(), leaf);
    assert_eq!(bench.status()["acme"]["certificates"][0]["failures"], 1);
    assert_eq!(bench.pebble.orders(), before);
    assert_eq!(alarms(metrics), ["failed"], "a restart clears no alarm");
}

/// Returns the kinds of alarm that the metrics show for the database's certificate.
fn alarms(metrics: u16) -> Vec<String> {
    let raised = |line: &str| {
        let labels = line
            .strip_prefix("tidegate_certificate_alarms{")?
            .strip_suffix("} 1")?;
        Some(
            labels
                .strip_prefix("certificate=\"database\",kind=\"")?
                .trim_end_matches('"')
                .to_owned(),
        )
    };
    let text = soon("the metrics", || {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", metrics)).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.contains("tidegate_certificate_alarms").then_some(text)
    });
    text.lines().filter_map(raised).collect()
}

#[test]
fn the_next_challenge_is_tried_and_the_one_that_worked_is_tried_first() {
    let more = format!(
        "challenges = [\"tls-alpn-01\", \"http-01\"]\nalpn_listen = [\"127.0.0.1:{}\"]\n",
        tidegate_e2e::ports::free_port()
    );
    let Some(bench) = ordinary(Wanted::default(), &more) else {
        return;
    };
    bench.wait_log("no certificate from");
    bench.renew();
    bench.wait();
    // It is served before that is recorded.
    soon("a record of the challenge", || {
        bench.record().contains("\"http-01\"").then_some(())
    });
    // The method that worked is tried first.
    bench.renew();
}

#[test]
fn another_ca_takes_over_where_the_configuration_changes() {
    let Some(next) = Pebble::start(Wanted::default()) else {
        return;
    };
    let Some(mut bench) = ordinary(Wanted::default(), "") else {
        return;
    };
    let leaf = bench.wait();
    let both = write(
        &bench.server.folder,
        "both.pem",
        &(bench.pebble.root() + &next.root()),
    );
    assert_eq!(bench.server.stop(), 0);
    bench.server.change(Options {
        config: config(&next, NAMES, &ca(&next, &both)),
        ..Options::default()
    });
    bench.server.run();
    bench.roots = both;
    // The stored certificate is valid, so nothing is ordered. The next one is ordered from the
    // other CA, as a first one: that CA has none that it could replace.
    assert_eq!(
        (bench.login(DOMAIN).unwrap(), next.orders()),
        (leaf.clone(), 0)
    );
    bench.renew();
    assert_ne!(bench.login(DOMAIN).unwrap(), leaf);
    assert_eq!(
        bench.status()["acme"]["certificates"][0]["issued_by"],
        next.directory()
    );
    assert_eq!((next.orders(), bench.pebble.orders()), (1, 1));
}

/// Waits until the renewal is planned for a moment between these two, and returns it.
fn renewal_within(bench: &Bench, start: &str, end: &str) -> String {
    soon("a moment of the window", || {
        let status = bench.status();
        let at = status["acme"]["certificates"][0]["renew_at"].as_str()?;
        (start <= at && at <= end).then(|| at.to_owned())
    })
}

/// Returns the time in this many days, in RFC 3339.
fn in_days(days: u32) -> String {
    let out = std::process::Command::new("date")
        .args(["-u", "-d", &format!("+{days} days"), "+%FT%TZ"])
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

#[test]
fn one_moment_of_the_ca_s_window_is_chosen_and_kept() {
    let Some(mut bench) = ordinary(Wanted::default(), "") else {
        return;
    };
    bench.wait();
    let pair = std::fs::read_to_string(bench.pair()).unwrap();
    let leaf = pair
        .split_inclusive("-----END CERTIFICATE-----\n")
        .next()
        .unwrap()
        .to_owned();
    // Earlier than the default, two thirds of the ninety days of life.
    let start = in_days(20);
    let end = in_days(30);
    let window = format!(r#"{{"suggestedWindow":{{"start":"{start}","end":"{end}"}}}}"#);
    bench.pebble.set_renewal_info(&leaf, &window);
    bench.server.restart();
    let chosen = renewal_within(&bench, &start, &end);
    bench.server.restart();
    // The CA is asked at each start; its answer is the same, and so is the chosen moment.
    soon("the CA is asked again", || {
        (bench.pebble.log().matches("renewal").count() >= 2).then_some(())
    });
    assert_eq!(renewal_within(&bench, &start, &end), chosen);
    assert_eq!(bench.pebble.orders(), 1);
}

/// Returns a number of the record, for times in Unix seconds.
fn number(record: &serde_json::Value, key: &str) -> i64 {
    record[key]
        .as_i64()
        .unwrap_or_else(|| panic!("no {key} in {record}"))
}

#[test]
fn the_retry_after_of_the_ca_is_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let company = tidegate_e2e::certificates::Company::new();
    company
        .leaf(tidegate_e2e::certificates::VALID)
        .write(folder.path());
    let own = write(folder.path(), "ca.pem", &company.pem());
    for retry_after in ["7200".to_owned(), http_date("+2 hours")] {
        let port = start_overloaded_ca(folder.path(), format!("Retry-After: {retry_after}\r\n"));
        wait_as_told(&own, port);
    }
}

/// Returns a date as HTTP writes it.
fn http_date(when: &str) -> String {
    let out = std::process::Command::new("date")
        .args(["-u", "-d", when, "+%a, %d %b %Y %H:%M:%S GMT"])
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// Checks that the next attempt at the CA on this port is two hours later.
fn wait_as_told(own: &std::path::Path, port: u16) {
    let config = format!(
        "[acme]\ndomains = [\"{DOMAIN}\"]\ndirectory = \"https://localhost:{port}/dir\"\n\
         directory_ca = \"{}\"\n",
        own.display()
    );
    let server = Server::with(Options {
        config,
        ..Options::default()
    });
    let record = soon("the attempt has failed and is written down", || {
        let record = std::fs::read_to_string(server.data().join("acme/ecdsa.json")).ok()?;
        let record: serde_json::Value = serde_json::from_str(&record).ok()?;
        (record["last_error"].is_object() && record["unplanned"].as_array()?.is_empty())
            .then_some(record)
    });
    assert!(
        // A date was written a moment before the attempt.
        number(&record, "next_attempt") >= number(&record["last_error"], "at") + 7180,
        "{record}"
    );
}

/// Starts a CA that answers every request with 503, as long as the test runs. Returns its port.
fn start_overloaded_ca(folder: &std::path::Path, header: String) -> u16 {
    let config = tls::server_config(folder);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, tcp);
            let _ = stream.read(&mut [0; 4096]);
            let answer = format!(
                "HTTP/1.1 503 Busy\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    port
}
