//! The composition: opens the rooms in order, joins them, and stops them in the opposite order. It
//! decides nothing about packets, clusters or certificates.

use crate::acme;
use crate::config::Config;
use crate::console::{self, Doors, OwnDoor, session_life};
use crate::descriptors::Places;
use crate::failure::Failure;
use crate::holder;
use crate::identity::{self, Beside};
use crate::limits;
use crate::screen::Step;
use crate::seen;
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_console::events::Events;
use tidegate_console::metrics::{Metrics, Watched};
use tidegate_console::web::{Web, WebListener, WebPlaces};
use tidegate_console::{Api, ControlSocket, PublicFace};
use tidegate_control::{Control, ControlError, ControlSettings, DataDir};
use tidegate_engine::{CgroupChoice, EngineSettings, MoreKinds, UidChoice, Walls};
use tidegate_gateway::{Deps, Gateway, GatewaySettings};
use tidegate_model::{ClusterLimits, Sessions, Trust, Wording};
use tidegate_tls::{AcmeShared, Identity, WebDoor};
use tokio::net::{TcpListener, TcpSocket};
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
        let journal = console::journal(&events, &metrics);
        let swapped = Arc::new(Notify::new());
        let shared = acme::shared(config)?;
        let identity = identity::database(
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
        let web_identity = identity::console(config, &doors.console, beside)?;
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
            let watched = Watched {
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
                            let look = async move { seen::check(&identity, &face).await };
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

fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, Failure> {
    let open = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // So that a restart needs not wait for old connections to fade; it never shares a port with
        // a listener.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(limits::BACKLOG)
    };
    open().map_err(|error: std::io::Error| holder::explain(address, &error, setting))
}

/// A tenant is an administrator inside its engine. Without walls round that process only people of
/// this machine may come in.
fn check_walls(walls: Walls, listen: &[SocketAddr]) -> Result<()> {
    if walls.keep_tenants_in() {
        return Ok(());
    }
    match listen.iter().find(|a| !holder::is_loopback(a.ip())) {
        Some(open) => Err(Failure::new(
            format!(
                "listening on {open} is refused: nothing here keeps an engine's user inside its \
                 engine ({})",
                walls.missing().join("; ")
            ),
            "run as root (each cluster then gets a user of its own), or on a kernel with Landlock \
             (5.13 or later);\n\
             listening on 127.0.0.1 works as it is",
        )
        .into()),
        None => Ok(()),
    }
}

pub fn engine_settings(config: &Config, data: &Path) -> Result<EngineSettings> {
    let mut settings = EngineSettings::new(data.to_owned());
    settings.local.mariadbd = config.file("engine.mariadbd")?;
    settings.local.tzinfo_to_sql = config
        .file("engine.tzinfo_to_sql")?
        .or_else(unpacked_tzinfo);
    settings.awake_memory_max_bytes =
        EngineSettings::part_of_memory(config.count("engine.awake_memory_percent")?);
    settings.local.cgroup =
        CgroupChoice::parse(config.text("engine.cgroup")?).map_err(anyhow::Error::msg)?;
    Ok(settings)
}

/// Where `script/setup` unpacks it, since Debian's package of it would bring a whole set of
/// programs.
fn unpacked_tzinfo() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    let tool = cache.join("tidegate/tzinfo/usr/bin/mariadb-tzinfo-to-sql");
    tool.is_file().then_some(tool)
}

/// `server_version`: the one that the greeting names.
pub fn gateway_settings(config: &Config, server_version: String) -> Result<GatewaySettings> {
    let networks = config.networks("gateway.proxy_networks")?;
    Ok(GatewaySettings {
        proxy_networks: networks
            .iter()
            .map(|(ip, bits)| format!("{ip}/{bits}").parse())
            .collect::<Result<_, _>>()?,
        login_deadline: config.duration("gateway.login_deadline")?,
        unproven_per_source: u32::try_from(config.count("gateway.unproven_per_source")?)?,
        unproven_total: u32::try_from(config.count("gateway.unproven_total")?)?,
        sessions_max: tidegate_gateway::limits::SESSIONS_MAX,
        unproven_memory: config
            .count("gateway.unproven_memory_mb")?
            .saturating_mul(1 << 20),
        held_per_cluster: config.size("gateway.held_per_cluster")?,
        stop_grace: config.duration("gateway.stop_grace")?,
        tls12_records_max: config.count("gateway.tls12_records_max")?,
        server_version,
        wording: Arc::new(Wording::new(
            config.text("gateway.help_base")?,
            tidegate_connect::client_hints(),
        )?),
    })
}

/// What a new cluster may use.
fn cluster_limits(config: &Config) -> Result<ClusterLimits> {
    Ok(ClusterLimits {
        connections_max: u32::try_from(config.count("cluster.connections_max")?)?,
        sleep_after: config.duration("cluster.sleep_after")?,
        transaction_idle_max: config.duration("cluster.transaction_idle_max")?,
        memory_max_bytes: config.size("cluster.memory_max")?,
        disk_max_bytes: config.size("cluster.disk_max")?,
        cpu_weight: u32::try_from(config.count("cluster.cpu_weight")?)?,
        tasks_max: u32::try_from(config.count("cluster.tasks_max")?)?,
    })
}

fn control_failed(error: ControlError) -> Failure {
    Failure::new(error.message, error.hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_model::{Refusal, RefusalKind};

    #[test]
    fn without_walls_only_loopback_may_be_listened_on() {
        let listen = |text: &str| vec![text.parse().unwrap()];
        let none = Walls {
            own_uids: false,
            landlock: false,
            seccomp: true,
        };
        for open in ["0.0.0.0:4000", "192.0.2.1:4000", "[::]:4000"] {
            let error = check_walls(none, &listen(open)).unwrap_err();
            let failure = error.downcast::<Failure>().unwrap();
            assert!(
                failure.cause.contains("Landlock") && failure.cause.contains(open),
                "{}",
                failure.cause
            );
            assert!(!failure.hint.is_empty());
            assert!(
                check_walls(
                    Walls {
                        landlock: true,
                        ..none
                    },
                    &listen(open)
                )
                .is_ok()
            );
            assert!(
                check_walls(
                    Walls {
                        own_uids: true,
                        ..none
                    },
                    &listen(open)
                )
                .is_ok()
            );
        }
        for closed in [
            "127.0.0.1:4000",
            "127.8.0.1:1",
            "[::1]:4000",
            "[::ffff:127.0.0.1]:4000",
        ] {
            assert!(check_walls(none, &listen(closed)).is_ok(), "{closed}");
        }
    }

    #[test]
    fn defaults_of_the_gateway_are_the_rooms_own() {
        let ours = gateway_settings(
            &Config::defaults().unwrap(),
            "8.0.2-Tidegate-maria-10.11.19".to_owned(),
        )
        .unwrap();
        let room = GatewaySettings::default();
        assert_eq!(ours.server_version, "8.0.2-Tidegate-maria-10.11.19");
        assert_eq!(ours.login_deadline, room.login_deadline);
        assert_eq!(ours.unproven_per_source, room.unproven_per_source);
        assert_eq!(ours.unproven_total, room.unproven_total);
        assert_eq!(ours.unproven_memory, room.unproven_memory);
        assert_eq!(ours.held_per_cluster, room.held_per_cluster);
        assert_eq!(ours.stop_grace, room.stop_grace);
        assert_eq!(ours.tls12_records_max, room.tls12_records_max);
        assert_eq!(ours.proxy_networks, room.proxy_networks);
    }

    #[test]
    fn each_error_text_links_to_a_page_that_is_there() {
        let settings = gateway_settings(
            &Config::defaults().unwrap(),
            "8.0.2-Tidegate-maria-10.11.19".to_owned(),
        )
        .unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for kind in RefusalKind::ALL {
            let text = settings.wording.text(&Refusal::new(*kind), None);
            let (_, link) = text.rsplit_once(" See ").unwrap();
            let file = link
                .strip_prefix(concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/"))
                .unwrap();
            assert!(root.join(file).is_file(), "{link}");
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_never_shared() {
        let first = bind("127.0.0.1:0".parse().unwrap(), "--listen").unwrap();
        assert!(bind(first.local_addr().unwrap(), "--listen").is_err());
    }
}
