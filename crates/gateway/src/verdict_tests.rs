//! Every no costs the same hashes and the same look-ups, whatever its cause.

use super::*;
use crate::gateway::{Deps, Gateway};
use crate::settings::GatewaySettings;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant as StdInstant;
use tidegate_model::{
    Account, AttachError, BoxFuture, ClusterLimits, ClusterName, Directory, DirectoryError, EngineSessionId, Event,
    Journal, Lease, Requirement, RunEpoch, Sessions, Waker,
};
use tidegate_wire::capabilities::OFFERED;

const PREFIX: &str = "abcdefghjkmn";
const SALT: [u8; 20] = [9; 20];

/// One cluster in memory, and how often it was asked.
struct OneCluster {
    settled: bool,
    finds: AtomicU64,
    refreshes: AtomicU64,
    remembered: AccountBook,
    fresh: AccountBook,
}

impl Directory for OneCluster {
    fn find<'a>(&'a self, prefix: &'a Prefix) -> BoxFuture<'a, Result<Option<Tenant>, DirectoryError>> {
        self.finds.fetch_add(1, Ordering::Relaxed);
        let tenant = (prefix.as_str() == PREFIX).then(|| Tenant {
            cluster: ClusterId(1),
            name: ClusterName::parse("demo").unwrap(),
            prefix: prefix.clone(),
            accounts: Arc::new(self.remembered.clone()),
            settled: self.settled,
            limits: ClusterLimits::default(),
        });
        Box::pin(async move { Ok(tenant) })
    }

    fn refresh(&self, _: ClusterId, _: StdInstant) -> BoxFuture<'_, Result<Arc<AccountBook>, DirectoryError>> {
        self.refreshes.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(Arc::new(self.fresh.clone())) })
    }

    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

struct Nobody;

impl Waker for Nobody {
    fn attach(&self, _: ClusterId, _: StdInstant) -> BoxFuture<'_, Result<Lease, AttachError>> {
        Box::pin(async { Err(AttachError::Stopping) })
    }
    fn end_session(&self, _: ClusterId, _: RunEpoch, _: EngineSessionId) {}
}

impl Journal for Nobody {
    fn record(&self, _: &Event) {}
}

fn book(accounts: &[(&str, &str, Verifier)]) -> AccountBook {
    let accounts = accounts.iter().map(|(user, host, verifier)| Account {
        user: (*user).to_owned(),
        host: (*host).to_owned(),
        verifiers: vec![verifier.clone()],
        locked: false,
        requires: if user.starts_with("tls") { Requirement::Tls } else { Requirement::None },
    });
    AccountBook { accounts: accounts.collect(), run: RunEpoch(1), read_began: None }
}

fn native(password: &str) -> Verifier {
    Verifier::Native(auth::stage2(&auth::stage1(password.as_bytes())))
}

fn directory(settled: bool) -> Arc<OneCluster> {
    let accounts = book(&[
        ("root", "%", native("secret")),
        ("abcdefghjkmn.app", "%", native("app")),
        ("open", "%", Verifier::Empty),
    ]);
    let fresh = book(&[("root", "%", native("changed")), ("tls", "%", native("tls")), ("tls", "%", native("other"))]);
    Arc::new(OneCluster { settled, finds: 0.into(), refreshes: 0.into(), remembered: accounts, fresh })
}

fn gateway(directory: Arc<OneCluster>) -> Gateway {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
    let (waker, journal): (Arc<dyn Waker>, Arc<dyn Journal>) = (Arc::new(Nobody), Arc::new(Nobody));
    let deps = Deps { directory, waker, journal, sessions: Sessions::default(), tls: Arc::new(tls) };
    Gateway::new(GatewaySettings::default(), deps).unwrap()
}

fn login(user: &str, credential: Credential) -> Login {
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

fn clear(password: &str) -> Credential {
    Credential::Clear(Zeroizing::new(password.as_bytes().to_vec()))
}

fn token(password: &str) -> Credential {
    Credential::NativeToken(Zeroizing::new(auth::token(&auth::stage1(password.as_bytes()), &SALT)))
}

/// Judges a login: the verdict, hashes run, look-ups made.
async fn judged(directory: &Arc<OneCluster>, user: &str, credential: Credential) -> (Verdict, u64, u64) {
    let gateway = gateway(Arc::clone(directory));
    let login = login(user, credential);
    let name = LoginName::parse(&login.user);
    let client = "203.0.113.9".parse().unwrap();
    let judge = Judge { shared: gateway.shared(), salt: &SALT, client };
    let (finds, hashes) = (directory.finds.load(Ordering::Relaxed), auth::hashes_run());
    let (verdict, _) = judge.judge(&name, &login, Instant::now()).await;
    (verdict, auth::hashes_run() - hashes, directory.finds.load(Ordering::Relaxed) - finds)
}

#[tokio::test]
async fn case_37_every_no_costs_the_same_hashes_and_look_ups() {
    for make in [clear as fn(&str) -> Credential, token] {
        let mut costs = Vec::new();
        for settled in [true, false] {
            let directory = directory(settled);
            for user in [
                "abcdefghjkmn.root",
                "abcdefghjkmn.nobody",
                "abcdefghjkmn.mariadb.sys",
                "zzzzzzzzzzzz.root",
                "nonsense.root",
                ".",
            ] {
                let (verdict, hashes, finds) = judged(&directory, user, make("wrong")).await;
                assert!(matches!(verdict, Verdict::Denied(_)), "{user}");
                costs.push((hashes, finds));
            }
        }
        let first = costs[0];
        assert!(first.0 > 0 && first.1 == 1);
        assert!(costs.iter().all(|c| *c == first), "{costs:?}");
    }
}

#[tokio::test]
async fn a_match_is_believed_without_a_reading() {
    for settled in [true, false] {
        let directory = directory(settled);
        for make in [clear as fn(&str) -> Credential, token] {
            let (verdict, ..) = judged(&directory, "abcdefghjkmn.root", make("secret")).await;
            assert!(matches!(verdict, Verdict::Proven(p) if p.user == "root"));
            let (verdict, ..) = judged(&directory, "abcdefghjkmn.app", make("app")).await;
            assert!(
                matches!(verdict, Verdict::Proven(p) if p.user == "abcdefghjkmn.app"),
                "made in SQL with its prefix"
            );
        }
        assert_eq!(directory.refreshes.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test]
async fn a_mismatch_is_a_verdict_only_where_nobody_can_have_changed_the_accounts() {
    let awake = directory(false);
    let (verdict, ..) = judged(&awake, "abcdefghjkmn.root", clear("changed")).await;
    assert!(matches!(verdict, Verdict::Proven(_)), "the fresh reading knows the new password");
    assert_eq!(awake.refreshes.load(Ordering::Relaxed), 1);
    let asleep = directory(true);
    let (verdict, ..) = judged(&asleep, "abcdefghjkmn.root", clear("changed")).await;
    assert!(matches!(verdict, Verdict::Denied(_)));
    assert_eq!(asleep.refreshes.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_an_account_requires_is_told_by_a_fresh_reading_and_to_nobody_without_its_password() {
    let directory = directory(true);
    for (user, password, want) in [
        ("abcdefghjkmn.tls", "tls", RefusalKind::RequiresTls),
        ("abcdefghjkmn.tls", "wrong", RefusalKind::AccessDenied),
        ("abcdefghjkmn.nobody", "tls", RefusalKind::AccessDenied),
        // Remembered, and changed since.
        ("abcdefghjkmn.root", "secret", RefusalKind::AccessDenied),
        ("abcdefghjkmn.root", "changed", RefusalKind::AccessDenied),
    ] {
        let gateway = gateway(Arc::clone(&directory));
        let login = login(user, clear(password));
        let judge = Judge { shared: gateway.shared(), salt: &SALT, client: "203.0.113.9".parse().unwrap() };
        let refusal = judge.refused_by_engine(ClusterId(1), &LoginName::parse(&login.user), &login).await;
        assert_eq!(refusal.kind, want, "{user} {password}");
    }
    assert_eq!(directory.refreshes.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn case_29_the_empty_password_fits_accounts_without_one_and_no_others() {
    let directory = directory(true);
    let (verdict, ..) = judged(&directory, "abcdefghjkmn.open", Credential::Empty).await;
    assert!(matches!(verdict, Verdict::Proven(p) if p.stage1.is_none()));
    for (user, credential) in [
        ("abcdefghjkmn.root", Credential::Empty),
        ("abcdefghjkmn.open", clear("x")),
        ("zzzzzzzzzzzz.root", Credential::Empty),
    ] {
        let (verdict, ..) = judged(&directory, user, credential).await;
        assert!(matches!(verdict, Verdict::Denied(_)), "{user}");
    }
}
