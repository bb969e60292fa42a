//! Verification of the local CA's chain by other TLS libraries: OpenSSL's command line with
//! `-x509_strict`, and Python's `ssl` with VERIFY_X509_STRICT, its default from 3.13 on.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic; that is how it fails"
)]

use rustls::{ServerConnection, Stream};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use tidegate_tls::{Identity, TlsSettings};

/// Makes a local CA in `folder`, and writes leaf and issuing certificate to a file each.
fn chain(folder: &Path) -> (Identity, PathBuf, PathBuf) {
    let settings = TlsSettings {
        names: vec!["db.test".to_owned()],
        ..TlsSettings::new(folder)
    };
    let identity = Identity::open(settings, |_| {}).unwrap();
    let served = std::fs::read_to_string(folder.join("tls/leaf.pem")).unwrap();
    let parts: Vec<&str> = served
        .split_inclusive("-----END CERTIFICATE-----\n")
        .collect();
    let leaf = folder.join("leaf-only.pem");
    let issuing = folder.join("issuing.pem");
    std::fs::write(&leaf, parts[0]).unwrap();
    std::fs::write(&issuing, parts[1]).unwrap();
    (identity, leaf, issuing)
}

fn openssl_verify(ca: &Path, leaf: &Path, issuing: &Path, check: &[&str]) -> Output {
    let mut command = Command::new("openssl");
    command
        .args(["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"])
        .arg(ca)
        .arg("-untrusted")
        .arg(issuing);
    command.args(check).arg(leaf).output().unwrap()
}

#[test]
fn openssl_verifies_the_chain_strictly_for_each_name() {
    let folder = tempfile::tempdir().unwrap();
    let (_identity, leaf, issuing) = chain(folder.path());
    let ca = folder.path().join("ca.pem");
    for check in [
        ["-verify_hostname", "localhost"],
        ["-verify_hostname", "db.test"],
        ["-verify_ip", "127.0.0.1"],
        ["-verify_ip", "::1"],
    ] {
        let output = openssl_verify(&ca, &leaf, &issuing, &check);
        assert!(
            output.status.success(),
            "{check:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    for check in [
        ["-verify_hostname", "other.test"],
        ["-verify_ip", "127.0.0.2"],
    ] {
        assert!(
            !openssl_verify(&ca, &leaf, &issuing, &check)
                .status
                .success(),
            "{check:?}"
        );
    }
}

/// Makes a certificate as a thief of the data folder could: signed with the issuing CA's key.
fn forge(folder: &Path, names: &[&str], usage: rcgen::ExtendedKeyUsagePurpose) -> PathBuf {
    let authority = std::fs::read_to_string(folder.join("tls/authority.pem")).unwrap();
    let parts: Vec<&str> = authority
        .split_inclusive("-----END CERTIFICATE-----\n")
        .collect();
    let issuer =
        rcgen::Issuer::from_ca_cert_pem(parts[1], rcgen::KeyPair::from_pem(parts[2]).unwrap())
            .unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.not_before = time::OffsetDateTime::now_utc() - time::Duration::hours(1);
    params.not_after = time::OffsetDateTime::now_utc() + time::Duration::days(1);
    params.extended_key_usages = vec![usage];
    let forged = params
        .signed_by(&rcgen::KeyPair::generate().unwrap(), &issuer)
        .unwrap();
    let path = folder.join("forged.pem");
    std::fs::write(&path, forged.pem()).unwrap();
    path
}

#[test]
fn openssl_refuses_a_name_that_the_stolen_issuing_key_signs_outside_its_constraints() {
    let folder = tempfile::tempdir().unwrap();
    let (_identity, _, issuing) = chain(folder.path());
    for (name, verifies) in [
        ("good.internal", true),
        ("bank.example.com", false),
        ("8.8.8.8", false),
    ] {
        let forged = forge(
            folder.path(),
            &[name],
            rcgen::ExtendedKeyUsagePurpose::ServerAuth,
        );
        let output = openssl_verify(&folder.path().join("ca.pem"), &forged, &issuing, &[]);
        let says = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), verifies, "{name}: {says}");
        assert!(
            verifies || says.contains("permitted subtree violation"),
            "{name}: {says}"
        );
    }
}

#[test]
fn openssl_refuses_any_purpose_but_a_server_s_from_the_stolen_issuing_key() {
    let folder = tempfile::tempdir().unwrap();
    let (_identity, _, issuing) = chain(folder.path());
    let forged = forge(
        folder.path(),
        &[],
        rcgen::ExtendedKeyUsagePurpose::ClientAuth,
    );
    let output = openssl_verify(
        &folder.path().join("ca.pem"),
        &forged,
        &issuing,
        &["-purpose", "sslclient"],
    );
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && says.contains("certificate purpose"),
        "{says}"
    );
}

/// Serves one connection: a handshake, then one byte each way.
fn serve_once(identity: &Identity) -> (u16, thread::JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = identity.server_config();
    let served = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut server = ServerConnection::new(config).unwrap();
        let mut stream = Stream::new(&mut server, &mut socket);
        let mut byte = [0];
        stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok()
    });
    (port, served)
}

const PYTHON: &str = "
import socket, ssl, sys
port, ca, host, version = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
context = ssl.create_default_context(cafile=ca)
context.verify_flags |= ssl.VERIFY_X509_STRICT
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
with socket.create_connection(('127.0.0.1', port)) as plain:
    with context.wrap_socket(plain, server_hostname=host) as tls:
        tls.sendall(b'x')
        assert tls.recv(1) == b'x'
        print(tls.version())
";

fn python(port: u16, ca: &Path, host: &str, version: &str) -> Output {
    Command::new("python3")
        .args(["-c", PYTHON, &port.to_string()])
        .arg(ca)
        .args([host, version])
        .output()
        .unwrap()
}

#[test]
fn python_connects_strictly_in_both_versions_and_by_each_name() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, ..) = chain(folder.path());
    let ca = folder.path().join("ca.pem");
    for (host, version) in [
        ("localhost", "TLSv1_3"),
        ("127.0.0.1", "TLSv1_2"),
        ("db.test", "TLSv1_3"),
    ] {
        let (port, served) = serve_once(&identity);
        let output = python(port, &ca, host, version);
        assert!(
            output.status.success(),
            "{host}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            version.replace('_', ".")
        );
        assert!(served.join().unwrap());
    }
}

#[test]
fn python_refuses_a_wrong_name_and_a_wrong_ca() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let (identity, ..) = chain(folder.path());
    chain(other.path());
    for (ca, host) in [(folder.path(), "wrong.test"), (other.path(), "localhost")] {
        let (port, served) = serve_once(&identity);
        let output = python(port, &ca.join("ca.pem"), host, "TLSv1_3");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("CERTIFICATE_VERIFY_FAILED"),
            "{host}"
        );
        assert!(!served.join().unwrap());
    }
}

#[test]
fn openssl_cannot_connect_with_an_old_version_even_at_security_level_0() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, ..) = chain(folder.path());
    for version in ["-tls1", "-tls1_1"] {
        let (port, served) = serve_once(&identity);
        let output = Command::new("openssl")
            .args([
                "s_client",
                version,
                "-cipher",
                "ALL:@SECLEVEL=0",
                "-connect",
                &format!("127.0.0.1:{port}"),
            ])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        assert!(!output.status.success(), "{version}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("alert"),
            "{version}: refused by us, not by OpenSSL"
        );
        assert!(!served.join().unwrap());
    }
}
