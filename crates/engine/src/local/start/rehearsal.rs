//! Proof at the server's start that an engine can be started here: its program runs behind all
//! walls, and says its version. Whatever the machine refuses is found now, not at the first login.

use crate::error::EngineError;
use crate::limits::{PROBE_LOG_MAX, PROBE_MAX};
use crate::local::driver::{Local, orders};
use crate::local::error::LocalError;
use crate::local::folder::Folder;
use crate::local::process::Process;
use crate::local::remove_tree::remove_tree;
use crate::local::space;
use crate::local::start::spawner::HelperStdio;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Runs the engine's program once. `uid`: the user of an engine, if each has its own.
pub async fn rehearse_start(local: &Local, uid: Option<u32>) -> Result<(), EngineError> {
    // The ending makes it one of the leftovers that a start removes.
    let root = local.folder.join("engines").join("probe.creating");
    match remove_tree(&root) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            return Err(EngineError::file("removing", &root)(e));
        }
        _ => {}
    }
    let folder = Folder::new(root.clone(), uid);
    match folder.make_subfolders() {
        // A server starts on a full disk too: it refuses logins until there is space.
        Err(e) if space::is_full(&e) => {
            let _ = remove_tree(&root);
            return Ok(());
        }
        Err(source) => {
            let _ = remove_tree(&root);
            return Err(LocalError::NoFolder { path: root, source }.into());
        }
        Ok(()) => {}
    }
    let ran = run_program(local, &folder).await;
    remove_tree(&root).map_err(EngineError::file("removing", &root))?;
    ran
}

async fn run_program(local: &Local, folder: &Folder) -> Result<(), EngineError> {
    let log = folder.log();
    let (output, _) = folder
        .open_log()
        .map_err(EngineError::file("opening", &log))?;
    let words = ["--no-defaults", "--version"].map(Into::into);
    let mut order = orders(local, folder, words.to_vec());
    // No sockets are handed over.
    order.bootstrap = true;
    let stdio = HelperStdio {
        stdin: null_device()?.into(),
        stdout: null_device()?.into(),
        stderr: output.into(),
    };
    let process = Process::spawn(&local.spawner, &order, stdio, None)
        .await
        .map_err(LocalError::Spawner)?;
    let end = tokio::time::timeout(PROBE_MAX, process.ended()).await;
    match end {
        Ok(end) if end.success => Ok(()),
        Ok(end) => Err(no_start(
            local,
            format!("{}: {}", end.text, errors_of(&log)),
        )),
        Err(_) => Err(no_start(local, format!("not done within {PROBE_MAX:?}"))),
    }
}

fn null_device() -> Result<File, EngineError> {
    let path = Path::new("/dev/null");
    File::open(path).map_err(EngineError::file("opening", path))
}

/// Returns what the helper or the program said. The file is removed afterwards.
fn errors_of(log: &Path) -> String {
    let mut said = Vec::new();
    let read = File::open(log).and_then(|log| log.take(PROBE_LOG_MAX).read_to_end(&mut said));
    if let Err(e) = read {
        return format!("its log can't be read: {e}");
    }
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines.join(" | ")
}

fn no_start(local: &Local, reason: String) -> EngineError {
    let program = local.program.binary.clone();
    LocalError::NoStart { program, reason }.into()
}
