//! `tidegate service` from outside: the unit as systemd's own judge sees it, and install and remove
//! in a system that lies in a folder. It never changes this machine's services, but where systemd
//! runs it and the test says so.

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

/// A unit with a program that is there, as the judge wants it.
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
        // The user is made by the installation; the judge of a file asks for one that is there.
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
    // 0 is locked away, 100 is open to everything; systemd's own word up to 20 is "OK". It knows
    // nothing of engines, for which root and its capabilities are the better wall.
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
    let shared = |args: &[&str]| printed(&[args, &["--user", "tidegate"]].concat());
    assert!(shared(&acme).contains("AmbientCapabilities=CAP_NET_BIND_SERVICE\n"));
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
    assert!(shared(&[]).contains("AmbientCapabilities=\n"));
    assert!(printed(&["--data", "/var/lib/a/b"]).contains("StateDirectory=a/b\n"));
    let out = tidegate(&["service", "install", "--print", "--data", "/srv/data"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(
        text(&out.stderr).contains("/var/lib"),
        "{}",
        text(&out.stderr)
    );
}

/// What lies under a folder, but for folders.
fn files(root: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => out.push(
                    entry
                        .path()
                        .strip_prefix(root)
                        .unwrap()
                        .display()
                        .to_string(),
                ),
            }
        }
    }
    out.sort();
    out
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
    let at = root.to_str().unwrap();
    let run = |args: &[&str]| {
        let out = tidegate(&[&["service"], args, &["--root", at]].concat());
        assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
        text(&out.stdout)
    };
    for user in [&["--user", "tidegate"][..], &[]] {
        // The second time nothing is said of the user: it stays.
        run(&[&["install", "--program", "/usr/bin/tidegate"], user].concat());
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
    let would = run(&["remove", "--print"]);
    assert!(
        would.contains("tidegate.service") && would.contains("/var/lib/tidegate"),
        "{would}"
    );
    let said = run(&["remove"]);
    assert!(
        said.contains("all data stays in /var/lib/tidegate") && said.contains("userdel tidegate"),
        "{said}"
    );
    let left: Vec<String> = files(root)
        .into_iter()
        .filter(|f| f.contains("tidegate"))
        .collect();
    assert_eq!(left, ["var/lib/tidegate/tidegate.toml"]);
    assert!(run(&["remove"]).contains("nothing to remove"));
    // A first installation: root, and no user to make.
    run(&["install", "--program", "/usr/bin/tidegate"]);
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

/// Of the real installation: a copy where services can see it, and data of its own.
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

/// Takes everything out again, however the test ends: also the user, where there was none before.
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

/// Install, a cluster whose engine wakes inside the unit's walls, reload, removal: as this user.
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
    let show = |what: &str| {
        run("systemctl", &["show", "tidegate", "--value", "-p", what])
            .trim()
            .to_owned()
    };
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
    let why = match () {
        () if !systemd_runs() => "systemd is not process 1 here",
        () if !has("systemd-sysusers") => "systemd-sysusers is not here",
        () if !rustix::process::geteuid().is_root() => "it takes root",
        () if Path::new("/etc/systemd/system/tidegate.service").exists() => {
            "a service of that name is installed"
        }
        () => "",
    };
    if !why.is_empty() {
        not_run(&format!("installing and removing for real: {why}"));
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

/// Says why a test does not run here, past its captured output: `script/test` counts it as skipped.
fn not_run(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "\nnot run: {why}");
}
