//! What we serve at this moment, and the task that keeps it fresh. Never drops a connection: a swap
//! is seen by new handshakes only.

use crate::acme::{Acme, Finding, Host, Manager};
use crate::alarm::AlarmKind;
use crate::error::TlsError;
use crate::event::TlsEvent;
use crate::files::Files;
use crate::history::{History, HistoryEntry};
use crate::limits::POLL_EVERY;
use crate::local_ca::LocalCa;
use crate::lock::locked;
use crate::master::Master;
use crate::names::spelled;
use crate::primary_host::primary_host;
use crate::resolver::{Resolver, WebResolver};
use crate::settings::TlsSettings;
use crate::source::{Look, Served, Source};
use crate::tickets::Tickets;
use crate::{profile, source, state};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use tidegate_model::Trust;
use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;
use zeroize::Zeroizing;

type Clock = Box<dyn Fn() -> OffsetDateTime + Send + Sync>;

struct Inner {
    settings: TlsSettings,
    master: Master,
    manager: Option<Arc<Manager>>,
    tickets: Arc<Tickets>,
    source: Mutex<Box<dyn Source>>,
    resolver: Arc<Resolver>,
    server: Arc<ServerConfig>,
    history: Arc<History>,
    /// What a client at our own port met instead of the certificate in use.
    unseen: Mutex<Option<String>>,
    on_event: Box<dyn Fn(TlsEvent) + Send + Sync>,
    clock: Arc<Clock>,
}

/// Who we are. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

impl Identity {
    /// Loads or makes the certificate. Blocks on the disk.
    ///
    /// # Errors
    /// If there is nothing that could be served: files that cannot be read or do not belong
    /// together, a data folder that cannot be written.
    pub fn open(
        settings: TlsSettings,
        on_event: impl Fn(TlsEvent) + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        Self::open_at(settings, on_event, OffsetDateTime::now_utc)
    }

    /// As [`Identity::open`], by another clock.
    pub(crate) fn open_at(
        settings: TlsSettings,
        on_event: impl Fn(TlsEvent) + Send + Sync + 'static,
        clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        let provider = profile::provider();
        let master = Master::open(&settings.master_key_path(), provider.secure_random)?;
        let manager = match &settings.acme {
            Some(acme) => Some(Arc::new(Manager::open(
                &settings,
                acme,
                provider.clone(),
                master.clone(),
            )?)),
            None => None,
        };
        let mut source: Box<dyn Source> = match settings.pair() {
            Some((certificate, key)) => Box::new(Files::new(
                certificate,
                key,
                settings.ca.as_deref(),
                provider.clone(),
            )),
            None if settings.certificate.is_some() || settings.key.is_some() => {
                return Err(TlsError::HalfPair);
            }
            None => {
                let local = LocalCa::new(&settings, provider.clone())?;
                match &manager {
                    Some(manager) => Box::new(Acme {
                        manager: manager.clone(),
                        until_then: local,
                    }),
                    None => Box::new(local),
                }
            }
        };
        state::private_folder(&settings.key_folder())?;
        let history = Arc::new(History::open(settings.key_folder().join("history.json")));
        let (clock, noted): (Arc<Clock>, _) = (Arc::new(Box::new(clock)), history.clone());
        let now = clock.clone();
        let on_event = move |event: TlsEvent| {
            noted.note(now().unix_timestamp(), &event);
            on_event(event);
        };
        let served = source.open(clock(), &on_event)?;
        history.note_served(clock().unix_timestamp(), &served);
        let resolver = Arc::new(Resolver {
            served: ArcSwap::from_pointee(served),
        });
        let file = settings.key_folder().join("tickets.sealed");
        let tickets = Arc::new(Tickets::open(
            file,
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
        let (source, on_event) = (Mutex::new(source), Box::new(on_event));
        let inner = Inner {
            settings,
            master,
            manager,
            tickets,
            source,
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

    /// Returns a key for another purpose, the same as long as `master.key` is.
    pub fn derive_key(&self, purpose: &str) -> Option<Zeroizing<[u8; 32]>> {
        self.inner.master.derive(purpose)
    }

    /// The public server profile. One for the life of the process: swaps happen behind it.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.inner.server.clone()
    }

    /// Whether both are clones of one.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The console's server profile, over the same certificate. Swaps happen behind it too.
    ///
    /// # Errors
    /// If the provider knows neither of the two TLS versions, which it does.
    pub fn web_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let resolver = WebResolver {
            resolver: self.inner.resolver.clone(),
            wanted: self.configured_names(),
        };
        profile::web_config(profile::provider(), Arc::new(resolver))
    }

    /// Why a client may believe us, judged from the chain served now.
    pub fn trust(&self) -> Trust {
        self.inner.resolver.served.load().trust.clone()
    }

    /// The names and addresses the certificate carries now.
    pub fn names(&self) -> Vec<String> {
        self.inner.resolver.served.load().chain.names.clone()
    }

    /// When the certificate served now ends.
    pub fn not_after(&self) -> OffsetDateTime {
        self.inner.resolver.served.load().chain.not_after
    }

    /// The file that clients need to believe us, if they need one.
    pub fn ca_path(&self) -> Option<PathBuf> {
        match self.trust() {
            Trust::Public => None,
            Trust::Private(ca) => ca,
            Trust::Local(ca) => Some(ca),
        }
    }

    /// Returns the host name for connect strings: one that the certificate carries and that leads to
    /// a listener, where there is one. May block on the system's resolver.
    pub fn primary_host(&self, listen: &[SocketAddr]) -> String {
        primary_host(&self.configured_names(), &self.names(), listen)
    }

    /// The configured names, ACME's first, as certificates spell them.
    fn configured_names(&self) -> Vec<String> {
        let settings = &self.inner.settings;
        let domains = settings.acme.iter().flat_map(|acme| &acme.domains);
        domains
            .chain(&settings.names)
            .filter_map(|name| spelled(name))
            .collect()
    }

    /// Keeps what is served fresh, until dropped: certificate files that change, a local leaf that
    /// grows old.
    pub fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        let (identity, ordering) = (self.clone(), self.order_when_due());
        async move {
            let _ordering = ordering;
            let mut ticks = tokio::time::interval(POLL_EVERY);
            // After a suspended night one look is enough.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let identity = identity.clone();
                // A look that panics is a bug of ours; the certificate served stays, and the next
                // look comes.
                drop(tokio::task::spawn_blocking(move || identity.look()).await);
            }
        }
    }

    /// What orders certificates runs until the answer is dropped, on a thread of its own: it writes
    /// to the disk and makes keys, and no session shall wait for that.
    fn order_when_due(&self) -> Option<oneshot::Sender<()>> {
        let manager = self.inner.manager.clone()?;
        let (going, gone) = oneshot::channel();
        let (identity, runtime) = (self.clone(), Handle::current());
        drop(tokio::task::spawn_blocking(move || {
            let mut gone = gone;
            // A panic there is a bug of ours; it must not be the end of renewals.
            while !runtime.block_on(manager.run_until(&identity, &mut gone)) {
                let what = "ordering certificates failed unexpectedly; going on".to_owned();
                manager.alarm(&identity, AlarmKind::Fault, what);
            }
        }));
        Some(going)
    }

    /// A new certificate from the CA, soon; [`Identity::status`] tells what came of it.
    ///
    /// # Errors
    /// If certificates do not come by ACME.
    pub fn renew(&self) -> Result<(), TlsError> {
        self.manager().ok_or(TlsError::NoAcme)?.ask();
        Ok(())
    }

    /// Takes a pair that was got elsewhere, PEM, as if the CA had issued it. Blocks on the disk.
    ///
    /// # Errors
    /// If certificates do not come by ACME, the pair may not be served, or the disk does not take
    /// it.
    pub fn import(&self, chain: &str, key: &str) -> Result<(), TlsError> {
        self.manager()
            .ok_or(TlsError::NoAcme)?
            .import(chain, key, self)
    }

    /// Whether an order could succeed now. Orders nothing.
    ///
    /// # Errors
    /// If certificates do not come by ACME.
    pub async fn check(&self) -> Result<Vec<Finding>, TlsError> {
        let manager = self.manager().ok_or(TlsError::NoAcme)?.clone();
        Ok(manager.check(self).await)
    }

    pub(crate) fn manager(&self) -> Option<&Arc<Manager>> {
        self.inner.manager.as_ref()
    }

    pub(crate) fn served(&self) -> Arc<Served> {
        self.inner.resolver.served.load_full()
    }

    /// Whether this leaf is served now, for whichever key.
    pub fn is_served(&self, leaf: &[u8]) -> bool {
        let chain = &self.served().chain;
        let mut pairs = std::iter::once(&chain.certified).chain(&chain.rsa);
        pairs.any(|pair| {
            pair.end_entity_cert()
                .is_ok_and(|served| served.as_ref() == leaf)
        })
    }

    /// What came of a look at our own port from outside: none if the certificate in use was seen
    /// there.
    pub fn note_unseen(&self, unseen: Option<String>) {
        let mut noted = self.unseen();
        if *noted != unseen {
            noted.clone_from(&unseen);
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

    /// What is wrong with the source at this moment.
    pub(crate) fn trouble(&self) -> Option<String> {
        locked(&self.inner.source).trouble()
    }

    /// One look at the source, now. Blocks on the disk.
    pub fn look(&self) {
        let inner = &self.inner;
        let mut source = locked(&inner.source);
        // A key that can't be kept only does not outlive us.
        let _ = inner.tickets.rotate_if_due((inner.clock)());
        let served = inner.resolver.served.load_full();
        let tell: source::Tell<'_> = &*inner.on_event;
        match source.look((inner.clock)(), &served, tell) {
            Look::Same => {}
            Look::Reject(error) => tell(TlsEvent::Rejected {
                reason: error.to_string(),
            }),
            Look::Replace(fresh) => self.serve(fresh),
        }
    }

    fn serve(&self, fresh: Served) {
        let names = fresh.chain.names.clone();
        let not_after_unix = fresh.chain.not_after.unix_timestamp();
        let fresh = Arc::new(fresh);
        self.inner.resolver.served.store(fresh.clone());
        self.inner
            .history
            .note_served(self.now().unix_timestamp(), &fresh);
        self.tell(TlsEvent::Swapped {
            names,
            not_after_unix,
        });
    }

    /// Makes a whole new local CA that may speak for all names of these settings, and serves a leaf
    /// of it from now on. Every client then needs the new `ca.pem`. Blocks on the disk.
    ///
    /// # Errors
    /// If no local CA serves, or the disk takes none; once `ca.pem` is the new one, asking again
    /// mends what is left.
    pub fn renew_ca(&self) -> Result<(), TlsError> {
        let inner = &self.inner;
        let mut source = locked(&inner.source);
        let fresh = source.renew_ca((inner.clock)(), &*inner.on_event)?;
        self.serve(fresh);
        Ok(())
    }
}

impl Host for Identity {
    fn now(&self) -> OffsetDateTime {
        (self.inner.clock)()
    }

    fn tell(&self, event: TlsEvent) {
        (self.inner.on_event)(event);
    }

    fn poll_source(&self) {
        self.look();
    }
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
