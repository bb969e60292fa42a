//! Text of the server's systemd unit: what it runs, and the hardening that takes away everything
//! that neither the gateway nor an engine needs.

use std::path::{Path, PathBuf};

/// First line of each file that we write. Files without it are never overwritten or deleted.
pub const MARK: &str =
    "# Made by `tidegate service install`; changes belong into `systemctl edit`.";

/// Folder of the services' data, in which systemd creates the service's folder for its user.
pub const STATE_ROOT: &str = "/var/lib";

/// User that can give each cluster its own user: docs/decisions/0020-own-users.md.
pub const ROOT: &str = "root";

/// Capabilities that root needs to run engines as other users: to change to these users, to give
/// them their folders, to read the folders, and to end the processes.
pub const ROOT_CAPABILITIES: &str =
    "CAP_SETUID CAP_SETGID CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL";
const PORT_CAPABILITY: &str = "CAP_NET_BIND_SERVICE";

#[derive(Debug, Clone)]
pub struct Unit {
    pub program: PathBuf,
    /// Arguments of the program.
    pub args: Vec<String>,
    pub user: String,
    /// Data directory, relative to [`STATE_ROOT`].
    pub state: String,
    /// Whether it listens on a port below 1024.
    pub low_port: bool,
}

impl Unit {
    pub fn text(&self) -> String {
        let words: Vec<String> = std::iter::once(self.program.display().to_string())
            .chain(self.args.iter().cloned())
            .map(|word| exec_word(&word))
            .collect();
        let Self { user, state, .. } = self;
        let mut out = format!(
            "{MARK}\n\n{HEAD}ExecStart={}\n{LIFE}User={user}\nGroup={user}\n",
            words.join(" ")
        );
        let (mode, mask) = self.file_modes();
        out.push_str(&format!(
            "StateDirectory={state}\nStateDirectoryMode={mode}\nUMask={mask}\n"
        ));
        out.push_str(&self.capabilities());
        out.push_str(WALLS);
        out.push_str(if self.user == ROOT {
            ROOT_WALLS
        } else {
            USER_WALLS
        });
        out.push_str(INSTALL);
        out
    }

    /// Modes of the data directory and of new files. Engines with their own users must be able to
    /// enter the data directory.
    fn file_modes(&self) -> (&'static str, &'static str) {
        if self.user == ROOT {
            ("0711", "0022")
        } else {
            ("0700", "0077")
        }
    }

    fn capabilities(&self) -> String {
        let port = if self.low_port { PORT_CAPABILITY } else { "" };
        if self.user == ROOT {
            let all = [ROOT_CAPABILITIES, port].join(" ");
            format!("CapabilityBoundingSet={}\n", all.trim_end())
        } else {
            format!("CapabilityBoundingSet={port}\nAmbientCapabilities={port}\n")
        }
    }

    /// File for `systemd-sysusers` that creates the user; `None` for root, which exists.
    pub fn user_file(&self) -> Option<String> {
        let home = Path::new(STATE_ROOT).join(&self.state);
        (self.user != ROOT).then(|| {
            format!(
                "{MARK}\nu {} - \"Tidegate\" {}\n",
                self.user,
                home.display()
            )
        })
    }
}

const HEAD: &str = "[Unit]
Description=Tidegate, a TLS-only endpoint for MySQL-compatible clusters
Documentation=https://github.com/tidegate/tidegate
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
";

/// How the service starts, reloads and stops, and its limits.
const LIFE: &str = "ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2s
# The first start creates the template of the engines' files.
TimeoutStartSec=180s
# SIGTERM goes to the server alone, which ends the sessions first and stops the engines last. The \
                    time that takes depends on their number.
KillMode=mixed
TimeoutStopSec=300s
# An engine that the kernel kills for its memory does not end the service.
OOMPolicy=continue
LimitNOFILE=524288
LimitCORE=0
# An engine has a thread for each session.
TasksMax=infinity
# The server creates a control group for each engine below its own, with limits of memory, CPU and \
                    tasks.
Delegate=cpu memory pids
";

/// Hardening of every unit. Left out are `ProcSubset=pid`, because engines read /proc/cpuinfo and
/// /proc/meminfo and the server reads /proc/sys/kernel/seccomp, and `ProtectControlGroups=yes`,
/// because it would make the groups that `Delegate=` gives read-only; the engines' own isolation
/// keeps them away from these groups. The filter of system calls allows those of Landlock and
/// seccomp (by name, because Debian 12's systemd does not know `@sandbox`), and `@resources`,
/// because an engine's limits are set before it starts.
const WALLS: &str = "NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service seccomp
SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self
";

/// Around a server that is root. The folder of the locks on user numbers outlives the service,
/// since other servers may have locked files in it. Root could read what authenticates the
/// machine's users; Tidegate has no use for it.
const ROOT_WALLS: &str = "RuntimeDirectory=tidegate
RuntimeDirectoryMode=0755
RuntimeDirectoryPreserve=yes
InaccessiblePaths=-/etc/shadow -/etc/gshadow -/etc/ssh
";

const USER_WALLS: &str = "SystemCallFilter=~@privileged @raw-io @reboot @swap
";

const INSTALL: &str = "
[Install]
WantedBy=multi-user.target
";

/// As one word of an Exec line: quotes, and no meaning for $ and % (systemd.service(5),
/// systemd.unit(5)).
fn exec_word(word: &str) -> String {
    let escaped: String = word
        .chars()
        .flat_map(|c| match c {
            '%' => vec!['%', '%'],
            '$' => vec!['$', '$'],
            '"' | '\\' => vec!['\\', c],
            c => vec![c],
        })
        .collect();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%$+,[]".contains(c);
    if !word.is_empty() && escaped.chars().all(plain) {
        escaped
    } else {
        format!("\"{escaped}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(user: &str, low_port: bool) -> Unit {
        Unit {
            program: "/usr/local/bin/tidegate".into(),
            args: vec!["serve".into(), "--name".into(), "a b%c$d\"e".into()],
            user: user.into(),
            state: "tidegate".into(),
            low_port,
        }
    }

    #[test]
    fn no_capability_is_kept_but_for_a_low_port() {
        let text = unit("tidegate", false).text();
        assert!(
            text.contains("\nCapabilityBoundingSet=\nAmbientCapabilities=\n"),
            "{text}"
        );
        let text = unit("tidegate", true).text();
        assert!(text.contains(
            "\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n\
             AmbientCapabilities=CAP_NET_BIND_SERVICE\n"
        ));
    }

    #[test]
    fn root_keeps_what_it_takes_to_give_engines_users_and_no_more() {
        let text = unit(ROOT, false).text();
        assert!(
            text.contains(&format!("\nCapabilityBoundingSet={ROOT_CAPABILITIES}\n")),
            "{text}"
        );
        assert!(
            !text.contains("AmbientCapabilities") && !text.contains("~@privileged"),
            "{text}"
        );
        assert!(
            text.contains("\nRuntimeDirectory=tidegate\n")
                && text.contains("\nRuntimeDirectoryPreserve=yes\n")
        );
        assert_eq!(unit(ROOT, false).user_file(), None);
        assert!(
            unit(ROOT, true)
                .text()
                .contains("CAP_KILL CAP_NET_BIND_SERVICE\n")
        );
    }

    #[test]
    fn the_groups_that_are_given_can_be_written() {
        for user in [ROOT, "tidegate"] {
            let text = unit(user, false).text();
            assert!(text.contains("\nDelegate=cpu memory pids\n"), "{text}");
            assert!(!text.contains("ProtectControlGroups"), "{text}");
        }
    }

    #[test]
    fn words_of_a_command_have_no_meaning_for_systemd() {
        let text = unit("tidegate", false).text();
        assert!(
            text.contains("ExecStart=/usr/local/bin/tidegate serve --name \"a b%%c$$d\\\"e\"\n"),
            "{text}"
        );
        assert_eq!(exec_word(""), "\"\"");
        assert_eq!(exec_word("[::]:4000"), "[::]:4000");
    }
}
