//! The command line as scripts and people use it: JSON, exit codes, and errors with a hint.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use rustix::process::Signal;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use tidegate_e2e::limits::soon;
use tidegate_e2e::ports::free_port;
use tidegate_e2e::server::{Options, binary};
use tidegate_e2e::session::Session;
use tidegate_e2e::{Cluster, Server, clients, processes, wire};

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::with(Options::with_console()));

fn err(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

#[test]
fn create_prints_one_object_and_show_the_same_without_the_password() {
    let created = SERVER.json(&["cluster", "create", "shop"]);
    for key in [
        "name", "prefix", "host", "user", "password", "database", "ca", "state",
    ] {
        assert!(created[key].is_string(), "{key}: {created}");
    }
    assert_eq!(created["name"], "shop");
    assert_eq!(created["host"], "127.0.0.1");
    assert_eq!(created["port"], SERVER.port);
    assert_eq!(created["database"], "test");
    let prefix = created["prefix"].as_str().unwrap();
    assert_eq!(prefix.len(), 12);
    assert!(
        prefix
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
        "{prefix}"
    );
    assert_eq!(created["user"], format!("{prefix}.root"));
    assert!(created["password"].as_str().unwrap().len() >= 16);
    let states = ["asleep", "waking", "awake", "draining", "failed"];
    assert!(
        states.contains(&created["state"].as_str().unwrap()),
        "{created}"
    );
    let shown = SERVER.json(&["cluster", "show", "shop"]);
    assert!(shown.get("password").is_none(), "{shown}");
    for key in ["name", "prefix", "host", "port", "user", "database", "ca"] {
        assert_eq!(shown[key], created[key], "{key}");
    }
    let list = SERVER.json(&["cluster", "list"]);
    assert!(list.to_string().contains("\"shop\""), "{list}");
}

#[test]
fn exit_codes_and_errors_with_a_cause_and_a_hint() {
    for (args, code) in [
        (&["nonsense"][..], 2),
        (&["cluster", "create"], 2),
        (&["cluster", "create", "Not_A_Name!"], 0),
        (&["cluster", "show", "nosuch"], 1),
        (&["cluster", "sleep", "nosuch"], 1),
        (&["connect", "nosuch"], 1),
        (&["session", "kill", "1"], 1),
        (&["--help"], 0),
        (&["cluster", "--help"], 0),
    ] {
        let out = Command::new(binary())
            .args(args)
            .arg("--data")
            .arg(SERVER.data())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if code == 0 && args.last() != Some(&"--help") {
            // An invalid name is wrong usage or a failure, never a success.
            assert!(
                matches!(out.status.code(), Some(1 | 2)),
                "{args:?}: {out:?}"
            );
        } else {
            assert_eq!(out.status.code(), Some(code), "{args:?}: {out:?}");
        }
        if out.status.code() != Some(0) {
            assert!(
                out.stdout.is_empty(),
                "{args:?}: errors go to standard error"
            );
            assert!(
                err(&out).lines().count() >= 2,
                "{args:?}: a cause and a hint: {}",
                err(&out)
            );
        }
    }
}

/// Returns what `tidegate open` prints with this folder's programs and this display.
fn open(desktop: &std::path::Path, display: &str) -> String {
    let out = SERVER
        .command(&["open"])
        .env("PATH", desktop)
        .env("DISPLAY", display)
        .env_remove("WAYLAND_DISPLAY")
        .env("XDG_RUNTIME_DIR", desktop)
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn open_gives_the_browser_a_private_page_and_prints_the_link_without_a_desktop() {
    let desktop = tempfile::tempdir().unwrap();
    let said = desktop.path().join("arguments");
    let browser = desktop.path().join("xdg-open");
    let script = format!("#!/bin/sh\necho \"$@\" > {}\n", said.display());
    std::fs::write(&browser, script).unwrap();
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o700)).unwrap();
    let printed = open(desktop.path(), "");
    assert!(
        printed.starts_with("https://") && printed.contains("/link/"),
        "{printed}"
    );
    assert!(!said.exists(), "no desktop, no browser");
    assert_eq!(open(desktop.path(), ":0"), "");
    let page = desktop.path().join("tidegate-open.html");
    let arguments = std::fs::read_to_string(&said).unwrap();
    assert_eq!(arguments.trim(), page.display().to_string());
    assert_eq!(mode(&page), 0o600);
    let written = std::fs::read_to_string(&page).unwrap();
    assert!(
        written.contains("url=https://") && written.contains("/link/"),
        "{written}"
    );
    std::fs::remove_file(&browser).unwrap();
    assert!(
        open(desktop.path(), ":0").contains("/link/"),
        "a browser that can't be opened"
    );
    assert!(!page.exists());
}

#[test]
fn another_user_is_told_where_the_server_runs() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can run a command as another user");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    assert!(SERVER.data().is_absolute(), "its server runs");
    let out = Command::new(binary())
        .args(["cluster", "list"])
        .uid(65_534)
        .gid(65_534)
        .env("HOME", home.path())
        .env_remove("TIDEGATE_DATA")
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1));
    let said = err(&out);
    // Servers of other tests may run too.
    assert!(said.contains("a server of root runs on /"), "{said}");
    assert!(said.contains("`sudo tidegate ... --data /"), "{said}");
    assert!(!said.contains("start it with"), "{said}");
}

#[test]
fn twice_the_same_name_is_refused() {
    SERVER.create("once");
    let out = SERVER.cli(&["cluster", "create", "once"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(err(&out).contains("once"), "{}", err(&out));
}

/// Checks that the output is text and line ends only, without control characters for a terminal.
fn assert_plain(what: &str, shown: &[u8]) {
    let text = std::str::from_utf8(shown).unwrap_or_else(|e| panic!("{what}: {e}: {shown:?}"));
    let obeyed = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{2028}'..='\u{202e}'));
    assert!(!text.contains(obeyed), "{what}: {text:?}");
}

#[test]
fn names_that_a_tenant_chose_move_nothing_on_a_screen_and_stay_whole_in_json() {
    let options = Options {
        config: "[log]\nformat = \"human\"\n".into(),
        ..Options::default()
    };
    let server = Server::with(options);
    let cluster = server.create("named");
    let mut root = Session::open(&cluster);
    let hostile = "a\x1b]0;x\x07\n9  root\u{9b}1m\u{202e}x";
    root.run(&format!("CREATE USER '{hostile}' IDENTIFIED BY 'pw'"));
    root.run(&format!("GRANT ALL ON test.* TO '{hostile}'"));
    let own = Session::login(&cluster, &cluster.login(hostile), "pw", wire::ORDINARY).unwrap();
    let listed = server.cli(&["session", "list"]);
    assert!(listed.status.success());
    assert_plain("session list", &listed.stdout);
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert_eq!(text.lines().count(), 3, "a head and two sessions: {text}");
    assert!(
        text.contains(r"a\x1b]0;x\x07\n9  root\u{9b}1m\u{202e}x"),
        "{text}"
    );
    let json = server.cli(&["session", "list", "--json"]);
    assert_plain("session list --json", &json.stdout);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let users: Vec<_> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["user"].as_str().unwrap())
        .collect();
    assert!(users.contains(&hostile), "{users:?}");
    own.quit();
    soon("the log has its line", || {
        server.log().contains(r"a\u{1b}]0;x\u{7}").then_some(())
    });
    assert_plain("the log", server.log().as_bytes());
    // An argument may be pasted from an untrusted source.
    for args in [
        &["cluster", "show", "x\x1b[2J"][..],
        &["session", "list", "x\x1b[2J"],
        &["key", "revoke", "\x1b[2J", "--yes"],
    ] {
        let out = server.cli(args);
        assert!(!out.status.success());
        assert_plain(&format!("{args:?}"), &[out.stdout, out.stderr].concat());
    }
}

#[test]
fn delete_asks_for_yes_and_leaves_nothing() {
    let cluster = SERVER.create("gone");
    assert_eq!(clients::mariadb(&cluster, "SELECT 1").expect(), "1");
    assert_ne!(
        SERVER.cli(&["cluster", "delete", "gone"]).status.code(),
        Some(0),
        "nobody said yes"
    );
    soon("deleted", || {
        SERVER
            .cli(&["cluster", "delete", "gone", "--yes"])
            .status
            .success()
            .then_some(())
    });
    assert_eq!(
        SERVER.cli(&["cluster", "show", "gone"]).status.code(),
        Some(1)
    );
    let said = clients::mariadb(&cluster, "SELECT 1");
    assert!(
        said.err.contains("1045"),
        "as if it had never been: {said:?}"
    );
}

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_data_directory_is_private() {
    SERVER.create("private");
    let mut folders = vec![SERVER.data()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        // An engine's user must be able to enter the folders above its own, and not to list them.
        assert_eq!(
            mode(&folder) & 0o026,
            0,
            "{}: {:o}",
            folder.display(),
            mode(&folder)
        );
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file()
                && path
                    .file_name()
                    .is_some_and(|n| n.to_string_lossy().ends_with(".key"))
            {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                files += 1;
            }
        }
    }
    println!("{files} key files");
}

#[test]
fn a_second_server_on_the_data_directory_is_refused_with_the_firsts_pid() {
    let listen = format!("127.0.0.1:{}", free_port());
    let out = SERVER
        .command(&["serve", "--listen", &listen])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    assert!(
        err(&out).contains(&SERVER.pid().to_string()),
        "{}",
        err(&out)
    );
}

#[test]
fn a_taken_port_names_its_holder_and_is_never_left_silently() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = listener.local_addr().unwrap().to_string();
    for command in ["serve", "up"] {
        let out = Command::new(binary())
            .args([command, "--listen", &listen, "--data"])
            .arg(folder.path().join("data"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(out.status.code(), Some(1), "{out:?}");
        let text = err(&out);
        assert!(
            text.contains(&std::process::id().to_string()),
            "the holder, this process: {text}"
        );
        assert!(text.contains("--listen"), "another is suggested: {text}");
    }
}

#[test]
fn metrics_are_not_served_to_the_public() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tidegate.toml");
    std::fs::write(&config, "[metrics]\nlisten = \"0.0.0.0:0\"\n").unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let mut serve = Command::new(binary());
    serve
        .args([
            "serve",
            "--listen",
            &listen,
            "--console",
            "127.0.0.1:0",
            "--config",
        ])
        .arg(&config);
    let out = serve
        .arg("--data")
        .arg(folder.path().join("data"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2), "{out:?}");
    assert!(
        err(&out).contains("without a password") && err(&out).contains("127.0.0.1:9104"),
        "{}",
        err(&out)
    );
}

#[test]
fn a_path_too_long_for_a_socket_works_or_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let long = folder.path().join("d".repeat(120)).join("e".repeat(60));
    std::fs::create_dir_all(&long).unwrap();
    std::fs::set_permissions(long.parent().unwrap(), PermissionsExt::from_mode(0o711)).unwrap();
    let mut server = Server::at(long, tidegate_e2e::Options::default());
    let cluster = server.create("deep");
    assert_eq!(clients::mariadb(&cluster, "SELECT 9").expect(), "9");
    assert_eq!(server.stop(), 0);
}

#[test]
fn connect_prints_lines_that_run() {
    let cluster = SERVER.create("lines");
    let lines = SERVER.json(&["connect", "lines"]).to_string();
    assert!(!lines.contains(&cluster.password), "never a password");
    let out = SERVER.cli(&["connect", "lines", "--client", "mariadb"]);
    let text = String::from_utf8(out.stdout).unwrap();
    let line = text
        .lines()
        .map(str::trim)
        .find(|l| l.starts_with("mariadb ") || l.starts_with("mysql "))
        .expect("a line");
    // The environment variable answers the password prompt.
    let line = line.replace(" -p", "");
    let run = Command::new("sh")
        .args(["-c", &format!("{line} -N -B -e 'SELECT 11'")])
        .env("MYSQL_PWD", &cluster.password)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&run.stdout).trim(),
        "11",
        "{line}: {run:?}"
    );
}

#[test]
fn a_password_behind_a_lock_ends_no_session_until_repair_is_asked_for() {
    // Its own server: while the accounts can't be read, unknown prefixes may get "try again" too.
    let server = Server::start();
    let cluster = server.create("lock");
    let mut backup = Session::open(&cluster);
    backup.run("FLUSH TABLES WITH READ LOCK");
    let refused = server.cli(&["cluster", "password", "lock"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = err(&refused);
    let hint = "tidegate cluster password lock --repair";
    assert!(said.contains(hint), "{said}");
    assert!(said.contains("no session was ended"), "{said}");
    assert_eq!(backup.value("SELECT 1"), "1", "the session goes on");
    let fresh = server.json(&["cluster", "password", "lock", "--repair"]);
    let mut root = Session::open(&Cluster::from_json(&fresh));
    assert_eq!(root.value("SELECT 2"), "2");
}

#[test]
fn status_tells_certificate_clusters_machine_and_limits() {
    let server = Server::start();
    let cluster = server.create("seen");
    let session = Session::open(&cluster);
    let told = server.json(&["status"]);
    assert_eq!(told["clusters"]["total"], 1, "{told}");
    assert_eq!(told["clusters"]["awake"], 1, "{told}");
    assert_eq!(told["clusters"]["sessions"], 1, "{told}");
    assert!(
        told["memory"]["used_bytes"].as_u64().unwrap() > 1 << 20,
        "{told}"
    );
    assert!(told["memory"]["max_bytes"].as_u64() > told["memory"]["used_bytes"].as_u64());
    assert!(told["disk"]["size_bytes"].as_u64() > told["disk"]["free_bytes"].as_u64());
    assert!(
        told["certificate"]["served"]["not_after"].is_string(),
        "{told}"
    );
    assert_eq!(told["backups"], 0);
    // The same means of enforcement as the check of the configuration finds.
    let checked = server.json(&["config", "check"]);
    for wall in ["own_users", "landlock", "seccomp"] {
        assert_eq!(told["walls"][wall], checked["walls"][wall], "{wall}");
    }
    let limits = told["limits"].as_array().unwrap();
    assert_eq!(limits.len(), 5, "{told}");
    for limit in limits {
        let name = limit["limit"].as_str().unwrap();
        assert_eq!(limit["by"], checked["limits"][name]["by"], "{name}");
    }
    let text = String::from_utf8(server.cli(&["status"]).stdout).unwrap();
    for part in ["valid until", "1: 1 awake", " free of ", "no backups"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // In the same words, too.
    let checked = String::from_utf8(server.cli(&["config", "check"]).stdout).unwrap();
    for name in [
        "own users",
        "Landlock",
        "seccomp",
        "memory",
        "cpu",
        "tasks",
        "disk",
        "kill",
    ] {
        let mut lines = checked.lines().map(str::trim);
        let line = lines.rfind(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name}: {checked}"));
        assert!(text.contains(line), "{line}: {text}");
    }
    drop(session);
}

#[path = "cli/sql.rs"]
mod sql;
