//! Stand-ins for the other rooms in the tests of the check of logins.

use super::*;
use crate::failures::FailedLogins;
use crate::gateway::Gateway;
use crate::settings::GatewaySettings;
use crate::shared::Deps;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant as StdInstant};
use tidegate_model::{
    Account, Accounts, AttachError, AttachRequest, BoxFuture, ClusterLimits, ClusterName,
    Directory, DirectoryError, EngineSession, Event, Journal, Lease, LiveSwitch, Requirement,
    RunEpoch, Sessions, Waker,
};
use tidegate_wire::capabilities::OFFERED;

pub(super) const PREFIX: &str = "abcdefghjkmn";
pub(super) const SALT: [u8; 20] = [9; 20];

/// Directory of one cluster in memory, which counts its calls.
pub(crate) struct OneCluster {
    pub(super) accounts_current: bool,
    pub(super) recovering: AtomicBool,
    pub(super) allows_client: AtomicBool,
    /// Duration of its recovery, and of a reading of its accounts.
    pub(super) recovery: Duration,
    pub(super) reading: Duration,
    pub(super) imitations: AtomicU64,
    pub(super) finds: AtomicU64,
    pub(super) refreshes: AtomicU64,
    pub(super) remembered: Accounts,
    pub(super) fresh: Accounts,
}

impl Directory for OneCluster {
    fn find<'a>(
        &'a self,
        prefix: &'a Prefix,
        _: PrefixTag,
        claim: &'a Claim,
    ) -> BoxFuture<'a, Result<Found, DirectoryError>> {
        self.finds.fetch_add(1, Ordering::Relaxed);
        let found = Found::Cluster(Tenant {
            cluster: ClusterId(1),
            name: ClusterName::parse("demo").unwrap(),
            prefix: prefix.clone(),
            accounts: self.remembered.candidates(claim),
            accounts_current: self.accounts_current,
            recovering: self.recovering.load(Ordering::Relaxed),
            limits: ClusterLimits::default(),
            allows_client: self.allows_client.load(Ordering::Relaxed),
            ping_holds: LiveSwitch::default(),
        });
        let real = prefix.as_str() == PREFIX;
        Box::pin(async move {
            Ok(if real {
                found
            } else {
                Found::Nobody(found.standing())
            })
        })
    }

    fn refresh<'a>(
        &'a self,
        _: ClusterId,
        claim: &'a Claim,
        _: StdInstant,
    ) -> BoxFuture<'a, Result<Vec<Account>, DirectoryError>> {
        self.refreshes.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {
            tokio::time::sleep(self.reading).await;
            Ok(self.fresh.candidates(claim))
        })
    }

    fn imitate_refresh(&self, _: ClusterId) -> BoxFuture<'_, Result<(), DirectoryError>> {
        self.imitations.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {
            tokio::time::sleep(self.reading).await;
            Ok(())
        })
    }

    fn recovered(&self, _: ClusterId) -> BoxFuture<'_, ()> {
        Box::pin(async {
            tokio::time::sleep(self.recovery).await;
            self.recovering.store(false, Ordering::Relaxed);
        })
    }
}

pub(super) struct NoEngines;

impl Waker for NoEngines {
    fn attach<'a>(&'a self, _: AttachRequest<'a>) -> BoxFuture<'a, Result<Lease, AttachError>> {
        Box::pin(async { Err(AttachError::Stopping) })
    }
    fn end_session(&self, _: ClusterId, _: EngineSession) {}
    fn is_alive(&self, _: ClusterId, _: RunEpoch) -> BoxFuture<'_, bool> {
        Box::pin(async { false })
    }
}

impl Journal for NoEngines {
    fn record(&self, _: &Event) {}
}

pub(super) fn book(accounts: &[(&str, &str, Verifier)]) -> Accounts {
    let accounts = accounts.iter().map(|(user, host, verifier)| Account {
        user: (*user).to_owned(),
        host: (*host).to_owned(),
        verifiers: vec![verifier.clone()],
        locked: false,
        requires: if user.starts_with("tls") {
            Requirement::Tls
        } else {
            Requirement::None
        },
    });
    accounts.collect()
}

pub(super) fn native(password: &str) -> Verifier {
    Verifier::Native(auth::stage2(&auth::stage1(password.as_bytes())))
}

pub(crate) fn directory(accounts_current: bool) -> Arc<OneCluster> {
    let accounts = book(&[
        ("root", "%", native("secret")),
        ("abcdefghjkmn.app", "%", native("app")),
        ("open", "%", Verifier::Empty),
    ]);
    let fresh = book(&[
        ("root", "%", native("changed")),
        ("tls", "%", native("tls")),
        ("tls", "%", native("other")),
    ]);
    Arc::new(OneCluster {
        accounts_current,
        recovering: false.into(),
        allows_client: true.into(),
        recovery: Duration::ZERO,
        reading: Duration::ZERO,
        imitations: 0.into(),
        finds: 0.into(),
        refreshes: 0.into(),
        remembered: accounts,
        fresh,
    })
}

/// The other rooms of a gateway, with one cluster and no engine.
pub(crate) fn deps(directory: Arc<OneCluster>) -> Deps {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
    Deps {
        directory,
        waker: Arc::new(NoEngines),
        journal: Arc::new(NoEngines),
        sessions: Sessions::default(),
        tls: Arc::new(tls),
        decoy_key: Zeroizing::new([7; 32]),
        throttle: Arc::new(FailedLogins::new(&Zeroizing::new([8; 32]))),
    }
}

pub(super) fn gateway(directory: Arc<OneCluster>) -> Gateway {
    Gateway::new(GatewaySettings::default(), deps(directory)).unwrap()
}

pub(super) fn login(user: &str, credential: Credential) -> Login {
    Login {
        user: user.as_bytes().to_vec(),
        database: None,
        capabilities: OFFERED,
        collation: 45,
        max_packet: 1 << 24,
        attributes: Vec::new(),
        credential,
        next_seq: 5,
    }
}

pub(super) fn clear(password: &str) -> Credential {
    Credential::Clear(Zeroizing::new(password.as_bytes().to_vec()))
}

pub(super) fn token(password: &str) -> Credential {
    Credential::NativeToken(Zeroizing::new(auth::token(
        &auth::stage1(password.as_bytes()),
        &SALT,
    )))
}

/// Checks a login at this gateway. Returns the verdict, and after how many ticks a denial may be
/// sent.
pub(super) async fn check_at(
    gateway: &Gateway,
    user: &str,
    credential: Credential,
) -> (LoginVerdict, u32) {
    let login = login(user, credential);
    let name = LoginName::parse(&login.user, login.collation);
    let client = "203.0.113.9".parse().unwrap();
    let shared = gateway.shared();
    let check = LoginCheck {
        shared,
        salt: &SALT,
        client,
    };
    let came = Instant::now();
    let recovered_by = came + limits::RECOVERED_AFTER_ACCEPT;
    let mut attempt = LoginAttempt {
        throttle: &*shared.throttle,
        client,
        name: &login.user,
        place: None,
        came,
        recovered_by,
        late: 0,
    };
    let (verdict, _) = check.check(&name, &login, &mut attempt).await;
    (verdict, attempt.late)
}

/// Checks a login at a new gateway. Returns the verdict, and the number of hashes and look-ups.
pub(super) async fn check(
    directory: &Arc<OneCluster>,
    user: &str,
    credential: Credential,
) -> (LoginVerdict, u64, u64) {
    let gateway = gateway(Arc::clone(directory));
    let finds = directory.finds.load(Ordering::Relaxed);
    let hashes = auth::hashes_run();
    let (verdict, _) = check_at(&gateway, user, credential).await;
    (
        verdict,
        auth::hashes_run() - hashes,
        directory.finds.load(Ordering::Relaxed) - finds,
    )
}
