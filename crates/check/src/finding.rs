//! The table of findings: everything that is judged, with its promise and the hint to fix it. The
//! help page and the report are made from it.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Pass,
    Skip,
    Warn,
    Fail,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub id: &'static str,
    /// Promise of the endpoint (C1 to C11), or "-" for good practice.
    pub promise: &'static str,
    pub title: &'static str,
    /// Rule by which it is judged.
    pub rule: &'static str,
    pub mend: &'static str,
}

macro_rules! findings {
    ($($kind:ident $id:literal $promise:literal $title:literal $rule:literal $mend:literal;)+) => {
        /// Kind of a finding, in the order of the report.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($kind,)+ }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)+];

            pub fn entry(self) -> Entry {
                match self {
                    $(Kind::$kind => Entry { id: $id, promise: $promise, title: $title, rule: $rule, mend: $mend },)+
                }
            }
        }
    };
}

findings! {
    Addresses "addresses" "-" "the name resolves and every address answers"
        "Fails when the name has no address or none accepts a TCP connection; warns when only some do. An address that this machine has no way to (IPv6, say) is named, not blamed."
        "Mend the DNS records, the listener or the firewall; remove the record of an address that serves nothing.";
    EveryAddress "every-address" "C5" "every address of the name serves a right certificate"
        "Fails when one of the other addresses gives no TLS, or a certificate that does not verify: one client in so many fails. Skipped where there is one address only."
        "Put the same certificate on every machine behind the name.";
    Greeting "greeting" "-" "a MySQL server speaks first, in protocol 10"
        "Fails when nothing is said, when the connection closes, and when what comes is no MySQL greeting."
        "Check host and port; if a proxy that expects a PROXY header stands there, test from where it is trusted.";
    TlsOffered "tls-offered" "C1" "the greeting offers TLS"
        "Fails when the greeting lacks CLIENT_SSL: then no login to this server can be private."
        "Give the server a certificate and a key, and turn TLS on.";
    Version "version" "-" "the version string lets old drivers use TLS 1.2"
        "Warns below 5.7.28 (and 5.6.46): Connector/J up to 8.0.19 then offers only TLS 1.0 and 1.1."
        "Let the server or its proxy announce a version of 5.7.28 or later.";
    Quiet "quiet" "C1" "nothing is sent between greeting and TLS"
        "Fails when the first byte after the greeting is no TLS record: it could be taken for part of the secure session."
        "Make the server or proxy send nothing in clear text after its greeting.";
    Plaintext "plaintext" "C1" "a login without TLS is refused"
        "Fails when it is accepted, or judged, or answered with an exchange: any of them asks for a password in the open. Warns when nothing comes at all."
        "Put an endpoint in front that takes TLS only. `require_secure_transport=ON` is not all: MySQL and MariaDB refuse only after they have asked for the proof.";
    PlaintextText "plaintext-text" "C1" "the refusal says why"
        "Warns unless the refusal is a MySQL error that names TLS (code 3159): people otherwise look for a network fault."
        "Answer with error 3159 and a text that says which option to set.";
    TlsBit "tls-bit" "C1" "a login in clear text with the TLS bit set is refused"
        "Fails when a whole login that only claims TLS is judged or accepted without TLS."
        "After a packet with CLIENT_SSL read nothing but TLS.";
    Injection "injection" "C1" "clear text after the TLS request is never executed"
        "Fails when bytes that are not TLS, sent right behind the TLS request, are answered as a command."
        "Hand left-over bytes to the TLS engine, and start with an empty buffer after the handshake.";
    Tls13 "tls13" "C2" "TLS 1.3 works"
        "Fails when a handshake with TLS 1.3 alone does not end well."
        "Enable TLS 1.3 with AES-GCM or ChaCha20 and the groups X25519 or P-256.";
    Tls12 "tls12" "C2" "TLS 1.2 works, with ECDHE and AES-GCM or ChaCha20"
        "Fails when a handshake with TLS 1.2 alone does not end well."
        "Enable TLS 1.2 with ECDHE and AES-GCM suites.";
    OldTls "old-tls" "C2" "TLS 1.1 and 1.0 are refused"
        "Fails when a ServerHello answers a ClientHello for at most TLS 1.1, written the old way or with supported_versions."
        "Allow TLS 1.2 and 1.3 only (MariaDB, MySQL: `tls_version=TLSv1.2,TLSv1.3`).";
    Ssl "ssl" "C2" "SSL 3 and 2 are refused"
        "Fails when a hello of SSL 3 or SSL 2 is answered with one."
        "Replace the TLS library: none that is maintained still speaks SSL.";
    WeakSuites "weak-suites" "C2" "broken suites are refused"
        "Fails when the server takes a suite without encryption, without authentication, with RC4, DES, 3DES or export keys."
        "Take these suites off the server's list (OpenSSL: `HIGH:!aNULL:!eNULL:!3DES`).";
    LegacySuites "legacy-suites" "C2" "below TLS 1.3, ECDHE and AEAD only"
        "Warns when a suite with CBC, static RSA or finite-field DHE is taken: past traffic falls with the key, or padding attacks return."
        "Offer ECDHE with AES-GCM or ChaCha20 only, unless a client you know needs more.";
    SplitHello "split-hello" "C2" "messages split over many segments are put together"
        "Fails when a TLS request sent byte by byte and a ClientHello in two halves are not understood: post-quantum hellos always span segments."
        "Read until a packet or record is whole; look for a middlebox that drops split hellos.";
    Alpn "alpn" "-" "protocols of the web are refused by ALPN"
        "Fails when h2 or http/1.1 is chosen; warns when the offer is ignored: a browser's session could be spliced onto this port."
        "Configure an ALPN protocol of your own, so that others end in alert 120.";
    EarlyData "early-data" "-" "no ticket allows early data"
        "Fails when a session ticket allows 0-RTT data: a login in it could be replayed."
        "Set the maximum of early data to 0.";
    Resumption "resumption" "C10" "a session ticket that was given is taken"
        "Warns when tickets are given but the next connection does a full handshake; passes where none are given."
        "Share ticket keys between all processes and hosts behind this address, or give no tickets.";
    ClientCertificate "client-certificate" "C6" "no client certificate is asked for"
        "Fails when the server sends a CertificateRequest: one-way TLS is the promise."
        "Stop asking (`verify none`). MySQL and MariaDB always ask, and take none for an answer: only an endpoint in front keeps the promise.";
    ChainSent "chain" "C3" "the chain is sent whole and in order"
        "Fails when a certificate between the leaf and a root is missing; warns when it is out of order or has foreign certificates. Skipped for a private CA without --ca."
        "Serve the full chain file (leaf first, then each issuer), not the leaf alone.";
    Trust "trust" "C3" "the chain ends in a trusted root"
        "Fails unless the chain as sent leads to a root of Mozilla's list, or to one of --ca."
        "Get a certificate of a public CA, or give the private CA's file with --ca.";
    Name "name" "C5" "the certificate is for this name"
        "Fails when none of the certificate's alternative names matches the host, or --name."
        "Issue the certificate for the name that clients use, or test the name it was issued for with --name.";
    WrongName "wrong-name" "C5" "another name is not vouched for"
        "Fails when a trusted certificate for a made-up name comes back: then a client's host check means nothing here."
        "Issue certificates for your own names only.";
    NoSni "no-sni" "C5" "clients that send no SNI get the right certificate"
        "Fails when a handshake without SNI ends badly or brings a certificate for another name: MySQL's own client sends none."
        "Make the endpoint's certificate the default of its listener.";
    Validity "validity" "C3" "the certificate is valid now, and for a while"
        "Fails when it has expired or is not valid yet; warns when less than a sixth of its life is left."
        "Renew it, reload the server, and look at why the renewal did not come by itself.";
    Key "key" "C3" "key and signature are strong"
        "Fails for RSA below 2048 bits, curves below 256 bits, and signatures by SHA-1 or MD5."
        "Make a new key, P-256 or RSA 2048 at least, and have it signed with SHA-256.";
    Pinned "pinned-root" "C8" "a Let's Encrypt chain also ends in ISRG Root X1"
        "Warns when a chain of Let's Encrypt does not verify with ISRG Root X1 alone, which many clients have as a file. Skipped for other CAs."
        "Serve the CA's default chain, whole as delivered.";
    Silent "silent" "C11" "a silent or dripping connection is closed"
        "Warns when a client that says nothing, stops after its TLS request, or sends a byte at a time still holds its place after 16 s."
        "Set one deadline over the whole login, TLS included. `connect_timeout` of MySQL and MariaDB begins anew with every byte: bound it in front.";
    Port "port" "C9" "the port is 4000"
        "Warns on another port: people and firewalls expect 4000. Skipped on 3306, which is MySQL's own."
        "Listen on 4000, or tell your users.";
    Login "login" "C9" "the login works over verified TLS"
        "Fails when the user of --user is not let in. Skipped without --user, and where the certificate does not verify: no password is risked then."
        "Check user and password; the user is `<prefix>.<user>`.";
    Database "database" "C9" "the default database `test` is there"
        "Warns when the login cannot use the database `test`."
        "Create it, or put the right database into every connection string.";
    FirstRow "first-row" "C10" "the first row comes inside the connect timeout"
        "Fails when the first row of `SELECT 1` takes more than 15 s from the connect on; warns beyond 5 s, where some clients give up."
        "Look at what a wake-up costs, and at the machine's load.";
    Denial "denial" "C11" "a wrong password and an unknown user look alike"
        "Fails when code, text or packets differ: they tell who exists. Warns when the times are more than 0.4 s apart. Where the packets differ, a few more unknown users are tried: MySQL gives them this exchange or that. Skipped without --user."
        "Answer both with one text, after the same work.";
    Web "web" "-" "a web server on port 443 does not share the database's name"
        "Warns when port 443 of the same host serves a certificate for this name, or a web page without HSTS. Skipped where nothing answers there."
        "Give console and database a host name and a certificate each, and the console HSTS.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_entry_is_whole_and_unlike_the_others() {
        let mut ids = HashSet::new();
        for kind in Kind::ALL {
            let entry = kind.entry();
            assert!(ids.insert(entry.id), "{}", entry.id);
            assert!(
                entry.id.len() <= 18
                    && entry
                        .id
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            );
            assert!(
                entry.rule.ends_with('.') && entry.mend.ends_with('.'),
                "{}",
                entry.id
            );
            assert!(
                entry.promise == "-" || entry.promise.starts_with('C'),
                "{}",
                entry.id
            );
        }
    }
}
