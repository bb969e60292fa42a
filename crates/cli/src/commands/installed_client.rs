//! Command-line client that is installed on this machine. Its kind is asked of the program: on
//! Debian `mysql` is MariaDB's client, which does not know `--ssl-mode`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Hint for a machine that has no client.
pub const INSTALL_HINT: &str =
    "install a client (Debian, Ubuntu: `apt install mariadb-client-core`)";

/// Client on this machine, with its id in the table of clients.
pub struct InstalledClient {
    pub program: PathBuf,
    pub id: &'static str,
}

impl InstalledClient {
    /// Searches PATH.
    pub fn find() -> Option<Self> {
        Self::find_in(&std::env::var_os("PATH")?)
    }

    /// Searches these folders, `mariadb` before `mysql`: on many machines the second is a link to
    /// the first.
    fn find_in(path: &OsStr) -> Option<Self> {
        if let Some(program) = find_program(path, "mariadb") {
            return Some(Self {
                program,
                id: "mariadb",
            });
        }
        let program = find_program(path, "mysql")?;
        let version = Command::new(&program).arg("--version").output();
        let mariadb =
            version.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("MariaDB"));
        let id = if mariadb { "mariadb" } else { "mysql" };
        Some(Self { program, id })
    }
}

fn find_program(path: &OsStr, name: &str) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|dir| dir.join(name))
        .find(|program| is_program(program))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Creates a program that prints this version.
    fn create_program(folder: &Path, name: &str, version: &str) {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\necho \"{version}\"\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn found_in(folder: &Path) -> Option<&'static str> {
        InstalledClient::find_in(folder.as_os_str()).map(|client| client.id)
    }

    #[test]
    fn the_kind_of_a_client_called_mysql_is_asked_of_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!(found_in(path), None);
        create_program(path, "mysql", "mysql  Ver 8.4.9 for Linux on x86_64");
        assert_eq!(found_in(path), Some("mysql"));
        let debian = "mysql  Ver 15.1 Distrib 10.11.14-MariaDB, for debian-linux-gnu";
        create_program(path, "mysql", debian);
        assert_eq!(found_in(path), Some("mariadb"));
        create_program(path, "mysql", "mysql  Ver 8.4.9 for Linux on x86_64");
        create_program(path, "mariadb", "mariadb from 11.8.2-MariaDB");
        assert_eq!(found_in(path), Some("mariadb"));
    }
}
