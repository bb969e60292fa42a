//! A server whose disk is full: logins that need space are refused for now, everything else
//! continues, and nothing fails.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use tidegate_e2e::clients::mariadb;
use tidegate_e2e::console::{Console, form_token};
use tidegate_e2e::limits::soon;
use tidegate_e2e::server::new_folder;
use tidegate_e2e::session::Session;
use tidegate_e2e::small_disk::SmallDisk;

#[test]
fn a_full_disk_fails_no_cluster_and_all_go_on_when_there_is_space() {
    let folder = new_folder();
    let Some(disk) = SmallDisk::mount(&folder, "data", "320m") else {
        return;
    };
    let mut console = Console::at(folder, "");
    let cookie = format!("Cookie: {}", console.sign_in());
    let server = &console.server;
    let asleep = server.create("asleep");
    let awake = server.create("awake");
    server.wait_state("asleep", "asleep");
    let mut session = Session::open(&awake);
    session.run("CREATE TABLE t (n INT)");
    session.run("INSERT INTO t VALUES (7)");
    assert!(!tells_of_full_disk(&console, &cookie));
    disk.fill();
    assert!(tells_of_full_disk(&console, &cookie));
    for _ in 0..3 {
        let refused = mariadb(&asleep, "SELECT 1");
        assert!(refused.err.contains("ERROR 1021"), "{}", refused.err);
        assert!(
            refused.err.contains("disk-full"),
            "no link to the help page: {}",
            refused.err
        );
    }
    assert_eq!(
        session.value("SELECT n FROM t"),
        "7",
        "an awake cluster goes on"
    );
    session.quit();
    server.sleep("awake");
    for name in ["asleep", "awake"] {
        assert_eq!(server.state(name), "asleep", "{name}");
    }
    std::fs::remove_file(disk.filler()).unwrap();
    soon("nothing waits for space", || {
        (!tells_of_full_disk(&console, &cookie)).then_some(())
    });
    soon("both wake again", || {
        let answers = [
            mariadb(&asleep, "SELECT 1"),
            mariadb(&awake, "SELECT n FROM t"),
        ];
        answers.iter().all(|answer| answer.ok).then_some(())
    });
    assert_eq!(mariadb(&awake, "SELECT n FROM t").expect(), "7");
    assert!(
        !server.log().contains("engine can't start"),
        "a cluster counted as failed:\n{}",
        server.log()
    );
    assert_eq!(console.server.stop(), 0);
    drop(disk);
    std::fs::remove_dir_all(&console.server.folder).unwrap();
}

/// Whether the operator is told that the disk is full. All outputs must agree.
fn tells_of_full_disk(console: &Console, cookie: &str) -> bool {
    let status = console.server.json(&["status"]);
    let full = !status["disk_full"].is_null();
    let text = console.server.cli(&["status"]);
    let text = String::from_utf8(text.stdout).unwrap();
    if full {
        for part in ["message", "meaning", "hint"] {
            let words = status["disk_full"][part].as_str().unwrap();
            let words = console.server.printed_hint(words);
            assert!(text.contains(&words), "no {part} of {status} in\n{text}");
        }
    }
    assert!(text.contains(" free of "), "{text}");
    let told = text.contains("is full: the file system of ");
    assert_eq!(told, full, "{text}");
    let metrics = console.private("/metrics");
    let gauge = metrics
        .lines()
        .find_map(|line| line.strip_prefix("tidegate_disk_full "));
    assert_eq!(gauge, Some(if full { "1" } else { "0" }), "{metrics}");
    for path in [
        "/",
        "/clusters/asleep",
        "/keys",
        "/certificate",
        "/help",
        "/nothing",
    ] {
        let page = console.ask(path, &["-H", cookie]);
        let banner = page.body.contains("<strong>The disk is full</strong>");
        assert_eq!(banner, full, "{path}: {}", page.body);
    }
    let strangers = console.ask("/help", &[]);
    assert!(
        !strangers.body.contains("The disk is full"),
        "the public page does not tell it"
    );
    full
}

/// Returns the status of a page.
fn status_of(console: &Console, cookie: &str) -> u16 {
    console.ask("/", &["-H", cookie]).status
}

/// An operator who wants to free space must be able to sign in, even if nothing can be written.
#[test]
fn an_operator_signs_in_and_out_on_a_full_disk() {
    let folder = new_folder();
    let Some(disk) = SmallDisk::mount(&folder, "data", "320m") else {
        return;
    };
    let mut console = Console::at(folder, "attempts_per_minute = 600");
    // Created before the disk is full, and redeemed after.
    let old = console.link();
    disk.fill();
    // The free space inside the store's file, and its reserve, are enough for some sign-ins only.
    let mut cookies = vec![format!("Cookie: {}", console.sign_in_by(&old))];
    for _ in 0..40 {
        disk.fill();
        cookies.push(format!("Cookie: {}", console.sign_in()));
    }
    for (n, cookie) in cookies.iter().enumerate() {
        assert_eq!(status_of(&console, cookie), 200, "session {n}");
    }
    let origin = format!("Origin: {}", console.base());
    let used = console.ask(&old, &["-X", "POST", "-H", &origin]);
    assert_ne!(used.status, 303, "a link is valid once");
    // A session that is in the store can't be deleted there once the reserve is used up.
    for cookie in [&cookies[39], &cookies[40]] {
        let page = console.ask("/", &["-H", cookie]).body;
        let data = format!("csrf={}", form_token(&page));
        let out = console.ask("/sign-out", &["-H", cookie, "-H", &origin, "-d", &data]);
        assert_eq!(out.status, 303, "{}", out.body);
        assert_ne!(status_of(&console, cookie), 200, "signed out");
    }
    assert_eq!(status_of(&console, &cookies[20]), 200);
    assert_eq!(console.server.stop(), 0);
    drop(disk);
    std::fs::remove_dir_all(&console.server.folder).unwrap();
}
