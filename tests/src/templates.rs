//! Template that the servers of all tests share: building one costs more processor time than most
//! tests, and there are two hundred servers. Servers with a changed host build their own, and so
//! does `tidegate up`.

use crate::Server;
use crate::server::{Options, binary};
use rustix::fs::{FlockOperation, flock};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::UNIX_EPOCH;

/// Folder of the template that all test processes share.
static SHARED: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = binary().with_file_name("test-templates");
    fs::create_dir_all(&folder).expect("a folder beside the binary");
    let lock = fs::File::create(folder.join("lock")).expect("our own folder");
    flock(&lock, FlockOperation::LockExclusive).expect("our own file");
    let built = folder.join("built");
    let built_by = folder.join("built-by");
    let program = identity_of(&binary());
    if fs::read_to_string(&built_by).ok().as_ref() != Some(&program) {
        let _ = fs::remove_file(&built_by);
        let _ = fs::remove_dir_all(&built);
        build(&built);
        fs::write(&built_by, program).expect("our own folder");
    }
    built
});

/// Size and time of the binary, and whether templates have named time zones.
fn identity_of(binary: &Path) -> String {
    let facts = fs::metadata(binary).expect("it is there");
    let time = facts.modified().expect("a time").duration_since(UNIX_EPOCH);
    let zones = std::env::var_os("TIDEGATE_TZINFO_TO_SQL");
    format!("{} {time:?} {zones:?}", facts.len())
}

/// Builds a template with a server that lives as long as that takes.
fn build(to: &Path) {
    let mut server = Server::stopped(Options::default());
    server.run_alone();
    server.create("template");
    assert_eq!(server.stop(), 0, "{}", server.log());
    let from = server.data().join("templates");
    let copied = Command::new("cp").arg("-a").args([&from, to]).status();
    assert!(copied.is_ok_and(|status| status.success()), "cp {from:?}");
}

/// Puts links to the shared template into a data directory that does not exist yet.
pub fn lend(data: &Path) {
    if data.exists() {
        return;
    }
    let home = data.join("templates");
    fs::create_dir_all(&home).expect("our own folder");
    for folder in [data, &home] {
        fs::set_permissions(folder, PermissionsExt::from_mode(0o711)).expect("our own folder");
    }
    for template in fs::read_dir(&*SHARED).expect("it was built").flatten() {
        symlink(template.path(), home.join(template.file_name())).expect("a new folder");
    }
}
