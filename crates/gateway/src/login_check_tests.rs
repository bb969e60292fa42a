//! Every denial costs the same hashes and the same look-ups, whatever its cause.

use super::fakes::*;
use super::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test]
async fn case_37_every_denial_costs_the_same_hashes_and_look_ups() {
    for make in [clear as fn(&str) -> Credential, token] {
        let mut costs = Vec::new();
        for accounts_current in [true, false] {
            let directory = directory(accounts_current);
            for user in [
                "abcdefghjkmn.root",
                "abcdefghjkmn.nobody",
                "abcdefghjkmn.mariadb.sys",
                "zzzzzzzzzzzz.root",
                "nonsense.root",
                ".",
            ] {
                let (verdict, hashes, finds) = check(&directory, user, make("wrong")).await;
                assert!(matches!(verdict, LoginVerdict::Denied(_)), "{user}");
                costs.push((hashes, finds));
            }
        }
        let first = costs[0];
        assert!(first.0 > 0 && first.1 == 1);
        assert!(costs.iter().all(|c| *c == first), "{costs:?}");
    }
}

#[tokio::test]
async fn a_match_needs_no_reading() {
    for accounts_current in [true, false] {
        let directory = directory(accounts_current);
        for make in [clear as fn(&str) -> Credential, token] {
            let (verdict, ..) = check(&directory, "abcdefghjkmn.root", make("secret")).await;
            assert!(matches!(verdict, LoginVerdict::Proven(p) if p.user == "root"));
            let (verdict, ..) = check(&directory, "abcdefghjkmn.app", make("app")).await;
            assert!(
                matches!(verdict, LoginVerdict::Proven(p) if p.user == "abcdefghjkmn.app"),
                "created in SQL with the prefix in its name"
            );
        }
        assert_eq!(directory.refreshes.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test]
async fn a_mismatch_is_a_verdict_only_if_nobody_can_have_changed_the_accounts() {
    let awake = directory(false);
    let (verdict, ..) = check(&awake, "abcdefghjkmn.root", clear("changed")).await;
    assert!(
        matches!(verdict, LoginVerdict::Proven(_)),
        "the fresh reading has the new password"
    );
    assert_eq!(awake.refreshes.load(Ordering::Relaxed), 1);
    let asleep = directory(true);
    let (verdict, ..) = check(&asleep, "abcdefghjkmn.root", clear("changed")).await;
    assert!(matches!(verdict, LoginVerdict::Denied(_)));
    assert_eq!(asleep.refreshes.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_an_account_requires_is_told_by_a_fresh_reading_and_to_nobody_without_its_password() {
    let directory = directory(true);
    for (user, password, want) in [
        ("abcdefghjkmn.tls", "tls", RefusalKind::RequiresTls),
        ("abcdefghjkmn.tls", "wrong", RefusalKind::AccessDenied),
        ("abcdefghjkmn.nobody", "tls", RefusalKind::AccessDenied),
        // The password that was read before has been changed since.
        ("abcdefghjkmn.root", "secret", RefusalKind::AccessDenied),
        ("abcdefghjkmn.root", "changed", RefusalKind::AccessDenied),
    ] {
        let gateway = gateway(Arc::clone(&directory));
        let login = login(user, clear(password));
        let check = LoginCheck {
            shared: gateway.shared(),
            salt: &SALT,
            client: "203.0.113.9".parse().unwrap(),
        };
        let refusal = check
            .reread_requirement(
                ClusterId(1),
                &LoginName::parse(&login.user, login.collation),
                &login,
            )
            .await
            .map_or_else(|refusal| refusal, denied_by_engine);
        assert_eq!(refusal.kind, want, "{user} {password}");
    }
    assert_eq!(directory.refreshes.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn case_29_the_empty_password_fits_accounts_without_one_and_no_others() {
    let directory = directory(true);
    let (verdict, ..) = check(&directory, "abcdefghjkmn.open", Credential::Empty).await;
    assert!(matches!(verdict, LoginVerdict::Proven(p) if p.stage1.is_none()));
    for (user, credential) in [
        ("abcdefghjkmn.root", Credential::Empty),
        ("abcdefghjkmn.open", clear("x")),
        ("zzzzzzzzzzzz.root", Credential::Empty),
    ] {
        let (verdict, ..) = check(&directory, user, credential).await;
        assert!(matches!(verdict, LoginVerdict::Denied(_)), "{user}");
    }
}

/// Returns a directory as [`directory`] does, with a change.
fn changed(accounts_current: bool, change: impl FnOnce(&mut OneCluster)) -> Arc<OneCluster> {
    let mut directory = directory(accounts_current);
    change(Arc::get_mut(&mut directory).unwrap());
    directory
}

fn kind(verdict: &LoginVerdict) -> &'static str {
    match verdict {
        LoginVerdict::Proven(_) => "proven",
        LoginVerdict::Denied(_) => "denied",
        LoginVerdict::AddressRefused => "address refused",
        LoginVerdict::Unchecked(_) => "unchecked",
    }
}

/// Login names of all kinds, for which the password is wrong.
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
    for (accounts_current, recovery, reading, want) in [
        (true, None, seconds(0), "denied"),
        (false, None, seconds(0), "denied"),
        (false, None, Duration::from_millis(450), "denied"),
        (false, None, seconds(9), "unchecked"),
        (true, Some(seconds(3)), seconds(0), "denied"),
        (true, Some(seconds(60)), seconds(0), "unchecked"),
    ] {
        let mut seen = Vec::new();
        for user in WRONG {
            let directory = changed(accounts_current, |one| {
                one.recovering = recovery.is_some().into();
                one.recovery = recovery.unwrap_or_default();
                one.reading = reading;
            });
            let began = Instant::now();
            let (verdict, late) = check_at(&gateway(directory), user, clear("wrong")).await;
            assert_eq!(kind(&verdict), want, "{user}");
            seen.push((began.elapsed(), late));
        }
        assert!(seen.iter().all(|one| *one == seen[0]), "{want}: {seen:?}");
    }
}

/// Returns a cluster that was not cleanly asleep, and whose recovery takes this long.
fn unclean(recovery: Duration) -> Arc<OneCluster> {
    changed(true, |one| {
        one.recovering = true.into();
        one.recovery = recovery;
    })
}

#[tokio::test(start_paused = true)]
async fn an_unclean_cluster_checks_no_password_before_its_recovery_has_ended() {
    let began = Instant::now();
    let directory = unclean(Duration::from_secs(3));
    let (verdict, _) = check_at(&gateway(directory), "abcdefghjkmn.root", clear("secret")).await;
    assert_eq!(
        (kind(&verdict), began.elapsed()),
        ("proven", Duration::from_secs(3))
    );
    let gateway = gateway(unclean(Duration::from_secs(60)));
    let began = Instant::now();
    let (verdict, late) = check_at(&gateway, "abcdefghjkmn.root", clear("secret")).await;
    assert_eq!(
        (kind(&verdict), began.elapsed()),
        ("unchecked", limits::RECOVERED_AFTER_ACCEPT)
    );
    assert_eq!(late, 0, "a password that was not compared is not counted");
}

#[tokio::test(start_paused = true)]
async fn case_49_every_mismatch_counts_at_first_sight_whatever_is_answered() {
    for user in WRONG {
        // The readings never end, so that none of these logins gets a verdict.
        let directory = changed(false, |one| one.reading = Duration::from_secs(60));
        let gateway = gateway(directory);
        let mut late = Vec::new();
        for _ in 0..10 {
            let (verdict, ticks) = check_at(&gateway, user, clear("wrong")).await;
            assert_eq!(kind(&verdict), "unchecked");
            late.push(ticks);
        }
        assert_eq!(late, [1, 1, 1, 2, 4, 8, 16, 24, 24, 24], "{user}");
        // The first login is counted while it still waits for its reading.
        let (_, both) = tokio::join!(
            check_at(&gateway, "abcdefghjkmn.app", clear("wrong")),
            async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                gateway
                    .shared()
                    .throttle
                    .is_suspected("203.0.113.9".parse().unwrap(), b"abcdefghjkmn.app")
                    .await
                    || gateway
                        .shared()
                        .throttle
                        .count_failure("203.0.113.9".parse().unwrap(), b"abcdefghjkmn.app")
                        .await
                        == 1
            }
        );
        assert!(both);
    }
}

#[tokio::test(start_paused = true)]
async fn slow_readings_of_one_cluster_never_leave_the_mismatches_of_others_uncounted() {
    // Seventy failures that end unchecked, then guesses at a cluster that sleeps.
    let one_minute = Duration::from_secs(60);
    let slow = gateway(changed(false, |one| one.reading = one_minute));
    let asleep = gateway(changed(true, |one| one.reading = one_minute));
    for _ in 0..70 {
        check_at(&slow, "abcdefghjkmn.root", clear("wrong")).await;
    }
    let (verdict, late) = check_at(&slow, "abcdefghjkmn.other", clear("wrong")).await;
    assert_eq!(
        (kind(&verdict), late),
        ("unchecked", limits::LATE_TICKS_MAX),
        "the failures of the source are counted"
    );
    let (verdict, _) = check_at(&asleep, "abcdefghjkmn.root", clear("wrong")).await;
    assert_eq!(kind(&verdict), "denied");
}

#[tokio::test(start_paused = true)]
async fn a_password_changed_since_the_last_reading_is_no_mismatch() {
    let gateway = gateway(directory(false));
    for _ in 0..30 {
        let (verdict, late) = check_at(&gateway, "abcdefghjkmn.root", clear("changed")).await;
        assert_eq!((kind(&verdict), late), ("proven", 0));
    }
    let (_, late) = check_at(&gateway, "abcdefghjkmn.root", clear("wrong")).await;
    assert_eq!(late, 1);
}

#[tokio::test(start_paused = true)]
async fn wrong_passwords_cause_ten_readings_a_second_at_most_and_unknown_names_none() {
    let directory = changed(false, |one| one.reading = Duration::from_millis(5));
    let gateway = gateway(Arc::clone(&directory));
    let began = Instant::now();
    for _ in 0..20 {
        check_at(&gateway, "abcdefghjkmn.root", clear("wrong")).await;
    }
    assert_eq!(directory.refreshes.load(Ordering::Relaxed), 20);
    assert!(
        began.elapsed() >= limits::READING_TURN * 19,
        "{:?}",
        began.elapsed()
    );
    // Logins that come between two turns are not answered later: they share the next turn.
    let began = Instant::now();
    futures_util::future::join_all(
        (0..50).map(|_| check_at(&gateway, "abcdefghjkmn.root", clear("wrong"))),
    )
    .await;
    assert!(
        began.elapsed() < limits::DENIAL_TICK,
        "{:?}",
        began.elapsed()
    );
    let refreshes = directory.refreshes.load(Ordering::Relaxed);
    for _ in 0..20 {
        check_at(&gateway, "zzzzzzzzzzzz.root", clear("wrong")).await;
    }
    assert_eq!(directory.imitations.load(Ordering::Relaxed), 20);
    assert_eq!(directory.refreshes.load(Ordering::Relaxed), refreshes);
}

#[tokio::test]
async fn a_refused_address_costs_no_hash_and_an_unknown_prefix_is_refused_alike() {
    let directory = directory(false);
    directory.recovering.store(true, Ordering::Relaxed);
    directory.allows_client.store(false, Ordering::Relaxed);
    for user in [
        "abcdefghjkmn.root",
        "zzzzzzzzzzzz.root",
        "nonsense.root",
        ".",
    ] {
        for password in ["secret", "wrong"] {
            let (verdict, hashes, finds) = check(&directory, user, clear(password)).await;
            assert!(matches!(verdict, LoginVerdict::AddressRefused), "{user}");
            assert_eq!((hashes, finds), (0, 1), "{user}");
        }
    }
    assert_eq!(directory.refreshes.load(Ordering::Relaxed), 0);
    assert_eq!(directory.imitations.load(Ordering::Relaxed), 0);
}
