//! A running server: how it is started from the rooms, what it does while it runs, how it is
//! stopped.

use super::certificates::Identities;
use super::descriptors::Places;
use super::http_listeners::{HttpListeners, chosen_addresses};
use super::journal::journal_of_all;
use super::listen::{Port, Wanted, check_overlaps, check_walls};
use super::master_key;
use super::own_certificate_check;
use super::probe::OwnLoginProber;
use super::settings::{control_settings, gateway_settings};
use crate::config::Config;
use crate::failure::Failure;
use crate::screen::Step;
use anyhow::Result;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tidegate_console::events::Events;
use tidegate_console::metrics::{Metrics, MetricsServer};
use tidegate_console::web::{Web, WebListener, WebPlaces};
use tidegate_console::{Api, ControlSocket, PublicFace, Readiness};
use tidegate_control::{Control, ControlError, DataDir};
use tidegate_engine::{KindGreeting, MoreKinds, Walls};
use tidegate_gateway::{Deps, FailedLogins, Gateway};
use tidegate_model::{Journal, Sessions, Trust};
use tidegate_tls::{AcmeShared, Identity, SubKey, WebDoor};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Flag that chooses the database's addresses.
const LISTEN: &str = "--listen";

/// Locks the data directory. If another server uses it, the error names that server's process.
pub fn lock(data: &Path) -> Result<DataDir> {
    DataDir::lock(data).map_err(|error| {
        let hint = error.hint();
        Failure::of(error, hint).into()
    })
}

/// Running server. It does not stop when it is dropped: call [`Server::stop`].
pub struct Server {
    control: Control,
    gateway: Gateway,
    identity: Identity,
    listening: Vec<SocketAddr>,
    events: Events,
    metrics: Metrics,
    /// Identity of the console: its own, or the same as `identity`.
    web_identity: Identity,
    no_console: Option<Failure>,
    face: watch::Sender<PublicFace>,
    /// Ports of the database that do not accept connections yet.
    ports: Mutex<Vec<Port>>,
    readiness: Readiness,
    /// Cancelled when the server accepts no more connections of clients or commands.
    closing: CancellationToken,
    /// Cancelled when all sessions have ended: health checks and metrics are answered until then.
    sessions_ended: CancellationToken,
    tasks: TaskTracker,
    /// Whether our own port accepts our connections without a PROXY header.
    checks_own_port: bool,
}

/// Result of the first order of a certificate by ACME.
pub enum FirstOrder {
    Issued,
    Pending,
    /// No certificate, for this reason.
    Failed(String),
}

impl Server {
    /// Starts everything but the database's ports, which [`Server::open_database_ports`] opens.
    /// Clusters that need recovery are recovered in the background. `steps` shows each step on the
    /// screen.
    pub async fn start(dir: DataDir, config: &Config, steps: bool) -> Result<Self> {
        Self::start_with_kinds(dir, config, steps, MoreKinds::default()).await
    }

    /// As [`Server::start`], with kinds of engines beside those of room `engine`.
    pub async fn start_with_kinds(
        dir: DataDir,
        config: &Config,
        steps: bool,
        more_kinds: MoreKinds,
    ) -> Result<Self> {
        let root = dir.root().to_owned();
        let wanted = config.addresses("gateway.listen")?;
        check_walls(Walls::detect(), &wanted)?;
        // Ports first, so that a port in use is reported before anything slow is done.
        let all = wanted_addresses(&wanted, config)?;
        let (ports, listening) = bind_database_ports(&wanted, &all)?;
        let mut http = HttpListeners::bind(config, &all)?;

        let step = steps.then(|| Step::begin("certificate"));
        let events = Events::default();
        let metrics = Metrics::new()?;
        let journal = journal_of_all(&events, &metrics);
        let identities = Identities::open(config, &root, &http.console, &journal)?;
        let identity = identities.database;
        // Read before the host: a certificate that is swapped in between notifies `swapped`, which
        // updates trust, names and host together.
        let trust = identity.trust();
        let names = identity.names();
        let host = primary_host(&identity, &listening).await?;
        if let Some(step) = step {
            step.done(&identity.names().join(", "));
        }

        let step = steps.then(|| Step::begin("engine"));
        let sessions = Sessions::default();
        let settings = control_settings(config, &root, more_kinds)?;
        let control = Control::open(dir, settings, sessions.clone(), Arc::clone(&journal))
            .await
            .map_err(control_failed)?;
        if let Some(step) = step {
            step.done("");
        }

        let control_socket = control_socket(&root)?;
        let deps = gateway_deps(&control, &identity, journal, sessions)?;
        let greeting = control.engines().greeting();
        let (gateway, web_places) = open_gateway(config, greeting, deps)?;
        let (face, _) = watch::channel(PublicFace {
            host,
            port: listening.first().map_or(0, SocketAddr::port),
            trust,
            names,
            listeners: listening.clone(),
            console: http.base_url(config, &identities.web)?,
        });
        let server = Self {
            readiness: Readiness::new(control.clone()),
            control,
            gateway,
            identity,
            listening,
            events,
            metrics,
            web_identity: identities.web,
            no_console: http.no_console.take(),
            face,
            ports: Mutex::new(ports),
            closing: CancellationToken::new(),
            sessions_ended: CancellationToken::new(),
            tasks: TaskTracker::new(),
            checks_own_port: config.networks("gateway.proxy_networks")?.is_empty(),
        };
        server.serve_control_socket(control_socket);
        server.watch_certificate(identities.swapped);
        server.follow_master_key();
        server.serve_http(http, identities.shared.as_ref(), web_places)?;
        Ok(server)
    }

    fn api(&self) -> Api {
        Api {
            control: self.control.clone(),
            face: self.face.subscribe(),
            identity: self.identity.clone(),
            console_identity: self.console_identity(),
            events: self.events.clone(),
            prober: Arc::new(OwnLoginProber {
                face: self.face.subscribe(),
            }),
        }
    }

    /// Returns the console's identity, if it has its own.
    fn console_identity(&self) -> Option<Identity> {
        Some(self.web_identity.clone()).filter(|own| !own.is_same(&self.identity))
    }

    fn serve_http(
        &self,
        http: HttpListeners,
        shared: Option<&AcmeShared>,
        places: WebPlaces,
    ) -> Result<()> {
        let at = local_addresses(&http.console)?;
        let door = WebDoor::new(self.web_identity.web_config()?, shared, &at);
        let web = WebListener::new(
            Web::new(self.api(), http.attempts_per_minute),
            door,
            self.gateway.handshakes(),
            places,
        );
        for listener in http.console {
            self.tasks
                .spawn(web.clone().serve(listener, self.closing.clone()));
        }
        if let Some(listener) = http.metrics {
            let server = MetricsServer {
                metrics: self.metrics.clone(),
                control: self.control.clone(),
                readiness: self.readiness.clone(),
                identity: self.identity.clone(),
                console_identity: self.console_identity(),
                handshakes: self.gateway.handshakes(),
            };
            self.tasks
                .spawn(server.serve(listener, self.sessions_ended.clone()));
        }
        if let Some(identity) = self.console_identity() {
            let closing = self.closing.clone();
            self.tasks
                .spawn(async move { closing.run_until_cancelled(identity.watch()).await });
        }
        Ok(())
    }

    /// Accepts clients of the database from now on. A script that waits for the port finds a
    /// server that answers commands too.
    pub fn open_database_ports(&self) -> Result<()> {
        let ports = std::mem::take(&mut *self.ports.lock().unwrap_or_else(PoisonError::into_inner));
        for port in ports {
            let listener = port.listen()?;
            let gateway = self.gateway.clone();
            let closing = self.closing.clone();
            self.tasks
                .spawn(async move { gateway.serve(listener, closing).await });
        }
        self.readiness.set_opened();
        Ok(())
    }

    fn serve_control_socket(&self, control_socket: ControlSocket) {
        let api = self.api();
        let closing = self.closing.clone().cancelled_owned();
        self.tasks.spawn(async move {
            control_socket.serve(api, closing).await;
        });
    }

    fn follow_master_key(&self) {
        self.tasks.spawn(master_key::follow(
            self.identity.master_key().clone(),
            self.gateway.clone(),
            self.closing.clone(),
        ));
    }

    /// Watches the database's certificate, and updates what is told to people after each swap.
    fn watch_certificate(&self, swapped: Arc<Notify>) {
        let identity = self.identity.clone();
        let closing = self.closing.clone();
        let face = self.face.clone();
        let listening = self.listening.clone();
        let tasks = self.tasks.clone();
        let checks_own_port = self.checks_own_port;
        let readiness = self.readiness.clone();
        self.tasks.spawn(async move {
            let mut watch = std::pin::pin!(identity.watch());
            loop {
                tokio::select! {
                    () = &mut watch => return,
                    () = closing.cancelled() => return,
                    () = swapped.notified() => {}
                }
                update_face(&face, &identity, &listening).await;
                if checks_own_port {
                    let identity = identity.clone();
                    let face = face.borrow().clone();
                    let readiness = readiness.clone();
                    let check = async move {
                        // A certificate may be swapped before the database's ports are open.
                        readiness.wait_opened().await;
                        own_certificate_check::check(&identity, &face).await;
                    };
                    tasks.spawn(closing.clone().run_until_cancelled_owned(check));
                }
            }
        });
    }

    /// Reads the certificate's source now, instead of at the next regular check.
    pub async fn check_certificate_source(&self) {
        for identity in [self.identity.clone(), self.web_identity.clone()] {
            // A check that panics is a bug of ours, and must not end the server: the certificate in
            // use stays.
            drop(tokio::task::spawn_blocking(move || identity.poll_source()).await);
        }
    }

    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    pub fn orders_certificates(&self) -> bool {
        self.identity
            .status()
            .is_ok_and(|status| status.acme.is_some())
    }

    pub fn first_order(&self) -> FirstOrder {
        // Taken from what connect lines use, which is updated a moment after a swap.
        if !matches!(self.face.borrow().trust, Trust::Local(_)) {
            return FirstOrder::Issued;
        }
        let status = self.identity.status().ok();
        let alarm = status.and_then(|status| status.alarms.into_iter().next());
        alarm.map_or(FirstOrder::Pending, |alarm| FirstOrder::Failed(alarm.what))
    }

    /// Returns why there is no console, if one was wanted.
    pub fn no_console(&self) -> Option<&Failure> {
        self.no_console.as_ref()
    }

    pub fn face(&self) -> PublicFace {
        self.face.borrow().clone()
    }

    /// Turns readiness off. The server still accepts connections: a load balancer sends clients
    /// here until its next health check.
    pub fn set_draining(&self) {
        self.readiness.set_draining();
    }

    /// Stops in order: accepts no new connections, ends the sessions, ends the commands, stops the
    /// engines. Each room limits the time of its part.
    pub async fn stop(self) {
        self.set_draining();
        self.closing.cancel();
        self.gateway.stop().await;
        self.sessions_ended.cancel();
        // A tracker's `wait` returns only after `close`.
        self.tasks.close();
        self.tasks.wait().await;
        self.control.shutdown().await;
    }
}

fn database_at(address: SocketAddr) -> Wanted {
    Wanted {
        address,
        setting: LISTEN,
    }
}

/// Binds the database's ports, which accept no connections yet. Returns them with their addresses.
fn bind_database_ports(
    wanted: &[SocketAddr],
    all: &[Wanted],
) -> Result<(Vec<Port>, Vec<SocketAddr>)> {
    let ports = wanted
        .iter()
        .map(|address| Port::bind(database_at(*address), all))
        .collect::<Result<Vec<_>, _>>()?;
    let listening = ports
        .iter()
        .map(Port::local_addr)
        .collect::<Result<Vec<_>, _>>()?;
    Ok((ports, listening))
}

/// Returns all addresses that the server listens on, if no two of them are the same port.
fn wanted_addresses(database: &[SocketAddr], config: &Config) -> Result<Vec<Wanted>> {
    let mut all: Vec<Wanted> = database.iter().copied().map(database_at).collect();
    all.extend(chosen_addresses(config)?);
    check_overlaps(&all)?;
    Ok(all)
}

/// Returns the parts of other rooms that the gateway works with.
fn gateway_deps(
    control: &Control,
    identity: &Identity,
    journal: Arc<dyn Journal>,
    sessions: Sessions,
) -> Result<Deps> {
    let master = identity.master_key();
    let throttle_key = master_key::derive(master, SubKey::FailedLogins)?;
    Ok(Deps {
        directory: Arc::new(control.clone()),
        waker: Arc::new(control.engines().clone()),
        journal,
        sessions,
        tls: identity.server_config(),
        decoy_key: master_key::derive(master, SubKey::UnknownPrefixes)?,
        throttle: Arc::new(FailedLogins::new(&throttle_key)),
    })
}

/// Makes the gateway, with as many connections as the limit of open files allows, and returns it
/// with the console's part of them.
fn open_gateway(
    config: &Config,
    greeting: KindGreeting,
    deps: Deps,
) -> Result<(Gateway, WebPlaces)> {
    let mut settings = gateway_settings(config, greeting)?;
    let places = Places::of_process(&settings);
    if let Some(warning) = places.warning() {
        tracing::warn!("{warning}");
    }
    places.apply(&mut settings);
    Ok((Gateway::new(settings, deps)?, places.web))
}

/// Updates names, trust and host after a swap: the host of connect lines may not be in the new
/// certificate.
async fn update_face(
    face: &watch::Sender<PublicFace>,
    identity: &Identity,
    listening: &[SocketAddr],
) {
    let host = primary_host(identity, listening).await;
    face.send_modify(|face| {
        face.trust = identity.trust();
        face.names = identity.names();
        face.host = host.unwrap_or_else(|_| face.host.clone());
    });
}

fn local_addresses(listeners: &[TcpListener]) -> std::io::Result<Vec<SocketAddr>> {
    listeners.iter().map(TcpListener::local_addr).collect()
}

fn control_socket(data: &Path) -> Result<ControlSocket> {
    Ok(ControlSocket::bind(data).map_err(|error| {
        let cause = format!("the control socket in {} can't be opened", data.display());
        Failure::new(
            cause,
            "check the directory's permissions; with a shorter path (--data DIR) it works in any \
             case",
        )
        .caused_by(error)
    })?)
}

async fn primary_host(identity: &Identity, listening: &[SocketAddr]) -> Result<String> {
    let identity = identity.clone();
    let listening = listening.to_owned();
    Ok(tokio::task::spawn_blocking(move || identity.primary_host(&listening)).await?)
}

fn control_failed(error: ControlError) -> Failure {
    let hint = error.hint.clone();
    Failure::of(error, hint)
}
