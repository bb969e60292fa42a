//! The server under a service manager: what it tells when it is ready, reloads and stops.

use crate::support::{HANGS_AFTER, Running, folder, log_of, signal, soon, text, tidegate};
use std::fs::File;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

/// Service manager that the test plays.
struct Manager(UnixDatagram);

impl Manager {
    /// Listens on `NOTIFY_SOCKET` of this command.
    fn of(command: &mut Command, folder: &Path) -> Self {
        let socket = folder.join("notify");
        let manager = UnixDatagram::bind(&socket).unwrap();
        manager.set_read_timeout(Some(HANGS_AFTER)).unwrap();
        command.env("NOTIFY_SOCKET", &socket);
        Self(manager)
    }

    /// Waits for a message with this line, and returns it.
    fn told(&self, line: &str) -> String {
        let mut buffer = [0; 1024];
        loop {
            let len = self.0.recv(&mut buffer).unwrap();
            let message = text(&buffer[..len]);
            if message.lines().any(|l| l == line) {
                return message.to_owned();
            }
        }
    }
}

#[test]
fn a_service_manager_is_told_when_it_is_ready_and_when_it_stops() {
    let outer = folder();
    let mut command = tidegate(&outer.path().join("data"));
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    let manager = Manager::of(&mut command, outer.path());
    let mut server = Running(
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    manager.told("READY=1");
    signal(&server, "TERM");
    manager.told("STOPPING=1");
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_service_manager_is_asked_for_the_time_of_drain_and_stop() {
    let outer = folder();
    let config = outer.path().join("test.toml");
    let delays = "[gateway]\ndrain_delay = \"100ms\"\nstop_grace = \"200s\"\n";
    std::fs::write(&config, delays).unwrap();
    let mut command = tidegate(&outer.path().join("data"));
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(&config);
    let manager = Manager::of(&mut command, outer.path());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = Running(command.spawn().unwrap());
    manager.told("READY=1");
    signal(&server, "TERM");
    for (status, microseconds) in [
        (
            "STATUS=draining: not ready, but accepting connections",
            500_100_000,
        ),
        ("STATUS=stopping: sessions first, engines last", 500_000_000),
    ] {
        let message = manager.told(status);
        let extended = format!("EXTEND_TIMEOUT_USEC={microseconds}");
        assert!(message.lines().any(|line| line == extended), "{message}");
    }
    assert!(server.wait().unwrap().success());
}

/// Reloads the server with this configuration, and returns what it tells the service manager then.
fn reload(server: &Running, manager: &Manager, config: &Path, with: &str) -> String {
    std::fs::write(config, with).unwrap();
    signal(server, "HUP");
    let begun = manager.told("RELOADING=1");
    assert!(begun.contains("MONOTONIC_USEC="), "{begun}");
    manager.told("READY=1")
}

#[test]
fn a_reload_tells_the_service_manager_what_waits_for_a_restart() {
    let outer = folder();
    let data = outer.path().join("data");
    let config = outer.path().join("test.toml");
    std::fs::write(&config, "").unwrap();
    let log = File::create(log_of(&data)).unwrap();
    let mut command = tidegate(&data);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(&config);
    let manager = Manager::of(&mut command, outer.path());
    let mut server = Running(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    assert!(
        manager
            .told("READY=1")
            .contains("STATUS=listening on 127.0.0.1:")
    );
    assert!(reload(&server, &manager, &config, "").contains("STATUS=reloaded\n"));
    let waiting = reload(
        &server,
        &manager,
        &config,
        "[gateway]\nunproven_total = 9\n[log]\nlevel = \"debug\"\n",
    );
    assert!(
        waiting.contains(
            "STATUS=reloaded; these settings apply after a restart: gateway.unproven_total\n"
        ),
        "{waiting}"
    );
    let wrong = reload(
        &server,
        &manager,
        &config,
        "[gateway]\nunproven_total = \"many\"\n",
    );
    assert!(
        wrong.contains("STATUS=not reloaded: ") && wrong.contains("unproven_total"),
        "{wrong}"
    );
    // The log is written by its own thread, so a line may come after the message to the manager.
    soon("the log has the error", || {
        let said = std::fs::read_to_string(log_of(&data)).unwrap();
        said.contains("\"level\":\"ERROR\"") && said.contains("all settings stay")
    });
    signal(&server, "TERM");
    assert!(manager.told("STOPPING=1").contains("STATUS=stopping"));
    assert!(server.wait().unwrap().success());
}
