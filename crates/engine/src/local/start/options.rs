//! The command line of the engine: measured sizes, and options that switch off what a tenant could
//! misuse. The engine reads no configuration file (`--no-defaults`), since the machine's own
//! MariaDB may have one.

use crate::limits::EXTRA_CONNECTIONS;
use crate::local::folder::Folder;
use crate::local::settings::LocalSettings;
use crate::local::start::program::Program;
use std::ffi::OsString;
use std::path::Path;

fn path(key: &str, value: &Path) -> OsString {
    let mut out = OsString::from(key);
    out.push(value);
    out
}

/// Options that bootstrap and every run share. The sizes must be equal: another redo size would
/// rewrite the log at the first start.
fn common(settings: &LocalSettings, program: &Program, folder: &Folder) -> Vec<OsString> {
    let mut out: Vec<OsString> = vec!["--no-defaults".into()];
    if folder.uid().is_none() && rustix::process::geteuid().is_root() {
        // MariaDB refuses to run as root unless it is told to. This root is one without users for
        // its engines, as in a rootless container, and the helper gives up all its rights.
        out.push("--user=root".into());
    }
    out.push(path("--datadir=", &folder.data()));
    out.push(path("--tmpdir=", &folder.tmp()));
    out.push(path("--lc-messages-dir=", &program.share));
    out.push(path(
        "--character-sets-dir=",
        &program.share.join("charsets"),
    ));
    // Two empty folders the engine can't write: nothing to load, nothing to export to.
    out.push(path("--plugin-dir=", &folder.plugins()));
    out.push(path("--secure-file-priv=", &folder.files()));
    // Small at the start, since a cluster that wakes has nothing in it; the pool can grow while the
    // engine runs.
    out.push(format!("--innodb-buffer-pool-size={}", settings.buffer_pool_bytes).into());
    out.push(
        format!(
            "--innodb-buffer-pool-size-max={}",
            settings.buffer_pool_max_bytes
        )
        .into(),
    );
    out.push(format!("--innodb-log-file-size={}", settings.redo_log_bytes).into());
    out.extend(
        [
            // Sessions come through the gateway's Unix socket only.
            "--skip-networking",
            // A cluster starts with what users of a hosted MySQL expect, not with MariaDB's latin1.
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_general_ci",
            "--sql-mode=STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION",
            // A tenant must not place a table outside its folder.
            "--skip-symbolic-links",
            "--performance-schema=0",
            // Buffered writes: the page cache keeps a sleeping cluster warm, and the start is 40 ms
            // shorter.
            "--innodb-flush-method=fsync",
            "--innodb-use-native-aio=0",
            "--innodb-buffer-pool-load-at-startup=0",
            "--innodb-buffer-pool-dump-at-shutdown=0",
            "--innodb-log-buffer-size=2M",
            "--innodb-data-file-path=ibdata1:10M:autoextend",
            "--innodb-autoextend-increment=8",
            "--innodb-temp-data-file-path=ibtmp1:4M:autoextend",
            "--innodb-undo-tablespaces=0",
            "--innodb-read-io-threads=1",
            "--innodb-write-io-threads=2",
            "--innodb-purge-threads=1",
            // A clean stop then takes 20 to 70 ms (measured), with 0 up to 2 s.
            "--innodb-fast-shutdown=1",
            "--key-buffer-size=64K",
            "--aria-pagecache-buffer-size=1M",
            // The log of the system tables; by default it grows to 1 GB before it is looked
            // through.
            "--aria-log-file-size=8M",
            "--query-cache-type=0",
            "--query-cache-size=0",
        ]
        .map(OsString::from),
    );
    out
}

/// Options of a run behind the gateway.
pub fn run(
    settings: &LocalSettings,
    program: &Program,
    folder: &Folder,
    connections_max: u32,
) -> Vec<OsString> {
    let mut out = common(settings, program, folder);
    out.push(path("--init-file=", &folder.init_sql()));
    // For sessions whose account requires TLS. One file, so that key and certificate belong
    // together.
    for key in ["--ssl-cert=", "--ssl-key=", "--ssl-ca="] {
        // As the CA too, although no client has a certificate: without one the engine reads all
        // those of the system, which takes 30 ms of a start (measured).
        out.push(path(key, &folder.leg_identity()));
    }
    // Nothing listens there: it keeps `MASTER_HOST='localhost'` from meaning the machine's own
    // MariaDB.
    out.push(path("--socket=", &folder.tmp().join("none.sock")));
    out.push(path("--pid-file=", &folder.tmp().join("engine.pid")));
    // The cluster's own limit, so that `@@max_connections` tells it: ours are at the extra socket
    // and not among them.
    out.push(format!("--max-connections={connections_max}").into());
    out.push(format!("--extra-max-connections={EXTRA_CONNECTIONS}").into());
    out.push(format!("--max-allowed-packet={}", settings.max_allowed_packet_bytes).into());
    out.extend(
        [
            // The plugin looks at the uid behind the socket, which is the gateway's for everybody.
            "--unix_socket=OFF",
            "--skip-name-resolve",
            "--host-cache-size=0",
            "--skip-slave-start",
            "--tls-version=TLSv1.2,TLSv1.3",
            // A Unix socket is secure transport too, so this refuses nobody. It tells the truth to
            // clients that ask: all of them use TLS as far as the gateway.
            "--require-secure-transport=ON",
            // The gateway names the client's address in a PROXY header on the Unix socket.
            "--proxy-protocol-networks=localhost",
            // LOAD DATA LOCAL reads files of the client, not of this machine.
            "--local-infile=1",
            "--table-open-cache=400",
            "--table-definition-cache=400",
            // The pool: a gateway, its clients and a thread per connection crowd the same cores;
            // measured behind this gateway at 32 sessions it answers a third more queries. A
            // tenant's long queries hold up its others until the pool notices its stall: after 10
            // ms here, instead of its 500.
            "--thread-handling=pool-of-threads",
            "--thread-pool-stall-limit=10",
            "--log-warnings=1",
        ]
        .map(OsString::from),
    );
    out
}

/// Options of the bootstrap that makes a template: SQL on standard input.
pub fn bootstrap(settings: &LocalSettings, program: &Program, folder: &Folder) -> Vec<OsString> {
    let mut out = common(settings, program, folder);
    out.push("--bootstrap".into());
    out.push("--max-allowed-packet=8M".into());
    out
}
