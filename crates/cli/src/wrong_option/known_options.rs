//! Options that other programs have, with the option that does the same here: what users of mysql,
//! psql, kubectl, docker, neonctl and pscale type.

/// Options that some commands do not have, and the advice for them.
pub struct KnownOptions {
    /// Command lines without `tidegate`, separated by commas; empty for all others.
    pub commands: &'static str,
    /// Separated by spaces.
    pub options: &'static str,
    pub advice: &'static str,
}

const fn known(
    commands: &'static str,
    options: &'static str,
    advice: &'static str,
) -> KnownOptions {
    KnownOptions {
        commands,
        options,
        advice,
    }
}

/// The first entry that fits gives the advice, so entries for all commands are last.
pub const KNOWN_OPTIONS: &[KnownOptions] = &[
    known(
        "sql",
        "-u -U --username --login --role --role-name",
        "`--user USER` chooses the user, without the cluster's prefix",
    ),
    known(
        "sql",
        "-p -P -W --password --port",
        "the endpoint is known, and the password comes from `--password-file FILE`, from \
         $TIDEGATE_PASSWORD or from a prompt",
    ),
    known(
        "sql",
        "-c --command --query --sql",
        "`-e SQL` runs this SQL and exits",
    ),
    known(
        "sql",
        "-d --dbname --db --database-name --schema",
        "`-D NAME` chooses the database",
    ),
    known(
        "sql",
        "-H --host --hostname --socket -S --ssl --ssl-mode --ssl-ca --ssl-verify-server-cert",
        "leave it out: the endpoint and the options that verify it are those of the cluster",
    ),
    known(
        "sql",
        "-f --file -i --input",
        "SQL can also come from standard input: `tidegate sql NAME < FILE`",
    ),
    known(
        "sql",
        "-N -B -s -t -r -E -v -A -n --batch --table --vertical --silent --raw --skip-column-names \
         --force --verbose --html --xml --no-auto-rehash --safe-updates --delimiter --pager \
         --csv --quick --init-command --connect-timeout --default-character-set",
        "options of the client itself come last, after `--`: `tidegate sql NAME -- --batch`",
    ),
    known(
        "connect",
        "-u -U --username --role --role-name",
        "`--user USER` chooses the user, without the cluster's prefix",
    ),
    known(
        "connect",
        "--driver --language --lang --framework --library --orm --for --app",
        "`--with CLIENT` chooses the client; `--list` lists them",
    ),
    known(
        "connect",
        "-d --db --dbname --database-name",
        "`-D NAME` chooses the database",
    ),
    known(
        "connect",
        "-p --password --show-password --reveal",
        "no password is ever shown again: `tidegate cluster password --help` describes how root \
         gets a new one",
    ),
    known(
        "connect",
        "--ssl --sslmode --ssl-mode --tls-version --min-tls",
        "all strings verify the server; `--tls VERSION` sets the oldest version of TLS",
    ),
    known(
        "connect",
        "--platform --distro --system",
        "`--os OS` chooses the operating system",
    ),
    known(
        "logs",
        "--tail --last --limit -l --lines-count --max-lines",
        "`-n N` shows the last N lines",
    ),
    known("logs", "-F --watch -w", "`-f` follows the log"),
    known(
        "logs",
        "--cluster --name --container -c",
        "name the cluster without an option: `tidegate logs NAME`",
    ),
    known(
        "logs",
        "--since --until --grep --level --timestamps -t --previous",
        "the lines have a time and a level: filter them with grep, such as `tidegate logs -n \
         1000 | grep WARN`",
    ),
    known(
        "cluster set",
        "--protect --protected --protection --deletion-protect --termination-protection \
         --delete-protection",
        "`--deletion-protection on` protects the cluster",
    ),
    known(
        "cluster set,cluster create",
        "--sleep --idle --timeout --suspend-timeout --idle-timeout --auto-pause --auto-suspend \
         --autosuspend --sleep-timeout --suspend-after",
        "`--sleep-after TIME` sets the time without work, such as 5m",
    ),
    known(
        "cluster set,cluster create",
        "-m --memory --mem --ram --max-memory --memory-limit",
        "`--memory-max SIZE` sets the memory limit, such as 1G",
    ),
    known(
        "cluster set,cluster create",
        "--disk --storage --max-disk --disk-size --storage-size --volume-size",
        "`--disk-max SIZE` sets the disk limit, such as 10G",
    ),
    known(
        "cluster set,cluster create",
        "--max-connections --connections --max-conns --connection-limit",
        "`--connections-max N` sets the number of sessions",
    ),
    known(
        "cluster set,cluster create",
        "--cpu --cpus --vcpu --cu --cpu-shares",
        "`--cpu-weight N` sets the share of a busy processor",
    ),
    known(
        "cluster set",
        "--allow --allow-ip --ip --allowlist --whitelist --ip-allowlist --ip-allow-list \
         --allow-from --firewall --cidr",
        "`--ip-allow CIDR` sets the networks that may log in",
    ),
    known(
        "cluster set",
        "--set --var --variable --sql-mode --option -v",
        "`--param NAME=VALUE` sets a server variable",
    ),
    known(
        "cluster set",
        "--name --rename --new-name",
        "`tidegate cluster rename NAME NEW` gives it another name",
    ),
    known(
        "cluster set,cluster create",
        "--password --root-password -p",
        "passwords are generated and shown once: `tidegate cluster password --help` describes how \
         root gets a new one",
    ),
    known(
        "cluster create",
        "--name -n --cluster",
        "name the cluster without an option: `tidegate cluster create NAME`",
    ),
    known(
        "cluster create",
        "--deletion-protection --protect --ip-allow --param --events --ping-holds",
        "settings are changed after the creation: `tidegate cluster set --help` lists them",
    ),
    known(
        "cluster create",
        "--type --kind --image --version --mysql-version",
        "`--engine KIND` chooses the kind of engine; `tidegate cluster engines` lists them",
    ),
    known(
        "cluster create",
        "--region --region-id --project --project-id --org --org-id --provider --cloud --branch \
         --plan --size",
        "leave it out: a cluster is an engine on this machine, with the limits that `tidegate \
         cluster create --help` lists",
    ),
    known(
        "cluster list",
        "--filter --name --search --match --selector -l -f",
        "`--find TEXT` filters by name, `--state STATE` by state",
    ),
    known(
        "user create",
        "--readonly --read-only --ro --reader -r",
        "`--role read-only` gives this right",
    ),
    known(
        "user create",
        "--admin --superuser --owner",
        "`--role admin` gives this right",
    ),
    known(
        "user create",
        "--readwrite --read-write --rw --writer",
        "`--role read-write` gives this right",
    ),
    known(
        "user create",
        "--grant --grants --privileges --permission --permissions",
        "`--role ROLE` gives the rights; `tidegate sql CLUSTER` runs GRANT",
    ),
    known(
        "user create,user password",
        "-p --password --pass --password-file",
        "`--password-stdin` reads the password; without it, one is generated",
    ),
    known(
        "user create",
        "-d --db --dbname --on",
        "`-D NAME` names a database that the role is for",
    ),
    known(
        "user create,user password,user delete,user list,database create,database list,database \
         delete",
        "--cluster --name -c -n",
        "name it without an option, the cluster first: `tidegate user --help` and `tidegate \
         database --help` show the order",
    ),
    known(
        "cluster delete,user delete,database delete,key revoke,profile remove,trust renew",
        "--force -f --no-confirm --assume-yes --confirm --quiet -q --no-prompt --non-interactive",
        "`--yes` leaves out the question",
    ),
    known(
        "cluster sleep,cluster wake",
        "--force -f --wait --now",
        "leave it out: the command waits by itself, and a busy session is not ended; `tidegate \
         session kill --help` describes how it is",
    ),
    known(
        "key create",
        "--scopes --role --permission --permissions --read-only",
        "`--scope SCOPE` sets what the key may do",
    ),
    known(
        "key create",
        "--expires --expires-in --expiry --ttl --expiration --valid-for",
        "`--days DAYS` sets how long the key is valid",
    ),
    known(
        "key create,profile add",
        "--name -n",
        "give the name without an option",
    ),
    known(
        "profile add",
        "--key --token --api-key --service-token",
        "the key is read from standard input or from $TIDEGATE_API_KEY",
    ),
    known(
        "up,serve,service install",
        "-p -P --port --host --bind --address --bind-address --addr -l --publish",
        "`--listen ADDRESS:PORT` sets where clients connect, such as 127.0.0.1:4001",
    ),
    known(
        "up,serve,service install",
        "--console-port --http --http-port --web --ui --admin-port --api",
        "`--console ADDRESS:PORT` sets where the console is, such as 127.0.0.1:4444",
    ),
    known(
        "up,serve,service install",
        "--hostname --server-name --public-host --san --dns",
        "`--name NAME` adds a name to the certificate; `--domain NAME` orders one by ACME",
    ),
    known(
        "up,serve,service install",
        "--cert --key --certificate --tls-cert --tls-key --ssl-cert --ssl-key",
        "write it into the configuration file, as tls.certificate and tls.key; `tidegate config \
         show` prints every key",
    ),
    known(
        "up,serve,service install",
        "--email --acme-mail --letsencrypt --acme",
        "`--domain NAME` orders a certificate by ACME; `--acme-email ADDRESS` names a contact",
    ),
    known(
        "up,serve",
        "-d --detach --daemon --daemonize --background -D",
        "the server stays in the foreground; `tidegate service install` runs it in the background",
    ),
    known(
        "up,serve,service install",
        "--log-level --verbose -v -vv --debug -q --quiet --log",
        "the environment variable TIDEGATE_LOG sets the level of the log, such as debug",
    ),
    known(
        "check",
        "--host -H -P --port",
        "give the endpoint without an option: `tidegate check HOST:PORT`",
    ),
    known("check", "-u --username", "`--user USER` also tries a login"),
    known(
        "check",
        "-p --password --pass",
        "the password comes from $TIDEGATE_PASSWORD or from a prompt",
    ),
    known(
        "check",
        "--cafile --ca-file --cacert --ssl-ca",
        "`--ca FILE` also trusts these roots",
    ),
    known(
        "check",
        "--interval --every --repeat -w -i",
        "`--watch SECONDS` repeats the check",
    ),
    known(
        "session list",
        "-c -u --filter --name",
        "`--cluster NAME` and `--user NAME` filter the list",
    ),
    known(
        "",
        "--format --output-format -j -f",
        "`--json` prints the result as JSON",
    ),
    known(
        "",
        "--data-dir --datadir --dir -d --data-directory",
        "`--data DIR` names the data directory",
    ),
    known(
        "",
        "--config-file --cfg -c --conf --defaults-file",
        "`--config FILE` names the configuration file",
    ),
    known(
        "",
        "--profile --context --remote --url --endpoint --api-host",
        "`--server PROFILE` uses a remote server",
    ),
    known(
        "",
        "--token --api-key --service-token --service-token-id",
        "the key of a profile is used, or $TIDEGATE_API_KEY with the URL of a server",
    ),
    known(
        "",
        "--no-color --no-colour --color --colour",
        "the environment variable NO_COLOR=1 disables colours",
    ),
    known(
        "",
        "--org --org-id --project --project-id --region --namespace -n --branch",
        "leave it out: there are no projects or regions, only clusters",
    ),
];

/// Values that an option or argument does not take, and the advice for them.
pub struct KnownValues {
    /// Name of the argument, as `clap` has it in its errors.
    pub argument: &'static str,
    /// Separated by spaces.
    pub values: &'static str,
    pub advice: &'static str,
}

pub const KNOWN_VALUES: &[KnownValues] = &[
    KnownValues {
        argument: "<SHELL>",
        values: "sh dash ksh csh tcsh nu nushell xonsh busybox",
        advice: "this shell can't use any of the scripts",
    },
    KnownValues {
        argument: "--tls <VERSION>",
        values: "1 1.0 1.1 TLSv1 TLSv1.0 TLSv1.1 tls1.0 tls1.1 SSLv3 0 off",
        advice: "Tidegate accepts no older version than TLS 1.2, which is the default",
    },
    KnownValues {
        argument: "--tls <VERSION>",
        values: "TLSv1.2 tls1.2 12",
        advice: "write `--tls 1.2`",
    },
    KnownValues {
        argument: "--tls <VERSION>",
        values: "TLSv1.3 tls1.3 13",
        advice: "write `--tls 1.3`",
    },
    KnownValues {
        argument: "--role <ROLE>",
        values: "readonly reader ro read viewer select",
        advice: "write `--role read-only`",
    },
    KnownValues {
        argument: "--role <ROLE>",
        values: "readwrite writer rw write editor",
        advice: "write `--role read-write`",
    },
    KnownValues {
        argument: "--role <ROLE>",
        values: "root owner superuser all",
        advice: "write `--role admin`",
    },
];
