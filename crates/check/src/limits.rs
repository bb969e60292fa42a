//! Bounds of this room, each with its reason. Only those that `Settings` uses as a default can be
//! set.

use std::time::Duration;

/// Timeout of the connect to one address. People wait no longer.
pub const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Timeout of one connection, from the greeting to the end of the handshake: at most six round
/// trips, also by satellite.
pub const PROBE_MAX: Duration = Duration::from_secs(6);

/// Timeout for the answer to something that no server may accept. Some servers never answer.
pub const REFUSAL_MAX: Duration = Duration::from_secs(3);

/// Time after which an open silent connection is reported: MySQL's `connect_timeout` of 10 s, and
/// some more.
pub const SILENCE_MAX: Duration = Duration::from_secs(16);

/// Delay between the bytes of a slow client: shorter than any timeout that restarts with every
/// byte, and so long that its packet does not end before the timeout.
pub const DRIP_PAUSE: Duration = Duration::from_millis(700);

/// Timeout from the first packet to the first row: the promised connect timeout.
pub const LOGIN_MAX: Duration = Duration::from_secs(15);

/// Time after which a first row is late for clients with the shortest default timeout.
pub const FIRST_ROW_WISHED: Duration = Duration::from_secs(5);

/// Time to wait for session tickets, which follow a TLS 1.3 handshake at once.
pub const TICKET_WAIT: Duration = Duration::from_millis(500);

/// Delay between the two halves of a split message, long enough for two TCP segments.
pub const SPLIT_PAUSE: Duration = Duration::from_millis(40);

/// Delay between single bytes of a message.
pub const BYTE_PAUSE: Duration = Duration::from_millis(1);

/// Maximum difference between the times of two denials. With one sample each, less is network
/// noise.
pub const DENIAL_BAND: Duration = Duration::from_millis(400);

/// Maximum number of unknown users that are tried until one gets the same exchange as the known
/// one. MySQL chooses one of two exchanges by the name, so all of these differ in one of four
/// thousand checks.
pub const STRANGERS_MAX: usize = 12;

/// Maximum number of a name's addresses that are tested.
pub const ADDRESSES_MAX: usize = 8;

/// Maximum size of a packet. A greeting, an error and one row are far shorter.
pub const PACKET_MAX: usize = 64 * 1024;

/// Maximum number of bytes read from one connection. A long chain, tickets and a few packets are
/// far below.
pub const CONNECTION_BYTES_MAX: usize = 256 * 1024;

/// Maximum number of packets of one login or result.
pub const PACKETS_MAX: usize = 64;

/// Maximum number of certificates of a chain. webpki follows no more.
pub const CHAIN_MAX: usize = 10;

/// Maximum size of a CA file. The largest system bundles have about 250 KB.
pub const CA_FILE_MAX: u64 = 4 * 1024 * 1024;

/// Maximum number of bytes of a server's packet that are shown as evidence.
pub const EVIDENCE_MAX: usize = 160;

/// Maximum length of a finding's evidence. Eight addresses with an error each, or five names of 253
/// characters, fit.
pub const EVIDENCE_LINE_MAX: usize = 2048;

/// Maximum size of an HTTP response's head. The body is not read.
pub const WEB_HEAD_MAX: usize = 8 * 1024;

/// Part of a certificate's life below which it was not renewed in time. Renewal is due with a third
/// left.
pub const LIFE_LEFT_WISHED: f64 = 1.0 / 6.0;

/// Minimum length of an RSA key. Shorter ones can be broken with enough money.
pub const RSA_BITS_MIN: usize = 2048;
