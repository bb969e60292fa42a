//! Every no costs the same hashes and the same look-ups, whatever its cause.

use super::*;
use crate::gateway::Gateway;
use crate::settings::GatewaySettings;
use crate::shared::Deps;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant as StdInstant};
use tidegate_model::{
    Account, Accounts, AttachError, BoxFuture, ClusterLimits, ClusterName, Directory,
    DirectoryError, EngineSessionId, Event, Journal, Lease, Requirement, RunEpoch, Sessions, Waker,
};
use tidegate_wire::capabilities::OFFERED;

const PREFIX: &str = "abcdefghjkmn";
const SALT: [u8; 20] = [9; 20];

/// One cluster in memory, and how often it was asked.
struct OneCluster {
    settled: bool,
    recovering: AtomicBool,
    /// How long its recovery and a reading of its accounts take.
    recovery: Duration,
    reading: Duration,
    imitations: AtomicU64,
    finds: AtomicU64,
    refreshes: AtomicU64,
    remembered: Accounts,
    fresh: Accounts,
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
            settled: self.settled,
            recovering: self.recovering.load(Ordering::Relaxed),
            limits: ClusterLimits::default(),
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

fn book(accounts: &[(&str, &str, Verifier)]) -> Accounts {
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

fn native(password: &str) -> Verifier {
    Verifier::Native(auth::stage2(&auth::stage1(password.as_bytes())))
}

fn directory(settled: bool) -> Arc<OneCluster> {
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
        settled,
        recovering: false.into(),
        recovery: Duration::ZERO,
        reading: Duration::ZERO,
        imitations: 0.into(),
        finds: 0.into(),
        refreshes: 0.into(),
        remembered: accounts,
        fresh,
    })
}

fn gateway(directory: Arc<OneCluster>) -> Gateway {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
    let (waker, journal): (Arc<dyn Waker>, Arc<dyn Journal>) = (Arc::new(Nobody), Arc::new(Nobody));
    let decoy_key = Zeroizing::new([7; 32]);
    let deps = Deps {
        directory,
        waker,
        journal,
        sessions: Sessions::default(),
        tls: Arc::new(tls),
        decoy_key,
    };
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
    Credential::NativeToken(Zeroizing::new(auth::token(
        &auth::stage1(password.as_bytes()),
        &SALT,
    )))
}

/// Judges a login at this gateway: the verdict, and after how many ticks a refusal may be sent.
async fn judged_at(gateway: &Gateway, user: &str, credential: Credential) -> (Verdict, u32) {
    let login = login(user, credential);
    let name = LoginName::parse(&login.user);
    let client = "203.0.113.9".parse().unwrap();
    let shared = gateway.shared();
    let judge = Judge {
        shared,
        salt: &SALT,
        client,
    };
    let came = Instant::now();
    let recovered_by = came + limits::RECOVERED_AFTER_ACCEPT;
    let name_written = &login.user;
    let mut attempt = Attempt {
        failures: &shared.failures,
        client,
        name: name_written,
        place: None,
        came,
        recovered_by,
        late: 0,
    };
    let (verdict, _) = judge.judge(&name, &login, &mut attempt).await;
    (verdict, attempt.late)
}

/// Judges a login: the verdict, hashes run, look-ups made.
async fn judged(
    directory: &Arc<OneCluster>,
    user: &str,
    credential: Credential,
) -> (Verdict, u64, u64) {
    let gateway = gateway(Arc::clone(directory));
    let (finds, hashes) = (directory.finds.load(Ordering::Relaxed), auth::hashes_run());
    let (verdict, _) = judged_at(&gateway, user, credential).await;
    (
        verdict,
        auth::hashes_run() - hashes,
        directory.finds.load(Ordering::Relaxed) - finds,
    )
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
    assert!(
        matches!(verdict, Verdict::Proven(_)),
        "the fresh reading knows the new password"
    );
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
        let judge = Judge {
            shared: gateway.shared(),
            salt: &SALT,
            client: "203.0.113.9".parse().unwrap(),
        };
        let refusal = judge
            .refused_by_engine(ClusterId(1), &LoginName::parse(&login.user), &login)
            .await;
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

/// A cluster like [`directory`]'s, changed before anybody sees it.
fn changed(settled: bool, change: impl FnOnce(&mut OneCluster)) -> Arc<OneCluster> {
    let mut directory = directory(settled);
    change(Arc::get_mut(&mut directory).unwrap());
    directory
}

fn kind(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Proven(_) => "proven",
        Verdict::Denied(_) => "denied",
        Verdict::NotJudged(_) => "not judged",
    }
}

/// Names of all kinds that a wrong password may come with.
const WRONG: [&str; 5] = [
    "abcdefghjkmn.root",
    "abcdefghjkmn.nobody",
    "zzzzzzzzzzzz.root",
    "nonsense.root",
    "yyyyyyyyyyyy.x",
];

#[tokio::test(start_paused = true)]
async fn a_wrong_password_and_an_unknown_prefix_take_the_same_time_and_end_alike_in_every_state() {
    let seconds = Duration::from_secs;
    for (settled, recovery, reading, want) in [
        (true, None, seconds(0), "denied"),
        (false, None, seconds(0), "denied"),
        (false, None, Duration::from_millis(450), "denied"),
        (false, None, seconds(9), "not judged"),
        (true, Some(seconds(3)), seconds(0), "denied"),
        (true, Some(seconds(60)), seconds(0), "not judged"),
    ] {
        let mut seen = Vec::new();
        for user in WRONG {
            let directory = changed(settled, |one| {
                one.recovering = recovery.is_some().into();
                one.recovery = recovery.unwrap_or_default();
                one.reading = reading;
            });
            let began = Instant::now();
            let (verdict, late) = judged_at(&gateway(directory), user, clear("wrong")).await;
            assert_eq!(kind(&verdict), want, "{user}");
            seen.push((began.elapsed(), late));
        }
        assert!(seen.iter().all(|one| *one == seen[0]), "{want}: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unclean_cluster_judges_no_password_before_its_own_recovery_has_ended() {
    let unclean = |recovery| {
        changed(true, |one| {
            one.recovering = true.into();
            one.recovery = recovery;
        })
    };
    let began = Instant::now();
    let directory = unclean(Duration::from_secs(3));
    let (verdict, _) = judged_at(&gateway(directory), "abcdefghjkmn.root", clear("secret")).await;
    assert_eq!(
        (kind(&verdict), began.elapsed()),
        ("proven", Duration::from_secs(3))
    );
    let gateway = gateway(unclean(Duration::from_secs(60)));
    let began = Instant::now();
    let (verdict, late) = judged_at(&gateway, "abcdefghjkmn.root", clear("secret")).await;
    assert_eq!(
        (kind(&verdict), began.elapsed()),
        ("not judged", limits::RECOVERED_AFTER_ACCEPT)
    );
    assert_eq!(late, 0, "what nobody compared is no mismatch");
}

#[tokio::test(start_paused = true)]
async fn case_49_every_mismatch_counts_at_first_sight_whatever_is_answered() {
    for user in WRONG {
        // Its readings never end, so that none of these is a verdict.
        let directory = changed(false, |one| one.reading = Duration::from_secs(60));
        let gateway = gateway(directory);
        let mut late = Vec::new();
        for _ in 0..10 {
            let (verdict, ticks) = judged_at(&gateway, user, clear("wrong")).await;
            assert_eq!(kind(&verdict), "not judged");
            late.push(ticks);
        }
        assert_eq!(late, [1, 1, 1, 2, 4, 8, 16, 24, 24, 24], "{user}");
        // While the first waits for its reading, the second knows of it already.
        let (_, both) = tokio::join!(
            judged_at(&gateway, "abcdefghjkmn.app", clear("wrong")),
            async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                gateway
                    .shared()
                    .failures
                    .suspected("203.0.113.9".parse().unwrap(), b"abcdefghjkmn.app")
                    || gateway
                        .shared()
                        .failures
                        .add("203.0.113.9".parse().unwrap(), b"abcdefghjkmn.app")
                        == 1
            }
        );
        assert!(both);
    }
}

#[tokio::test(start_paused = true)]
async fn slow_readings_of_one_cluster_never_leave_the_mismatches_of_others_uncounted() {
    // Seventy failures that end unjudged, then guesses at a cluster that sleeps.
    let gateway_of = |settled| {
        gateway(changed(settled, |one| {
            one.reading = Duration::from_secs(60)
        }))
    };
    let slow = gateway_of(false);
    for _ in 0..70 {
        judged_at(&slow, "abcdefghjkmn.root", clear("wrong")).await;
    }
    let (verdict, late) = judged_at(&slow, "abcdefghjkmn.other", clear("wrong")).await;
    assert_eq!(
        (kind(&verdict), late),
        ("not judged", limits::LATE_TICKS_MAX),
        "the source is known"
    );
    let (verdict, _) = judged_at(&gateway_of(true), "abcdefghjkmn.root", clear("wrong")).await;
    assert_eq!(kind(&verdict), "denied");
}

#[tokio::test(start_paused = true)]
async fn a_password_changed_since_the_last_reading_is_no_mismatch() {
    let gateway = gateway(directory(false));
    for _ in 0..30 {
        let (verdict, late) = judged_at(&gateway, "abcdefghjkmn.root", clear("changed")).await;
        assert_eq!((kind(&verdict), late), ("proven", 0));
    }
    let (_, late) = judged_at(&gateway, "abcdefghjkmn.root", clear("wrong")).await;
    assert_eq!(late, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_causes_ten_readings_a_second_at_most_and_an_unknown_name_none() {
    let directory = changed(false, |one| one.reading = Duration::from_millis(5));
    let gateway = gateway(Arc::clone(&directory));
    let began = Instant::now();
    for _ in 0..20 {
        judged_at(&gateway, "abcdefghjkmn.root", clear("wrong")).await;
    }
    assert_eq!(directory.refreshes.load(Ordering::Relaxed), 20);
    assert!(
        began.elapsed() >= limits::READING_TURN * 19,
        "{:?}",
        began.elapsed()
    );
    // Those that come between two turns are not told later for it: they share the next one.
    let began = Instant::now();
    futures_util::future::join_all(
        (0..50).map(|_| judged_at(&gateway, "abcdefghjkmn.root", clear("wrong"))),
    )
    .await;
    assert!(
        began.elapsed() < limits::DENIAL_TICK,
        "{:?}",
        began.elapsed()
    );
    let refreshes = directory.refreshes.load(Ordering::Relaxed);
    for _ in 0..20 {
        judged_at(&gateway, "zzzzzzzzzzzz.root", clear("wrong")).await;
    }
    assert_eq!(directory.imitations.load(Ordering::Relaxed), 20);
    assert_eq!(directory.refreshes.load(Ordering::Relaxed), refreshes);
}
