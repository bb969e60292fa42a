//! Accounts in the compact form: what goes in comes out, searches find what scans find, and bounds
//! are kept.

use super::*;
use crate::account::{Requirement, Unsupported, Verifier};
use crate::limits::METHODS_MAX;

fn account(user: &str, host: &str, verifiers: Vec<Verifier>) -> Account {
    Account {
        user: user.into(),
        host: host.into(),
        verifiers,
        locked: false,
        requires: Requirement::None,
    }
}

fn claim(names: &[&str]) -> Claim {
    Claim {
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        client: "203.0.113.9".parse().unwrap(),
    }
}

/// A book with an account of each kind.
fn all_kinds() -> Vec<Account> {
    let mut out = vec![
        account("app", "%", vec![Verifier::Native([7; 20])]),
        account("", "", vec![]),
        account(
            "two",
            "10.%",
            vec![Verifier::Empty, Verifier::Native([9; 20])],
        ),
        account(
            &"é".repeat(128),
            &"x".repeat(255),
            vec![Verifier::Unsupported(Unsupported::TooManyMethods)],
        ),
        account(
            "app",
            "localhost",
            vec![Verifier::Unsupported(Unsupported::Ed25519)],
        ),
    ];
    out[2].locked = true;
    out[2].requires = Requirement::Tls;
    out[3].requires = Requirement::Certificate;
    out[4].requires = Requirement::Cipher;
    out
}

#[test]
fn accounts_come_back_as_they_went_in_and_from_their_stored_bytes() {
    let accounts: Accounts = all_kinds().into_iter().collect();
    assert_eq!(accounts.iter().collect::<Vec<_>>(), all_kinds());
    assert_eq!(accounts.len(), 5);
    let back = Accounts::from_bytes(accounts.as_bytes().to_vec(), true).unwrap();
    assert_eq!(back, accounts);
    assert_eq!(back.starts, accounts.starts);
    assert_ne!(
        Accounts::from_bytes(accounts.as_bytes().to_vec(), false).unwrap(),
        accounts,
        "the flag is part of it"
    );
}

#[test]
fn damaged_bytes_are_an_error_or_other_accounts_and_never_a_panic() {
    let good: Accounts = all_kinds().into_iter().collect();
    let good = good.as_bytes();
    let mut refused = 0;
    for at in 0..good.len() {
        refused += usize::from(Accounts::from_bytes(good[..at].to_vec(), true).is_err());
        for bit in 0..8 {
            let mut bad = good.to_vec();
            bad[at] ^= 1 << bit;
            match Accounts::from_bytes(bad, true) {
                Ok(read) => assert!(
                    read.iter().count() == read.len()
                        && read.candidates(&claim(&["app"])).len() <= 5
                ),
                Err(DamagedBook) => refused += 1,
            }
        }
    }
    assert!(refused > good.len(), "{refused}");
    assert_eq!(
        Accounts::from_bytes(vec![0; BOOK_BYTES_MAX + 1], true),
        Err(DamagedBook)
    );
}

#[test]
fn a_search_finds_what_a_scan_finds_in_the_order_of_names_and_reading() {
    let hosts = ["%", "203.%", "10.%", "203.0.113.9"];
    let users: Vec<String> = (0..500)
        .map(|n| format!("user{}", n * 7919 % 500))
        .collect();
    let mut all: Vec<Account> = Vec::new();
    for (n, user) in users.iter().enumerate() {
        all.push(account(user, hosts[n % 4], vec![Verifier::Empty]));
        all.push(Account {
            locked: n % 3 == 0,
            ..account(user, hosts[(n + 1) % 4], vec![Verifier::Native([1; 20])])
        });
    }
    let accounts: Accounts = all.clone().into_iter().collect();
    for names in [
        &["user7", "user99"][..],
        &["nobody", "user1"],
        &["user", ""],
        &["user499"],
        &[],
    ] {
        let claim = claim(names);
        let of = |name: &String| {
            all.iter()
                .filter(|a| a.user == *name && a.admits(claim.client))
                .cloned()
                .collect::<Vec<_>>()
        };
        let want: Vec<Account> = claim.names.iter().flat_map(of).collect();
        assert_eq!(accounts.candidates(&claim), want, "{names:?}");
    }
    assert!(accounts.has_user("user0") && !accounts.has_user("user500") && !accounts.has_user(""));
}

#[test]
fn a_login_is_compared_with_a_bounded_number_of_accounts() {
    let many = (0..1000).map(|n| {
        account(
            "x",
            &format!("%{}", "%".repeat(n % 5)),
            vec![Verifier::Empty],
        )
    });
    let accounts: Accounts = many.collect();
    assert_eq!(
        accounts.candidates(&claim(&["x", "x"])).len(),
        CANDIDATES_MAX
    );
    let far = (0..1000).map(|n| {
        account(
            "x",
            if n < HOSTS_PER_USER_MAX { "10.%" } else { "%" },
            vec![],
        )
    });
    assert!(
        far.collect::<Accounts>()
            .candidates(&claim(&["x"]))
            .is_empty(),
        "host patterns beyond the bound"
    );
}

#[test]
fn a_full_book_has_its_bound_in_real_memory_and_says_that_it_is_incomplete() {
    let mut builder = AccountsBuilder::new(BOOK_BYTES_MAX);
    let fits = (0..).take_while(|n| {
        builder.push(&account(
            &format!("user{n}"),
            "%",
            vec![Verifier::Native([1; 20])],
        ))
    });
    let fits = fits.count();
    let accounts = builder.finish();
    assert!(fits > 40_000, "{fits}");
    assert_eq!(accounts.len(), fits);
    assert!(!accounts.is_complete());
    assert!(
        accounts.memory() <= BOOK_BYTES_MAX + 4096,
        "{}",
        accounts.memory()
    );
    assert!(accounts.has_user("user0") && accounts.has_user(&format!("user{}", fits - 1)));
    // Larger ones have room for less, and none too little.
    let big = account(
        &"u".repeat(512),
        &"h".repeat(1020),
        vec![Verifier::Native([1; 20]); METHODS_MAX],
    );
    let mut builder = AccountsBuilder::new(10_000);
    while builder.push(&big) {}
    let small = builder.push(&account("u", "%", vec![]));
    assert!(small, "a smaller one may still fit");
    assert!(builder.finish().memory() <= 10_000);
}

#[test]
fn more_methods_than_are_kept_are_cut_and_longer_names_are_left_out() {
    let accounts: Accounts = [
        account("a", "%", vec![Verifier::Empty; METHODS_MAX + 3]),
        account(&"a".repeat(TEXT_MAX + 1), "%", vec![]),
    ]
    .into_iter()
    .collect();
    assert_eq!(
        accounts
            .iter()
            .map(|a| a.verifiers.len())
            .collect::<Vec<_>>(),
        [METHODS_MAX]
    );
    assert!(!accounts.is_complete());
}

#[test]
fn fresh_accounts_of_some_users_replace_those_and_no_others() {
    let old: Accounts = all_kinds().into_iter().collect();
    let users = ["app".to_owned(), "gone".to_owned()];
    let fresh: Accounts = [account("app", "%", vec![Verifier::Native([8; 20])])]
        .into_iter()
        .collect();
    assert!(
        old.same_users(&["two".to_owned(), "nobody".to_owned()], &old)
            && !old.same_users(&users, &fresh)
    );
    let new = old.with_users(&users, &fresh);
    assert!(new.same_users(&users, &fresh) && new.is_complete());
    assert_eq!(new.len(), 4);
    assert_eq!(
        new.candidates(&claim(&["app"]))[0].verifiers,
        [Verifier::Native([8; 20])]
    );
    assert!(new.has_user("two"));
    assert!(!Accounts::unknown().with_users(&users, &fresh).is_complete());
}

#[test]
fn a_book_never_prints_its_hashes() {
    let accounts: Accounts = all_kinds().into_iter().collect();
    assert_eq!(
        format!("{accounts:?}"),
        format!(
            "Accounts(5, {} bytes, complete: true)",
            accounts.as_bytes().len()
        )
    );
}
