//! Sessions of browsers: sign-in links, form tokens, expiry, and the limit of attempts per source.
//! The tests wait for states and assert nothing about how long they take.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use tidegate_e2e::console::{Console, form_token};
use tidegate_e2e::limits::soon;

#[test]
fn an_open_page_does_not_keep_a_session_that_nobody_uses() {
    let c = Console::start("session_idle = \"2s\"");
    let cookie = format!("Cookie: {}", c.sign_in());
    // Requests like those of the page's script, but more often. If they counted as use, the session
    // would never expire.
    let live = || c.ask("/", &["-H", &cookie, "-H", "x-tidegate-live: 1"]);
    let told = soon("the session's end", || {
        Some(live()).filter(|answer| answer.status != 200)
    });
    assert_eq!(
        (told.status, told.header("location")),
        (401, None),
        "told as what it is, not sent away"
    );
    let asked = c.ask("/", &["-H", &cookie]);
    assert_eq!(
        (asked.status, asked.header("location")),
        (303, Some("/sign-in?ended=1"))
    );
    assert!(
        c.ask("/sign-in?ended=1", &[])
            .body
            .contains("Your session expired")
    );
    assert!(!c.ask("/sign-in", &[]).body.contains("Your session expired"));
    assert_eq!(
        c.ask("/", &["-H", &format!("Cookie: {}", c.sign_in())])
            .status,
        200,
        "a new link opens a new one"
    );
}

#[test]
fn a_session_ends_at_its_age_however_much_it_is_used() {
    let c = Console::start("session_life = \"2s\"");
    let cookie = format!("Cookie: {}", c.sign_in());
    soon("the session's end", || {
        (c.ask("/", &["-H", &cookie]).status == 303).then_some(())
    });
}

/// Posts to a sign-in link, with more options of curl.
fn redeem(c: &Console, link: &str, more: &[&str]) -> tidegate_e2e::console::Answer {
    let origin = format!("Origin: {}", c.base());
    c.ask(link, &[&["-X", "POST", "-H", &origin], more].concat())
}

#[test]
fn one_source_may_try_so_often_and_others_are_not_held_up() {
    let c = Console::start("attempts_per_minute = 1");
    let refused = soon("the limit", || {
        Some(redeem(&c, "/link/guess", &[])).filter(|answer| answer.status != 403)
    });
    assert_eq!(refused.status, 429, "{}", refused.head);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(
        refused.body.contains("Too many attempts"),
        "{}",
        refused.body
    );
    let link = c.link();
    assert_eq!(redeem(&c, &link, &[]).status, 429, "a good link waits too");
    let elsewhere = redeem(&c, &link, &["--interface", "127.0.0.3"]);
    assert_eq!(
        elsewhere.status, 303,
        "and is not used up: another source may"
    );

    let guess = || c.with_key("tg_guess", "/v1/clusters", &[]);
    let refused = soon("the limit of keys", || {
        Some(guess()).filter(|answer| answer.status != 401)
    });
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (429, Some("too_many_requests"))
    );
    assert_eq!(
        c.with_key(&c.key("good"), "/v1/clusters", &[]).status,
        200,
        "who has a key is never held up"
    );
}

#[test]
fn a_link_signs_in_once_and_a_get_of_it_changes_nothing() {
    let c = Console::start("");
    let origin = format!("Origin: {}", c.base());
    let link = c.link();
    assert_eq!(c.ask("/", &[]).header("location"), Some("/sign-in"));
    assert_eq!(c.ask(&link, &[]).status, 200);
    assert_eq!(
        c.ask(&link, &["-X", "POST"]).status,
        403,
        "no browser sends a form without an origin"
    );
    assert_eq!(
        c.ask(&link, &["-X", "POST", "-H", "Origin: https://evil.example"])
            .status,
        403
    );
    let old = "Cookie: __Host-tidegate=0123";
    let redeemed = c.ask(&link, &["-X", "POST", "-H", &origin, "-H", old]);
    assert_eq!(redeemed.status, 303);
    let cookie = redeemed.header("set-cookie").unwrap();
    for part in [
        "__Host-tidegate=",
        "; Secure",
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(
        !cookie.contains("0123;"),
        "the id that the browser sent is never used"
    );
    let header = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_eq!(c.ask("/", &["-H", &header]).status, 200);
    assert_eq!(
        c.ask(&link, &["-X", "POST", "-H", &origin])
            .header("set-cookie"),
        None,
        "a link is valid once"
    );
    assert_eq!(
        c.ask("/v1/clusters", &["-H", &header]).status,
        401,
        "a cookie is no API key"
    );
    for page in [c.ask("/", &["-H", &header]), c.ask("/sign-in", &[])] {
        let csp = page.header("content-security-policy").unwrap();
        assert!(
            csp.starts_with("default-src 'none'") && !csp.contains("unsafe"),
            "{csp}"
        );
        assert_eq!(page.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn a_form_without_its_token_changes_nothing_and_signing_out_ends_the_session() {
    let c = Console::start("");
    let cookie = format!("Cookie: {}", c.sign_in());
    let origin = format!("Origin: {}", c.base());
    let form = format!("csrf={}", form_token(&c.ask("/", &["-H", &cookie]).body));
    let guessed = format!("csrf={}", "0".repeat(64));
    for (body, origin) in [
        ("", &*origin),
        (&guessed, &origin),
        (&form, "Origin: https://evil.example"),
    ] {
        let refused = c.ask("/sign-out", &["-H", &cookie, "-H", origin, "-d", body]);
        assert_eq!(refused.status, 403, "{body} {origin}");
    }
    assert_eq!(c.ask("/", &["-H", &cookie]).status, 200, "still signed in");
    let signed_out = c.ask("/sign-out", &["-H", &cookie, "-H", &origin, "-d", &form]);
    assert_eq!(signed_out.status, 303);
    assert_eq!(
        c.ask("/", &["-H", &cookie]).status,
        303,
        "the cookie is not valid any more"
    );
}
