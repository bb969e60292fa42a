//! Table of refusals: every error packet that the gateway itself can send.
//!
//! Each refusal has a code and SQLSTATE that drivers know how to treat, a text for people, a hint
//! for fixing it, and a page in `docs/refusals/`. Codes: MySQL 8.0 and MariaDB 10.11 server error
//! references.

use std::fmt;

/// Party that can fix the cause of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    Client,
    Cluster,
    Gateway,
}

impl Blame {
    /// Text for "Caused by" on help pages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Client => "the client",
            Self::Cluster => "the cluster",
            Self::Gateway => "the gateway",
        }
    }
}

/// Whether repeating the login or query unchanged may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    Never,
    Soon,
}

impl Retry {
    /// Text for "Retrying" on help pages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Never => "won't help",
            Self::Soon => "may help",
        }
    }
}

/// Level of the log line of a connection that ends in a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing for the operator to do: the client's mistake, or the normal end of a session.
    Info,
    /// A cluster needs attention.
    Warn,
    /// The server itself needs attention.
    Error,
}

macro_rules! refusals {
    ($(
        $(#[$doc:meta])*
        $kind:ident = $slug:literal, $code:literal, $state:literal, $blame:ident, $retry:ident,
        $severity:ident, $text:literal, $hint:literal;
    )*) => {
        /// Kinds of refusals.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum RefusalKind { $( $(#[$doc])* $kind, )* }

        impl RefusalKind {
            pub const ALL: &'static [Self] = &[ $( Self::$kind, )* ];

            pub fn entry(self) -> RefusalEntry {
                match self { $( Self::$kind => RefusalEntry {
                    slug: $slug, code: $code, sqlstate: $state,
                    blame: Blame::$blame, retry: Retry::$retry, severity: Severity::$severity,
                    text: $text, hint: $hint,
                }, )* }
            }
        }
    };
}

/// Row of the table of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalEntry {
    /// Name of its help page.
    pub slug: &'static str,
    pub code: u16,
    pub sqlstate: &'static str,
    pub blame: Blame,
    pub retry: Retry,
    pub severity: Severity,
    pub text: &'static str,
    pub hint: &'static str,
}

refusals! {
    /// The first packet asked for no TLS.
    InsecureTransport = "insecure-transport", 3159, "HY000", Client, Never, Info,
        "Connections using insecure transport are prohibited on this endpoint.",
        "Set your client to use TLS and to verify the server: --ssl-mode=VERIFY_IDENTITY (mysql), \
         --ssl-verify-server-cert (mariadb), sslMode=VERIFY_IDENTITY (JDBC), tls=true (Go). If a \
         password was sent with this login, it travelled unprotected: change it";
    /// The login name has no dot.
    MissingPrefix = "missing-prefix", 1045, "28000", Client, Never, Info,
        "Missing user name prefix.",
        "A user name here is <prefix>.<user>, such as abcdefghjkmn.root; `tidegate connect NAME` \
         or `tidegate cluster show NAME` prints it";
    /// Unknown prefix, unknown user or wrong password. All have the same text and take the same
    /// time.
    AccessDenied = "access-denied", 1045, "28000", Client, Never, Info,
        "Access denied.",
        "Check the whole user name (<prefix>.<user>) and the password; `tidegate cluster password \
         NAME` sets a new one";
    /// The cluster's list of allowed addresses lacks the client's. Sent before the password is
    /// checked, and to unknown prefixes that imitate such a cluster.
    AddressNotAllowed = "address-not-allowed", 1130, "HY000", Client, Never, Info,
        "Logins from your address are not allowed for this user name.",
        "Check the prefix of the user name. The operator allows an address with `tidegate cluster \
         set NAME --ip-allow CIDR`, which replaces the list";
    /// The password is right, but the account requires TLS, and the engine offers none to the
    /// gateway. Sent only after the password was verified.
    RequiresTls = "requires-tls", 1045, "28000", Client, Never, Info,
        "The password is right, but the account has REQUIRE SSL, and the cluster's engine has no \
         TLS.",
        "Every connection here is TLS in any case: run ALTER USER ... REQUIRE NONE as another \
         user. For root, `tidegate cluster password NAME` does so";
    /// As `RequiresTls`, for an account that requires a cipher which the connection does not use.
    RequiresCipher = "requires-cipher", 1045, "28000", Client, Never, Info,
        "The password is right, but the account has REQUIRE CIPHER, and this connection uses \
         another cipher.",
        "Connect with that cipher, or run ALTER USER ... REQUIRE SSL as another user. For root, \
         `tidegate cluster password NAME` removes the requirement";
    /// As `RequiresTls`, for an account that requires a client certificate.
    RequiresCertificate = "requires-certificate", 1045, "28000", Client, Never, Info,
        "The password is right, but the account has REQUIRE X509, ISSUER or SUBJECT, and no \
         client is asked for a certificate here.",
        "Run ALTER USER ... REQUIRE NONE as another user, with a long password. For root, \
         `tidegate cluster password NAME` does so";
    /// The password could not be checked in time.
    NotJudged = "not-judged", 1040, "08004", Cluster, Soon, Warn,
        "The login could not be checked just now.",
        "Try again in a moment";
    /// The engine was not awake before the deadline.
    WakeDeadline = "wake-deadline", 1040, "08004", Cluster, Soon, Warn,
        "The cluster is still waking up.",
        "Try again in a moment";
    /// The engine can't start.
    EngineFailed = "engine-failed", 1105, "HY000", Cluster, Soon, Warn,
        "The cluster's engine can't start.",
        "The operator finds the reason in the server's log and in `tidegate cluster show NAME`";
    /// The cluster's files are above its hard disk limit.
    DiskLimit = "disk-limit", 1021, "HY000", Cluster, Never, Warn,
        "The cluster has reached its disk limit.",
        "The operator can allow deleting for a time (`tidegate cluster set NAME --allow-shrink \
         10m`) or raise the limit (`--disk-max 8G`)";
    /// There is no memory for another engine, and all awake engines are busy.
    AwakeBudget = "awake-budget", 1040, "08004", Gateway, Soon, Error,
        "The server has no memory left to wake this cluster: all clusters that are awake are busy.",
        "Try again in a moment. The operator can raise engine.awake_memory_percent";
    /// The cluster used more than its share of the awake budget while another one needed room.
    MemoryShare = "memory-share", 1927, "70100", Cluster, Soon, Warn,
        "The session was ended: its cluster used more than its share of the server's memory while \
         others needed some.",
        "Connect again: the cluster wakes in about a tenth of a second. An open transaction was \
         rolled back; use less memory, or ask the operator to raise engine.awake_memory_percent";
    /// The file system of the data directory is full.
    DiskFull = "disk-full", 1021, "HY000", Gateway, Soon, Error,
        "The server's disk is full, so the cluster can't be woken.",
        "Try again when the operator has freed space on the file system of the data directory";
    /// All places for sessions are taken. The limit of open files determines their number.
    ServerFull = "server-full", 1040, "08004", Gateway, Soon, Error,
        "The server has no place for another session.",
        "Try again in a moment. The operator can raise the server's limit of open files";
    TooManyConnections = "too-many-connections", 1040, "08004", Cluster, Soon, Warn,
        "Too many connections to this cluster.",
        "Close some, or use a smaller pool";
    /// The cluster's sessions use more memory of the gateway than their budget, and this one uses
    /// most.
    UnreadAnswers = "unread-answers", 1161, "08S01", Cluster, Soon, Warn,
        "The connection was closed because this cluster's clients left too much data unread, \
         this one the most.",
        "Read results as they come, or ask for less at once, then connect again";
    TooManyFromAddress = "too-many-from-address", 1040, "08004", Client, Soon, Info,
        "Too many connections from this address.",
        "Close some, or wait a moment before trying again";
    /// Sent to idle sessions when their cluster goes to sleep. Drivers take this code for a
    /// disconnect, and pools reconnect.
    ClusterSleeps = "cluster-sleeps", 4031, "HY000", Cluster, Soon, Warn,
        "The client was disconnected because its cluster went to sleep after inactivity.",
        "Connect again: the cluster wakes in about a tenth of a second";
    /// TLS 1.2 with AES-GCM may seal no more records under one key.
    RecycleTls12 = "recycle-tls12", 4031, "HY000", Gateway, Soon, Info,
        "The client was disconnected because its TLS 1.2 session has used up its key.",
        "Connect again, or use TLS 1.3, which renews keys by itself";
    BadHandshake = "bad-handshake", 1043, "08S01", Client, Never, Info,
        "Bad handshake.",
        "Check that the client speaks the MySQL protocol";
    OldProtocol = "old-protocol", 1251, "08004", Client, Never, Info,
        "The client speaks a protocol older than MySQL 4.1, which is not supported.",
        "Use a newer client";
    PacketTooLarge = "packet-too-large", 1153, "08S01", Client, Never, Info,
        "The login packet is too large.",
        "Send fewer or shorter connection attributes";
    PacketsOutOfOrder = "packets-out-of-order", 1156, "08S01", Client, Never, Info,
        "Got packets out of order.",
        "Check that nothing between client and server changes the stream";
    /// A frame of the compressed protocol can't be decompressed.
    BadCompression = "bad-compression", 1157, "08S01", Client, Never, Info,
        "Couldn't uncompress communication packet.",
        "Connect without compression, and report this to the maker of the client's library";
    /// The client can use none of the authentication methods offered.
    UnsupportedAuth = "unsupported-auth", 1251, "08004", Client, Never, Info,
        "The client does not support an authentication method of this server.",
        "Use a client that knows caching_sha2_password or mysql_native_password";
    LoginTimeout = "login-timeout", 1159, "08S01", Client, Soon, Info,
        "The login took too long.",
        "Check the network, then try again";
    /// The engine stopped while a session was open.
    EngineLost = "engine-lost", 1053, "08S01", Cluster, Soon, Warn,
        "The cluster's engine stopped unexpectedly.",
        "Connect again: the engine recovers automatically, and committed data is kept";
    /// The engine closed a session and goes on, and no KILL of it passed through the gateway.
    ClosedByEngine = "closed-by-engine", 4031, "HY000", Client, Soon, Info,
        "The connection was closed by the server: idle timeout or KILL.",
        "Connect again. wait_timeout and idle_transaction_timeout set how long a connection may be \
         idle";
    /// A KILL of the session passed through the gateway, and the engine closed it.
    KilledInSql = "killed-in-sql", 1927, "70100", Client, Soon, Info,
        "Connection was killed.",
        "Connect again; another session of the same user ended this one with KILL";
    ServerStopping = "server-stopping", 1053, "08S01", Gateway, Soon, Info,
        "The server is shutting down.",
        "Connect again in a moment";
    SessionKilled = "session-killed", 1927, "70100", Client, Soon, Info,
        "The connection was ended by an administrator.",
        "Connect again";
    /// COM_CHANGE_USER behind a command whose answer has no end that the gateway can recognize.
    ChangeUser = "change-user", 1235, "42000", Client, Never, Info,
        "The user of a replication connection can't be changed.",
        "Open a new connection instead";
}

/// A refusal with its details.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    pub kind: RefusalKind,
    /// For the log only; never sent.
    pub detail: Option<String>,
}

impl Refusal {
    pub fn new(kind: RefusalKind) -> Self {
        Self { kind, detail: None }
    }

    /// A refusal with details for the log only.
    pub fn because(kind: RefusalKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: Some(detail.into()),
        }
    }

    /// Text for the client, without the link to the help page (see [`crate::wording`]).
    pub fn message(&self) -> String {
        let entry = self.kind.entry();
        format!("{} {}.", entry.text, entry.hint)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.kind.entry().text, self.kind.entry().code)
    }
}

impl From<RefusalKind> for Refusal {
    fn from(kind: RefusalKind) -> Self {
        Self::new(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_well_formed_and_fits_an_error_packet() {
        for kind in RefusalKind::ALL {
            let e = kind.entry();
            assert_eq!(e.sqlstate.len(), 5, "{kind:?}");
            assert!(e.text.ends_with('.'), "{kind:?}");
            assert!(!e.hint.is_empty() && !e.hint.ends_with('.'), "{kind:?}");
            // libmysqlclient keeps 512 bytes of an error (MYSQL_ERRMSG_SIZE).
            let message = Refusal::new(*kind).message();
            assert!(message.len() < 512, "{kind:?}: {}", message.len());
        }
    }

    #[test]
    fn slugs_are_unique() {
        let mut slugs: Vec<_> = RefusalKind::ALL.iter().map(|k| k.entry().slug).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), RefusalKind::ALL.len());
    }

    #[test]
    fn the_first_words_of_3159_are_those_people_search_for() {
        let message = Refusal::new(RefusalKind::InsecureTransport).message();
        assert!(message.starts_with("Connections using insecure transport are prohibited"));
    }
}
