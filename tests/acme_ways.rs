//! Options of ACME: challenges, other CAs, RSA, renewal windows, rehearsals, imported pairs. Runs
//! against a real ACME server; without Pebble a test prints "not run" and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use rustls::SignatureScheme;
use std::path::Path;
use tidegate_e2e::acme::{DOMAIN, NAMES, bench, ca, config, ordinary, verified_leaf};
use tidegate_e2e::limits::soon;
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::probe::Probe;
use tidegate_e2e::server::write;
use tidegate_e2e::{Options, Server, tls};

#[test]
fn up_waits_for_its_certificate_and_connects_by_the_name() {
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // Each engine has its own user, which must be able to enter the folder.
    std::fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o711),
    )
    .unwrap();
    let roots = write(folder.path(), "roots.pem", &pebble.root());
    let own = ca(&pebble, &roots);
    let text = format!(
        "[acme]\nhttp_listen = [\"127.0.0.1:{}\"]\n{own}",
        pebble.http
    );
    let config = write(folder.path(), "test.toml", &text);
    let listen = format!("127.0.0.1:{}", tidegate_e2e::ports::free_port());
    let said = folder.path().join("said");
    let mut up = std::process::Command::new(tidegate_e2e::server::binary())
        .args([
            "up",
            "--json",
            "--domain",
            DOMAIN,
            "--acme-email",
            "me@example.com",
            "--listen",
            &listen,
            "--data",
        ])
        .arg(folder.path().join("data"))
        .arg("--config")
        .arg(&config)
        .stdin(std::process::Stdio::null())
        .stdout(std::fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let card = tidegate_e2e::limits::within(tidegate_e2e::limits::READY_WAIT, "the card", || {
        serde_json::from_str::<serde_json::Value>(&std::fs::read_to_string(&said).ok()?).ok()
    });
    tidegate_e2e::processes::kill(up.id(), rustix::process::Signal::TERM);
    assert!(up.wait().unwrap().success());
    assert_eq!(card["host"], DOMAIN, "{card}");
    assert_eq!(
        card["ca"],
        roots.display().to_string(),
        "a private CA's file is named: {card}"
    );
    assert!(
        card["verified"]
            .as_str()
            .is_some_and(|proof| proof.contains("TLS")),
        "{card}"
    );
    assert_eq!(pebble.issued(), 1);
}

#[test]
fn tls_alpn_01_proves_a_name() {
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    let more = format!(
        "challenges = [\"tls-alpn-01\"]\nalpn_listen = [\"127.0.0.1:{}\"]\n",
        pebble.alpn
    );
    let bench = bench(pebble, NAMES, &more);
    bench.wait();
    // It is served before that is recorded.
    soon("a record of the challenge", || {
        bench.record().contains("tls-alpn-01").then_some(())
    });
}

#[test]
fn an_address_gets_a_short_lived_certificate_renewed_at_half_its_life() {
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let roots = write(folder.path(), "roots.pem", &pebble.root());
    let keys = ca(&pebble, &roots).replace("\"default\"", "\"shortlived\"");
    let config = config(&pebble, "[\"127.0.0.1\"]", &keys);
    let server = Server::with(Options {
        config,
        ..Options::default()
    });
    soon(&format!("a certificate\n{}", server.log()), || {
        verified_leaf(server.addr(), &roots, "127.0.0.1").ok()
    });
    let record = soon("the record", || {
        let text = std::fs::read_to_string(server.data().join("acme/ecdsa.json")).ok()?;
        let record: serde_json::Value = serde_json::from_str(&text).ok()?;
        record["renew_at"].as_i64()
    });
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let days = (record - i64::try_from(now).unwrap()) as f64 / 86_400.0;
    assert!(
        (2.9..3.1).contains(&days),
        "six days of life, renewed after {days}"
    );
    let status = server.json(&["cert", "status"]);
    assert_eq!(
        status["served"]["names"],
        serde_json::json!(["127.0.0.1"]),
        "{status}"
    );
    // After a swap the server connects to its own port like a client.
    soon("the check from outside", || {
        server
            .log()
            .contains("verified at our own port")
            .then_some(())
    });
    assert_eq!(status["alarms"].as_array().unwrap().len(), 0, "{status}");
}

#[test]
fn the_next_ca_is_asked_with_its_external_account() {
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let Some(pebble) = Pebble::start(Wanted {
        eab: Some(("kid-1".into(), key.into())),
        ..Wanted::default()
    }) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let key = write(folder.path(), "eab", &format!("{key}\n"));
    let more = format!(
        "directory = \"https://127.0.0.1:1/dir\"\n[acme_fallback]\nCONFIGeab_key_id = \"kid-1\"\n\
         eab_key_file = \"{}\"\n",
        key.display()
    );
    let bench = bench(pebble, NAMES, &more);
    bench.wait();
    bench.wait_log("no certificate from https://127.0.0.1:1/dir");
    assert_eq!(
        bench.status()["acme"]["certificates"][0]["issued_by"],
        bench.pebble.directory()
    );
}

fn directory_ca(pebble: &Pebble) -> String {
    std::fs::read_to_string(pebble.directory_ca()).unwrap()
}

/// Configuration with a CA and its staging directory. `files`: the CA file of both directories, and
/// the roots.
fn rehearsing_config(pebble: &Pebble, stage: &Pebble, files: [&Path; 2], ports: &[u16]) -> String {
    let listen: Vec<_> = ports
        .iter()
        .map(|port| format!("\"127.0.0.1:{port}\""))
        .collect();
    format!(
        "[acme]\ndomains = [\"{DOMAIN}\"]\ndirectory = \"{}\"\nstaging = \"{}\"\n\
         directory_ca = \"{}\"\nroots = \"{}\"\nprofile = \"default\"\nhttp_listen = [{}]\n",
        pebble.directory(),
        stage.directory(),
        files[0].display(),
        files[1].display(),
        listen.join(", ")
    )
}

#[test]
fn after_two_failures_orders_are_rehearsed_and_failures_use_up_no_week() {
    let (Some(pebble), Some(stage)) = (
        Pebble::start(Wanted::default()),
        Pebble::start(Wanted::default()),
    ) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let both = write(
        folder.path(),
        "directories.pem",
        &(directory_ca(&pebble) + &directory_ca(&stage)),
    );
    let roots = write(folder.path(), "roots.pem", &pebble.root());
    // Nothing answers on the port that the validators ask.
    let elsewhere = rehearsing_config(
        &pebble,
        &stage,
        [&both, &roots],
        &[tidegate_e2e::ports::free_port()],
    );
    let mut server = Server::with(Options {
        config: elsewhere,
        ..Options::default()
    });
    soon("the first attempt has failed", || {
        server.log().contains("no certificate from").then_some(())
    });
    for failed in 2..=6 {
        let said = server.fail(&["cert", "renew"]);
        let status = server.json(&["cert", "status"]);
        assert_eq!(
            status["acme"]["certificates"][0]["failures"], failed,
            "{said}"
        );
        // The third to the fifth attempt stop at the rehearsal; the sixth goes to the CA without
        // one.
        let rehearsed = usize::try_from(failed).unwrap().clamp(2, 5) - 2;
        let expected = if failed == 6 { 3 } else { 2 };
        assert_eq!(
            (pebble.orders(), stage.orders()),
            (expected, rehearsed),
            "{}",
            server.log()
        );
        assert_eq!(
            said.contains("in a rehearsal"),
            (3..=5).contains(&failed),
            "{said}"
        );
    }
    let alarms = server.json(&["cert", "status"])["alarms"].to_string();
    assert!(!alarms.contains("this week"), "{alarms}");
    // Fixed: the rehearsal succeeds, and the CA is asked once.
    assert_eq!(server.stop(), 0);
    server.change(Options {
        config: rehearsing_config(&pebble, &stage, [&both, &roots], &[pebble.http, stage.http]),
        ..Options::default()
    });
    server.run();
    server.succeed(&["cert", "renew"]);
    assert_eq!((pebble.orders(), stage.orders()), (4, 4));
    assert_eq!((pebble.issued(), stage.issued()), (1, 1));
    assert_eq!(
        server.json(&["cert", "status"])["acme"]["certificates"][0]["issued_by"],
        pebble.directory()
    );
}

/// Whether a leaf has an RSA key, by the identifier rsaEncryption.
fn is_rsa(leaf: &[u8]) -> bool {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    leaf.windows(RSA.len()).any(|part| part == RSA)
}

#[test]
fn a_client_that_takes_rsa_only_gets_the_rsa_leaf() {
    let Some(bench) = ordinary(Wanted::default(), "rsa = \"yes\"\n") else {
        return;
    };
    let rsa_only = tls::unverified_with(vec![
        SignatureScheme::RSA_PSS_SHA256,
        SignatureScheme::RSA_PKCS1_SHA256,
    ]);
    let leaf = soon("an RSA leaf", || {
        let probe = Probe::secured_for(bench.server.addr(), rsa_only.clone(), DOMAIN);
        Some(probe.ok()?.leaf())
    });
    assert!(is_rsa(&leaf));
    assert!(!is_rsa(&bench.wait()), "others get ECDSA");
    assert_eq!(bench.status()["served_rsa"]["key"], "rsa");
}

#[test]
fn a_window_of_the_ca_renews_at_once_and_a_refused_replaces_is_left_out() {
    let Some(mut bench) = ordinary(Wanted::default(), "") else {
        return;
    };
    bench.wait();
    let old = bench.serial();
    let pair = bench.pair();
    let kept = std::fs::read_to_string(&pair).unwrap();
    let leaf = kept
        .split_inclusive("-----END CERTIFICATE-----\n")
        .next()
        .unwrap();
    let past =
        r#"{"suggestedWindow":{"start":"2026-01-01T00:00:00Z","end":"2026-01-02T00:00:00Z"}}"#;
    bench.pebble.set_renewal_info(leaf, past);
    bench.server.restart();
    soon("the renewal", || (bench.serial() != old).then_some(()));
    // A backup is restored: for the CA, that certificate has been replaced already.
    let newer = bench.serial();
    assert_eq!(bench.server.stop(), 0);
    std::fs::write(&pair, &kept).unwrap();
    bench.server.run();
    soon("the renewal of the backup", || {
        let now = bench.serial();
        (now != newer && now != old).then_some(())
    });
    assert!(bench.pebble.issued() >= 3);
}

/// Returns the command that imports a chain and its key.
fn import<'a>(chain: &'a Path, key: &'a Path) -> [&'a str; 4] {
    let chain = chain.to_str().unwrap();
    let key = key.to_str().unwrap();
    ["cert", "import", chain, key]
}

#[test]
fn a_pair_from_elsewhere_is_imported_judged_and_served() {
    let Some(bench) = ordinary(Wanted::default(), "") else {
        return;
    };
    let leaf = bench.wait();
    let text = std::fs::read_to_string(bench.pair()).unwrap();
    let (chain, key) = text.split_at(text.find("-----BEGIN PRIVATE").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let chain = write(folder.path(), "chain.pem", chain);
    let key = write(folder.path(), "key.pem", key);
    let config = format!(
        "[acme]\ndomains = [\"{DOMAIN}\"]\ndirectory = \"https://127.0.0.1:1/dir\"\n\
         roots = \"{}\"\n",
        bench.roots.display()
    );
    let other = Server::with(Options {
        config,
        ..Options::default()
    });
    let wrong = write(
        folder.path(),
        "wrong.pem",
        &tidegate_e2e::certificates::Company::new()
            .leaf((2020, 2100))
            .key,
    );
    soon("the first attempt has ended", || {
        other.log().contains("no certificate from").then_some(())
    });
    let said = other.fail(&import(&chain, &wrong));
    assert!(said.contains("belong together"), "{said}");
    other.succeed(&import(&chain, &key));
    let served = verified_leaf(other.addr(), &bench.roots, DOMAIN).unwrap();
    assert_eq!(served, leaf);
}
