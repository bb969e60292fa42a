//! PROXY protocol headers, versions 1 and 2: the client's address behind a load balancer.
//!
//! <https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>

use crate::reader::{Malformed, Reader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of the fixed part of version 2: signature, command, family, length.
const V2_HEAD: usize = 16;
/// Bytes of the longest line of version 1, including CRLF.
const V1_MAX: usize = 107;

/// Result of parsing the beginning of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// At least this many bytes are missing. As many may be read without reading behind the header.
    Incomplete { at_least: usize },
    /// `source` is `None` for LOCAL, UNKNOWN and families other than IP: the address of the
    /// connection itself applies.
    Complete {
        source: Option<SocketAddr>,
        len: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("no PROXY header")]
    Absent,
    #[error("malformed PROXY header")]
    Malformed,
}

impl From<Malformed> for ProxyError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Parses the header at the beginning of a connection.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ProxyError> {
    let v2 = bytes.iter().zip(SIGNATURE).all(|(b, s)| *b == s);
    let v1 = bytes.iter().zip(b"PROXY ").all(|(b, s)| b == s);
    match (v2, v1) {
        (true, _) if bytes.len() < V2_HEAD && !bytes.is_empty() => Ok(Parsed::Incomplete {
            at_least: V2_HEAD - bytes.len(),
        }),
        // Nothing has arrived yet. The shortest header is "PROXY UNKNOWN\r\n".
        (true, true) => Ok(Parsed::Incomplete { at_least: 15 }),
        (true, false) => parse_v2(bytes),
        (false, true) => parse_v1(bytes),
        (false, false) => Err(ProxyError::Absent),
    }
}

fn parse_v1(bytes: &[u8]) -> Result<Parsed, ProxyError> {
    let Some(end) = bytes.windows(2).take(V1_MAX - 1).position(|w| w == b"\r\n") else {
        if bytes.len() >= V1_MAX {
            return Err(ProxyError::Malformed);
        }
        // Behind a CR one byte is missing, else at least the two of CRLF.
        let at_least = if bytes.last() == Some(&b'\r') { 1 } else { 2 };
        return Ok(Parsed::Incomplete { at_least });
    };
    let line = bytes
        .get(..end)
        .and_then(|l| std::str::from_utf8(l).ok())
        .ok_or(ProxyError::Malformed)?;
    let mut words = line.split(' ').skip(1);
    let family = words.next().ok_or(ProxyError::Malformed)?;
    let len = end + 2;
    if family == "UNKNOWN" {
        return Ok(Parsed::Complete { source: None, len });
    }
    let rest: Vec<&str> = words.collect();
    let [source, _destination, source_port, destination_port, ..] = *rest else {
        return Err(ProxyError::Malformed);
    };
    let port: u16 = source_port.parse().map_err(|_| ProxyError::Malformed)?;
    let _: u16 = destination_port
        .parse()
        .map_err(|_| ProxyError::Malformed)?;
    let ip = match family {
        "TCP4" => source
            .parse::<Ipv4Addr>()
            .map(IpAddr::V4)
            .map_err(|_| ProxyError::Malformed)?,
        "TCP6" => source
            .parse::<Ipv6Addr>()
            .map(IpAddr::V6)
            .map_err(|_| ProxyError::Malformed)?,
        _ => return Err(ProxyError::Malformed),
    };
    Ok(Parsed::Complete {
        source: Some(SocketAddr::new(ip, port)),
        len,
    })
}

fn parse_v2(bytes: &[u8]) -> Result<Parsed, ProxyError> {
    let mut r = Reader::new(bytes);
    r.bytes(SIGNATURE.len())?;
    let command = r.u8()?;
    let family = r.u8()?;
    let body_len = usize::from(u16::from_be_bytes(r.array()?));
    if command >> 4 != 2 || command & 0xF > 1 {
        return Err(ProxyError::Malformed);
    }
    let len = V2_HEAD + body_len;
    if bytes.len() < len {
        return Ok(Parsed::Incomplete {
            at_least: len - bytes.len(),
        });
    }
    // LOCAL: the balancer itself connects. The addresses in the header are ignored.
    if command & 0xF == 0 {
        return Ok(Parsed::Complete { source: None, len });
    }
    let mut body = Reader::new(r.bytes(body_len)?);
    let source = match family {
        0x11 => {
            let ip: [u8; 4] = body.array()?;
            body.bytes(4)?;
            Some(SocketAddr::from((ip, u16::from_be_bytes(body.array()?))))
        }
        0x21 => {
            let ip: [u8; 16] = body.array()?;
            body.bytes(16)?;
            Some(SocketAddr::from((ip, u16::from_be_bytes(body.array()?))))
        }
        _ => None,
    };
    Ok(Parsed::Complete { source, len })
}

/// Returns a version 2 header for an engine, with source and destination; LOCAL without them, for a
/// connection of the gateway itself.
pub fn encode_v2(addresses: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
    let mut out = SIGNATURE.to_vec();
    let Some((source, destination)) = addresses else {
        out.extend_from_slice(&[0x20, 0, 0, 0]);
        return out;
    };
    // An IPv4 client of an IPv6 listener must match IPv4 host patterns at the engine.
    match (source.ip().to_canonical(), destination.ip().to_canonical()) {
        (IpAddr::V4(s), IpAddr::V4(d)) => {
            out.extend_from_slice(&[0x21, 0x11, 0, 12]);
            out.extend_from_slice(&s.octets());
            out.extend_from_slice(&d.octets());
        }
        (s, d) => {
            out.extend_from_slice(&[0x21, 0x21, 0, 36]);
            out.extend_from_slice(&as_v6(s).octets());
            out.extend_from_slice(&as_v6(d).octets());
        }
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
    out
}

fn as_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(source: Option<&str>, len: usize) -> Result<Parsed, ProxyError> {
        Ok(Parsed::Complete {
            source: source.map(|s| s.parse().unwrap()),
            len,
        })
    }

    #[test]
    fn case_12_version_1() {
        let line = b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 4000\r\n";
        assert_eq!(
            parse(&[line, &b"rest"[..]].concat()),
            complete(Some("203.0.113.9:4711"), line.len())
        );
        let line = b"PROXY TCP6 2001:db8::9 ::1 4711 4000\r\n";
        assert_eq!(
            parse(line),
            complete(Some("[2001:db8::9]:4711"), line.len())
        );
        assert_eq!(parse(b"PROXY UNKNOWN\r\n"), complete(None, 15));
        let ignored = b"PROXY UNKNOWN 1.2.3.4 5.6.7.8 1 2\r\n";
        assert_eq!(parse(ignored), complete(None, ignored.len()));
        for bad in [
            &b"PROXY TCP4 203.0.113.9 10.0.0.1 4711\r\n"[..],
            b"PROXY TCP4 nowhere 10.0.0.1 4711 4000\r\n",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 99999 4000\r\n",
            b"PROXY UDP4 203.0.113.9 10.0.0.1 4711 4000\r\n",
        ] {
            assert_eq!(parse(bad), Err(ProxyError::Malformed));
        }
        assert_eq!(
            parse(&[b"PROXY TCP4 ", &[b'1'; 200][..]].concat()),
            Err(ProxyError::Malformed)
        );
    }

    #[test]
    fn case_12_version_2() {
        let v4 = (
            "203.0.113.9:4711".parse().unwrap(),
            "10.0.0.1:4000".parse().unwrap(),
        );
        assert_eq!(
            parse(&encode_v2(Some(v4))),
            complete(Some("203.0.113.9:4711"), 28)
        );
        let v6 = (
            "[2001:db8::9]:4711".parse().unwrap(),
            "[::1]:4000".parse().unwrap(),
        );
        assert_eq!(
            parse(&encode_v2(Some(v6))),
            complete(Some("[2001:db8::9]:4711"), 52)
        );
        assert_eq!(parse(&encode_v2(None)), complete(None, 16));
        let mut tlv = encode_v2(Some(v4));
        tlv[15] += 4;
        tlv.extend_from_slice(&[4, 0, 1, 9]);
        assert_eq!(
            parse(&tlv),
            complete(Some("203.0.113.9:4711"), 32),
            "TLVs are skipped"
        );
        let mut short = encode_v2(Some(v4));
        short[15] = 8;
        assert_eq!(
            parse(&short),
            Err(ProxyError::Malformed),
            "too short for its family"
        );
        let mut version = encode_v2(None);
        version[12] = 0x30;
        assert_eq!(parse(&version), Err(ProxyError::Malformed));
    }

    #[test]
    fn case_12_split_anywhere_a_reader_never_takes_a_byte_behind_the_header() {
        let v4 = (
            "203.0.113.9:4711".parse().unwrap(),
            "10.0.0.1:4000".parse().unwrap(),
        );
        for header in [
            encode_v2(Some(v4)),
            b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 4000\r\n".to_vec(),
            b"PROXY UNKNOWN\r\n".to_vec(),
        ] {
            let mut have = 0;
            loop {
                match parse(&header[..have]).unwrap() {
                    Parsed::Incomplete { at_least } => have += at_least,
                    Parsed::Complete { len, .. } => break assert_eq!(len, header.len()),
                }
                assert!(have <= header.len(), "asked for {have} of {}", header.len());
            }
        }
    }

    #[test]
    fn anything_else_is_no_header() {
        for other in [
            &b"GET / HTTP/1.1"[..],
            b"\x16\x03\x01",
            b"PROXX",
            b"\r\n\r\n\0\r\nQUIX",
        ] {
            assert_eq!(parse(other), Err(ProxyError::Absent));
        }
    }
}
