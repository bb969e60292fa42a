//! Hosts that lack something: it is found at the start, with what to do about it, and never after
//! the server has said that it is ready.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::os::unix::fs::PermissionsExt;
use tidegate_e2e::host::{can_change, mounted, namespace_with};
use tidegate_e2e::not_run;
use tidegate_e2e::server::new_folder;
use tidegate_e2e::session::Session;
use tidegate_e2e::small_disk::SmallDisk;
use tidegate_e2e::{Options, Server};

/// Numbers of a rootless container: root is the user who started it, and 65,535 others belong to
/// that user.
const ROOTLESS: &str = "0 0 1\n1 1879048192 65535\n";

/// Numbers of a rootless container whose user has no line in /etc/subuid.
const ONE_NUMBER: &str = "0 0 1\n";

/// Returns the options of a server on a changed host, if this machine can change it.
fn on_host(host: String) -> Option<Options> {
    can_change(&host).then(|| Options {
        host,
        ..Options::default()
    })
}

/// Creates a cluster and uses it.
#[track_caller]
fn use_a_cluster(server: &Server) {
    let cluster = server.create("demo");
    let mut session = Session::open(&cluster);
    session.run("CREATE TABLE t (n INT)");
    session.run("INSERT INTO t VALUES (7)");
    assert_eq!(session.value("SELECT n FROM t"), "7");
    session.quit();
}

fn engine_status(server: &Server) -> String {
    std::fs::read_to_string(format!("/proc/{}/status", server.engine())).unwrap()
}

#[test]
fn root_of_a_namespace_with_one_number_runs_like_an_ordinary_user() {
    let Some(options) = on_host(namespace_with(ONE_NUMBER)) else {
        return;
    };
    let server = Server::with(options);
    server.wait_log("a separate user for each engine (this user namespace has too few");
    use_a_cluster(&server);
    let status = engine_status(&server);
    assert!(
        status.contains("CapPrm:\t0000000000000000"),
        "an engine has rights of root in the namespace:\n{status}"
    );
}

#[test]
fn engines_of_a_rootless_container_have_users_of_its_namespace() {
    let Some(options) = on_host(namespace_with(ROOTLESS)) else {
        return;
    };
    let server = Server::with(options);
    use_a_cluster(&server);
    let log = server.log();
    assert!(!log.contains("engines run without"), "{log}");
    let status = engine_status(&server);
    let uid: u32 = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .and_then(|uids| uids.split_whitespace().next()?.parse().ok())
        .unwrap();
    let inside = uid - 1_879_048_192 + 1;
    assert!((10_000..60_000).contains(&inside), "{inside}");
}

#[test]
fn root_without_the_rights_for_users_runs_like_an_ordinary_user() {
    let dropped = "exec setpriv --bounding-set -chown,-kill --inh-caps -chown,-kill \"$@\"";
    let Some(options) = on_host(dropped.to_owned()) else {
        return;
    };
    let server = Server::with(options);
    server.wait_log("(root lacks CAP_CHOWN CAP_KILL)");
    use_a_cluster(&server);
}

#[test]
fn clusters_of_root_are_refused_at_the_start_by_a_root_with_fewer_rights() {
    let Some(options) = on_host(namespace_with(ONE_NUMBER)) else {
        return;
    };
    let mut server = Server::start();
    use_a_cluster(&server);
    assert_eq!(server.stop(), 0);
    server.change(options);
    let said = server.refused();
    for words in [
        "the files of cluster \"demo\" belong to user 65534",
        "too few user numbers",
        "hint: start the server as it was started before",
    ] {
        assert!(said.contains(words), "{said}");
    }
    server.change(Options::default());
    server.run();
    assert_eq!(server.state("demo"), "asleep");
}

/// Starts a server that must not start, and checks what it says.
#[track_caller]
fn assert_refused(options: Options, words: &[&str]) {
    let server = Server::stopped(options);
    let said = server.refused();
    for words in words {
        assert!(said.contains(words), "no {words:?} in\n{said}");
    }
    assert!(said.contains("\n  hint: "), "{said}");
}

#[test]
fn too_few_open_files_are_refused_and_a_soft_limit_is_raised() {
    for limit in [64, 256, 1023] {
        let options = Options {
            open_files: Some(limit),
            ..Options::default()
        };
        let words = format!("the hard limit of open files is {limit}, and a server needs 1024");
        assert_refused(options, &[&words, "LimitNOFILE=65536"]);
    }
    let soft = "ulimit -S -n 64; exec \"$@\"".to_owned();
    let server = Server::with(Options {
        host: soft,
        ..Options::default()
    });
    use_a_cluster(&server);
}

#[test]
fn without_a_directory_for_locks_root_is_told_which_one() {
    let mounts = r#"mount --bind "$DIR" "$DIR"; mount -o remount,bind,ro /"#;
    let Some(options) = on_host(mounted(mounts)) else {
        return;
    };
    assert_refused(
        options,
        &["/run/tidegate/", "Read-only file system", "--tmpfs /run"],
    );
}

#[test]
fn a_read_only_root_with_run_and_data_is_enough() {
    let mounts = r#"
mount --bind "$DIR" "$DIR"
mount -o remount,bind,noexec "$DIR"
mount -t tmpfs none /run
mount -t proc -o hidepid=2 proc /proc
mount -o remount,bind,ro /
unset HOME XDG_CACHE_HOME"#;
    let Some(options) = on_host(mounted(mounts)) else {
        return;
    };
    use_a_cluster(&Server::with(options));
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let mounts = r#"mount --bind "$DIR" "$DIR"; mount -o remount,bind,ro "$DIR""#;
    let Some(options) = on_host(mounted(mounts)) else {
        return;
    };
    assert_refused(
        options,
        &["/data: Read-only file system", "with --data DIR"],
    );
}

#[test]
fn missing_time_zones_are_told_at_the_start_and_come_with_the_next_start() {
    let Some(options) = on_host(mounted("mount -t tmpfs none /usr/share/zoneinfo")) else {
        return;
    };
    let mut server = Server::with(options);
    let log = server.log();
    if log.contains("no mariadb-tzinfo-to-sql was found") {
        not_run("mariadb-tzinfo-to-sql is not installed");
        return;
    }
    let ready = log.find("\"ready\"").expect("it is ready");
    let told = log.find("/usr/share/zoneinfo has no zones; hint: install tzdata");
    assert!(told.is_some_and(|told| told < ready), "{log}");
    use_a_cluster(&server);
    assert_eq!(server.stop(), 0);
    server.change(Options::default());
    server.run();
    let cluster = server.create("later");
    let mut session = Session::open(&cluster);
    let hour = "SELECT HOUR(CONVERT_TZ('2024-01-01 12:00:00', 'UTC', 'Europe/Berlin'))";
    assert_eq!(session.value(hour), "13");
}

#[test]
fn missing_proc_and_dev_are_named() {
    for (mounts, words) in [
        ("mount -t tmpfs none /proc", "/proc is not mounted"),
        ("mount -t tmpfs none /dev", "/dev/null can't be used"),
    ] {
        let Some(options) = on_host(mounted(mounts)) else {
            return;
        };
        assert_refused(options, &[words]);
    }
}

#[test]
fn an_engine_that_cannot_be_started_is_found_at_the_start() {
    let Some(options) = on_host(mounted("mount --bind /dev/null /usr/sbin/mariadbd")) else {
        return;
    };
    assert_refused(options, &["no MariaDB server found", "install the package"]);
    // As unpacked in root's home, which the engines' users can't enter.
    let hidden = tempfile::tempdir().unwrap();
    std::fs::set_permissions(hidden.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let program = hidden.path().join("mariadbd");
    std::fs::copy("/usr/sbin/mariadbd", &program).unwrap();
    let options = Options {
        config: format!("[engine]\nmariadbd = \"{}\"\n", program.display()),
        ..Options::default()
    };
    if !rustix::process::geteuid().is_root() {
        return not_run("only root gives each engine its own user");
    }
    assert_refused(
        options,
        &[
            "no engine can be started",
            "Permission denied",
            "let every user run",
        ],
    );
}

#[test]
fn a_full_disk_is_told_at_the_start() {
    let folder = new_folder();
    let Some(disk) = SmallDisk::mount(&folder, "data", "1m") else {
        return;
    };
    let mut server = Server::at(folder, Options::default());
    server.wait_log("too little to start an engine; hint: free space there");
    assert_eq!(server.stop(), 0);
    drop(disk);
    std::fs::remove_dir_all(&server.folder).unwrap();
}

#[test]
fn files_that_are_not_what_they_should_be_are_named() {
    for (name, words) in [
        ("data", "/data is not a directory"),
        ("data/store.sqlite", "file is not a database"),
        ("data/engines", "/data/engines"),
    ] {
        let server = Server::stopped(Options::default());
        let path = server.folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "no database".repeat(100)).unwrap();
        if name != "data" {
            std::fs::set_permissions(server.data(), PermissionsExt::from_mode(0o700)).unwrap();
        }
        let said = server.refused();
        assert!(said.contains(words), "{name}: {said}");
        let hint = said
            .lines()
            .find(|line| line.starts_with("  hint: "))
            .expect("a hint");
        let is_right = match name {
            "data" => hint.contains("name a directory"),
            "data/store.sqlite" => hint.contains("is damaged"),
            _ => !hint.is_empty(),
        };
        assert!(is_right, "{name}: {said}");
    }
}
