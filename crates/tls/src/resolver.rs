//! Certificate resolvers of the two server profiles.

use crate::names::covers;
use crate::source::Served;
use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::sync::Arc;

/// Resolver of the public server profile. Every client gets the same certificate, whatever name it
/// sends (most MySQL clients send none); it verifies the name itself. Of two keys it gets the one
/// that it can verify.
pub struct Resolver {
    pub served: ArcSwap<Served>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let served = self.served.load();
        match &served.chain.rsa {
            Some(rsa)
                if served
                    .chain
                    .certified
                    .key
                    .choose_scheme(hello.signature_schemes())
                    .is_none() =>
            {
                Some(rsa.clone())
            }
            _ => Some(served.chain.certified.clone()),
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("names", &self.served.load().chain.names)
            .finish()
    }
}

/// Resolver of the console's server profile. A browser always sends the host name, so a handshake
/// for another host is a misdirected one and is refused. A client that connects by address sends no
/// name and gets the certificate.
#[derive(Debug)]
pub struct WebResolver {
    pub resolver: Arc<Resolver>,
    /// Configured names, which the certificate may not carry yet.
    pub wanted: Vec<String>,
}

impl ResolvesServerCert for WebResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(asked) = hello.server_name() {
            let asked = asked.to_ascii_lowercase();
            let served = self.resolver.served.load();
            let mut ours = served.chain.names.iter().chain(&self.wanted);
            ours.find(|name| covers(name, &asked))?;
        }
        self.resolver.resolve(hello)
    }
}
