//! Every bound of this room, with its reason. Only what `Settings` names as its default can be set.

use std::time::Duration;

/// To connect to one address: beyond it a person has given up.
pub const CONNECT_MAX: Duration = Duration::from_secs(5);

/// One connection from its greeting to the end of its handshake: six round trips at the worst, by
/// satellite too.
pub const PROBE_MAX: Duration = Duration::from_secs(6);

/// For the answer to something no server may accept. Some answer with silence, and that is not
/// waited for longer.
pub const REFUSAL_MAX: Duration = Duration::from_secs(3);

/// How long a silent connection may stay open before it is named: MySQL's `connect_timeout` is 10
/// s, and a little more.
pub const SILENCE_MAX: Duration = Duration::from_secs(16);

/// Between the bytes of a client that drips: shorter than any deadline that is counted from byte to
/// byte, and so long that its packet does not end before it is cut.
pub const DRIP_PAUSE: Duration = Duration::from_millis(700);

/// From the first packet to the first row of a login: the contract's connect timeout.
pub const LOGIN_MAX: Duration = Duration::from_secs(15);

/// Slower than this, a first row is late for the clients with the shortest default timeout.
pub const FIRST_ROW_WISHED: Duration = Duration::from_secs(5);

/// Session tickets follow a TLS 1.3 handshake at once, or not at all.
pub const TICKET_WAIT: Duration = Duration::from_millis(500);

/// Between the two halves of a split message: long enough to be two segments, short enough not to
/// be rude.
pub const SPLIT_PAUSE: Duration = Duration::from_millis(40);

/// Between single bytes of a message.
pub const BYTE_PAUSE: Duration = Duration::from_millis(1);

/// Denials whose times differ by more than this tell users apart; less is the network's noise in a
/// sample of one each.
pub const DENIAL_BAND: Duration = Duration::from_millis(400);

/// Unknown users that are tried where their exchange differs from the known one's, until one has it
/// too. MySQL gives each one of two by chance: in one check of four thousand all of these would
/// differ.
pub const STRANGERS_MAX: usize = 12;

/// Addresses of one name that are tested; more are named and left alone.
pub const ADDRESSES_MAX: usize = 8;

/// Longest packet that is read: a greeting, an error and one row are far shorter.
pub const PACKET_MAX: usize = 64 * 1024;

/// All bytes that one connection may bring: a long chain, tickets and a few packets are well below.
pub const CONNECTION_BYTES_MAX: usize = 256 * 1024;

/// Packets of one login or one result; an endless exchange ends here.
pub const PACKETS_MAX: usize = 64;

/// Certificates of a chain that are looked at; webpki itself follows no more.
pub const CHAIN_MAX: usize = 10;

/// A CA file: the largest system bundles have about 250 KB.
pub const CA_FILE_MAX: u64 = 4 * 1024 * 1024;

/// Evidence that comes from the other side is cut here: it stands in one line of a report.
pub const EVIDENCE_MAX: usize = 160;

/// The head of a web answer; its body is not read.
pub const WEB_HEAD_MAX: usize = 8 * 1024;

/// A certificate with a smaller part of its life left was not renewed in time: renewal is due with
/// a third left.
pub const LIFE_LEFT_WISHED: f64 = 1.0 / 6.0;

/// Shorter RSA keys are broken by those who can pay.
pub const RSA_BITS_MIN: usize = 2048;
