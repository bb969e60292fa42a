//! Questions to a name server. They use TCP, so that nothing is lost and every answer fits.

use crate::acme::limits::DNS_MAX;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Sends a message, and returns the answer.
pub async fn exchange(server: SocketAddr, message: &Message) -> io::Result<Vec<u8>> {
    let bytes = message.to_vec().map_err(io::Error::other)?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    let talk = async {
        let mut stream = TcpStream::connect(server).await?;
        stream
            .write_all(&[&length.to_be_bytes(), &bytes[..]].concat())
            .await?;
        let mut answer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    timeout(DNS_MAX, talk).await.map_err(late)?
}

/// Returns the records of this name and kind. A name that does not exist has none. `recursive`: the
/// server is a resolver, not one of the zone's own.
pub async fn records(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    recursive: bool,
) -> io::Result<Vec<Record>> {
    let mut message = Message::query();
    message.metadata.recursion_desired = recursive;
    let mut query = Query::new();
    query.set_name(name.clone()).set_query_type(kind);
    message.add_query(query);
    let answer = exchange(server, &message).await?;
    let answer = Message::from_vec(&answer).map_err(io::Error::other)?;
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer.answers),
        code => Err(io::Error::other(format!("it answers {code}"))),
    }
}

/// Returns the text of a TXT record.
pub fn text_of(record: &Record) -> Option<String> {
    match &record.data {
        RData::TXT(found) => Some(found.to_string().trim_matches('"').to_owned()),
        _ => None,
    }
}

/// Returns the name that a CNAME or NS record leads to.
pub fn target_of(record: &Record) -> Option<Name> {
    match &record.data {
        RData::CNAME(target) => Some(target.0.clone()),
        RData::NS(target) => Some(target.0.clone()),
        _ => None,
    }
}

/// Returns the address of an A or AAAA record.
pub fn address_of(record: &Record) -> Option<IpAddr> {
    match &record.data {
        RData::A(address) => Some(address.0.into()),
        RData::AAAA(address) => Some(address.0.into()),
        _ => None,
    }
}
