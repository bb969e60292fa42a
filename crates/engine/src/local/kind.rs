//! The kind `mariadb`: a MariaDB process of this machine for each cluster.

use crate::bound_task::BoundTask;
use crate::driver::Driver;
use crate::error::EngineError;
use crate::in_force::LimitsInForce;
use crate::kind::{ClusterSpec, EngineKind, KindGreeting, Progress};
use crate::local::accounts::init_sql::{FIRST_USER, RootSeed};
use crate::local::cgroup::CgroupHome;
use crate::local::disk::{DiskQuotas, SpaceWatch};
use crate::local::driver::{Local, LocalDriver};
use crate::local::error::LocalError;
use crate::local::folder::{Folder, add_passage, check_reach, make_dir};
use crate::local::past_runs::AllPastRuns;
use crate::local::remove_tree::remove_tree;
use crate::local::settings::LocalSettings;
use crate::local::socket::{ClusterSockets, SocketFolder};
use crate::local::space;
use crate::local::start::program::{Program, greeting_version};
use crate::local::start::rehearsal::rehearse_start;
use crate::local::start::spawner::Spawner;
use crate::local::template::{self, tzinfo};
use crate::local::walls::Walls;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_model::{Abilities, BoxFuture, KindDescription, PasswordVerifier};
use tokio::sync::Mutex;

/// Description of the kind.
pub const MARIADB: KindDescription = KindDescription {
    name: "mariadb",
    summary: "a MariaDB server process on this machine, asleep while nobody uses it",
    page: "engines/mariadb.md",
    parameters: &[],
    login_check: PasswordVerifier::KnownAccounts,
    abilities: Abilities {
        sleeps: true,
        backs_up: false,
        branches: false,
    },
};

/// All MariaDB processes of this server.
pub struct LocalKind {
    local: Arc<Local>,
    sockets: SocketFolder,
    walls: Walls,
    /// Path of the template, once it is known to be there. Built by one task at a time.
    template: Mutex<Option<PathBuf>>,
    /// Watches over the free space.
    _space_watch: BoundTask,
}

impl LocalKind {
    /// Finds the server's program and makes the folders below the data directory. Starts nothing.
    pub fn open(folder: &Path, settings: &LocalSettings) -> Result<Self, EngineError> {
        let walls = Walls::detect();
        for missing in walls.missing() {
            tracing::warn!("engines run without {missing}");
        }
        let program = Program::find(settings)?;
        let run = make_folders(folder, walls)?;
        let spawner = Spawner::new(settings.helper.clone()).map_err(LocalError::Spawner)?;
        let cgroups = CgroupHome::open(&settings.cgroup, &run);
        let quotas = DiskQuotas::find(folder);
        for missing in LimitsInForce::of(&cgroups, walls, &quotas).missing() {
            tracing::warn!("not in force for engines: the limit of {missing}");
        }
        if let Some(lack) = space::space_shortage(folder) {
            tracing::warn!("{lack}, too little to start an engine; hint: free space there");
        }
        let space = SpaceWatch::new(folder, &run);
        let space_watch = space.begin();
        let local = Local {
            folder: folder.to_owned(),
            settings: settings.clone(),
            program,
            zones: tzinfo::find(settings),
            spawner,
            cgroups: Arc::new(cgroups),
            quotas,
            space,
            past_runs: AllPastRuns::default(),
        };
        Ok(Self {
            local: Arc::new(local),
            sockets: SocketFolder::open(&run)?,
            walls,
            template: Mutex::new(None),
            _space_watch: space_watch,
        })
    }

    /// Returns the template's data directory, built if this version of the engine has none yet.
    async fn template(&self, progress: Progress<'_>) -> Result<PathBuf, EngineError> {
        // Locked while it is built, so that two creations do not build in the same folder.
        let mut ready = self.template.lock().await;
        if let Some(path) = ready.as_ref() {
            return Ok(path.clone());
        }
        let own_uids = self.walls.own_uids;
        let path = template::ensure(&self.local, &self.sockets, own_uids, progress).await?;
        *ready = Some(path.clone());
        Ok(path)
    }

    fn folder(&self, cluster: &ClusterSpec) -> Folder {
        let uid = cluster.uid.filter(|_| self.walls.own_uids);
        let engines = self.local.folder.join("engines");
        Folder::new(engines.join(cluster.id.to_string()), uid)
    }
}

impl EngineKind for LocalKind {
    fn description(&self) -> &'static KindDescription {
        &MARIADB
    }

    /// The greeting of MariaDB itself, so that drivers choose what they do with MariaDB.
    fn greeting(&self) -> KindGreeting {
        KindGreeting {
            version: greeting_version(&self.local.program.full_version),
            ..KindGreeting::default()
        }
    }

    fn limits_in_force(&self) -> Option<LimitsInForce> {
        let local = &self.local;
        Some(LimitsInForce::of(&local.cgroups, self.walls, &local.quotas))
    }

    fn walls(&self) -> Option<Walls> {
        Some(self.walls)
    }

    fn lacks_space(&self) -> Option<String> {
        space::space_shortage(&self.local.folder)
    }

    fn rehearse(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move {
            let settings = &self.local.settings;
            let uid = self.walls.own_uids.then(|| settings.template_uid());
            rehearse_start(&self.local, uid).await
        })
    }

    fn prepare<'a>(&'a self, progress: Progress<'a>) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move { self.template(progress).await.map(drop) })
    }

    fn create<'a>(
        &'a self,
        cluster: &'a ClusterSpec,
        stage2: [u8; 20],
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            let template = self.template(&|_| {}).await?;
            let folder = self.folder(cluster);
            let seed = RootSeed {
                user: FIRST_USER.to_owned(),
                stage2,
                replace: false,
            };
            let quotas = self.local.quotas.clone();
            let version = self.local.program.version.clone();
            // Blocking: the copy waits until everything is on disk (15 ms measured).
            let copied = tokio::task::spawn_blocking(move || {
                template::copy(&template, &folder, &quotas, &version, &seed)
            });
            copied.await.map_err(EngineError::Inside)?
        })
    }

    fn driver(&self, cluster: &ClusterSpec) -> Arc<dyn Driver> {
        let sockets = ClusterSockets::new(self.sockets.clone(), &cluster.id.to_string());
        Arc::new(LocalDriver::new(
            Arc::clone(&self.local),
            self.folder(cluster),
            sockets,
            (cluster.id, cluster.limits),
        ))
    }
}

/// The folder of sockets. As root, others must be able to pass through those above the engines'
/// data; nothing in them may be listed.
fn make_folders(folder: &Path, walls: Walls) -> Result<PathBuf, EngineError> {
    let passage = if walls.own_uids { 0o711 } else { 0o700 };
    if folder.exists() {
        // Somebody else's mode, but for the passage.
        if walls.own_uids {
            add_passage(folder).map_err(EngineError::file("changing the mode of", folder))?;
        }
    } else {
        make_dir(folder, passage).map_err(EngineError::file("making", folder))?;
    }
    let engines = folder.join("engines");
    make_dir(&engines, passage).map_err(EngineError::file("making", &engines))?;
    template::make_home(folder, passage)?;
    if walls.own_uids {
        check_reach(&engines)?;
    }
    // Found now, so that nothing made from here on is among them. A large one takes a while: nobody
    // waits for it.
    let leftovers = find_leftovers(&engines);
    std::thread::spawn(move || remove_leftovers(&leftovers));
    let run = folder.join("run");
    make_dir(&run, 0o700).map_err(EngineError::file("making", &run))?;
    Ok(run)
}

/// Half-made and half-removed directories of a server that was killed.
fn find_leftovers(engines: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(engines).into_iter().flatten().flatten();
    let leftover = |path: &PathBuf| {
        path.extension()
            .is_some_and(|e| e == "creating" || e == "removing")
    };
    entries.map(|entry| entry.path()).filter(leftover).collect()
}

fn remove_leftovers(leftovers: &[PathBuf]) {
    for path in leftovers {
        if let Err(e) = remove_tree(path) {
            tracing::warn!(path = %path.display(), error = %e, "a leftover could not be removed");
        }
    }
}
