//! Repair of the engine's system tables. A tenant can drop them, lock our account out of them or
//! put views in their place, after which the engine does not start or does not let us in. It
//! changes no other table, and a view or a table that the tenant put in the place of one does not
//! delay it.

use crate::driver::Repair;
use crate::limits::{PRIV_BYTES_MAX, REPAIR_MAX, REPAIR_ROWS_MAX};
use crate::local::driver::{Local, orders};
use crate::local::engine_log::log_tail;
use crate::local::folder::Folder;
use crate::local::process::{Process, RunGroup};
use crate::local::start::options;
use crate::local::start::spawner::HelperStdio;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

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

/// Tables of statistics, which the engine opens for each change of a table. A view in the place of
/// one crashes it then, also while it is repaired: these come first.
const OPENED_BY_CHANGES: &[&str] = &[
    "table_stats",
    "column_stats",
    "index_stats",
    "innodb_table_stats",
    "innodb_index_stats",
    "gtid_slave_pos",
];

/// Tables of accounts and privileges.
const GRANT_TABLES: &[&str] = &[
    "global_priv",
    "db",
    "roles_mapping",
    "tables_priv",
    "columns_priv",
    "procs_priv",
    "proxies_priv",
];

/// Seconds that the copy of the accounts may take.
const COPY_SECONDS: u32 = 10;

/// Reason why a repair failed.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    #[error("it took too long")]
    TooLong,
    #[error("{reason}")]
    Failed { reason: String, killed: bool },
    /// A file or the process of the repair.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// As `mysql_system_tables.sql` of the server makes it.
const GLOBAL_PRIV: &str = "\
    (Host char(255) binary DEFAULT '', User char(128) binary DEFAULT '', \
    Priv JSON NOT NULL DEFAULT '{}' CHECK(JSON_VALID(Priv)), PRIMARY KEY (Host,User)) engine=Aria \
    transactional=1 \
    CHARACTER SET utf8mb3 COLLATE utf8mb3_bin comment='Users and global privileges'";

/// Rebuilds the accounts' table with the rows that can be read from it, drops views in the places
/// of the other tables, and makes those that are missing. `lock` is the cluster's, held by the
/// caller; the run belongs to `group`.
pub async fn system_tables(
    local: &Local,
    folder: &Folder,
    lock: &File,
    group: Option<RunGroup>,
    repair: Repair,
) -> Result<(), RepairError> {
    let path = folder.root().join("repair.sql");
    let input = write_sql(local, &path, repair)?;
    let (log, log_start) = folder.open_log()?;
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
    let stdio = HelperStdio {
        stdin: input.into(),
        stdout: lock.try_clone()?.into(),
        stderr: log.into(),
    };
    let process = Process::spawn(&local.spawner, &order, stdio, group).await?;
    let Ok(end) = tokio::time::timeout(REPAIR_MAX, process.ended()).await else {
        // It must be gone before another process uses the data directory.
        process.kill();
        process.ended().await;
        return Err(RepairError::TooLong);
    };
    if !end.success {
        return Err(RepairError::Failed {
            reason: format!("{}: {}", end.text, log_tail(folder, log_start)),
            killed: end.signal == Some(9),
        });
    }
    Ok(fs::remove_file(&path)?)
}

fn write_sql(local: &Local, path: &Path, repair: Repair) -> io::Result<File> {
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
    io::Write::write_all(&mut out, sql(&tables, repair).as_bytes())?;
    File::open(path)
}

/// Beginning of a statement whose error ends nothing, because it depends on what the tenant left.
const GUARD: &str = "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;";

/// Statements, one per line.
fn sql(system_tables: &str, repair: Repair) -> String {
    let mut out = String::from("CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\n");
    for table in OPENED_BY_CHANGES.iter().chain(OPENED_AT_START) {
        let _ = writeln!(
            out,
            "{GUARD} IF EXISTS (SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA='mysql' \
             AND TABLE_NAME='{table}' AND TABLE_TYPE='VIEW') THEN DROP VIEW mysql.{table}; END IF; \
             END;"
        );
    }
    match repair {
        Repair::Accounts => keep_accounts(&mut out),
        Repair::Anew => GRANT_TABLES
            .iter()
            .for_each(|table| set_aside(&mut out, table)),
    }
    // Last: the server's own script creates only the tables that are missing.
    out.push_str(system_tables);
    out.push('\n');
    out
}

/// Copies the accounts into a new table. Only from a table whose rows are stored as they are: a
/// view, a sequence or a computed column may have no end, or take for ever, and the engine's own
/// limit of time does not end each of them. Accounts without a name are left out: at their host,
/// MariaDB prefers them to root, and the operator could not log in from there.
fn keep_accounts(out: &mut String) {
    // A repair that was interrupted may have left it.
    remove(out, "tidegate_repair");
    let _ = writeln!(
        out,
        "CREATE TABLE tidegate_repair {GLOBAL_PRIV};\n\
         {GUARD} IF EXISTS (SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA='mysql' \
         AND TABLE_NAME='global_priv' AND TABLE_TYPE='BASE TABLE' AND ENGINE IN \
         ('Aria','InnoDB','MyISAM')) \
         AND NOT EXISTS (SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA='mysql' \
         AND TABLE_NAME='global_priv' AND IS_GENERATED<>'NEVER') \
         THEN SET STATEMENT max_statement_time={COPY_SECONDS} FOR INSERT IGNORE INTO \
         tidegate_repair \
         (Host, User, Priv) SELECT Host, User, Priv FROM \
         (SELECT Host, User, Priv FROM global_priv LIMIT {REPAIR_ROWS_MAX}) AS readable \
         WHERE LENGTH(Priv) <= {PRIV_BYTES_MAX} AND User <> ''; END IF; END;"
    );
    remove(out, "global_priv");
    out.push_str("RENAME TABLE tidegate_repair TO global_priv;\n");
}

/// Drops whatever has this name.
fn remove(out: &mut String, table: &str) {
    let _ = writeln!(
        out,
        "{GUARD} DROP VIEW IF EXISTS {table}; END;\n{GUARD} DROP TABLE IF EXISTS {table}; END;"
    );
}

/// Renames a table, so that its rows are not lost, or drops it if it can't be renamed.
fn set_aside(out: &mut String, table: &str) {
    remove(out, &format!("tidegate_old_{table}"));
    let _ = writeln!(
        out,
        "{GUARD} DROP VIEW IF EXISTS {table}; END;\n\
         {GUARD} RENAME TABLE {table} TO tidegate_old_{table}; END;"
    );
    remove(out, table);
}
