//! The table of findings: everything that is judged, with its promise and the hint to fix it. The
//! help page and the report are made from it.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingVerdict {
    Pass,
    Skip,
    Warn,
    Fail,
}

impl FindingVerdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// Row of the table.
#[derive(Debug, Clone, Copy)]
pub struct FindingEntry {
    pub id: &'static str,
    /// Promise of the endpoint (C1 to C11), or "-" for good practice.
    pub promise: &'static str,
    pub title: &'static str,
    /// Rule by which it is judged.
    pub rule: &'static str,
    pub hint: &'static str,
}

macro_rules! findings {
    ($($kind:ident $id:literal $promise:literal $title:literal $rule:literal $hint:literal;)+) => {
        /// Kind of a finding, in the order of the report.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingKind { $($kind,)+ }

        impl FindingKind {
            pub const ALL: &'static [FindingKind] = &[$(FindingKind::$kind,)+];

            pub fn entry(self) -> FindingEntry {
                match self {
                    $(FindingKind::$kind => FindingEntry {
                        id: $id,
                        promise: $promise,
                        title: $title,
                        rule: $rule,
                        hint: $hint,
                    },)+
                }
            }
        }
    };
}

impl FindingKind {
    /// Whether it judges a house rule: a promise of Tidegate's own endpoint that other MySQL
    /// servers don't make, and that is no fault of theirs.
    pub fn is_house_rule(self) -> bool {
        matches!(
            self,
            Self::Alpn | Self::ClientCertificate | Self::Port | Self::Database
        )
    }
}

findings! {
    Addresses "addresses" "-" "the name resolves and every address answers"
        "Fails when the name has no address or none accepts a TCP connection; warns when only some \
         do. An address to which this machine has no route (for example IPv6) is named but not \
         counted as a fault."
        "Fix the DNS records, the listener or the firewall; remove the record of an address that \
         serves nothing.";
    EveryAddress "every-address" "C5" "every address of the name serves a valid certificate"
        "Fails when one of the other addresses gives no TLS, or a certificate that does not \
         verify: then some of the clients fail. Skipped if there is only one address."
        "Put the same certificate on every machine behind the name.";
    Greeting "greeting" "-" "a MySQL server speaks first, in protocol 10"
        "Fails when nothing comes, when the connection closes, and when the first packet is not a \
         MySQL greeting."
        "Check host and port. If a proxy there expects a PROXY header, test from an address that \
         it trusts.";
    TlsOffered "tls-offered" "C1" "the greeting offers TLS"
        "Fails when the greeting lacks CLIENT_SSL: then every login to this server is readable on \
         the network."
        "Give the server a certificate and a key, and turn TLS on.";
    Version "version" "-" "the version string lets old drivers use TLS 1.2"
        "Warns below 5.7.28 (and 5.6.46): Connector/J up to 8.0.19 then offers only TLS 1.0 and \
         1.1. A server that says it is MariaDB passes, since a false name would mislead other \
         drivers."
        "Let the server or its proxy announce a version of 5.7.28 or later, or set \
         enabledTLSProtocols=TLSv1.2 in Connector/J.";
    Quiet "quiet" "C1" "nothing is sent between greeting and TLS"
        "Fails when the first byte after the greeting is not of a TLS record: a client could take \
         it for part of the secure session."
        "Make the server or proxy send nothing in clear text after its greeting.";
    Plaintext "plaintext" "C1" "a login without TLS is refused"
        "Fails when the login is accepted, judged, or answered with another exchange: each of them \
         makes clients send a password in clear text. Warns when no answer comes."
        "Put an endpoint in front that accepts TLS only. `require_secure_transport=ON` is not \
         enough: MySQL and MariaDB refuse only after they have asked for the proof.";
    PlaintextText "plaintext-text" "C1" "the refusal gives the reason"
        "Warns unless the refusal is a MySQL error that names TLS (code 3159): otherwise people \
         look for a network fault."
        "Answer with error 3159 and a text that names the option to set.";
    TlsBit "tls-bit" "C1" "a login in clear text with the TLS bit set is refused"
        "Fails when a whole login that only claims TLS is judged or accepted without TLS."
        "After a packet with CLIENT_SSL, accept only TLS.";
    Injection "injection" "C1" "clear text after the TLS request is never executed"
        "Fails when bytes that are not TLS, sent right behind the TLS request, are answered as a \
         command."
        "Pass remaining bytes to the TLS library, and start with an empty buffer after the \
         handshake.";
    Tls13 "tls13" "C2" "TLS 1.3 works"
        "Fails when a handshake that offers only TLS 1.3 fails."
        "Enable TLS 1.3 with AES-GCM or ChaCha20 and the groups X25519 or P-256.";
    Tls12 "tls12" "C2" "TLS 1.2 works, with ECDHE and AES-GCM or ChaCha20"
        "Fails when a handshake that offers only TLS 1.2 fails."
        "Enable TLS 1.2 with ECDHE and AES-GCM suites.";
    OldTls "old-tls" "C2" "TLS 1.1 and 1.0 are refused"
        "Fails when the server answers a ClientHello for at most TLS 1.1 with a ServerHello, in \
         the old form or with supported_versions."
        "Allow TLS 1.2 and 1.3 only (MariaDB, MySQL: `tls_version=TLSv1.2,TLSv1.3`).";
    Ssl "ssl" "C2" "SSL 3 and 2 are refused"
        "Fails when the server answers a hello of SSL 3 or SSL 2 with its own."
        "Replace the TLS library: no maintained one still supports SSL.";
    WeakSuites "weak-suites" "C2" "broken suites are refused"
        "Fails when the server accepts a suite without encryption, without authentication, or with \
         RC4, DES, 3DES or export keys."
        "Remove these suites from the server's list (OpenSSL: `HIGH:!aNULL:!eNULL:!3DES`).";
    LegacySuites "legacy-suites" "C2" "below TLS 1.3, ECDHE and AEAD only"
        "Warns when a suite with CBC, static RSA or finite-field DHE is accepted: whoever gets the \
         key can read old traffic, or padding attacks are possible."
        "Offer ECDHE with AES-GCM or ChaCha20 only, unless one of your clients needs more.";
    SplitHello "split-hello" "C2" "messages that are split over many segments are understood"
        "Fails when the server does not understand a TLS request sent byte by byte and a \
         ClientHello in two halves: post-quantum hellos always span several segments."
        "Read until a packet or record is complete; look for a middlebox that drops split hellos.";
    Alpn "alpn" "-" "web protocols are refused by ALPN"
        "Fails when the server chooses h2 or http/1.1; warns when it ignores the offer: a \
         browser's connection could be redirected to this port."
        "Configure an ALPN protocol for the database, so that others get alert 120.";
    EarlyData "early-data" "-" "no ticket allows early data"
        "Fails when a session ticket allows 0-RTT data: a login in it could be replayed."
        "Set the maximum size of early data to 0.";
    Resumption "resumption" "C10" "session tickets are accepted"
        "Warns when the server sends tickets but the next connection makes a full handshake. \
         Passes if it sends none."
        "Share the ticket keys between all processes and hosts behind this address, or send no \
         tickets.";
    ClientCertificate "client-certificate" "C6" "no client certificate is asked for"
        "Warns when the server sends a CertificateRequest: the promise is one-way TLS. Fails when \
         no handshake works without a certificate."
        "Turn the request off (`verify none`). MySQL and MariaDB always ask, and continue without \
         a certificate: only an endpoint in front of them can keep the promise.";
    ChainSent "chain" "C3" "the chain is complete and in order"
        "Fails when a certificate between the leaf and a root is missing; warns when the chain is \
         out of order or contains other certificates. Skipped for a private CA without --ca."
        "Serve the full chain (leaf first, then each issuer), not the leaf alone.";
    Trust "trust" "C3" "the chain ends in a trusted root"
        "Fails unless the chain as sent leads to a root of Mozilla's list, or to one of --ca. A \
         self-signed certificate passes as with OpenSSL's clients: if --ca contains it, and its \
         key usages allow a TLS server."
        "Get a certificate from a public CA, or give the private CA's file with --ca.";
    Name "name" "C5" "the certificate is for this name"
        "Fails when none of the certificate's alternative names matches the host, or the name in \
         --name."
        "Issue the certificate for the name that clients use, or test the name it was issued for \
         with --name.";
    WrongName "wrong-name" "C5" "the server has no certificate for other names"
        "Fails when the server has a trusted certificate for a made-up name: then a client's check \
         of the name proves nothing."
        "Issue certificates for your own names only.";
    NoSni "no-sni" "C5" "clients that send no SNI get the right certificate"
        "Fails when a handshake without SNI fails, or results in a certificate for another name: \
         MySQL's own client sends no SNI."
        "Make the endpoint's certificate the default of its listener.";
    Validity "validity" "C3" "the certificate is valid now, and for a while"
        "Fails when it has expired or is not valid yet; warns when less than a sixth of its life \
         is left."
        "Renew it, reload the server, and find out why it was not renewed automatically.";
    Key "key" "C3" "key and signature are strong"
        "Fails for RSA below 2048 bits, curves below 256 bits, and signatures by SHA-1 or MD5."
        "Generate a new key, P-256 or at least RSA 2048, and get it signed with SHA-256.";
    Pinned "pinned-root" "C8" "a Let's Encrypt chain also ends in ISRG Root X1"
        "Warns when a chain of Let's Encrypt does not verify with ISRG Root X1 alone, which many \
         clients have as a file. Skipped for other CAs."
        "Serve the CA's default chain, unchanged.";
    Silent "silent" "C11" "silent and slow connections are closed"
        "Warns when a connection is still open after 16 s whose client sends nothing, stops after \
         its TLS request, or sends a byte at a time."
        "Set one deadline for the whole login, with TLS. `connect_timeout` of MySQL and MariaDB \
         restarts with every byte: set a deadline in front of them.";
    Port "port" "C9" "the port is 4000"
        "Warns for another port: people and firewalls expect 4000. Skipped for 3306, MySQL's \
         default."
        "Listen on 4000, or tell your users.";
    Login "login" "C9" "the login works over verified TLS"
        "Fails when the login of --user fails. Skipped without --user, and if the certificate does \
         not verify: then no password is sent."
        "Check user and password; the user is `<prefix>.<user>`.";
    Database "database" "C9" "the default database `test` exists"
        "Warns when the user can't use the database `test`."
        "Create it, or set the right database in every connection string.";
    FirstRow "first-row" "C10" "the first row comes within the connect timeout"
        "Fails when the first row of `SELECT 1` takes more than 15 s from the connect on; warns \
         above 5 s, when some clients give up."
        "Check how long a wake takes, and the machine's load.";
    Denial "denial" "C11" "a wrong password and an unknown user get the same answer"
        "Fails when code, text or packets differ: the difference reveals which users exist. Warns \
         when the times differ by more than 0.4 s. If the packets differ, a few more unknown users \
         are tried, because MySQL chooses their exchange by the name. Skipped without --user."
        "Answer both with the same text, after the same work.";
    Web "web" "-" "a web server on port 443 does not share the database's name"
        "Warns when port 443 of the same host serves a certificate for this name, or a web page \
         without HSTS. Skipped if nothing answers there."
        "Give console and database a host name and a certificate each, and enable HSTS for the \
         console.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_entry_is_whole_and_unlike_the_others() {
        let mut ids = HashSet::new();
        for kind in FindingKind::ALL {
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
                entry.rule.ends_with('.') && entry.hint.ends_with('.'),
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
