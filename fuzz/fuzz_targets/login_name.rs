//! Login names and host patterns: a routed name is kept complete, and no pattern takes long or
//! panics.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::net::{IpAddr, Ipv6Addr};
use tidegate_model::account::{Account, Requirement};
use tidegate_model::login::{LoginName, USER_CHARS_MAX, user_bytes};

fuzz_target!(|data: &[u8]| {
    // utf8mb4 and latin1.
    for collation in [45, 8] {
        if let LoginName::Routed {
            prefix,
            user,
            whole,
        } = LoginName::parse(data, collation)
        {
            assert_eq!(format!("{prefix}.{user}"), whole);
            assert!(!user.is_empty() && user.chars().count() <= USER_CHARS_MAX);
            assert_eq!(data.len() - user_bytes(data).len(), prefix.as_str().len() + 1);
            if collation == 45 {
                assert_eq!(whole.as_bytes(), data);
                assert_eq!(user.as_bytes(), user_bytes(data));
            }
        }
    }
    let Some((address, host)) = data.split_first_chunk::<16>() else {
        return;
    };
    let v6 = IpAddr::V6(Ipv6Addr::from(*address));
    let host = String::from_utf8_lossy(host).into_owned();
    let account = Account {
        user: String::new(),
        host,
        verifiers: Vec::new(),
        locked: false,
        requires: Requirement::None,
    };
    // An address means the same in both notations.
    assert_eq!(account.admits(v6), account.admits(v6.to_canonical()));
    let everywhere = Account {
        host: "%".to_owned(),
        ..account
    };
    assert!(everywhere.admits(v6));
});
