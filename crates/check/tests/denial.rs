//! Denied logins at test servers that reveal existing users in one way each.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::sync::Arc;
use support::certificates::Pki;
use support::crooked::{Crooked, error, frame, ordinary};
use support::{Judged, as_user, judge, trusting};
use tidegate_check::FindingVerdict;

const SWITCH: &[u8] = b"\xfemysql_native_password\0saltsaltsaltsaltsalt\0";

fn denied() -> Vec<u8> {
    error(3, 1045, "Access denied")
}

/// A server where the user `known` exists. The answer to a login depends on the user's name.
fn judged(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Judged {
    let pki = Pki::new();
    let server = Crooked::judging(Arc::new(ordinary(&pki.good())), answer);
    judge(&as_user(
        trusting(server.port, &pki.ca()),
        "known",
        "sesame",
    ))
}

#[test]
fn answers_that_tell_who_exists() {
    judged(|_| denied())
        .is("denial", FindingVerdict::Pass, "both 1045 (HY000)")
        .fails("login", "1045");
    let by_text = |user: &str| {
        error(
            3,
            1045,
            if user == "known" {
                "wrong password"
            } else {
                "no such user"
            },
        )
    };
    judged(by_text)
        .fails("denial", "wrong password")
        .fails("denial", "no such user");
    let by_code = |user: &str| {
        if user == "known" {
            denied()
        } else {
            error(3, 1698, "Access denied")
        }
    };
    judged(by_code).fails("denial", "1698");
    let by_exchange = |user: &str| {
        if user == "known" {
            frame(3, SWITCH)
        } else {
            denied()
        }
    };
    judged(by_exchange).fails(
        "denial",
        "known user: switch to mysql_native_password; unknown: at once",
    );
}

#[test]
fn what_tells_nothing_is_no_failure() {
    // MySQL chooses an unknown user's exchange by the name.
    let by_any_name = |user: &str| {
        if user == "known" || user == "mpqyp" {
            frame(3, SWITCH)
        } else {
            denied()
        }
    };
    judged(by_any_name).is("denial", FindingVerdict::Pass, "varies with the name");
    // Unknown users get two exchanges, neither of them the known user's.
    let third = |user: &str| match user {
        "known" => frame(3, SWITCH),
        "lopxo" => frame(3, b"\xfesha256_password\0saltsaltsaltsaltsalt\0"),
        _ => denied(),
    };
    judged(third).warns("denial", "known user: ");
    judged(|_| error(3, 2003, "Can't connect to the server"))
        .skips("denial", "no password was judged: error 2003");
    judged(|_| error(3, 1040, "Too many connections")).skips("denial", "1040");
}

#[test]
fn a_late_answer_for_the_known_user_is_a_warning() {
    judged(|user| {
        if user == "known" {
            std::thread::sleep(std::time::Duration::from_secs(2));
        }
        denied()
    })
    .warns("denial", "both 1045");
}
