//! Writes records into a zone by signed updates (RFC 2136, TSIG by RFC 8945) and checks that they
//! are there. It uses TCP, so that an update can't be lost. The key is dropped with the order.

use crate::acme::failure::{Failure, Step};
use crate::acme::limits::{DNS_MAX, DNS_TTL};
use crate::acme::settings::DnsUpdate;
use crate::state;
use data_encoding::BASE64;
use hickory_proto::op::update_message::{append, delete_by_rdata};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, RData, Record, RecordSet, RecordType, TSigner};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Maximum difference between the server's clock and this machine's, in seconds (as RFC 8945
/// recommends).
const FUDGE: u16 = 300;

pub struct Zone {
    server: SocketAddr,
    origin: Name,
    signer: TSigner,
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Step::Challenge, format!("the name server: {error}"))
}

impl Zone {
    pub fn open(settings: &DnsUpdate) -> Result<Self, Failure> {
        let text = state::read(&settings.key_file).map_err(Failure::at(Step::Challenge))?;
        let key = BASE64.decode(text.trim_ascii()).map(Zeroizing::new);
        let key =
            key.map_err(|_| failed(format!("{} is not base64", settings.key_file.display())))?;
        let name = Name::from_utf8(&settings.key_name).map_err(failed)?;
        let signer =
            TSigner::new(key.to_vec(), TsigAlgorithm::HmacSha256, name, FUDGE).map_err(failed)?;
        Ok(Self {
            server: settings.server,
            origin: absolute(&settings.zone)?,
            signer,
        })
    }

    /// Adds a TXT record at this name. Existing ones stay.
    pub async fn add(&self, name: &str, text: &str) -> Result<(), Failure> {
        let message = append(self.record(name, text)?, self.origin.clone(), false, false);
        self.update(message).await
    }

    pub async fn remove(&self, name: &str, text: &str) -> Result<(), Failure> {
        let message = delete_by_rdata(self.record(name, text)?, self.origin.clone(), false);
        self.update(message).await
    }

    fn record(&self, name: &str, text: &str) -> Result<RecordSet, Failure> {
        let name = absolute(name)?;
        // The crate panics on a name outside the zone.
        if !self.origin.zone_of(&name) {
            return Err(failed(format!("{name} is not in the zone {}", self.origin)));
        }
        let data = RData::TXT(TXT::new(vec![text.to_owned()]));
        Ok(RecordSet::from(Record::from_rdata(name, DNS_TTL, data)))
    }

    async fn update(&self, mut message: Message) -> Result<(), Failure> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let verifier = message.finalize(&self.signer, now).map_err(failed)?;
        let answer = self.exchange(&message).await?;
        let code = Message::from_vec(&answer)
            .map_err(failed)?
            .metadata
            .response_code;
        if code != ResponseCode::NoError {
            return Err(failed(format!("it refused the update: {code}")));
        }
        // Verifies the reply's signature.
        match verifier {
            Some(mut verifier) => verifier.verify(&answer).map(drop).map_err(failed),
            None => Ok(()),
        }
    }

    /// Whether the server returns this TXT record.
    pub async fn shows(&self, name: &str, text: &str) -> Result<bool, Failure> {
        let mut message = Message::query();
        let mut query = Query::new();
        query
            .set_name(absolute(name)?)
            .set_query_type(RecordType::TXT);
        message.add_query(query);
        // Asked at the updated server itself: a resolver might still cache the old answer.
        let answer = Message::from_vec(&self.exchange(&message).await?).map_err(failed)?;
        Ok(answer.answers.iter().any(|record| match &record.data {
            RData::TXT(found) => found.to_string().trim_matches('"') == text,
            _ => false,
        }))
    }

    async fn exchange(&self, message: &Message) -> Result<Vec<u8>, Failure> {
        let bytes = message.to_vec().map_err(failed)?;
        let length = u16::try_from(bytes.len()).map_err(failed)?.to_be_bytes();
        let talk = async {
            let mut stream = TcpStream::connect(self.server).await?;
            stream.write_all(&[&length, &bytes[..]].concat()).await?;
            let mut answer = vec![0; usize::from(stream.read_u16().await?)];
            stream.read_exact(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let said = timeout(DNS_MAX, talk)
            .await
            .map_err(|_| failed("no answer in time"))?;
        said.map_err(|error| failed(format!("{}: {error}", self.server)))
    }
}

fn absolute(name: &str) -> Result<Name, Failure> {
    let mut name = Name::from_utf8(name).map_err(failed)?;
    name.set_fqdn(true);
    Ok(name)
}
