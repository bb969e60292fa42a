//! The certificate that the server presents, and the task that keeps it fresh. A new certificate
//! applies to new handshakes; open connections are never dropped.

use crate::acme::{Acme, Host, Manager, OrderCheck};
use crate::alarm::AlarmKind;
use crate::error::TlsError;
use crate::event::TlsEvent;
use crate::files::Files;
use crate::history::{History, HistoryEntry};
use crate::limits::POLL_EVERY;
use crate::local_ca::LocalCa;
use crate::lock::locked;
use crate::master::MasterKey;
use crate::names::spelled;
use crate::primary_host::primary_host;
use crate::resolver::{Resolver, WebResolver};
use crate::settings::{KEYS, TlsSettings};
use crate::source::{CertificateSource, Served, SourceChange};
use crate::tickets::Tickets;
use crate::{profile, source};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use tidegate_model::{Trust, error_chain};
use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

type Clock = Box<dyn Fn() -> OffsetDateTime + Send + Sync>;

struct Inner {
    settings: TlsSettings,
    master: MasterKey,
    manager: Option<Arc<Manager>>,
    tickets: Arc<Tickets>,
    source: Mutex<Box<dyn CertificateSource>>,
    /// The source's problem at its last poll. Apart from the source, which is locked while a disk
    /// is read: whoever asks for the status must not wait for that.
    trouble: Mutex<Option<String>>,
    resolver: Arc<Resolver>,
    server: Arc<ServerConfig>,
    history: Arc<History>,
    /// The reason why a client at the server's own port did not get the current certificate.
    unseen: Mutex<Option<String>>,
    on_event: Box<dyn Fn(TlsEvent) + Send + Sync>,
    clock: Arc<Clock>,
}

/// The server's TLS identity. Cheap to clone; all clones share one state.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

impl Identity {
    /// Loads the certificate, or makes one. Blocks on the disk.
    ///
    /// # Errors
    /// If there is no certificate to serve: the files can't be read or don't belong together, or
    /// the data folder can't be written.
    pub fn open(
        settings: TlsSettings,
        on_event: impl Fn(TlsEvent) + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        Self::open_at(settings, on_event, OffsetDateTime::now_utc)
    }

    /// Opens an identity with the given clock, for tests.
    pub(crate) fn open_at(
        settings: TlsSettings,
        on_event: impl Fn(TlsEvent) + Send + Sync + 'static,
        clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        let provider = profile::provider();
        let master = match &settings.master {
            Some(master) => master.clone(),
            None => MasterKey::open(&settings.data, settings.values())?,
        };
        let manager = match &settings.acme {
            Some(acme) => Some(Arc::new(Manager::open(
                &settings,
                acme,
                provider.clone(),
                master.clone(),
            )?)),
            None => None,
        };
        let mut source = choose_source(&settings, manager.as_ref(), &provider)?;
        let keys = settings.values().folder(KEYS);
        let history = Arc::new(History::open(keys.clone()));
        let clock: Arc<Clock> = Arc::new(Box::new(clock));
        let noted = history.clone();
        let now = clock.clone();
        let on_event = move |event: TlsEvent| {
            noted.note(now().unix_timestamp(), &event);
            on_event(event);
        };
        // After the history is open, so that the events of this start are recorded.
        let served = source.open(clock(), &on_event)?;
        history.note_served(clock().unix_timestamp(), &served);
        let resolver = Arc::new(Resolver {
            served: ArcSwap::from_pointee(served),
        });
        let tickets = Arc::new(Tickets::open(
            keys,
            master.clone(),
            provider.secure_random,
            clock(),
        )?);
        let server = profile::server_config(
            provider,
            resolver.clone(),
            settings.versions,
            tickets.clone(),
        )?;
        let source = Mutex::new(source);
        let on_event = Box::new(on_event);
        let inner = Inner {
            settings,
            master,
            manager,
            tickets,
            source,
            trouble: Mutex::default(),
            resolver,
            server,
            history,
            unseen: Mutex::default(),
            on_event,
            clock,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Returns the master key.
    pub fn master_key(&self) -> &MasterKey {
        &self.inner.master
    }

    /// Returns the public server profile. It stays the same for the life of the process;
    /// certificates change behind it.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.inner.server.clone()
    }

    /// Whether both values share one state.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Returns the console's server profile, which presents the same certificate. Certificates
    /// change behind it too.
    ///
    /// # Errors
    /// If the crypto provider supports neither TLS 1.2 nor 1.3; the one in use supports both.
    pub fn web_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let resolver = WebResolver {
            resolver: self.inner.resolver.clone(),
            wanted: self.configured_names(),
        };
        profile::web_config(profile::provider(), Arc::new(resolver))
    }

    /// Returns the kind of trust that the current chain deserves.
    pub fn trust(&self) -> Trust {
        self.inner.resolver.served.load().trust.clone()
    }

    /// Returns the names and addresses of the current certificate.
    pub fn names(&self) -> Vec<String> {
        self.inner.resolver.served.load().chain.names.clone()
    }

    /// Returns the expiry of the current certificate.
    pub fn not_after(&self) -> OffsetDateTime {
        self.inner.resolver.served.load().chain.not_after
    }

    /// Returns the CA file that clients need to verify the server, if they need one.
    pub fn ca_path(&self) -> Option<PathBuf> {
        match self.trust() {
            Trust::Public => None,
            Trust::Private(ca) => ca,
            Trust::Local(ca) => Some(ca),
        }
    }

    /// Returns the host name for connect strings: a name of the certificate that leads to a
    /// listener, if there is one. May block on the system's resolver.
    pub fn primary_host(&self, listen: &[SocketAddr]) -> String {
        primary_host(&self.configured_names(), &self.names(), listen)
    }

    /// Returns the configured names, ACME's first, as certificates spell them.
    fn configured_names(&self) -> Vec<String> {
        let settings = &self.inner.settings;
        let domains = settings.acme.iter().flat_map(|acme| &acme.domains);
        domains
            .chain(&settings.names)
            .filter_map(|name| spelled(name))
            .collect()
    }

    /// Keeps the certificate fresh until the future is dropped: reads certificate files that
    /// change, renews a local leaf, orders by ACME.
    pub fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        let identity = self.clone();
        let ordering = self.order_when_due();
        async move {
            // Dropped with this future, which stops the ACME manager.
            let _ordering = ordering;
            let mut ticks = tokio::time::interval(POLL_EVERY);
            // After the machine was suspended, one poll is enough for all ticks missed.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let identity = identity.clone();
                // A panic is a bug. The current certificate stays in use, and the next tick polls
                // again.
                drop(tokio::task::spawn_blocking(move || identity.poll_source()).await);
            }
        }
    }

    /// Runs the ACME manager on its own thread until the returned sender is dropped. The manager
    /// writes to the disk and generates keys, and no session must wait for that.
    fn order_when_due(&self) -> Option<oneshot::Sender<()>> {
        let manager = self.inner.manager.clone()?;
        let (going, gone) = oneshot::channel();
        let identity = self.clone();
        let runtime = Handle::current();
        drop(tokio::task::spawn_blocking(move || {
            let mut gone = gone;
            // A panic is a bug, but it must not stop renewals.
            while !runtime.block_on(manager.run_until(&identity, &mut gone)) {
                let what = "the ACME manager failed unexpectedly and was restarted".to_owned();
                manager.alarm(&identity, AlarmKind::Fault, what);
            }
        }));
        Some(going)
    }

    /// Asks the ACME manager for a new certificate. Returns at once; [`Identity::status`] shows the
    /// result.
    ///
    /// # Errors
    /// If ACME is not configured.
    pub fn renew(&self) -> Result<(), TlsError> {
        self.manager().ok_or(TlsError::NoAcme)?.ask();
        Ok(())
    }

    /// Imports a certificate and key in PEM as if the CA had issued them. Blocks on the disk.
    ///
    /// # Errors
    /// If ACME is not configured, the pair must not be served, or it can't be written.
    pub fn import(&self, chain: &str, key: &str) -> Result<(), TlsError> {
        self.manager()
            .ok_or(TlsError::NoAcme)?
            .import(chain, key, self)
    }

    /// Checks everything that an order needs, and orders nothing.
    ///
    /// # Errors
    /// If ACME is not configured.
    pub async fn check(&self) -> Result<Vec<OrderCheck>, TlsError> {
        let manager = self.manager().ok_or(TlsError::NoAcme)?.clone();
        Ok(manager.check(self).await)
    }

    pub(crate) fn manager(&self) -> Option<&Arc<Manager>> {
        self.inner.manager.as_ref()
    }

    pub(crate) fn served(&self) -> Arc<Served> {
        self.inner.resolver.served.load_full()
    }

    /// Whether this leaf certificate is one of those in use (ECDSA or RSA).
    pub fn is_served(&self, leaf: &[u8]) -> bool {
        let chain = &self.served().chain;
        let mut pairs = std::iter::once(&chain.certified).chain(&chain.rsa);
        pairs.any(|pair| {
            pair.end_entity_cert()
                .is_ok_and(|served| served.as_ref() == leaf)
        })
    }

    /// Records the result of a connection to the server's own port: none if it presented the
    /// current certificate.
    pub fn note_unseen(&self, unseen: Option<String>) {
        let mut noted = self.unseen();
        if *noted != unseen {
            noted.clone_from(&unseen);
            // Unlocked first: a listener of events may ask for the status, which locks it too.
            drop(noted);
            if let Some(what) = unseen {
                self.tell(TlsEvent::Alarm {
                    kind: AlarmKind::Unseen,
                    what,
                });
            }
        }
    }

    pub(crate) fn unseen(&self) -> MutexGuard<'_, Option<String>> {
        locked(&self.inner.unseen)
    }

    pub(crate) fn history(&self) -> Vec<HistoryEntry> {
        self.inner.history.entries()
    }

    /// Returns the certificate source's current problem, if it has one.
    pub(crate) fn trouble(&self) -> Option<String> {
        locked(&self.inner.trouble).clone()
    }

    /// Polls the certificate source once. Blocks on the disk.
    pub fn poll_source(&self) {
        let inner = &self.inner;
        let mut source = locked(&inner.source);
        // If the new key can't be written, tickets sealed with it stop working after a restart.
        let _ = inner.tickets.rotate_if_due((inner.clock)());
        let served = inner.resolver.served.load_full();
        let tell: source::EventListener<'_> = &*inner.on_event;
        let change = source.poll((inner.clock)(), &served, tell);
        *locked(&inner.trouble) = source.trouble();
        match change {
            SourceChange::Unchanged => {}
            SourceChange::Reject(error) => tell(TlsEvent::Rejected {
                reason: error_chain(&error),
            }),
            SourceChange::Replace(fresh) => self.serve(fresh),
        }
    }

    fn serve(&self, fresh: Served) {
        let names = fresh.chain.names.clone();
        let not_after_unix = fresh.chain.not_after.unix_timestamp();
        let fresh = Arc::new(fresh);
        // Served before it is recorded: writing the history may fail or take long.
        self.inner.resolver.served.store(fresh.clone());
        self.inner
            .history
            .note_served(self.now().unix_timestamp(), &fresh);
        self.tell(TlsEvent::Swapped {
            names,
            not_after_unix,
        });
    }

    /// Makes a new local CA that may sign all configured names, and serves a leaf of it from now
    /// on. Every client then needs the new `ca.pem`. Blocks on the disk.
    ///
    /// # Errors
    /// If the certificate does not come from a local CA, or the new one can't be written. Once
    /// `ca.pem` is the new file, a retry completes what is missing.
    pub fn renew_ca(&self) -> Result<(), TlsError> {
        let inner = &self.inner;
        let mut source = locked(&inner.source);
        let fresh = source.renew_ca((inner.clock)(), &*inner.on_event)?;
        self.serve(fresh);
        Ok(())
    }
}

/// Returns the certificate source that the settings choose: files, ACME or the local CA.
fn choose_source(
    settings: &TlsSettings,
    manager: Option<&Arc<Manager>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Box<dyn CertificateSource>, TlsError> {
    Ok(match settings.pair() {
        Some((certificate, key)) => Box::new(Files::new(
            certificate,
            key,
            settings.ca.as_deref(),
            provider.clone(),
        )),
        // A lone certificate or key is a mistake: the local CA's certificate would hide it.
        None if settings.certificate.is_some() || settings.key.is_some() => {
            return Err(TlsError::HalfPair);
        }
        None => {
            let local = LocalCa::new(settings, provider.clone())?;
            match manager {
                // Until the CA has issued the first certificate, the local CA's is served.
                Some(manager) => Box::new(Acme {
                    manager: manager.clone(),
                    until_then: local,
                }),
                None => Box::new(local),
            }
        }
    })
}

impl Host for Identity {
    fn now(&self) -> OffsetDateTime {
        (self.inner.clock)()
    }

    fn tell(&self, event: TlsEvent) {
        (self.inner.on_event)(event);
    }

    fn poll_source(&self) {
        Self::poll_source(self);
    }
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
