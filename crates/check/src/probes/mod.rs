//! The probes, one file per topic. Each opens its own connections and writes its own findings.
//! They share the helpers `secured`, `made_up`, `http_head` and `other_server`; the two rounds
//! that judge a certificate share `certificate`.

pub(crate) mod account;
pub(crate) mod again;
pub(crate) mod certificate;
pub(crate) mod denial;
pub(crate) mod greeting;
pub(crate) mod handshake;
mod http_head;
mod made_up;
mod other_server;
pub(crate) mod plaintext;
mod secured;
pub(crate) mod silence;
pub(crate) mod sni;
pub(crate) mod versions;
pub(crate) mod web;

use crate::limits::PROBE_MAX;
use crate::link::{CheckConnector, Link};
use crate::packet;
use crate::settings::Settings;
use crate::tls::{self, Client, SecuredStream};
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;

/// The endpoint that all probes of one check connect to.
#[derive(Debug)]
pub(crate) struct ProbeTarget<'a> {
    pub visitor: &'a CheckConnector,
    pub address: SocketAddr,
    pub name: ServerName<'static>,
    pub settings: &'a Settings,
}

impl ProbeTarget<'_> {
    /// Opens a connection and reads its greeting.
    pub fn greeted(&self) -> io::Result<Link> {
        let mut link = self.visitor.open(self.address, PROBE_MAX)?;
        let (_, payload) = packet::read(&mut link)?;
        match packet::ErrPacket::parse(&payload) {
            Some(error) => Err(io::Error::other(error.to_string())),
            None => Ok(link),
        }
    }

    /// Opens a connection and sends the TLS request.
    pub fn asked(&self) -> io::Result<Link> {
        let mut link = self.greeted()?;
        packet::write(&mut link, 1, &packet::ssl_request())?;
        link.mark();
        Ok(link)
    }

    /// Opens a connection and runs the handshake. On failure the link is returned too, for its
    /// first bytes.
    pub fn shake(
        &self,
        client: &Client,
        name: &ServerName<'static>,
    ) -> Result<SecuredStream, (io::Error, Option<Link>)> {
        let link = self.asked().map_err(|e| (e, None))?;
        let connection = client
            .begin(name)
            .map_err(|e| (io::Error::other(e), None))?;
        tls::shake(connection, link).map_err(|(e, link)| (e, Some(link)))
    }
}
