//! Name servers around a zone that is updated: they tell where a challenge's name leads by CNAME,
//! and whether every name server of the zone shows a record. A CA may ask any of them.

use crate::acme::dns_query::{address_of, records, target_of, text_of};
use crate::acme::failure::{Failure, Step};
use crate::acme::limits::{
    CNAMES_MAX, DNS_POLL_DELAY, NAME_SERVERS_MAX, RESOLVERS_MAX, SILENT_AFTER,
};
use crate::acme::settings::DnsUpdate;
use futures_util::future::join_all;
use hickory_proto::rr::{Name, Record, RecordType};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const PORT: u16 = 53;

pub struct NameServers {
    /// The server that is updated. It is authoritative for the zone.
    primary: SocketAddr,
    origin: Name,
    resolvers: Vec<SocketAddr>,
    /// Time that all servers get to show a record.
    settle: Duration,
}

/// A name server of the zone.
struct ZoneServer {
    name: String,
    address: SocketAddr,
}

/// State of a name server at the end of the wait.
enum Seen {
    Shown,
    /// It answers, and without a record.
    Missing,
    /// It can't be asked from here.
    Silent(io::Error),
}

impl NameServers {
    pub fn new(settings: &DnsUpdate, origin: Name) -> Self {
        Self {
            primary: settings.server,
            origin,
            resolvers: settings
                .resolver
                .map_or_else(system_resolvers, |resolver| vec![resolver]),
            settle: settings.settle,
        }
    }

    /// Returns the name that this one leads to by CNAME, or itself.
    pub async fn follow(&self, name: Name) -> Result<Name, Failure> {
        let mut at = name.clone();
        for _ in 0..CNAMES_MAX {
            match self.alias_of(&at).await? {
                Some(next) => at = next,
                None => return Ok(at),
            }
        }
        let reason = format!("{name} leads through more than {CNAMES_MAX} CNAME records");
        Err(Failure::new(Step::Challenge, reason))
    }

    async fn alias_of(&self, name: &Name) -> Result<Option<Name>, Failure> {
        let found = self
            .lookup(name, RecordType::CNAME)
            .await
            .map_err(|error| {
                let reason = format!("no resolver tells whether {name} is a CNAME: {error}");
                Failure::new(Step::Challenge, reason)
            })?;
        Ok(found
            .iter()
            .filter(|record| record.name == *name)
            .find_map(target_of))
    }

    /// Asks the updated server about its own zone, and the resolvers about all others.
    async fn lookup(&self, name: &Name, kind: RecordType) -> io::Result<Vec<Record>> {
        if self.origin.zone_of(name) {
            return records(self.primary, name, kind, false).await;
        }
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "no resolver is configured");
        for resolver in &self.resolvers {
            match records(*resolver, name, kind, true).await {
                Ok(found) => return Ok(found),
                Err(error) => failed = io::Error::other(format!("{resolver}: {error}")),
            }
        }
        Err(failed)
    }

    /// Returns the updated server and all name servers of the zone, each address once.
    async fn zone_servers(&self) -> Vec<ZoneServer> {
        let mut servers = vec![ZoneServer {
            name: "acme.dns_server".to_owned(),
            address: self.primary,
        }];
        let named = records(self.primary, &self.origin, RecordType::NS, false).await;
        let named: Vec<Name> = named.iter().flatten().filter_map(target_of).collect();
        for name in named.iter().take(NAME_SERVERS_MAX) {
            for kind in [RecordType::A, RecordType::AAAA] {
                let found = self.lookup(name, kind).await.unwrap_or_default();
                for ip in found.iter().filter_map(address_of) {
                    let address = SocketAddr::new(ip, PORT);
                    if servers.iter().all(|server| server.address != address) {
                        servers.push(ZoneServer {
                            name: name.to_string(),
                            address,
                        });
                    }
                }
            }
        }
        servers
    }

    /// Waits until every name server of the zone that answers here shows these TXT records.
    pub async fn wait_shown(&self, wanted: &[(Name, String)]) -> Result<(), Failure> {
        let servers = self.zone_servers().await;
        let end = Instant::now() + self.settle;
        let seen = join_all(
            servers
                .iter()
                .map(|server| wait_server(server, wanted, end)),
        )
        .await;
        let mut shown = 0;
        let mut silent = String::new();
        for (server, seen) in servers.iter().zip(seen) {
            match seen {
                Seen::Shown => shown += 1,
                Seen::Silent(error) => silent = format!("{}: {error}", server.address),
                Seen::Missing => {
                    let reason = format!(
                        "the name server {} ({}) does not return the record within {} s; hint: \
                         raise acme.dns_settle if it is slow, or take it out of the zone",
                        server.name,
                        server.address,
                        self.settle.as_secs()
                    );
                    return Err(Failure::new(Step::Challenge, reason));
                }
            }
        }
        if shown > 0 {
            return Ok(());
        }
        let reason = format!("no name server answers: {silent}");
        Err(Failure::new(Step::Challenge, reason))
    }
}

/// Asks one server until it shows all records, or the time is over.
async fn wait_server(server: &ZoneServer, wanted: &[(Name, String)], end: Instant) -> Seen {
    let mut answered = false;
    let mut failures = 0;
    for (name, value) in wanted {
        loop {
            match records(server.address, name, RecordType::TXT, false).await {
                Ok(found) if found.iter().filter_map(text_of).any(|text| text == *value) => {
                    answered = true;
                    break;
                }
                Ok(_) => answered = true,
                Err(error) => {
                    failures += 1;
                    // An address that can't be reached from here, as IPv6 in many networks, or a
                    // server that does not serve the zone: the others decide.
                    if !answered && failures >= SILENT_AFTER {
                        return Seen::Silent(error);
                    }
                }
            }
            if Instant::now() >= end {
                return Seen::Missing;
            }
            sleep(DNS_POLL_DELAY).await;
        }
    }
    Seen::Shown
}

/// Returns the resolvers of the system (resolv.conf(5)).
fn system_resolvers() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok())
        .map(|ip| SocketAddr::new(ip, PORT))
        .take(RESOLVERS_MAX)
        .collect()
}
