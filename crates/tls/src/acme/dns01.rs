//! DNS-01: the answer is a TXT record, written by a signed update or by the user's program. The
//! record is removed when the order is over, as far as the server or the program does so.

use crate::acme::dns_update::Zone;
use crate::acme::failure::{Failure, Step};
use crate::acme::limits::HOOK_MAX;
use crate::acme::settings::DnsSettings;
use hickory_proto::rr::Name;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tidegate_model::error_chain;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

/// Maximum length of a hook's error text in an alarm, in bytes.
const HOOK_WORDS_MAX: u64 = 1024;

enum Writer {
    Zone(Box<Zone>),
    Hook(PathBuf),
}

pub struct Dns01 {
    writer: Writer,
    written: Vec<(Name, String)>,
}

impl Dns01 {
    pub fn open(settings: Option<&DnsSettings>) -> Result<Self, Failure> {
        let writer = match settings {
            Some(DnsSettings::Update(update)) => Writer::Zone(Box::new(Zone::open(update)?)),
            Some(DnsSettings::Hook(program)) => Writer::Hook(program.clone()),
            None => {
                let reason = "dns-01 is not configured; hint: set acme.dns_server with its key, or \
                              acme.dns_hook";
                return Err(Failure::new(Step::Challenge, reason));
            }
        };
        Ok(Self {
            writer,
            written: Vec::new(),
        })
    }

    pub async fn answer(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let record = format!("_acme-challenge.{name}");
        match &self.writer {
            Writer::Zone(zone) => {
                let record = zone.follow(&record).await?;
                // Noted first, so that a record whose writing failed halfway is removed too.
                self.written.push((record.clone(), value.to_owned()));
                zone.add(&record, value).await
            }
            Writer::Hook(program) => {
                let noted = Name::from_utf8(&record).map_err(Failure::at(Step::Challenge))?;
                self.written.push((noted, value.to_owned()));
                hook(program, ["present", &record, value]).await
            }
        }
    }

    /// Waits until all name servers show all records. A hook waits itself.
    pub async fn settle(&self) -> Result<(), Failure> {
        match &self.writer {
            Writer::Zone(zone) => zone.wait_shown(&self.written).await,
            Writer::Hook(_) => Ok(()),
        }
    }

    /// Removes the records. One that can't be removed is harmless: no CA asks for it again.
    pub async fn clean_up(&mut self) {
        for (record, value) in std::mem::take(&mut self.written) {
            let _ = match &self.writer {
                Writer::Zone(zone) => zone.remove(&record, &value).await,
                Writer::Hook(program) => {
                    hook(program, ["cleanup", &record.to_utf8(), &value]).await
                }
            };
        }
    }
}

/// Runs the user's program until it exits.
async fn hook(program: &Path, arguments: [&str; 3]) -> Result<(), Failure> {
    run_hook(program, arguments).await.map_err(|error| {
        let [action, ..] = arguments;
        let reason = format!("{} {action}: {}", program.display(), error_chain(&error));
        Failure::new(Step::Challenge, reason)
    })
}

/// Error of the user's program.
#[derive(Debug, thiserror::Error)]
enum HookError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("not done within {} s", HOOK_MAX.as_secs())]
    Timeout,
    #[error("{status}: {said}")]
    Exit { status: ExitStatus, said: String },
}

async fn run_hook(program: &Path, arguments: [&str; 3]) -> Result<(), HookError> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A hook that exceeds its time limit must not run on after the order.
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    let words = child.stderr.take();
    let ended = timeout(HOOK_MAX, async {
        let mut said = Vec::new();
        if let Some(words) = words {
            let mut words = words.take(HOOK_WORDS_MAX);
            words.read_to_end(&mut said).await?;
            // The rest is read and dropped, or the program would block on a full pipe.
            tokio::io::copy(&mut words.into_inner(), &mut tokio::io::sink()).await?;
        }
        Ok::<_, std::io::Error>((child.wait().await?, said))
    });
    let (status, said) = ended.await.map_err(|_| HookError::Timeout)??;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    Err(HookError::Exit { status, said })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn program(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("hook");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test]
    async fn a_hook_is_told_what_to_write_and_what_to_take_back() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let hook = program(
            folder.path(),
            &format!("#!/bin/sh\necho \"$@\" >>{}\n", log.display()),
        );
        let mut dns = Dns01::open(Some(&DnsSettings::Hook(hook))).unwrap();
        dns.answer("example.com", "one").await.unwrap();
        dns.answer("example.com", "two").await.unwrap();
        dns.settle().await.unwrap();
        dns.clean_up().await;
        dns.clean_up().await;
        let said = std::fs::read_to_string(log).unwrap();
        let record = "_acme-challenge.example.com";
        assert_eq!(
            said.lines().collect::<Vec<_>>(),
            [
                format!("present {record} one"),
                format!("present {record} two"),
                format!("cleanup {record} one"),
                format!("cleanup {record} two"),
            ]
        );
    }

    #[tokio::test]
    async fn what_a_failing_hook_says_is_repeated_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let text =
            "#!/bin/sh\necho no such zone >&2\nhead -c 100000 /dev/zero | tr '\\0' x >&2\nexit 3\n";
        let hook = program(folder.path(), text);
        let mut dns = Dns01::open(Some(&DnsSettings::Hook(hook))).unwrap();
        let reason = dns.answer("example.com", "one").await.unwrap_err().reason;
        assert!(
            reason.contains("no such zone") && reason.contains("exit status: 3"),
            "{reason}"
        );
        assert!(reason.len() < 2048);
        let missing = Dns01::open(Some(&DnsSettings::Hook("/nowhere".into())))
            .unwrap()
            .answer("a", "b")
            .await;
        assert!(missing.unwrap_err().reason.contains("/nowhere"));
    }
}
