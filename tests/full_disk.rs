//! A server whose disk is full: logins that need space are refused for now, everything else
//! continues, and nothing fails.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use tidegate_e2e::clients::mariadb;
use tidegate_e2e::console::Console;
use tidegate_e2e::limits::soon;
use tidegate_e2e::session::Session;
use tidegate_e2e::skipped::not_run;

/// A small file system for the data directory. Unmounted before the server's folder is removed.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &std::path::Path) -> Option<Self> {
        let data = folder.join("data");
        std::fs::create_dir(&data).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=320m,mode=711", "none"])
            .arg(&data)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            not_run("no file system can be mounted here");
            return None;
        }
        Some(Self(data))
    }

    /// Fills it to the last byte.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        self.fill_by(&path);
        path
    }

    /// Takes what has become free since.
    fn fill_the_rest(&self) {
        self.fill_by(&self.0.join("filler"));
    }

    fn fill_by(&self, path: &std::path::Path) {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).append(true).open(path).unwrap();
        for size in [1 << 20, 1] {
            let block = vec![7; size];
            while file.write_all(&block).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_fails_no_cluster_and_all_go_on_when_there_is_space() {
    let folder = tempfile::Builder::new()
        .prefix("tidegate-e2e-")
        .tempdir()
        .unwrap()
        .keep();
    let Some(disk) = SmallDisk::mount(&folder) else {
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
    let filler = disk.fill();
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
        "who is awake goes on"
    );
    session.quit();
    server.sleep("awake");
    for name in ["asleep", "awake"] {
        assert_eq!(server.state(name), "asleep", "{name}");
    }
    std::fs::remove_file(filler).unwrap();
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
            assert!(text.contains(words), "no {part} of {status} in\n{text}");
        }
        assert!(text.contains("is full: the file system of "), "{text}");
    }
    assert_eq!(
        text.contains("\ndisk       has free space\n"),
        !full,
        "{text}"
    );
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
        "no stranger learns it"
    );
    full
}

/// Signs in with a link; the value is a header.
fn cookie_of(console: &Console, link: &str) -> String {
    let origin = format!("Origin: {}", console.base());
    let answer = console.ask(link, &["-X", "POST", "-H", &origin]);
    assert_eq!(answer.status, 303, "{}\n{}", answer.head, answer.body);
    let cookie = answer.header("set-cookie").unwrap();
    format!("Cookie: {}", cookie.split(';').next().unwrap())
}

/// Whoever must make room has to get in, also when nothing more can be written.
#[test]
fn an_operator_signs_in_and_out_on_a_full_disk() {
    let folder = tempfile::Builder::new()
        .prefix("tidegate-e2e-")
        .tempdir()
        .unwrap()
        .keep();
    let Some(disk) = SmallDisk::mount(&folder) else {
        return;
    };
    let mut console = Console::at(folder, "attempts_per_minute = 600");
    // Made before, redeemed on the full disk.
    let old = console.link();
    disk.fill();
    // The room that the store's file has left, and its reserve, last for some sign-ins only.
    let mut cookies = vec![cookie_of(&console, &old)];
    for _ in 0..40 {
        disk.fill_the_rest();
        cookies.push(cookie_of(&console, &console.link()));
    }
    let page = |cookie: &str| console.ask("/", &["-H", cookie]);
    for cookie in &cookies {
        assert_eq!(page(cookie).status, 200, "of {} sessions", cookies.len());
    }
    let origin = format!("Origin: {}", console.base());
    let used = console.ask(&old, &["-X", "POST", "-H", &origin]);
    assert_ne!(used.status, 303, "a link is good once");
    // A session that is in the store can't be taken out of it once its reserve is used up.
    for cookie in [&cookies[39], &cookies[40]] {
        let body = page(cookie).body;
        let field = body.split("name=\"csrf\" value=\"").nth(1);
        let field = field
            .or_else(|| body.split("name=csrf value=").nth(1))
            .unwrap();
        let csrf: String = field.chars().take_while(char::is_ascii_hexdigit).collect();
        let data = format!("csrf={csrf}");
        let out = console.ask("/sign-out", &["-H", cookie, "-H", &origin, "-d", &data]);
        assert_eq!(out.status, 303, "{}", out.body);
        assert_ne!(page(cookie).status, 200, "signed out");
    }
    assert_eq!(page(&cookies[20]).status, 200);
    assert_eq!(console.server.stop(), 0);
    drop(disk);
    std::fs::remove_dir_all(&console.server.folder).unwrap();
}
