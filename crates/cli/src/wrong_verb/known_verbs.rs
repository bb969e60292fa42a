//! Verbs that other programs have, with advice for each: what users of neonctl, pscale, ticloud and
//! fly type.

/// Verbs that one group of commands does not have, and the advice for them.
pub struct KnownVerbs {
    /// Name of the group; empty for `tidegate` itself.
    pub group: &'static str,
    /// Separated by spaces.
    pub verbs: &'static str,
    pub advice: &'static str,
}

impl KnownVerbs {
    const fn new(group: &'static str, verbs: &'static str, advice: &'static str) -> Self {
        Self {
            group,
            verbs,
            advice,
        }
    }

    pub fn contains(&self, verb: &str) -> bool {
        self.verbs.split_whitespace().any(|known| known == verb)
    }
}

pub const KNOWN_VERBS: &[KnownVerbs] = &[
    KnownVerbs::new(
        "",
        "ls list ps instances apps projects project serverless",
        "`tidegate cluster list` lists the clusters",
    ),
    KnownVerbs::new(
        "",
        "create new add launch init deploy",
        "`tidegate up` starts a server with a first cluster; `tidegate cluster create \
         NAME` creates another",
    ),
    KnownVerbs::new(
        "",
        "get show describe info inspect",
        "`tidegate cluster show NAME` shows a cluster, `tidegate status` the server",
    ),
    KnownVerbs::new(
        "",
        "start run server daemon",
        "`tidegate up` runs a server with a first cluster; `tidegate cluster wake NAME` \
         wakes a cluster",
    ),
    KnownVerbs::new(
        "",
        "stop down halt shutdown suspend pause",
        "`tidegate cluster sleep NAME` puts a cluster to sleep; Ctrl-C stops `tidegate \
         up`, and systemctl stops the service",
    ),
    KnownVerbs::new(
        "",
        "wake resume unpause",
        "`tidegate cluster wake NAME` wakes a cluster",
    ),
    KnownVerbs::new(
        "",
        "restart reboot",
        "no command restarts anything in one step: `tidegate cluster sleep NAME` stops a \
         cluster's engine and `tidegate cluster wake NAME` starts it again; systemctl restarts \
         the service",
    ),
    KnownVerbs::new(
        "",
        "sleep hibernate",
        "`tidegate cluster sleep NAME` puts a cluster to sleep",
    ),
    KnownVerbs::new(
        "",
        "set update scale resize edit limits",
        "`tidegate cluster set NAME` changes a cluster's limits",
    ),
    KnownVerbs::new(
        "",
        "rename",
        "`tidegate cluster --help` lists what can be done with a cluster",
    ),
    KnownVerbs::new(
        "",
        "delete rm remove destroy drop",
        "`tidegate cluster --help` lists what can be done with a cluster",
    ),
    KnownVerbs::new(
        "",
        "mysql mariadb psql query exec execute console ssh sh",
        "`tidegate sql NAME` opens a SQL session, and `tidegate operator link` prints a \
         link to the web console",
    ),
    KnownVerbs::new(
        "",
        "connection-string connection-strings cs connection url uri dsn string proxy \
         credentials",
        "`tidegate connect NAME` prints how to connect; `tidegate connect NAME --format \
         url` prints only a URL",
    ),
    KnownVerbs::new(
        "",
        "password passwd reset-password passwords",
        "`tidegate cluster password --help` describes how root gets a new password",
    ),
    KnownVerbs::new(
        "",
        "branch branches deploy-request import restore backup backups",
        "Tidegate has no branches and makes no backups: `tidegate cluster create NAME` \
         creates an empty cluster, and a dump copies data into it",
    ),
    KnownVerbs::new(
        "",
        "role roles sql-user sql-users account accounts grant",
        "`tidegate user --help` lists the commands for the users of a cluster",
    ),
    KnownVerbs::new(
        "",
        "dbs schema schemas",
        "`tidegate database --help` lists the commands for the databases of a cluster",
    ),
    KnownVerbs::new(
        "user",
        "new add invite",
        "`tidegate user create CLUSTER NAME --role ROLE` creates a user",
    ),
    KnownVerbs::new(
        "user",
        "remove destroy drop revoke",
        "`tidegate user delete --help` describes how a user is deleted",
    ),
    KnownVerbs::new(
        "user",
        "reset-password passwd set-password rotate",
        "`tidegate user password --help` describes how a user gets a new password",
    ),
    KnownVerbs::new(
        "user",
        "show get describe info roles",
        "`tidegate user list CLUSTER` lists the users with their roles",
    ),
    KnownVerbs::new(
        "user",
        "grant set update edit role",
        "`tidegate sql CLUSTER` runs SQL as root: GRANT and REVOKE change what a user may do",
    ),
    KnownVerbs::new(
        "database",
        "new add init",
        "`tidegate database create CLUSTER NAME` creates a database",
    ),
    KnownVerbs::new(
        "database",
        "remove destroy drop",
        "`tidegate database delete --help` describes how a database is deleted",
    ),
    KnownVerbs::new(
        "database",
        "show get describe info",
        "`tidegate database list CLUSTER` lists the databases",
    ),
    KnownVerbs::new(
        "database",
        "import dump export backup restore",
        "`tidegate sql CLUSTER -D NAME` runs the SQL of a dump from standard input",
    ),
    KnownVerbs::new(
        "",
        "auth login signin logout whoami me signup org orgs organization workspace \
         context set-context use switch",
        "this machine needs no login; `tidegate profile add` stores the URL and key of a \
         remote server, and `tidegate operator link` signs in to the web console",
    ),
    KnownVerbs::new(
        "",
        "token tokens service-token api-key apikey api-keys secrets",
        "`tidegate key --help` lists the commands for API keys",
    ),
    KnownVerbs::new(
        "",
        "dashboard ui web browser",
        "`tidegate operator link` prints a link to the web console",
    ),
    KnownVerbs::new(
        "",
        "certs certificate certificates tls ssl",
        "`tidegate cert status` shows the certificate",
    ),
    KnownVerbs::new(
        "",
        "ca root-ca",
        "`tidegate trust status` shows where the local CA is trusted",
    ),
    KnownVerbs::new(
        "",
        "install systemd",
        "`tidegate service --help` describes the systemd service",
    ),
    KnownVerbs::new(
        "",
        "connections processlist process-list",
        "`tidegate session list` lists the sessions",
    ),
    KnownVerbs::new(
        "",
        "doctor diagnose platform ping health healthcheck checks",
        "`tidegate status` shows the server; `tidegate check HOST:PORT` tests an endpoint",
    ),
    KnownVerbs::new(
        "",
        "regions region size sizes engines ip-allow ip",
        "`tidegate cluster --help` lists what can be done with a cluster",
    ),
    KnownVerbs::new(
        "cluster",
        "new add launch init provision",
        "`tidegate cluster create NAME` creates a cluster",
    ),
    KnownVerbs::new(
        "cluster",
        "get describe info inspect view status usage",
        "`tidegate cluster show NAME` shows a cluster",
    ),
    KnownVerbs::new(
        "cluster",
        "update edit scale resize configure config limits modify change alter",
        "`tidegate cluster set NAME` changes a cluster's limits",
    ),
    KnownVerbs::new(
        "cluster",
        "start resume unpause up",
        "`tidegate cluster wake NAME` wakes a cluster; a login wakes it too",
    ),
    KnownVerbs::new(
        "cluster",
        "restart reboot",
        "no command restarts a cluster in one step: `tidegate cluster sleep NAME` stops its \
         engine if no session is busy, then `tidegate cluster wake NAME` starts it again",
    ),
    KnownVerbs::new(
        "cluster",
        "logs log tail",
        "`tidegate logs NAME` shows the log of a cluster's engine",
    ),
    KnownVerbs::new(
        "cluster",
        "users user roles role accounts",
        "`tidegate user list NAME` lists the users of a cluster",
    ),
    KnownVerbs::new(
        "cluster",
        "databases database dbs db schemas",
        "`tidegate database list NAME` lists the databases of a cluster",
    ),
    KnownVerbs::new(
        "cluster",
        "stop pause suspend hibernate halt down",
        "`tidegate cluster sleep NAME` puts a cluster to sleep; the next login wakes it",
    ),
    KnownVerbs::new(
        "cluster",
        "remove destroy drop del terminate purge",
        "`tidegate cluster delete --help` describes how a cluster is deleted",
    ),
    KnownVerbs::new(
        "cluster",
        "reset clear truncate wipe repair",
        "`tidegate cluster --help` lists what can be done with a cluster",
    ),
    KnownVerbs::new(
        "cluster",
        "reset-password passwd passwords credentials rotate",
        "`tidegate cluster password --help` describes how root gets a new password",
    ),
    KnownVerbs::new(
        "cluster",
        "connect connection-string url proxy attach",
        "`tidegate connect NAME` prints how to connect",
    ),
    KnownVerbs::new(
        "cluster",
        "shell sql query exec mysql console",
        "`tidegate sql NAME` opens a SQL session",
    ),
    KnownVerbs::new(
        "cluster",
        "sessions connections",
        "`tidegate session list --cluster NAME` lists the sessions",
    ),
    KnownVerbs::new(
        "cluster",
        "branch branches fork clone copy backup backups restore",
        "Tidegate has no branches and makes no backups: `tidegate cluster create NAME` \
         creates an empty cluster, and a dump copies data into it",
    ),
    KnownVerbs::new(
        "cluster",
        "kinds types engine",
        "`tidegate cluster engines` lists the kinds of engines",
    ),
    KnownVerbs::new(
        "session",
        "delete rm remove end close terminate disconnect stop",
        "`tidegate session kill --help` describes how a session is ended",
    ),
    KnownVerbs::new(
        "session",
        "show get processlist ps",
        "`tidegate session list` lists the sessions",
    ),
    KnownVerbs::new(
        "key",
        "delete remove destroy drop",
        "`tidegate key revoke --help` describes how a key is revoked",
    ),
    KnownVerbs::new(
        "key",
        "add new issue generate",
        "`tidegate key create NAME --scope SCOPE` creates a key",
    ),
    KnownVerbs::new(
        "key",
        "show get",
        "`tidegate key list` lists the keys; a key's secret is shown only once",
    ),
    KnownVerbs::new(
        "profile",
        "delete destroy drop",
        "`tidegate profile remove --help` describes how a profile is deleted",
    ),
    KnownVerbs::new(
        "profile",
        "create new set login",
        "`tidegate profile add NAME URL` adds a profile",
    ),
    KnownVerbs::new(
        "profile",
        "use switch select show",
        "`tidegate profile list` lists the profiles; `--server PROFILE` uses one",
    ),
    KnownVerbs::new(
        "trust",
        "uninstall delete rm untrust",
        "`tidegate trust remove --help` describes how the local CA is removed",
    ),
    KnownVerbs::new(
        "trust",
        "add enable trust",
        "`tidegate trust install` adds the local CA",
    ),
    KnownVerbs::new(
        "trust",
        "list ls show",
        "`tidegate trust status` shows the trust stores",
    ),
    KnownVerbs::new(
        "service",
        "uninstall delete rm disable",
        "`tidegate service remove --help` describes how the service is removed",
    ),
    KnownVerbs::new(
        "service",
        "add enable start create",
        "`tidegate service install` installs the service",
    ),
    KnownVerbs::new(
        "service",
        "status stop restart logs",
        "systemctl and journalctl control it; `tidegate status` shows the running server",
    ),
    KnownVerbs::new(
        "cert",
        "show list ls get info",
        "`tidegate cert status` shows the certificate",
    ),
    KnownVerbs::new(
        "config",
        "get list ls view print cat",
        "`tidegate config show` prints every key",
    ),
    KnownVerbs::new(
        "config",
        "set edit unset",
        "write it into the configuration file; `tidegate config show` prints every key",
    ),
    KnownVerbs::new(
        "config",
        "validate test verify lint",
        "`tidegate config check` checks the file",
    ),
    KnownVerbs::new(
        "operator",
        "login signin sign-in url open create",
        "`tidegate operator link` prints a link to the web console",
    ),
];
