//! The engine's program on this machine: where it is, which version, and the files that come with
//! it.

use crate::local::error::ProgramError;
use crate::local::settings::LocalSettings;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, Clone)]
pub struct Program {
    pub binary: PathBuf,
    /// Messages, character sets and the SQL that makes the system tables.
    pub share: PathBuf,
    /// As in `10.11.19-MariaDB`.
    pub version: String,
    /// Version that the server itself tells, such as `10.11.19-MariaDB-0+deb12u1`.
    pub full_version: String,
}

impl Program {
    pub fn find(settings: &LocalSettings) -> Result<Self, ProgramError> {
        let binary = match &settings.mariadbd {
            Some(path) => path.clone(),
            None => {
                let usual = Path::new("/usr/sbin/mariadbd");
                on_path(&["mariadbd"], Some(usual)).ok_or(ProgramError::NotFound)?
            }
        };
        let output = Command::new(&binary)
            .args(["--no-defaults", "--version"])
            // It would tell our own service manager (NOTIFY_SOCKET) that "the server is down".
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .map_err(|source| ProgramError::NotRun {
                path: binary.clone(),
                source,
            })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let (version, full_version) =
            parse_version(&text).ok_or_else(|| ProgramError::NoVersion {
                path: binary.clone(),
                said: text.trim().to_owned(),
            })?;
        let beside = binary
            .parent()
            .and_then(Path::parent)
            .map(|p| p.join("share/mysql"));
        // A server outside /usr comes with its own files, which must match its version.
        let share = [
            beside,
            Some("/usr/share/mysql".into()),
            Some("/usr/share/mariadb".into()),
        ]
        .into_iter()
        .flatten()
        .find(|p| p.join("mysql_system_tables.sql").is_file())
        .ok_or(ProgramError::NoSystemTables)?;
        Ok(Self {
            binary,
            share,
            version,
            full_version,
        })
    }

    /// `(10, 11)`: data directories are compatible within it.
    pub fn major(&self) -> Option<(u32, u32)> {
        major(&self.version)
    }
}

/// Returns the version in a greeting. Before version 11, MariaDB precedes it with that of an old
/// MySQL, for replicas that take 10 for 1.
pub fn greeting_version(version: &str) -> String {
    match major(version) {
        Some((..11, _)) => format!("5.5.5-{version}"),
        _ => version.to_owned(),
    }
}

pub fn major(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Returns two versions of `mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu ...`: up
/// to and including the word MariaDB, and all of it.
fn parse_version(text: &str) -> Option<(String, String)> {
    let word = text.split_whitespace().skip_while(|w| *w != "Ver").nth(1)?;
    let mut parts = word.split('-');
    let number = parts.next()?;
    major(number)?;
    let short = match parts.next() {
        Some(name) => format!("{number}-{name}"),
        None => number.to_owned(),
    };
    Some((short, word.to_owned()))
}

/// The first of these programs that exists: the preferred place, then PATH.
pub fn on_path(names: &[&str], preferred: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = preferred.filter(|p| p.is_file()) {
        return Some(path.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |f| f.join(name)))
        .find(|p| p.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_line_is_read_as_debian_writes_it() {
        let line =
            "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)";
        let (short, full) = parse_version(line).unwrap();
        assert_eq!(
            (&*short, &*full),
            ("10.11.19-MariaDB", "10.11.19-MariaDB-0+deb12u1")
        );
        assert_eq!(greeting_version(&full), "5.5.5-10.11.19-MariaDB-0+deb12u1");
        assert_eq!(greeting_version("11.8.3-MariaDB"), "11.8.3-MariaDB");
        assert_eq!(major("10.11.19-MariaDB"), Some((10, 11)));
        assert_eq!(parse_version("nonsense"), None);
    }
}
