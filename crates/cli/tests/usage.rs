//! The binary from outside, without a server: exit codes, streams, help. It never leaves a process
//! behind.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on panics with what it saw"
)]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

fn tidegate(args: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(args)
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn wrong_usage_is_2_on_standard_error() {
    for args in [
        &["bogus"][..],
        &["serve", "--listen", "nowhere"],
        &["cluster"],
        &["cluster", "create"],
        &["--config", "/nowhere/x.toml", "config", "check"],
        &[],
    ] {
        let out = tidegate(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(out.stdout.is_empty(), "{args:?}");
        assert!(!out.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn a_password_in_a_wrong_endpoint_is_never_repeated() {
    for args in [
        &["check", "mysql://root:sesame@db.example.com:4000/test"][..],
        &["check", "mysql://root:ses/sesame@h:1"],
        &["check", "root:sesame@tcp(h:1)/test"],
        &["check", "root:sesame"],
        &["check", "jdbc:mysql://h:1/test?password=sesame", "--json"],
        &["check", "h:1", "--name", "mysql://root:sesame@h:1"],
        &["check", "--user", "p.root", "h:1", "-psesame"],
    ] {
        let out = tidegate(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        let error = text(&out.stderr);
        assert!(!error.contains("sesame"), "{args:?}: {error}");
        let is_json = error.starts_with("{\"code\":\"usage\"");
        assert!(is_json || error.contains("error: "), "{args:?}: {error}");
    }
}

#[test]
fn without_a_server_commands_fail_with_1_a_cause_and_a_hint() {
    for args in [
        &["cluster", "list"][..],
        &["cluster", "ls"],
        &["session", "ls"],
        &["key", "ls"],
        &["cluster", "rm", "demo", "--yes"],
        &["shell", "demo", "-e", "SELECT 1"],
        &["cluster", "show", "demo"],
        &["session", "list"],
        &["connect", "demo"],
        &["sql", "demo", "-e", "SELECT 1"],
    ] {
        let out = tidegate(args);
        assert_eq!(
            out.status.code(),
            Some(1),
            "{args:?}: {}",
            text(&out.stderr)
        );
        assert!(out.stdout.is_empty(), "{args:?}");
        let error = text(&out.stderr);
        assert!(error.starts_with("error: "), "{args:?}: {error}");
        assert!(
            error.contains("tidegate serve") || error.contains("tidegate up"),
            "{args:?}: {error}"
        );
    }
}

#[test]
fn errors_are_one_json_object_when_json_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    for (line, exit_code, code, hint) in [
        ("cluster list --json", 1, "no_server", "tidegate up --data"),
        ("-o json cluster ls", 1, "no_server", "tidegate up --data"),
        (
            "session ls --output=json",
            1,
            "no_server",
            "tidegate up --data",
        ),
        (
            "connect demo --format json",
            1,
            "no_server",
            "tidegate up --data",
        ),
        (
            "cluster ls -o json --server nosuch",
            1,
            "not_found",
            "profile list",
        ),
        ("cluster show -o json --", 2, "usage", "cluster show --help"),
        ("bogus -o json", 2, "usage", "tidegate --help`"),
        (
            "cluster destroy demo --json",
            2,
            "usage",
            "cluster delete --help",
        ),
        ("cluster create --json", 2, "usage", "cluster create --help"),
        ("cluster --json", 2, "usage", "cluster --help"),
        (
            "cluster list --json --bogus",
            2,
            "usage",
            "cluster list --help",
        ),
        (
            "--config /nowhere/x.toml config check --json",
            2,
            "usage",
            "",
        ),
    ] {
        let mut args: Vec<&str> = vec!["--data", data];
        args.extend(line.split(' '));
        let out = tidegate(&args);
        assert_eq!(out.status.code(), Some(exit_code), "{line}");
        assert!(out.stdout.is_empty(), "{line}");
        let error: serde_json::Value = serde_json::from_slice(&out.stderr)
            .unwrap_or_else(|e| panic!("{line}: {e}: {}", text(&out.stderr)));
        assert_eq!(error["code"], code, "{line}: {error}");
        assert!(
            error["message"].as_str().is_some_and(|m| !m.is_empty()),
            "{line}: {error}"
        );
        assert!(
            error["hint"].as_str().unwrap().contains(hint),
            "{line}: {error}"
        );
        assert!(error["causes"].is_array(), "{line}: {error}");
    }
}

#[test]
fn an_option_that_was_not_given_is_not_blamed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("tidegate.toml")).unwrap();
    let out = tidegate(&["config", "check", "--data", dir.path().to_str().unwrap()]);
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{error}");
    assert!(
        error.contains("hint: ") && !error.contains("--config"),
        "{error}"
    );
}

#[test]
fn a_wrong_verb_gets_a_hint_on_standard_error() {
    let out = tidegate(&["cluster", "lsit"]);
    assert_eq!(out.status.code(), Some(2));
    assert_eq!(
        text(&out.stderr),
        "error: there is no command `tidegate cluster lsit`\n  hint: did you mean `tidegate \
         cluster list`?\n"
    );
}

#[test]
fn a_wrong_option_gets_a_tip_that_works() {
    for (line, tip) in [
        ("sql demo -u root", "`--user USER`"),
        ("cluster delete demo --force --json", "`--yes`"),
        ("up --listen 127.0.0.1:70000", "the port 70000 "),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let out = tidegate(&args);
        assert_eq!(out.status.code(), Some(2), "{line}");
        let error = text(&out.stderr);
        assert!(
            error.contains(tip) && !error.contains("as a value"),
            "{line}: {error}"
        );
    }
}

#[test]
fn bash_completes_commands_with_the_printed_script() {
    let program = env!("CARGO_BIN_EXE_tidegate");
    let script = format!(
        "source <({program} completion bash); COMP_WORDS=(tidegate cluster sle); COMP_CWORD=2; \
         _tidegate tidegate sle cluster; echo \"${{COMPREPLY[@]}}\""
    );
    let out = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(text(&out.stdout), "sleep\n", "{}", text(&out.stderr));
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let out = tidegate(&["completion", shell]);
        assert!(
            out.status.success() && text(&out.stdout).contains("sleep"),
            "{shell}"
        );
    }
    let out = tidegate(&["version"]);
    assert_eq!(text(&out.stdout), text(&tidegate(&["--version"]).stdout));
    for args in [
        &["version", "--json"][..],
        &["-V", "-o", "json"],
        &["--json", "--version"],
    ] {
        let out = tidegate(args);
        let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        assert!(
            out.status.success() && json["version"].is_string(),
            "{args:?}"
        );
    }
}

#[test]
fn help_and_version_are_data_and_0() {
    for args in [
        &["--help"][..],
        &["-h"],
        &["--version"],
        &["cluster", "create", "--help"],
    ] {
        let out = tidegate(args);
        assert_eq!(out.status.code(), Some(0), "{args:?}");
        assert!(!out.stdout.is_empty() && out.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn config_show_and_check_work_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let out = tidegate(&["config", "show", "--data", data]);
    assert_eq!(out.status.code(), Some(0));
    assert!(
        text(&out.stdout).contains("sleep_after = \"5m\""),
        "{}",
        text(&out.stdout)
    );
    std::fs::write(
        dir.path().join("tidegate.toml"),
        "[cluster]\nsleep_after = \"2s\"\n",
    )
    .unwrap();
    let out = tidegate(&["config", "show", "--data", data, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(json["cluster"]["sleep_after"]["value"], "2s");
    assert!(
        json["cluster"]["sleep_after"]["from"]
            .as_str()
            .unwrap()
            .ends_with("tidegate.toml:2")
    );
    // Which walls and limits this machine has.
    let out = tidegate(&["config", "check", "--data", data, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(json["ok"], true);
    assert_eq!(
        json["walls"]["own_users"],
        rustix::process::geteuid().is_root()
    );
    for wall in ["landlock", "seccomp"] {
        assert!(json["walls"][wall].is_boolean(), "{json}");
    }
    let means = [
        "cgroup v2",
        "cgroup v1",
        "rlimit",
        "file system quota",
        "measured",
        "not in force",
    ];
    for limit in ["memory", "cpu", "tasks", "disk", "kill"] {
        let by = json["limits"][limit]["by"].as_str().unwrap();
        assert!(means.contains(&by), "{json}");
        assert!(
            by != "not in force" || json["limits"][limit]["reason"].is_string(),
            "{json}"
        );
    }
    let out = tidegate(&["config", "check", "--data", data]);
    assert!(
        text(&out.stdout).contains("tidegate.toml: valid\n")
            && text(&out.stdout).contains("\n  memory ")
    );
    std::fs::write(
        dir.path().join("tidegate.toml"),
        "[cluster]\nsleep_afer = \"2s\"\n",
    )
    .unwrap();
    let out = tidegate(&["config", "check", "--data", data]);
    assert_eq!(out.status.code(), Some(2));
    assert!(
        text(&out.stderr).contains("did you mean `sleep_after`?"),
        "{}",
        text(&out.stderr)
    );
    std::fs::write(
        dir.path().join("tidegate.toml"),
        "[tls]\ncertificate = \"/nowhere\"\nkey = \"/nowhere\"\n",
    )
    .unwrap();
    let out = tidegate(&["config", "check", "--data", data]);
    assert_eq!(out.status.code(), Some(2));
    assert!(
        text(&out.stderr).contains("tls.certificate"),
        "{}",
        text(&out.stderr)
    );
}

#[test]
fn a_server_that_cannot_start_fails_with_1_a_cause_and_a_hint() {
    for (config, cause, hint) in [
        (
            "[tls]\ncertificate = \"/nowhere\"\nkey = \"/nowhere\"\n",
            "the certificate can't be used",
            "config show",
        ),
        (
            "[engine]\nmariadbd = \"/nowhere\"\n",
            "no MariaDB server",
            "engine.mariadbd",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        std::fs::write(dir.path().join("tidegate.toml"), config).unwrap();
        let out = tidegate(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            dir.path().to_str().unwrap(),
        ]);
        assert_eq!(out.status.code(), Some(1));
        let error = text(&out.stderr);
        assert!(
            error.contains(&format!("error: {cause}")) && error.contains(hint),
            "{error}"
        );
    }
}
