//! The composition: opens the rooms in order, joins them, and stops them in the opposite order. It
//! decides nothing about packets, clusters or certificates.

use super::acme_settings;
use super::certificates::{self, Beside};
use super::descriptors::Places;
use super::http_listeners::Doors;
use super::journal;
use super::listen::{bind, check_walls};
use super::own_certificate_check;
use super::probe::OwnDoor;
use super::settings::{cluster_limits, engine_settings, gateway_settings, session_life};
use crate::config::Config;
use crate::failure::Failure;
use crate::screen::Step;
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tidegate_console::events::Events;
use tidegate_console::metrics::{Metrics, MetricsServer};
use tidegate_console::web::{Web, WebListener, WebPlaces};
use tidegate_console::{Api, ControlSocket, PublicFace};
use tidegate_control::{Control, ControlError, ControlSettings, DataDir};
use tidegate_engine::{MoreKinds, UidChoice, Walls};
use tidegate_gateway::{Deps, Gateway};
use tidegate_model::{Sessions, Trust};
use tidegate_tls::{AcmeShared, Identity, WebDoor};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Purpose of the key by which unknown prefixes get their behaviour. It is derived from
/// `master.key`, so that a name behaves alike before and after a restart.
const DECOY_KEY: &str = "behaviour of unknown prefixes";

/// Takes the data directory, or names who holds it.
pub fn lock(data: &Path) -> Result<DataDir> {
    DataDir::lock(data).map_err(|e| Failure::new(e.to_string(), e.hint()).into())
}

/// A running server. Not stopped by dropping: call [`Server::stop`].
pub struct Server {
    control: Control,
    gateway: Gateway,
    identity: Identity,
    listening: Vec<SocketAddr>,
    events: Events,
    metrics: Metrics,
    /// The console's, if it has one of its own.
    web_identity: Identity,
    no_console: Option<Failure>,
    face: watch::Sender<PublicFace>,
    /// No more connections, of clients or of commands.
    closing: CancellationToken,
    tasks: TaskTracker,
    /// Whether our own port lets us in without a PROXY header.
    looks: bool,
}

impl Server {
    /// Opens everything. Listeners accept when this returns; clusters that need recovery get it in
    /// the background.
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
        // Bound first: a port that is taken is found out before anything slow is done.
        let listeners = wanted
            .iter()
            .map(|a| bind(*a, "--listen"))
            .collect::<Result<Vec<_>, _>>()?;
        let listening = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<std::io::Result<Vec<_>>>()?;

        let mut doors = Doors::bind(config, bind)?;

        let step = steps.then(|| Step::begin("certificate"));
        let events = Events::default();
        let metrics = Metrics::new()?;
        let journal = journal::journal(&events, &metrics);
        let swapped = Arc::new(Notify::new());
        let shared = acme_settings::shared(config)?;
        let identity = certificates::database(
            config,
            &root,
            shared.as_ref(),
            (Arc::clone(&journal), Arc::clone(&swapped)),
        )?;
        // Before the host: what comes in between is told by `swapped`, and changes all three.
        let trust = identity.trust();
        let names = identity.names();
        let host = primary_host(&identity, &listening).await?;
        let beside = Beside {
            data: &root,
            database: &identity,
            shared: shared.as_ref(),
            journal: Arc::clone(&journal),
        };
        let web_identity = certificates::console(config, &doors.console, beside)?;
        if let Some(step) = step {
            step.done(&identity.names().join(", "));
        }

        let step = steps.then(|| Step::begin("engine"));
        let sessions = Sessions::default();
        let mut engine = engine_settings(config, &root)?;
        engine.more_kinds = more_kinds;
        let limits = cluster_limits(config)?;
        let uids = UidChoice::parse(config.text("engine.uids")?).map_err(anyhow::Error::msg)?;
        let settings = ControlSettings {
            engine,
            uids,
            limits,
            web: session_life(config)?,
        };
        let control = Control::open(dir, settings, sessions.clone(), Arc::clone(&journal))
            .await
            .map_err(control_failed)?;
        if let Some(step) = step {
            step.done("");
        }

        let control_socket = control_socket(&root)?;
        let deps = Deps {
            directory: Arc::new(control.clone()),
            waker: Arc::new(control.engines().clone()),
            journal,
            sessions,
            tls: identity.server_config(),
            decoy_key: identity
                .derive_key(DECOY_KEY)
                .context("the system's cryptography derives no key")?,
        };
        let mut settings = gateway_settings(config, control.engines().greeting_version())?;
        let places = Places::of_process(&settings);
        if let Some(warning) = places.warning() {
            tracing::warn!("{warning}");
        }
        places.apply(&mut settings);
        let gateway = Gateway::new(settings, deps)?;
        let face = PublicFace {
            host,
            port: listening.first().map_or(0, SocketAddr::port),
            trust,
            names,
            listeners: listening.clone(),
            console: doors.base(config, &web_identity)?,
        };
        let (face, _) = watch::channel(face);
        let server = Self {
            control,
            gateway,
            identity,
            listening,
            events,
            metrics,
            web_identity,
            no_console: doors.no_console.take(),
            face,
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            looks: config.networks("gateway.proxy_networks")?.is_empty(),
        };
        server.open_doors(listeners, control_socket, swapped);
        server.open_console(doors, shared.as_ref(), places.web)?;
        Ok(server)
    }

    fn api(&self) -> Api {
        Api {
            control: self.control.clone(),
            face: self.face.subscribe(),
            identity: self.identity.clone(),
            console_identity: self.console_identity(),
            events: self.events.clone(),
            prober: Arc::new(OwnDoor {
                face: self.face.subscribe(),
            }),
        }
    }

    /// The console's own certificate, if it has one.
    fn console_identity(&self) -> Option<Identity> {
        Some(self.web_identity.clone()).filter(|own| !own.is_same(&self.identity))
    }

    fn open_console(
        &self,
        doors: Doors,
        shared: Option<&AcmeShared>,
        places: WebPlaces,
    ) -> Result<()> {
        let at = doors
            .console
            .iter()
            .map(TcpListener::local_addr)
            .collect::<std::io::Result<Vec<_>>>()?;
        let door = WebDoor::new(self.web_identity.web_config()?, shared, &at);
        let web = WebListener::new(
            Web::new(self.api(), doors.attempts_per_minute),
            door,
            self.gateway.handshakes(),
            places,
        );
        for listener in doors.console {
            self.tasks
                .spawn(web.clone().serve(listener, self.closing.clone()));
        }
        if let Some(listener) = doors.metrics {
            let watched = MetricsServer {
                metrics: self.metrics.clone(),
                control: self.control.clone(),
                identity: self.identity.clone(),
                console_identity: self.console_identity(),
                handshakes: self.gateway.handshakes(),
            };
            self.tasks
                .spawn(watched.serve(listener, self.closing.clone()));
        }
        if let Some(identity) = self.console_identity() {
            let watch = identity.watch();
            let closing = self.closing.clone();
            self.tasks.spawn(async move {
                tokio::select! {
                    () = watch => {}
                    () = closing.cancelled() => {}
                }
            });
        }
        Ok(())
    }

    fn open_doors(
        &self,
        listeners: Vec<TcpListener>,
        control_socket: ControlSocket,
        swapped: Arc<Notify>,
    ) {
        for listener in listeners {
            let gateway = self.gateway.clone();
            let closing = self.closing.clone();
            self.tasks
                .spawn(async move { gateway.serve(listener, closing).await });
        }
        let api = self.api();
        let closing = self.closing.clone().cancelled_owned();
        self.tasks.spawn(async move {
            control_socket.serve(api, closing).await;
        });
        let identity = self.identity.clone();
        let closing = self.closing.clone();
        let face = self.face.clone();
        let listening = self.listening.clone();
        let tasks = self.tasks.clone();
        let looks = self.looks;
        let refresh = async move {
            let mut watch = std::pin::pin!(identity.watch());
            loop {
                tokio::select! {
                    () = &mut watch => return,
                    () = closing.cancelled() => return,
                    () = swapped.notified() => {
                        // The name that connect lines had may not be in the new certificate.
                        let host = primary_host(&identity, &listening).await;
                        face.send_modify(|face| {
                            face.trust = identity.trust();
                            face.names = identity.names();
                            face.host = host.unwrap_or_else(|_| face.host.clone());
                        });
                        if looks {
                            let identity = identity.clone();
                            let face = face.borrow().clone();
                            let closing = closing.clone();
                            let look = async move { own_certificate_check::check(&identity, &face).await };
                            tasks.spawn(closing.run_until_cancelled_owned(look));
                        }
                    }
                }
            }
        };
        self.tasks.spawn(refresh);
    }

    /// Now, instead of with the next regular look.
    pub async fn look_for_certificate(&self) {
        for identity in [self.identity.clone(), self.web_identity.clone()] {
            // A look that panics is a bug of ours; the certificate served stays.
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

    /// Whether a certificate of ACME is served; an error if one could not be had.
    pub fn certificate_alarm(&self) -> std::result::Result<bool, String> {
        // By what connect lines say, which follows a swap by a moment.
        if !matches!(self.face.borrow().trust, Trust::Local(_)) {
            return Ok(true);
        }
        let Ok(status) = self.identity.status() else {
            return Ok(false);
        };
        status
            .alarms
            .into_iter()
            .next()
            .map_or(Ok(false), |alarm| Err(alarm.what))
    }

    /// Why there is no console, if there could have been one.
    pub fn no_console(&self) -> Option<&Failure> {
        self.no_console.as_ref()
    }

    pub fn face(&self) -> PublicFace {
        self.face.borrow().clone()
    }

    /// In order: no new connections, sessions told, commands ended, engines last. Each part is
    /// bounded by its room.
    pub async fn stop(self) {
        self.closing.cancel();
        self.gateway.stop().await;
        self.tasks.close();
        self.tasks.wait().await;
        self.control.shutdown().await;
    }
}

fn control_socket(data: &Path) -> Result<ControlSocket> {
    Ok(ControlSocket::bind(data).map_err(|e| {
        let cause = format!(
            "the control socket in {} can't be opened: {e}",
            data.display()
        );
        Failure::new(
            cause,
            "check the directory's permissions; a shorter path with --data DIR always works",
        )
    })?)
}

async fn primary_host(identity: &Identity, listening: &[SocketAddr]) -> Result<String> {
    let identity = identity.clone();
    let listening = listening.to_owned();
    Ok(tokio::task::spawn_blocking(move || identity.primary_host(&listening)).await?)
}

fn control_failed(error: ControlError) -> Failure {
    Failure::new(error.message, error.hint)
}
