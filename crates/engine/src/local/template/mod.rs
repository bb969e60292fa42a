//! The prepared data directory that each new cluster is a copy of. Built once per engine version,
//! in a folder beside its place, moved there when it is complete, and not changed afterwards.

pub(crate) mod copy;
pub(crate) mod tzinfo;

use crate::driver::Driver;
use crate::error::EngineError;
use crate::kind::Progress;
use crate::limits::TEMPLATE_STEP_MAX;
use crate::local::accounts::init_sql::RootSeed;
use crate::local::disk::DiskQuotas;
use crate::local::driver::{Local, LocalDriver, orders};
use crate::local::engine_log::log_tail;
use crate::local::error::TemplateError;
use crate::local::folder::{Folder, make_dir, sync_dir};
use crate::local::process::Process;
use crate::local::remove_tree::remove_tree;
use crate::local::socket::{ClusterSockets, SocketFolder};
use crate::local::start::options;
use crate::local::start::spawner::HelperStdio;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_model::{ClusterId, ClusterLimits};

/// Revision of the template: to be increased whenever this file or the shared options change it.
const REVISION: u32 = 4;

/// The id under which the template itself runs once. Ids of clusters begin at 1.
const TEMPLATE_CLUSTER: ClusterId = ClusterId(0);

/// The files of the server that make its system tables, in the order its own installer uses. Left
/// out: the texts of `HELP` (3 MB in every cluster) and the `sys` schema (100 files, and of no use
/// without the performance schema).
const SYSTEM_SQL: &[&str] = &[
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
];

/// No account but the engine's own locked one: the stock ones have no password. `test` is what
/// clients expect.
const LAST_SQL: &str = "
DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';
DELETE FROM mysql.proxies_priv;
DELETE FROM mysql.db;
CREATE DATABASE test;
";

/// Returns the template's data directory, built if it does not exist yet. `own_uids`: each engine
/// has its own user.
pub async fn ensure(
    local: &Arc<Local>,
    sockets: &SocketFolder,
    own_uids: bool,
    progress: Progress<'_>,
) -> Result<PathBuf, EngineError> {
    let settings = &local.settings;
    let tz_tool = local.zones.as_deref();
    let home = local.folder.join("templates");
    // Part of the key, so that installing what is missing later leads to a template with zones.
    let zones = if tz_tool.is_some() { "-tz" } else { "" };
    let key = format!(
        "{}-r{REVISION}-{}{zones}",
        local.program.version,
        settings.redo_log_bytes >> 20
    );
    let done = home.join(&key);
    // The folder was moved here as a whole, so a template that exists is complete.
    if done.join("data").is_dir() {
        return Ok(done.join("data"));
    }
    let building = home.join(format!("{key}.building"));
    // Left by a server that was killed while it built the template.
    match remove_tree(&building) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(EngineError::file("clearing", &building)(e));
        }
        _ => {}
    }
    let uid = own_uids.then(|| settings.template_uid());
    let folder = Folder::new(building.clone(), uid);
    folder
        .make_subfolders()
        .map_err(EngineError::file("making", &building))?;
    progress("preparing the first data directory (once per engine version)");
    bootstrap(local, &folder, tz_tool, progress).await?;
    progress("starting it once");
    rehearse(local, folder, sockets).await?;
    let data = building.join("data");
    crate::local::template::copy::dig_holes(&data)
        .map_err(EngineError::file("making holes in", &data))?;
    fs::rename(&building, &done).map_err(EngineError::file("moving into place", &building))?;
    sync_dir(&home).map_err(EngineError::file("syncing", &home))?;
    Ok(done.join("data"))
}

/// Writes the statements of the bootstrap, and returns the file opened for reading.
async fn write_bootstrap_sql(
    local: &Local,
    path: &Path,
    tz_tool: Option<&Path>,
    progress: Progress<'_>,
) -> Result<File, EngineError> {
    let file_error = |e| EngineError::file("writing", path)(e);
    let mut sql = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(file_error)?;
    sql.write_all(b"CREATE DATABASE mysql;\nUSE mysql;\n")
        .map_err(file_error)?;
    for name in SYSTEM_SQL {
        let part = local.program.share.join(name);
        let text = fs::read(&part).map_err(EngineError::file("reading", &part))?;
        sql.write_all(&text)
            .and_then(|()| sql.write_all(b"\n"))
            .map_err(file_error)?;
    }
    if let Some(tool) = tz_tool {
        progress("reading the named time zones");
        let zones =
            tzinfo::time_zone_sql(tool)
                .await
                .map_err(|source| TemplateError::TimeZones {
                    tool: tool.to_owned(),
                    source,
                })?;
        sql.write_all(&zones).map_err(file_error)?;
    }
    sql.write_all(LAST_SQL.as_bytes()).map_err(file_error)?;
    drop(sql);
    File::open(path).map_err(file_error)
}

async fn bootstrap(
    local: &Local,
    folder: &Folder,
    tz_tool: Option<&Path>,
    progress: Progress<'_>,
) -> Result<(), EngineError> {
    let path = folder.root().join("bootstrap.sql");
    let input = write_bootstrap_sql(local, &path, tz_tool, progress).await?;
    let null =
        File::open("/dev/null").map_err(EngineError::file("opening", Path::new("/dev/null")))?;
    let (log, start) = folder
        .open_log()
        .map_err(|e| EngineError::file("opening", &folder.log())(e))?;
    let mut order = orders(
        local,
        folder,
        options::bootstrap(&local.settings, &local.program, folder),
    );
    order.bootstrap = true;
    let stdio = HelperStdio {
        stdin: input.into(),
        stdout: null.into(),
        stderr: log.into(),
    };
    let process = Process::spawn(&local.spawner, &order, stdio, None)
        .await
        .map_err(|source| TemplateError::Spawn {
            program: local.program.binary.clone(),
            source,
        })?;
    let end = tokio::time::timeout(TEMPLATE_STEP_MAX, process.ended()).await;
    let end = end.map_err(|_| TemplateError::Late)?;
    if !end.success {
        return Err(EngineError::from(TemplateError::Ended {
            end: end.text,
            log: log_tail(folder, start),
        }));
    }
    fs::remove_file(&path).map_err(EngineError::file("removing", &path))
}

/// Starts and stops the engine once: proves the template, and leaves it in the state of a cluster
/// that was stopped cleanly.
async fn rehearse(
    local: &Arc<Local>,
    folder: Folder,
    sockets: &SocketFolder,
) -> Result<(), EngineError> {
    let sockets = ClusterSockets::new(sockets.clone(), "template");
    let limits = ClusterLimits {
        connections_max: 1,
        ..ClusterLimits::default()
    };
    let driver = LocalDriver::new(
        Arc::clone(local),
        folder,
        sockets,
        (TEMPLATE_CLUSTER, limits),
    );
    let run = driver.start().await.map_err(TemplateError::Start)?;
    if !run.stop().await {
        return Err(TemplateError::NotStopped.into());
    }
    driver
        .folder
        .empty_tmp()
        .map_err(EngineError::file("emptying", &driver.folder.tmp()))
}

/// Creates a new cluster's directory, whole or not at all. `version`: the engine that made the
/// template.
pub fn copy(
    template: &Path,
    folder: &Folder,
    quotas: &DiskQuotas,
    version: &str,
    seed: &RootSeed,
) -> Result<(), EngineError> {
    let root = folder.root();
    if root.exists() {
        return Err(EngineError::file("making", root)(
            std::io::ErrorKind::AlreadyExists.into(),
        ));
    }
    copy_aside(template, folder, quotas, version, seed).map_err(EngineError::file("making", root))
}

/// Makes the directory beside its place, and moves it there when it is whole.
fn copy_aside(
    template: &Path,
    folder: &Folder,
    quotas: &DiskQuotas,
    version: &str,
    seed: &RootSeed,
) -> std::io::Result<()> {
    let root = folder.root();
    let building = root.with_extension("creating");
    let half = Folder::new(building.clone(), folder.uid());
    match remove_tree(&building) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    // First, because only a new folder can become a subvolume.
    quotas.make_root(&building)?;
    half.make_subfolders()?;
    crate::local::accounts::seed::write(&half, seed)?;
    crate::local::template::copy::tree(template, &half.data())?;
    // A cluster that has never run is also bound to the version that made its files.
    half.write_version(version)?;
    half.give_data()?;
    fs::rename(&building, root)?;
    root.parent().map_or(Ok(()), sync_dir)
}

/// Creates the folder of templates if it is missing.
pub fn make_home(folder: &Path, mode: u32) -> Result<(), EngineError> {
    let home = folder.join("templates");
    make_dir(&home, mode).map_err(EngineError::file("making", &home))
}
