//! The resolvers behind both server profiles: which certificate a handshake gets.

use crate::names::covers;
use crate::source::Served;
use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::sync::Arc;

/// The one resolver. Whatever name a client asks for, and most ask for none, it gets the one
/// certificate there is (of two keys the one it can verify): the client judges whether it is the
/// right one.
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

/// The console's: a browser always says whom it wants, and one that wants another host was sent
/// here by somebody between. Who says nothing, a client by address, gets the certificate.
#[derive(Debug)]
pub struct WebResolver {
    pub resolver: Arc<Resolver>,
    /// Names that the certificate is to carry, though it may not yet.
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
