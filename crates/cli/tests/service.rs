//! `tidegate service` from outside: the unit as systemd's own checks see it, and install and remove
//! in a system in a folder. The last test changes this machine's services, if systemd runs it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on panics with what it saw"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn tidegate(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command
        .args(args)
        .env_remove("TIDEGATE_DATA")
        .env("NO_COLOR", "1");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn has(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|out| out.status.success())
}

/// Returns the printed unit, with a program that exists, as systemd-analyze requires.
fn printed(args: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_tidegate");
    let out = tidegate(
        &[
            &["service", "install", "--print", "--program", program],
            args,
        ]
        .concat(),
    );
    assert!(out.status.success(), "{}", text(&out.stderr));
    text(&out.stdout)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    if !has("systemd-analyze") {
        not_run("systemd-analyze is not here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, args) in [
        ("plain", &[][..]),
        ("shared", &["--user", "tidegate"]),
        (
            "low",
            &[
                "--listen",
                "0.0.0.0:443",
                "--listen",
                "[::]:443",
                "--name",
                "db.internal",
            ],
        ),
        (
            "acme",
            &[
                "--domain",
                "db.example.com",
                "--acme-email",
                "me+db@example.com",
            ],
        ),
        ("elsewhere", &["--data", "/var/lib/other/place"]),
    ] {
        let file = folder.path().join(format!("{name}.service"));
        // The user is created by the installation, but systemd-analyze wants one that exists.
        fs::write(
            &file,
            printed(args)
                .replace("=tidegate\n", "=root\n")
                .replace("StateDirectory=root", "StateDirectory=tidegate"),
        )
        .unwrap();
        let out = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(&file)
            .output()
            .unwrap();
        let said = text(&[out.stdout, out.stderr].concat());
        assert!(
            out.status.success() && !said.contains(name),
            "{name}: {said}"
        );
    }
}

#[test]
fn the_unit_exposes_little() {
    if !has("systemd-analyze") {
        not_run("systemd-analyze is not here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // 0 means completely confined, 100 not at all; systemd calls up to 20 "OK". It knows nothing of
    // engines, which root and its capabilities can isolate better.
    for (args, most) in [(&[][..], 30), (&["--user", "tidegate"], 20)] {
        let file = folder.path().join("tidegate.service");
        fs::write(&file, printed(args)).unwrap();
        let threshold = format!("--threshold={most}");
        let out = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", &threshold])
            .arg(&file)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{args:?}: {}",
            text(&[out.stdout, out.stderr].concat())
        );
    }
}

#[test]
fn the_command_line_of_the_unit_is_what_was_asked_for() {
    let acme = [
        "--listen",
        "0.0.0.0:4000",
        "--domain",
        "db.example.com",
        "--acme-email",
        "me@example.com",
    ];
    let unit = printed(&acme);
    let wanted = "serve --data /var/lib/tidegate --listen 0.0.0.0:4000 --domain db.example.com \
                  --acme-email me@example.com\n";
    assert!(unit.contains(wanted), "{unit}");
    assert!(
        unit.contains("CAP_KILL CAP_NET_BIND_SERVICE\n"),
        "port 80 for the CA: {unit}"
    );
    let shared = printed(&[&acme[..], &["--user", "tidegate"]].concat());
    assert!(shared.contains("AmbientCapabilities=CAP_NET_BIND_SERVICE\n"));
    let console = [
        "--console",
        "0.0.0.0:443",
        "--console-domain",
        "console.example.com",
    ];
    let unit = printed(&console);
    assert!(
        unit.contains("--console 0.0.0.0:443 --console-domain console.example.com\n"),
        "{unit}"
    );
    assert!(unit.contains("CAP_KILL CAP_NET_BIND_SERVICE\n"), "{unit}");
    assert!(printed(&[]).contains("User=root\n") && printed(&[]).contains("CAP_KILL\n"));
    assert!(printed(&["--user", "tidegate"]).contains("AmbientCapabilities=\n"));
    assert!(printed(&["--data", "/var/lib/a/b"]).contains("StateDirectory=a/b\n"));
    let out = tidegate(&["service", "install", "--print", "--data", "/srv/data"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(
        text(&out.stderr).contains("/var/lib"),
        "{}",
        text(&out.stderr)
    );
}

/// Returns the files under a folder.
fn files(root: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path();
                out.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    out.sort();
    out
}

/// Runs `tidegate service` on the system in this folder, and returns what it prints.
fn service_under(root: &Path, args: &[&str]) -> String {
    let at = root.to_str().unwrap();
    let out = tidegate(&[&["service"], args, &["--root", at]].concat());
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    text(&out.stdout)
}

#[test]
fn install_and_remove_in_a_folder_leave_what_was_there() {
    if !has("systemctl") || !has("systemd-sysusers") {
        not_run("systemd's tools are not here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("etc/systemd/system")).unwrap();
    fs::create_dir_all(root.join("var/lib/tidegate")).unwrap();
    fs::write(root.join("var/lib/tidegate/tidegate.toml"), "").unwrap();
    for user in [&["--user", "tidegate"][..], &[]] {
        // The second time no user is named, and the first one is kept.
        let install = ["install", "--program", "/usr/bin/tidegate"];
        service_under(root, &[&install, user].concat());
        let unit = fs::read_to_string(root.join("etc/systemd/system/tidegate.service")).unwrap();
        assert!(unit.contains("\nUser=tidegate\n"), "{unit}");
        let there = files(root);
        for file in [
            "etc/systemd/system/tidegate.service",
            "etc/systemd/system/multi-user.target.wants/tidegate.service",
            "etc/sysusers.d/tidegate.conf",
        ] {
            assert!(there.iter().any(|f| f == file), "{file}: {there:?}");
        }
        let users = fs::read_to_string(root.join("etc/passwd")).unwrap();
        assert_eq!(
            users
                .lines()
                .filter(|line| line.starts_with("tidegate:"))
                .count(),
            1,
            "{users}"
        );
    }
    let would = service_under(root, &["remove", "--print"]);
    assert!(
        would.contains("tidegate.service") && would.contains("/var/lib/tidegate"),
        "{would}"
    );
    let said = service_under(root, &["remove"]);
    assert!(
        said.contains("all data is kept in /var/lib/tidegate") && said.contains("userdel tidegate"),
        "{said}"
    );
    let left: Vec<String> = files(root)
        .into_iter()
        .filter(|f| f.contains("tidegate"))
        .collect();
    assert_eq!(left, ["var/lib/tidegate/tidegate.toml"]);
    assert!(service_under(root, &["remove"]).contains("nothing to remove"));
    // A first installation runs as root, and creates no user.
    service_under(root, &["install", "--program", "/usr/bin/tidegate"]);
    let unit = fs::read_to_string(root.join("etc/systemd/system/tidegate.service")).unwrap();
    assert!(unit.contains("\nUser=root\n"), "{unit}");
    assert!(!files(root).iter().any(|file| file.contains("sysusers")));
}

#[test]
fn a_unit_of_somebody_else_is_neither_overwritten_nor_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("etc/systemd/system/tidegate.service");
    fs::create_dir_all(unit.parent().unwrap()).unwrap();
    fs::write(&unit, "[Service]\nExecStart=/bin/true\n").unwrap();
    for command in ["install", "remove"] {
        let out = tidegate(&[
            "service",
            command,
            "--root",
            folder.path().to_str().unwrap(),
        ]);
        assert_eq!(out.status.code(), Some(1), "{command}");
        assert!(
            text(&out.stderr).contains("was not made by"),
            "{}",
            text(&out.stderr)
        );
    }
    assert_eq!(
        fs::read_to_string(&unit).unwrap(),
        "[Service]\nExecStart=/bin/true\n"
    );
}

/// Copy of the program for the real installation, where services can read it, and its data.
const COPY: &str = "/usr/local/bin/tidegate-service-test";
const DATA: &str = "/var/lib/tidegate-service-test";

fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn run(program: &str, args: &[&str]) -> String {
    let out = Command::new(program)
        .args(args)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{program} {args:?}: {}",
        text(&out.stderr)
    );
    text(&out.stdout)
}

/// Removes the installation when the test ends, and the user if there was none before.
struct Installed {
    had_user: bool,
}

impl Installed {
    fn new() -> Self {
        Self {
            had_user: Command::new("id")
                .arg("tidegate")
                .output()
                .unwrap()
                .status
                .success(),
        }
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = Command::new(COPY)
            .args(["service", "remove", "--data", DATA])
            .output();
        let _ = fs::remove_dir_all(DATA);
        let _ = fs::remove_file(COPY);
        if !self.had_user {
            let _ = Command::new("userdel").arg("tidegate").output();
        }
    }
}

/// Returns a property of the service.
fn show(what: &str) -> String {
    run("systemctl", &["show", "tidegate", "--value", "-p", what])
        .trim()
        .to_owned()
}

/// Installs the service as this user, wakes a cluster inside the unit's confinement, reloads, and
/// removes the service.
fn lives_as(user: &str) {
    let _installed = Installed::new();
    fs::copy(env!("CARGO_BIN_EXE_tidegate"), COPY).unwrap();
    run(
        COPY,
        &[
            "service",
            "install",
            "--data",
            DATA,
            "--listen",
            "127.0.0.1:0",
            "--user",
            user,
        ],
    );
    assert_eq!(
        (show("ActiveState"), show("User")),
        ("active".to_owned(), user.to_owned())
    );
    assert!(show("StatusText").starts_with("listening on 127.0.0.1:"));
    run(COPY, &["cluster", "create", "shop", "--data", DATA]);
    let woken = run(COPY, &["cluster", "wake", "shop", "--json", "--data", DATA]);
    assert!(woken.contains("\"awake\""), "{woken}");
    run("systemctl", &["reload", "tidegate"]);
    assert_eq!(show("ActiveState"), "active");
    let said = run(COPY, &["service", "remove", "--data", DATA]);
    assert!(said.contains(DATA), "{said}");
    assert_eq!(
        (show("ActiveState"), show("LoadState")),
        ("inactive".to_owned(), "not-found".to_owned())
    );
    assert!(Path::new(DATA).join("store.sqlite").is_file(), "data stays");
}

#[test]
fn a_real_service_is_installed_lives_and_is_removed() {
    let unit = Path::new("/etc/systemd/system/tidegate.service");
    let why_not = if !systemd_runs() {
        Some("systemd is not process 1 here")
    } else if !has("systemd-sysusers") {
        Some("systemd-sysusers is not here")
    } else if !rustix::process::geteuid().is_root() {
        Some("it needs root")
    } else if unit.exists() {
        Some("a service of that name is installed")
    } else {
        None
    };
    if let Some(why) = why_not {
        not_run(&format!("installing and removing a real service: {why}"));
        return;
    }
    ["tidegate", "root"].into_iter().for_each(lives_as);
}

#[test]
fn where_systemd_does_not_run_that_is_said() {
    if systemd_runs() {
        not_run("systemd runs here");
        return;
    }
    let out = tidegate(&["service", "install"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(
        text(&out.stderr).contains("not run by systemd"),
        "{}",
        text(&out.stderr)
    );
}

/// Says why a test does not run here, on the real standard error, which is not captured:
/// `script/test` counts the test as skipped.
fn not_run(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "\nnot run: {why}");
}
