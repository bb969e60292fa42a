//! Verbs that do not exist here: what users of neonctl, pscale, ticloud and fly type, and typing
//! errors. A verb that deletes, ends or replaces something is never suggested for a typing error.

use crate::args::Cli;
use crate::config::nearest::nearest_verb;
use crate::failure::Failure;
use crate::wrong_usage::line_of;
use clap::CommandFactory;

/// Verbs that are never suggested, because a pasted suggestion could destroy something.
const DESTRUCTIVE: [&str; 9] = [
    "delete", "rm", "remove", "revoke", "kill", "password", "renew", "import", "drop",
];

/// Advice for verbs of other programs: the group in which they are typed, the verbs, the advice.
const KNOWN_VERBS: &[(&str, &[&str], &str)] = &[
    (
        "",
        &[
            "ls",
            "list",
            "ps",
            "instances",
            "apps",
            "projects",
            "project",
            "serverless",
        ],
        "`tidegate cluster list` lists the clusters",
    ),
    (
        "",
        &["create", "new", "add", "launch", "init", "deploy"],
        "`tidegate up` starts a server with a first cluster; `tidegate cluster create NAME` \
      creates another",
    ),
    (
        "",
        &["get", "show", "describe", "info", "inspect"],
        "`tidegate cluster show NAME` shows a cluster, `tidegate status` the server",
    ),
    (
        "",
        &["start", "run", "server", "daemon"],
        "`tidegate up` runs a server with a first cluster; `tidegate cluster wake NAME` wakes a \
      cluster",
    ),
    (
        "",
        &["stop", "down", "halt", "shutdown", "suspend", "pause"],
        "`tidegate cluster sleep NAME` puts a cluster to sleep; Ctrl-C stops `tidegate up`, and \
      systemctl stops the service",
    ),
    (
        "",
        &["wake", "resume", "unpause", "restart"],
        "`tidegate cluster wake NAME` wakes a cluster",
    ),
    (
        "",
        &["sleep", "hibernate"],
        "`tidegate cluster sleep NAME` puts a cluster to sleep",
    ),
    (
        "",
        &["set", "update", "scale", "resize", "edit", "limits"],
        "`tidegate cluster set NAME` changes a cluster's limits",
    ),
    (
        "",
        &["rename"],
        "`tidegate cluster --help` lists what can be done with a cluster",
    ),
    (
        "",
        &["delete", "rm", "remove", "destroy", "drop"],
        "`tidegate cluster --help` lists what can be done with a cluster",
    ),
    (
        "",
        &[
            "mysql", "mariadb", "psql", "query", "exec", "execute", "console", "ssh", "sh",
        ],
        "`tidegate sql NAME` opens a SQL session, and `tidegate operator link` prints a link to \
      the web console",
    ),
    (
        "",
        &[
            "connection-string",
            "connection-strings",
            "cs",
            "connection",
            "url",
            "uri",
            "dsn",
            "string",
            "proxy",
            "credentials",
        ],
        "`tidegate connect NAME` prints how to connect; `tidegate connect NAME --format url` \
      prints only a URL",
    ),
    (
        "",
        &["password", "passwd", "reset-password", "passwords"],
        "`tidegate cluster password --help` describes how root gets a new password",
    ),
    (
        "",
        &[
            "branch",
            "branches",
            "deploy-request",
            "import",
            "restore",
            "backup",
            "backups",
        ],
        "Tidegate has no branches and makes no backups: `tidegate cluster create NAME` creates an \
      empty cluster, and a dump copies data into it",
    ),
    (
        "",
        &[
            "role",
            "roles",
            "user",
            "users",
            "sql-user",
            "database",
            "databases",
            "db",
            "dbs",
        ],
        "`tidegate sql NAME` runs SQL as root: CREATE DATABASE, CREATE USER and GRANT",
    ),
    (
        "",
        &[
            "auth",
            "login",
            "signin",
            "logout",
            "whoami",
            "me",
            "signup",
            "org",
            "orgs",
            "organization",
            "workspace",
            "context",
            "set-context",
            "use",
            "switch",
        ],
        "this machine needs no login; `tidegate profile add` stores the URL and key of a remote \
      server, and `tidegate operator link` signs in to the web console",
    ),
    (
        "",
        &[
            "token",
            "tokens",
            "service-token",
            "api-key",
            "apikey",
            "api-keys",
            "secrets",
        ],
        "`tidegate key --help` lists the commands for API keys",
    ),
    (
        "",
        &["dashboard", "ui", "web", "browser"],
        "`tidegate operator link` prints a link to the web console",
    ),
    (
        "",
        &["certs", "certificate", "certificates", "tls", "ssl"],
        "`tidegate cert status` shows the certificate",
    ),
    (
        "",
        &["ca", "root-ca"],
        "`tidegate trust status` shows where the local CA is trusted",
    ),
    (
        "",
        &["install", "systemd"],
        "`tidegate service --help` describes the systemd service",
    ),
    (
        "",
        &["connections", "processlist", "process-list"],
        "`tidegate session list` lists the sessions",
    ),
    (
        "",
        &[
            "doctor",
            "diagnose",
            "platform",
            "ping",
            "health",
            "healthcheck",
            "checks",
        ],
        "`tidegate status` shows the server; `tidegate check HOST:PORT` tests an endpoint",
    ),
    (
        "",
        &[
            "regions", "region", "size", "sizes", "engines", "ip-allow", "ip",
        ],
        "`tidegate cluster --help` lists what can be done with a cluster",
    ),
    (
        "cluster",
        &["new", "add", "launch", "init", "provision"],
        "`tidegate cluster create NAME` creates a cluster",
    ),
    (
        "cluster",
        &[
            "get", "describe", "info", "inspect", "view", "status", "usage",
        ],
        "`tidegate cluster show NAME` shows a cluster",
    ),
    (
        "cluster",
        &[
            "update",
            "edit",
            "scale",
            "resize",
            "configure",
            "config",
            "limits",
            "modify",
            "change",
            "alter",
        ],
        "`tidegate cluster set NAME` changes a cluster's limits",
    ),
    (
        "cluster",
        &["start", "resume", "unpause", "restart", "up"],
        "`tidegate cluster wake NAME` wakes a cluster; a login wakes it too",
    ),
    (
        "cluster",
        &["stop", "pause", "suspend", "hibernate", "halt", "down"],
        "`tidegate cluster sleep NAME` puts a cluster to sleep; the next login wakes it",
    ),
    (
        "cluster",
        &["remove", "destroy", "drop", "del", "terminate", "purge"],
        "`tidegate cluster delete --help` describes how a cluster is deleted",
    ),
    (
        "cluster",
        &["reset", "clear", "truncate", "wipe", "repair"],
        "`tidegate cluster --help` lists what can be done with a cluster",
    ),
    (
        "cluster",
        &[
            "reset-password",
            "passwd",
            "passwords",
            "credentials",
            "rotate",
        ],
        "`tidegate cluster password --help` describes how root gets a new password",
    ),
    (
        "cluster",
        &["connect", "connection-string", "url", "proxy", "attach"],
        "`tidegate connect NAME` prints how to connect",
    ),
    (
        "cluster",
        &["shell", "sql", "query", "exec", "mysql", "console"],
        "`tidegate sql NAME` opens a SQL session",
    ),
    (
        "cluster",
        &["sessions", "connections"],
        "`tidegate session list --cluster NAME` lists the sessions",
    ),
    (
        "cluster",
        &[
            "branch", "branches", "fork", "clone", "copy", "backup", "backups", "restore",
        ],
        "Tidegate has no branches and makes no backups: `tidegate cluster create NAME` creates an \
      empty cluster, and a dump copies data into it",
    ),
    (
        "cluster",
        &["kinds", "types", "engine"],
        "`tidegate cluster engines` lists the kinds of engines",
    ),
    (
        "session",
        &[
            "delete",
            "rm",
            "remove",
            "end",
            "close",
            "terminate",
            "disconnect",
            "stop",
        ],
        "`tidegate session kill --help` describes how a session is ended",
    ),
    (
        "session",
        &["show", "get", "processlist", "ps"],
        "`tidegate session list` lists the sessions",
    ),
    (
        "key",
        &["delete", "remove", "destroy", "drop"],
        "`tidegate key revoke --help` describes how a key is revoked",
    ),
    (
        "key",
        &["add", "new", "issue", "generate"],
        "`tidegate key create NAME --scope SCOPE` creates a key",
    ),
    (
        "key",
        &["show", "get"],
        "`tidegate key list` lists the keys; a key's secret is shown only once",
    ),
    (
        "profile",
        &["delete", "destroy", "drop"],
        "`tidegate profile remove --help` describes how a profile is deleted",
    ),
    (
        "profile",
        &["create", "new", "set", "login"],
        "`tidegate profile add NAME URL` adds a profile",
    ),
    (
        "profile",
        &["use", "switch", "select", "show"],
        "`tidegate profile list` lists the profiles; `--server PROFILE` uses one",
    ),
    (
        "trust",
        &["uninstall", "delete", "rm", "untrust"],
        "`tidegate trust remove --help` describes how the local CA is removed",
    ),
    (
        "trust",
        &["add", "enable", "trust"],
        "`tidegate trust install` adds the local CA",
    ),
    (
        "trust",
        &["list", "ls", "show"],
        "`tidegate trust status` shows the trust stores",
    ),
    (
        "service",
        &["uninstall", "delete", "rm", "disable"],
        "`tidegate service remove --help` describes how the service is removed",
    ),
    (
        "service",
        &["add", "enable", "start", "create"],
        "`tidegate service install` installs the service",
    ),
    (
        "service",
        &["status", "stop", "restart", "logs"],
        "systemctl and journalctl control it; `tidegate status` shows the running server",
    ),
    (
        "cert",
        &["show", "list", "ls", "get", "info"],
        "`tidegate cert status` shows the certificate",
    ),
    (
        "config",
        &["get", "list", "ls", "view", "print", "cat"],
        "`tidegate config show` prints every key",
    ),
    (
        "config",
        &["set", "edit", "unset"],
        "write it into the configuration file; `tidegate config show` prints every key",
    ),
    (
        "config",
        &["validate", "test", "verify", "lint"],
        "`tidegate config check` checks the file",
    ),
    (
        "operator",
        &["login", "signin", "sign-in", "url", "open", "create"],
        "`tidegate operator link` prints a link to the web console",
    ),
];

/// Returns the failure for a verb that its group of commands does not have.
pub fn failure(group: &[String], verb: &str) -> Failure {
    let line = line_of(group);
    let hint = advice(group, verb).unwrap_or_else(|| format!("`{line} --help` lists the commands"));
    Failure::usage(format!("there is no command `{line} {verb}`"), hint)
}

fn advice(group: &[String], verb: &str) -> Option<String> {
    let lower = verb.to_lowercase().replace('_', "-");
    let name = group.join(" ");
    let known = KNOWN_VERBS
        .iter()
        .find(|(of, verbs, _)| *of == name && verbs.contains(&lower.as_str()));
    if let Some((_, _, advice)) = known {
        return Some((*advice).to_owned());
    }
    let mut root = Cli::command();
    let mut command = &mut root;
    for name in group {
        command = command.find_subcommand_mut(name)?;
    }
    let verbs: Vec<&str> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    let nearest = nearest_verb(&lower, &verbs, &DESTRUCTIVE)?;
    Some(format!("did you mean `{} {nearest}`?", line_of(group)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(line: &str) -> String {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let verb = words.pop().unwrap();
        failure(&words, &verb).hint
    }

    #[test]
    fn a_verb_of_another_program_gets_the_verb_of_this_one() {
        for (line, want) in [
            ("ls", "`tidegate cluster list`"),
            ("projects", "`tidegate cluster list`"),
            ("launch", "`tidegate up`"),
            ("connection-string", "`tidegate connect NAME`"),
            ("destroy", "`tidegate cluster --help`"),
            ("Auth", "`tidegate profile add`"),
            ("cluster describe", "`tidegate cluster show NAME`"),
            ("cluster restart", "`tidegate cluster wake NAME`"),
            ("cluster pause", "`tidegate cluster sleep NAME`"),
            ("cluster destroy", "`tidegate cluster delete --help`"),
            (
                "cluster reset_password",
                "`tidegate cluster password --help`",
            ),
            ("key delete", "`tidegate key revoke --help`"),
        ] {
            assert!(hint(line).contains(want), "{line}: {}", hint(line));
        }
    }

    #[test]
    fn a_typing_error_gets_the_nearest_verb() {
        for (line, want) in [
            ("clutser", "`tidegate cluster`"),
            ("stauts", "`tidegate status`"),
            ("conect", "`tidegate connect`"),
            ("cluster lsit", "`tidegate cluster list`"),
            ("cluster craete", "`tidegate cluster create`"),
            ("cluster shwo", "`tidegate cluster show`"),
        ] {
            assert_eq!(hint(line), format!("did you mean {want}?"), "{line}");
        }
    }

    /// All verbs with one letter left out, doubled, changed or exchanged with the next.
    fn misspelled(verb: &str) -> Vec<String> {
        let letters: Vec<char> = verb.chars().collect();
        let mut all = Vec::new();
        for at in 0..letters.len() {
            let mut left_out = letters.clone();
            left_out.remove(at);
            let mut doubled = letters.clone();
            doubled.insert(at, letters[at]);
            let mut changed = letters.clone();
            changed[at] = 'x';
            let mut exchanged = letters.clone();
            exchanged.swap(at, (at + 1).min(letters.len() - 1));
            all.extend([left_out, doubled, changed, exchanged].map(String::from_iter));
        }
        all
    }

    #[test]
    fn no_hint_for_a_wrong_verb_would_destroy_anything_when_pasted() {
        let root = Cli::command();
        let groups = std::iter::once(&root).chain(root.get_subcommands());
        for group in groups.filter(|group| group.has_subcommands()) {
            let name = group.get_name().replace("tidegate", "");
            let path: Vec<String> = Some(name).filter(|n| !n.is_empty()).into_iter().collect();
            let verbs = group.get_subcommands().map(clap::Command::get_name);
            for wrong in verbs.chain(DESTRUCTIVE).flat_map(misspelled) {
                let hint = failure(&path, &wrong).hint;
                for line in hint.split('`').skip(1).step_by(2) {
                    let destroys = line.split(' ').any(|word| DESTRUCTIVE.contains(&word));
                    assert!(
                        !destroys || line.ends_with("--help"),
                        "{path:?} {wrong}: {hint}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_command_in_the_advice_exists() {
        for (group, verbs, advice) in KNOWN_VERBS {
            for line in advice.split('`').skip(1).step_by(2) {
                let Some(line) = line.strip_prefix("tidegate ") else {
                    continue;
                };
                let is_verb = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
                let mut command = &Cli::command();
                for word in line.split(' ').take_while(is_verb) {
                    command = command
                        .find_subcommand(word)
                        .unwrap_or_else(|| panic!("{line}: {word}"));
                }
            }
            let root = Cli::command();
            let command = match *group {
                "" => &root,
                name => root.find_subcommand(name).unwrap(),
            };
            for verb in *verbs {
                assert!(
                    command.find_subcommand(verb).is_none(),
                    "{group} {verb} exists"
                );
            }
        }
    }
}
