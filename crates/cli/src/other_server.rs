//! Servers that other users of this machine run, for the hint of a command that found none.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Data directory of root's server, if no option names another.
const ROOT_DATA: &str = "/var/lib/tidegate";

/// A running server of another user.
#[derive(Debug, PartialEq, Eq)]
pub struct OtherServer {
    pub pid: u32,
    pub uid: u32,
    /// `None` if the server's arguments do not tell.
    pub data: Option<PathBuf>,
}

impl OtherServer {
    /// Returns the first server of another user, root's before others.
    pub fn find() -> Option<Self> {
        let own_uid = rustix::process::geteuid().as_raw();
        let entries = fs::read_dir("/proc").ok()?.flatten();
        entries
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let uid = effective_uid(&fs::read_to_string(entry.path().join("status")).ok()?)?;
                let arguments = fs::read(entry.path().join("cmdline")).ok()?;
                Self::of_process(pid, uid, &arguments)
            })
            .filter(|server| server.uid != own_uid)
            .min_by_key(|server| (server.uid, server.pid))
    }

    /// Returns the server that a process with these arguments, as the kernel shows them, is.
    fn of_process(pid: u32, uid: u32, arguments: &[u8]) -> Option<Self> {
        let mut words = arguments
            .split(|byte| *byte == 0)
            .map(|word| Path::new(std::ffi::OsStr::from_bytes(word)));
        if words.next()?.file_name()? != "tidegate" {
            return None;
        }
        let mut data = (uid == 0).then(|| PathBuf::from(ROOT_DATA));
        let mut is_server = false;
        while let Some(word) = words.next() {
            if word == "--data" {
                data = Some(words.next()?.to_owned());
            } else if let Some(folder) = word.to_str().and_then(|w| w.strip_prefix("--data=")) {
                data = Some(folder.into());
            } else if word == "serve" || word == "up" {
                is_server = true;
            }
        }
        // A relative path is relative to a folder that is not known here.
        let data = data.filter(|data| data.is_absolute());
        is_server.then_some(Self { pid, uid, data })
    }

    /// Says where it runs and how to reach it.
    pub fn hint(&self) -> String {
        let owner = match self.uid {
            0 => "root".to_owned(),
            uid => format!("the user with number {uid}"),
        };
        let place = self
            .data
            .as_ref()
            .map(|data| format!(" on {}", data.display()));
        let sudo = match self.uid {
            0 => "sudo".to_owned(),
            uid => format!("sudo -u '#{uid}'"),
        };
        let data = self.data.as_ref().map(|data| {
            let word = crate::context::shell_word(&data.display().to_string());
            format!(" --data {word}")
        });
        format!(
            "a server of {owner} runs{} (process {}); do not start a second one: run the command \
             as `{sudo} tidegate ...{}`, or use an API key, which `{sudo} tidegate key create \
             NAME --scope all{}` creates and `tidegate profile add NAME URL` stores",
            place.unwrap_or_default(),
            self.pid,
            data.as_deref().unwrap_or_default(),
            data.as_deref().unwrap_or_default(),
        )
    }
}

/// Returns the effective user in `/proc/PID/status`.
fn effective_uid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_arguments() {
        for (arguments, want) in [
            ("/usr/bin/tidegate\0serve\0", Some(Some(ROOT_DATA))),
            ("tidegate\0--data\0/srv/db\0up\0", Some(Some("/srv/db"))),
            ("tidegate\0up\0--data=/srv/db\0", Some(Some("/srv/db"))),
            ("tidegate\0up\0--data=db\0", Some(None)),
            ("tidegate\0cluster\0list\0", None),
            ("tidegate-bench\0serve\0", None),
            ("", None),
        ] {
            let found = OtherServer::of_process(7, 0, arguments.as_bytes());
            let data = found.map(|server| server.data);
            assert_eq!(
                data,
                want.map(|data| data.map(PathBuf::from)),
                "{arguments:?}"
            );
        }
        assert_eq!(effective_uid("Name:\tx\nUid:\t1\t2\t3\t4\n"), Some(2));
    }

    #[test]
    fn the_hint_says_where_it_runs_and_how_to_reach_it() {
        let hint = OtherServer::of_process(7, 0, b"tidegate\0serve\0")
            .unwrap()
            .hint();
        for part in [
            "of root runs on /var/lib/tidegate (process 7)",
            "`sudo tidegate ... --data /var/lib/tidegate`",
            "`tidegate profile add NAME URL`",
        ] {
            assert!(hint.contains(part), "{hint}");
        }
    }
}
