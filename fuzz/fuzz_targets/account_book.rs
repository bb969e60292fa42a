//! Rows of a tenant's account table, and the account book that they become. For any rows: an
//! account has a bounded number of methods, a book returns what was added, a search finds the same
//! as a scan, and a damaged stored book is refused or read within its bytes.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_engine::fuzzing::account;
use tidegate_model::limits::{CANDIDATES_MAX, HOSTS_PER_USER_MAX, METHODS_MAX};
use tidegate_model::{Account, Accounts, Claim};

/// Splits the input into rows: host, user and privileges, each followed by a line feed.
fn rows(data: &[u8]) -> Vec<Account> {
    let mut lines = data.split(|byte| *byte == b'\n');
    std::iter::from_fn(|| {
        let host = String::from_utf8_lossy(lines.next()?);
        let user = String::from_utf8_lossy(lines.next()?);
        Some(account(&host, &user, lines.next()))
    })
    .flatten()
    .collect()
}

fuzz_target!(|data: &[u8]| {
    let rows = rows(data);
    assert!(
        rows.iter()
            .all(|row| row.verifiers.len() <= METHODS_MAX && !row.verifiers.is_empty())
    );
    let accounts: Accounts = rows.iter().cloned().collect();
    if accounts.is_complete() {
        assert!(accounts.iter().eq(rows.iter().cloned()));
    }
    assert_eq!(
        Accounts::from_bytes(accounts.as_bytes().to_vec(), accounts.is_complete()),
        Ok(accounts.clone())
    );
    for row in rows.iter().take(4) {
        let claim = Claim {
            names: vec![row.user.clone()],
            client: [203, 0, 113, 9].into(),
        };
        let found = accounts.candidates(&claim);
        let of_user = accounts
            .iter()
            .filter(|a| a.user == row.user)
            .take(HOSTS_PER_USER_MAX);
        let scanned = of_user.filter(|a| !a.locked && a.admits(claim.client));
        assert!(found.into_iter().eq(scanned.take(CANDIDATES_MAX)));
    }
    // The same bytes, read as a book of a damaged store.
    if let Ok(damaged) = Accounts::from_bytes(data.to_vec(), true) {
        assert_eq!(damaged.iter().count(), damaged.len());
        assert_eq!(damaged.as_bytes(), data);
    }
});
