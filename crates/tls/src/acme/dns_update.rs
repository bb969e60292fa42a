//! Writes records into a zone by signed updates (RFC 2136, TSIG by RFC 8945) and checks that they
//! are there. The key is dropped with the order.

use crate::acme::dns_query::exchange;
use crate::acme::failure::{Failure, Step};
use crate::acme::limits::DNS_TTL;
use crate::acme::name_servers::NameServers;
use crate::acme::settings::DnsUpdate;
use crate::state;
use data_encoding::BASE64;
use hickory_proto::op::update_message::{append, delete_by_rdata};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, RData, Record, RecordSet, TSigner};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// Maximum difference between the server's clock and this machine's, in seconds (as RFC 8945
/// recommends).
const FUDGE: u16 = 300;

pub struct Zone {
    server: SocketAddr,
    origin: Name,
    signer: TSigner,
    name_servers: NameServers,
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
        let origin = absolute(&settings.zone)?;
        Ok(Self {
            server: settings.server,
            name_servers: NameServers::new(settings, origin.clone()),
            origin,
            signer,
        })
    }

    /// Adds a TXT record at this name. Existing ones stay.
    pub async fn add(&self, name: &Name, text: &str) -> Result<(), Failure> {
        let message = append(self.record(name, text)?, self.origin.clone(), false, false);
        self.update(message).await
    }

    pub async fn remove(&self, name: &Name, text: &str) -> Result<(), Failure> {
        let message = delete_by_rdata(self.record(name, text)?, self.origin.clone(), false);
        self.update(message).await
    }

    fn record(&self, name: &Name, text: &str) -> Result<RecordSet, Failure> {
        // The crate panics on a name outside the zone.
        if !self.origin.zone_of(name) {
            return Err(failed(format!("{name} is not in the zone {}", self.origin)));
        }
        let data = RData::TXT(TXT::new(vec![text.to_owned()]));
        Ok(RecordSet::from(Record::from_rdata(
            name.clone(),
            DNS_TTL,
            data,
        )))
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

    /// Waits until all name servers of the zone show these records.
    pub async fn wait_shown(&self, wanted: &[(Name, String)]) -> Result<(), Failure> {
        self.name_servers.wait_shown(wanted).await
    }

    /// Returns the name at which the record of this one is written: where it leads by CNAME.
    pub async fn follow(&self, name: &str) -> Result<Name, Failure> {
        let from = absolute(name)?;
        let to = self.name_servers.follow(from.clone()).await?;
        if self.origin.zone_of(&to) {
            return Ok(to);
        }
        let way = if to == from {
            String::new()
        } else {
            format!("{from} leads to {to} by CNAME, and ")
        };
        Err(failed(format!(
            "{way}{to} is not in the zone {}; hint: set acme.dns_zone to its zone, or make {from} \
             a CNAME that leads into this one",
            self.origin
        )))
    }

    async fn exchange(&self, message: &Message) -> Result<Vec<u8>, Failure> {
        let said = exchange(self.server, message).await;
        said.map_err(|error| failed(format!("{}: {error}", self.server)))
    }
}

fn absolute(name: &str) -> Result<Name, Failure> {
    let mut name = Name::from_utf8(name).map_err(failed)?;
    name.set_fqdn(true);
    Ok(name)
}
