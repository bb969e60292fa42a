//! The place of this server's groups: the hierarchy that provides each limit, and the group in it
//! that contains the engines' groups. A hierarchy that can't be used is left unchanged and reported
//! with the reason.

use super::files::{make_group, read_text, remove_group, write_value};
use super::group::{EngineGroup, GroupLimits};
use super::heavy_use::HeavyUse;
use super::hierarchy::{Hierarchy, Version, parse_hierarchies};
use super::leftovers;
use super::parent::{Controller, GROUP_PREFIX, Parent};
use crate::local::settings::CgroupChoice;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tidegate_model::ClusterId;

/// The group that the server moves itself into where the kernel allows no processes beside child
/// groups (v2).
const SERVER_GROUP: &str = "tidegate-server";

/// This server's groups. Dropping it removes those that are empty.
#[derive(Debug, Default)]
pub struct CgroupHome {
    parents: Vec<Parent>,
    /// Reasons why controllers are not used.
    missing: BTreeMap<Controller, String>,
    runs: AtomicU64,
    /// None where CPU time has no groups.
    heavy_use: Option<HeavyUse>,
}

impl CgroupHome {
    /// Sets up the parents for the server with this data directory, and kills what an earlier
    /// server left behind. `run`: the folder in it that only the server can write. Never fails: see
    /// [`CgroupHome::missing`].
    pub fn open(choice: &CgroupChoice, run: &Path) -> Self {
        // First, because an engine of a killed server still has its cluster's lock and user.
        leftovers::clear_recorded(run);
        let mut this = Self::set_up(choice, &leftovers::group_name(), Moving::Allowed);
        if let Err(e) = leftovers::record(run, &this.parents) {
            tracing::warn!(error = %e, "the engines' groups could not be recorded: after a crash \
                                        they stay behind");
        }
        for parent in &this.parents {
            leftovers::clear_siblings(parent);
        }
        this.parents
            .sort_by_key(|parent| parent.version == Version::V1);
        this.heavy_use = this.watch_heavy_use();
        this
    }

    fn watch_heavy_use(&self) -> Option<HeavyUse> {
        self.enforcer(Controller::Cpu).ok()?;
        HeavyUse::start()
            .inspect_err(|error| {
                tracing::warn!(%error, "engines that use much CPU time will not give way to \
                                        others");
            })
            .ok()
    }

    /// Reports what [`CgroupHome::open`] would find, and leaves nothing behind.
    pub fn probe(choice: &CgroupChoice) -> Self {
        Self::set_up(
            choice,
            &format!("{GROUP_PREFIX}probe-{}", std::process::id()),
            Moving::ProbedOnly,
        )
    }

    fn set_up(choice: &CgroupChoice, name: &str, moving: Moving) -> Self {
        let mut this = Self::default();
        if *choice == CgroupChoice::Off {
            this.miss_all("engine.cgroup is \"off\"");
            return this;
        }
        let found = parse_hierarchies(
            &read_text(Path::new("/proc/self/mountinfo")).unwrap_or_default(),
            &read_text(Path::new("/proc/self/cgroup")).unwrap_or_default(),
        );
        this.miss_all(
            "no hierarchy with this controller is mounted; hint: mount cgroup2 at /sys/fs/cgroup",
        );
        // v2 first: a controller is in one hierarchy only, and `cgroup.kill` is atomic, unlike
        // killing the processes of a list.
        for hierarchy in found.iter().filter(|h| h.version == Version::V2) {
            this.add_v2(hierarchy, choice, name, moving);
        }
        for hierarchy in found.iter().filter(|h| h.version == Version::V1) {
            this.add_v1(hierarchy, choice, name);
        }
        this
    }

    fn miss_all(&mut self, reason: &str) {
        for (controller, _) in Controller::V1 {
            self.missing.insert(controller, reason.to_owned());
        }
        self.missing.insert(Controller::Kill, reason.to_owned());
    }

    fn add(&mut self, version: Version, base: PathBuf, name: &str, controllers: Vec<Controller>) {
        for controller in &controllers {
            self.missing.remove(controller);
        }
        self.parents
            .push(Parent::new(version, base, format!("{name}-"), controllers));
    }

    fn add_v1(&mut self, hierarchy: &Hierarchy, choice: &CgroupChoice, name: &str) {
        let wanted: Vec<Controller> = Controller::V1
            .into_iter()
            .filter(|(controller, word)| {
                // The freezer is the substitute for cgroup.kill.
                let needless = *controller == Controller::Freezer
                    && !self.missing.contains_key(&Controller::Kill);
                hierarchy.controllers.iter().any(|c| c == word)
                    && self.missing.contains_key(controller)
                    && !needless
            })
            .map(|(controller, _)| controller)
            .collect();
        if wanted.is_empty() {
            return;
        }
        let base = base(hierarchy, choice);
        match try_group(&base, name, |_| ()) {
            Ok(()) => self.add(Version::V1, base, name, wanted),
            Err(e) => self.miss(
                &wanted,
                &format!("{e}; hint: run the server as root, or let its user write there"),
            ),
        }
    }

    fn add_v2(&mut self, hierarchy: &Hierarchy, choice: &CgroupChoice, name: &str, moving: Moving) {
        let base = base(hierarchy, choice);
        let offered = read_text(&base.join("cgroup.controllers")).unwrap_or_default();
        let wanted: Vec<_> = Controller::V2
            .into_iter()
            .filter(|(_, word)| offered.split_whitespace().any(|o| o == *word))
            .collect();
        let mut controllers: Vec<Controller> =
            wanted.iter().map(|(controller, _)| *controller).collect();
        let words: Vec<String> = wanted.iter().map(|(_, word)| format!("+{word}")).collect();
        let given = if words.is_empty() {
            Ok(())
        } else {
            enable(&base, &words.join(" "), moving)
        };
        if let Err(e) = given {
            let hint = "hint: give the service its own group (systemd: Delegate=yes), or set \
                        engine.cgroup";
            self.miss(&controllers, &format!("{e}; {hint}"));
            controllers.clear();
        }
        let has_kill = match try_group(&base, name, |dir| dir.join("cgroup.kill").exists()) {
            Ok(has_kill) => has_kill,
            Err(e) => {
                self.miss(&[Controller::Kill], &e.to_string());
                return;
            }
        };
        if controllers.contains(&Controller::Cpu) {
            controllers.push(Controller::CpuTime);
        }
        if has_kill {
            controllers.push(Controller::Kill);
        } else {
            self.miss(&[Controller::Kill], "the kernel is older than 5.14");
        }
        self.add(Version::V2, base, name, controllers);
    }

    fn miss(&mut self, controllers: &[Controller], reason: &str) {
        for controller in controllers {
            self.missing.insert(*controller, reason.to_owned());
        }
    }

    #[cfg(test)]
    pub fn parents(&self) -> &[Parent] {
        &self.parents
    }

    /// Returns the version of the hierarchy that has this controller, or why none has.
    pub fn enforcer(&self, controller: Controller) -> Result<Version, &str> {
        match self.parents.iter().find(|parent| parent.has(controller)) {
            Some(parent) => Ok(parent.version),
            None => Err(self
                .missing
                .get(&controller)
                .map_or("not available", String::as_str)),
        }
    }

    /// A new group for one run of a cluster's engine, or none where there are no groups at all.
    pub fn make_group(
        &self,
        cluster: ClusterId,
        limits: GroupLimits,
    ) -> io::Result<Option<EngineGroup>> {
        if self.parents.is_empty() {
            return Ok(None);
        }
        // A name for each run: removing the last one's group may be under way.
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let group = EngineGroup::make(&self.parents, &format!("{cluster}-{run}"))?;
        // No engine runs without limits that this machine can enforce.
        if let Err(e) = group.set_limits(limits) {
            group.remove();
            return Err(e);
        }
        if let Some(heavy_use) = &self.heavy_use {
            heavy_use.watch(&group);
        }
        Ok(Some(group))
    }

    /// Kills everything that earlier runs of a cluster's engine left running, and removes their
    /// groups. False if something still lives. Blocks for a bounded time.
    pub fn kill_cluster(&self, cluster: ClusterId) -> bool {
        let prefix = format!("{cluster}-");
        leftovers::clear_groups(&self.parents, |name| name.starts_with(&prefix))
    }
}

impl Drop for CgroupHome {
    fn drop(&mut self) {
        leftovers::clear_groups(&self.parents, |_| true);
    }
}

/// Permission to move the server into a child group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moving {
    Allowed,
    ProbedOnly,
}

/// The group below which ours are made: the server's own, so that limits of the server as a whole
/// include its engines', unless the operator chose another.
fn base(hierarchy: &Hierarchy, choice: &CgroupChoice) -> PathBuf {
    match choice {
        CgroupChoice::Under(path) => hierarchy.mount.join(path.strip_prefix("/").unwrap_or(path)),
        CgroupChoice::Auto | CgroupChoice::Off => {
            // A server that moved itself (a restart by exec, a second start in one process) finds
            // itself in the child.
            let own = &hierarchy.own;
            let moved = own.file_name().is_some_and(|name| name == SERVER_GROUP);
            if moved {
                own.parent().unwrap_or(own).to_owned()
            } else {
                own.clone()
            }
        }
    }
}

/// Creates a temporary group in the way that the engines' groups are created, and runs a check on
/// it.
fn try_group<T>(base: &Path, name: &str, ask: impl FnOnce(&Path) -> T) -> io::Result<T> {
    if !base.exists() {
        make_group(base)?;
    }
    let dir = base.join(name);
    make_group(&dir)?;
    let answer = ask(&dir);
    remove_group(&dir);
    Ok(answer)
}

/// Gives the engines' groups their controllers (v2). The kernel allows that only where no process
/// is beside child groups, so the server moves into a child first; others' processes are never
/// moved.
fn enable(base: &Path, controllers: &str, moving: Moving) -> io::Result<()> {
    let switch = base.join("cgroup.subtree_control");
    let enabled = read_text(&switch)?;
    let missing = |word: &str| {
        !enabled
            .split_whitespace()
            .any(|e| word.strip_prefix('+') == Some(e))
    };
    if controllers.split(' ').any(missing) {
        let ours = own_in(base);
        if moving == Moving::ProbedOnly {
            // Processes of others are never moved, so the server must be alone in its group.
            let alone = super::files::processes(base).len() <= usize::from(ours);
            let writable = rustix::fs::access(&switch, rustix::fs::Access::WRITE_OK).is_ok();
            let is_root = !base.join("cgroup.type").exists();
            return if writable && (alone || is_root) {
                Ok(())
            } else {
                Err(io::Error::other(not_delegated(base)))
            };
        }
        // The root group has no such file, and may have processes beside child groups.
        if ours && base.join("cgroup.type").exists() {
            let server = base.join(SERVER_GROUP);
            make_group(&server)?;
            write_value(&server.join("cgroup.procs"), "0")?;
        }
        if let Err(e) = write_value(&switch, controllers) {
            // Moved back, so that a failure leaves the server where its service manager put it.
            if ours {
                let _ = write_value(&base.join("cgroup.procs"), "0");
                remove_group(&base.join(SERVER_GROUP));
            }
            return Err(io::Error::new(
                e.kind(),
                format!("{}: {e}", not_delegated(base)),
            ));
        }
    }
    Ok(())
}

fn not_delegated(base: &Path) -> String {
    format!("the group {} is not this server's alone", base.display())
}

fn own_in(group: &Path) -> bool {
    i32::try_from(std::process::id()).is_ok_and(|own| super::files::processes(group).contains(&own))
}
