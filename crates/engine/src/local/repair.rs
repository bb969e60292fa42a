//! Repair of the engine's system tables. A tenant can drop them, lock our account out of them or
//! put views in their place, after which the engine does not start or does not let us in. Never
//! touches any other table.

use crate::error::StartError;
use crate::limits::REPAIR_MAX;
use crate::local::driver::{Local, orders};
use crate::local::engine_log::log_tail;
use crate::local::folder::Folder;
use crate::local::options;
use crate::local::process::{Process, RunGroup};
use crate::local::spawner::HelperStdio;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

/// Words of the engine's log when it finds its tables of privileges unusable.
pub const UNUSABLE: &str = "Can't open and lock privilege tables";

/// Tables that the engine opens at its start. A view in the place of one ends the start, with a
/// crash for some.
const OPENED_AT_START: &[&str] = &[
    "db",
    "roles_mapping",
    "tables_priv",
    "columns_priv",
    "procs_priv",
    "proxies_priv",
    "func",
    "plugin",
    "servers",
    "event",
    "proc",
];

/// Bound of the copy of the accounts: a view may take for ever.
const COPY_SECONDS: u32 = 10;

/// As `mysql_system_tables.sql` of the server makes it.
const GLOBAL_PRIV: &str = "(Host char(255) binary DEFAULT '', User char(128) binary DEFAULT '', \
     Priv JSON NOT NULL DEFAULT '{}' CHECK(JSON_VALID(Priv)), PRIMARY KEY (Host,User)) \
      engine=Aria transactional=1 \
     CHARACTER SET utf8mb3 COLLATE utf8mb3_bin comment='Users and global privileges'";

/// Rebuilds the accounts' table with the rows that can be read from it or from what is in its
/// place, drops views in the places of the other tables, and makes those that are missing. `lock`
/// is the cluster's, held by the caller; the run belongs to `group`.
pub async fn system_tables(
    local: &Local,
    folder: &Folder,
    lock: &File,
    group: Option<RunGroup>,
) -> Result<(), StartError> {
    let failed = |e: io::Error| StartError::caused("repairing its system tables", e);
    let path = folder.root().join("repair.sql");
    let input = write_sql(local, &path).map_err(failed)?;
    let (log, log_start) = folder.open_log().map_err(failed)?;
    let mut order = orders(
        local,
        folder,
        options::bootstrap(&local.settings, &local.program, folder),
    );
    order.bootstrap = true;
    order.enter = group
        .as_ref()
        .map(|run| run.group.entrances())
        .unwrap_or_default();
    let lock = lock.try_clone().map_err(failed)?;
    let stdio = HelperStdio {
        stdin: input.into(),
        stdout: lock.into(),
        stderr: log.into(),
    };
    let process = Process::spawn(&local.spawner, &order, stdio, group)
        .await
        .map_err(failed)?;
    let end = tokio::time::timeout(REPAIR_MAX, process.ended()).await;
    let end = end.map_err(|_| StartError::new("the repair of its system tables took too long"))?;
    if !end.success {
        let reason = format!(
            "the repair of its system tables failed: {}: {}",
            end.text,
            log_tail(folder, log_start)
        );
        return Err(StartError::new(reason));
    }
    fs::remove_file(&path).map_err(failed)
}

fn write_sql(local: &Local, path: &std::path::Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let tables = fs::read_to_string(local.program.share.join("mysql_system_tables.sql"))?;
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    io::Write::write_all(&mut out, sql(&tables).as_bytes())?;
    File::open(path)
}

/// Returns the SQL of the repair, one statement on each line. A statement that depends on what the
/// tenant left is guarded, so that its error does not end the repair.
fn sql(system_tables: &str) -> String {
    const GUARD: &str = "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;";
    let mut out = String::from("CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\n");
    for table in OPENED_AT_START {
        let _ = writeln!(
            out,
            "{GUARD} IF EXISTS (SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA='mysql' \
             AND TABLE_NAME='{table}' AND TABLE_TYPE='VIEW') THEN DROP VIEW mysql.{table}; END \
              IF; END;"
        );
    }
    let _ = writeln!(
        out,
        "DROP TABLE IF EXISTS tidegate_repair;\nCREATE TABLE tidegate_repair {GLOBAL_PRIV};"
    );
    let _ = writeln!(
        out,
        "{GUARD} SET STATEMENT max_statement_time={COPY_SECONDS} FOR INSERT IGNORE INTO \
         tidegate_repair \
         (Host, User, Priv) SELECT Host, User, Priv FROM global_priv; END;"
    );
    let _ = writeln!(
        out,
        "{GUARD} DROP VIEW IF EXISTS global_priv; END;\n{GUARD} DROP TABLE IF EXISTS global_priv; \
         END;"
    );
    out.push_str("RENAME TABLE tidegate_repair TO global_priv;\n");
    out.push_str(system_tables);
    out.push('\n');
    out
}
