//! System store of Linux distributions: a folder of roots, and a tool that makes bundles from it.
//! Only files with our names are written and removed; the tool makes bundles and hashes.

use super::kinds::{KINDS, Kind};
use super::store::{NAME, TrustStore, store_name};
use super::tool::files_under;
use super::{files, tool};
use crate::failure::Failure;
use anyhow::Result;
use std::path::{Path, PathBuf};
use tidegate_tls::LocalRoot;

/// The only file extension that all tools accept.
const ENDING: &str = "crt";

pub struct FolderStore {
    kind: &'static Kind,
    root: PathBuf,
    refresh: PathBuf,
}

impl FolderStore {
    /// Finds the store of the system whose files are under `root`.
    pub fn find(root: &Path) -> Option<Self> {
        KINDS.iter().find_map(|kind| {
            let exists = |path: &str| files_under(root, Path::new(path)).exists();
            let fits = exists(kind.anchors) && kind.only_with.is_none_or(exists);
            let refresh = tool::find(root, kind.refresh.first()?)?;
            fits.then(|| Self {
                kind,
                root: root.to_owned(),
                refresh,
            })
        })
    }

    fn path(&self, path: &str) -> PathBuf {
        files_under(&self.root, Path::new(path))
    }

    fn file(&self, root: &LocalRoot) -> PathBuf {
        self.path(self.kind.anchors)
            .join(format!("{}.{ENDING}", store_name(root)))
    }

    fn bundle(&self) -> Option<PathBuf> {
        self.kind
            .bundles
            .iter()
            .map(|path| self.path(path))
            .find(|path| path.is_file())
    }

    fn refresh(&self) -> Result<String> {
        // A tool without arguments has only its name in the list.
        let args = self.kind.refresh.get(1..).unwrap_or_default();
        tool::must(&self.refresh, args, &[])?;
        Ok(format!("ran {}", self.kind.refresh.join(" ")))
    }

    /// Failure for a file with our name but another certificate: somebody else put it there.
    fn foreign_file(&self, file: &Path) -> Failure {
        let cause = format!(
            "{} contains a different certificate than its name says",
            file.display()
        );
        Failure::new(cause, "check the file; delete it if nobody needs it")
    }
}

impl TrustStore for FolderStore {
    fn title(&self) -> String {
        self.kind.title.to_owned()
    }

    fn place(&self) -> PathBuf {
        self.path(self.kind.anchors)
    }

    fn trusts(&self, root: &LocalRoot) -> Result<bool> {
        let bundle = self
            .bundle()
            .map(|path| files::read(&path))
            .transpose()?
            .flatten();
        Ok(bundle.is_some_and(|text| root.is_in(&text)))
    }

    fn ours(&self) -> Result<Vec<LocalRoot>> {
        let mut found = Vec::new();
        for path in files::entries(&self.place())? {
            let named = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(NAME));
            let Some(text) = named.then(|| files::read(&path)).transpose()?.flatten() else {
                continue;
            };
            // The name contains the fingerprint. A file that doesn't match it isn't ours.
            found.extend(
                LocalRoot::parse(&text, &path)
                    .ok()
                    .filter(|root| self.file(root) == path),
            );
        }
        Ok(found)
    }

    fn install(&self, root: &LocalRoot) -> Result<Vec<String>> {
        let file = self.file(root);
        let mut lines = Vec::new();
        match files::read(&file)? {
            Some(text) if text == root.pem.as_bytes() => {}
            Some(_) => return Err(self.foreign_file(&file).into()),
            None => {
                files::write(&file, &root.pem)?;
                lines.push(format!("wrote {}", file.display()));
            }
        }
        lines.push(self.refresh()?);
        // The tool may succeed and still leave the file out, so the bundle is read.
        if self.trusts(root)? {
            return Ok(lines);
        }
        let bundle = self
            .bundle()
            .map_or("its bundle".to_owned(), |path| path.display().to_string());
        let cause = format!(
            "{} ran, but {bundle} has no {}",
            self.kind.refresh.join(" "),
            root.name
        );
        Err(Failure::new(cause, "run that tool by hand and read its output").into())
    }

    fn remove(&self, roots: &[LocalRoot]) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let mut refresh = false;
        for root in roots {
            let file = self.file(root);
            match files::read(&file)? {
                Some(text) if LocalRoot::parse(&text, &file).is_ok_and(|found| found == *root) => {
                    files::remove(&file)?;
                    lines.push(format!("removed {}", file.display()));
                }
                Some(_) => return Err(self.foreign_file(&file).into()),
                None => {}
            }
            // Even without the file: somebody may have deleted only that, and the tool does not
            // remove the links.
            let links = self
                .kind
                .links
                .map_or(Ok(0), |links| files::remove_links(&self.path(links), &file))?;
            if links > 0 {
                lines.push(format!(
                    "removed {links} links to it in {}",
                    self.kind.links.unwrap_or_default()
                ));
            }
            refresh |= self.trusts(root)?;
        }
        if !refresh && lines.is_empty() {
            return Ok(lines);
        }
        lines.push(self.refresh()?);
        if let Some([name, args @ ..]) = self.kind.relink
            && let Some(program) = tool::find(&self.root, name)
        {
            tool::must(&program, args, &[])?;
            lines.push(format!("ran {name} {}", args.join(" ")));
        }
        // A bundle that can't be read may still contain the root.
        match roots.iter().find(|root| self.trusts(root).unwrap_or(true)) {
            Some(root) => {
                let cause = format!(
                    "{} is still in the bundle: somebody added it under another name",
                    root.name
                );
                let hint = format!("find and delete it in {}", self.place().display());
                Err(Failure::new(cause, hint).into())
            }
            None => Ok(lines),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Makes a system of a kind: its folders, and a tool that does what the real one's manual says.
    fn machine(anchors: &str, tool: &str, script: &str, files: &[&str]) -> tempfile::TempDir {
        let tmp = tempfile::tempdir().unwrap();
        for folder in [anchors, "/usr/sbin"] {
            std::fs::create_dir_all(files_under(tmp.path(), Path::new(folder))).unwrap();
        }
        for file in files {
            let path = files_under(tmp.path(), Path::new(file));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let program = tmp.path().join("usr/sbin").join(tool);
        std::fs::write(
            &program,
            format!("#!/bin/sh\ncd {}\n{script}\n", tmp.path().display()),
        )
        .unwrap();
        std::fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
        tmp
    }

    fn root_of(folder: &Path) -> LocalRoot {
        tidegate_tls::Identity::open(tidegate_tls::TlsSettings::new(folder), |_| {}).unwrap();
        LocalRoot::current(folder).unwrap().unwrap()
    }

    #[test]
    fn each_kind_of_machine_is_told_by_its_folders_and_takes_and_gives_back() {
        let data = tempfile::tempdir().unwrap();
        let root = root_of(data.path());
        for (title, anchors, tool, bundle, more) in [
            (
                "SUSE",
                "/etc/pki/trust/anchors",
                "update-ca-certificates",
                "/var/lib/ca-certificates/ca-bundle.pem",
                "",
            ),
            (
                "Fedora",
                "/etc/pki/ca-trust/source/anchors",
                "update-ca-trust",
                "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                "",
            ),
            (
                "Arch",
                "/etc/ca-certificates/trust-source/anchors",
                "update-ca-trust",
                "/etc/ssl/certs/ca-certificates.crt",
                "",
            ),
            (
                "Alpine",
                "/usr/local/share/ca-certificates",
                "update-ca-certificates",
                "/etc/ssl/certs/ca-certificates.crt",
                "/etc/alpine-release",
            ),
        ] {
            let script = format!("cat ./{anchors}/*.crt >./{bundle} 2>/dev/null; true");
            let files: Vec<_> = [bundle, more]
                .into_iter()
                .filter(|file| !file.is_empty())
                .collect();
            let machine = machine(anchors, tool, &script, &files);
            let theirs = files_under(machine.path(), Path::new(anchors)).join("theirs.crt");
            std::fs::write(&theirs, "theirs\n").unwrap();
            let store = FolderStore::find(machine.path()).unwrap_or_else(|| panic!("{title}"));
            assert!(store.title().contains(title), "{title}: {}", store.title());
            assert!(!store.trusts(&root).unwrap());
            assert_eq!(
                store.remove(std::slice::from_ref(&root)).unwrap(),
                [""; 0],
                "{title}: nothing was there"
            );
            let lines = store.install(&root).unwrap();
            assert_eq!(lines.len(), 2, "{title}: {lines:?}");
            assert!(store.trusts(&root).unwrap(), "{title}");
            assert_eq!(
                store.ours().unwrap(),
                std::slice::from_ref(&root),
                "{title}"
            );
            store.remove(std::slice::from_ref(&root)).unwrap();
            assert!(!store.trusts(&root).unwrap(), "{title}");
            assert_eq!(files::entries(&store.place()).unwrap(), [theirs], "{title}");
        }
    }

    #[test]
    fn a_machine_without_a_tool_has_no_store() {
        let machine = machine(
            "/usr/local/share/ca-certificates",
            "something-else",
            "",
            &[],
        );
        assert!(FolderStore::find(machine.path()).is_none());
    }

    #[test]
    fn what_lies_under_our_name_and_is_not_ours_stays() {
        let data = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let root = root_of(data.path());
        let other = root_of(other.path());
        let bundle = "/etc/ssl/certs/ca-certificates.crt";
        let script = format!("cat ./usr/local/share/ca-certificates/*.crt >.{bundle}");
        let machine = machine(
            "/usr/local/share/ca-certificates",
            "update-ca-certificates",
            &script,
            &[bundle],
        );
        let store = FolderStore::find(machine.path()).unwrap();
        std::fs::write(store.file(&root), &other.pem).unwrap();
        assert!(store.install(&root).is_err());
        assert!(store.remove(std::slice::from_ref(&root)).is_err());
        assert_eq!(store.ours().unwrap(), [], "a name that lies is not ours");
        assert_eq!(
            std::fs::read_to_string(store.file(&root)).unwrap(),
            other.pem
        );
    }

    #[test]
    fn a_tool_that_forgets_the_root_is_told_about() {
        let data = tempfile::tempdir().unwrap();
        let bundle = "/etc/ssl/certs/ca-certificates.crt";
        let machine = machine(
            "/usr/local/share/ca-certificates",
            "update-ca-certificates",
            "true",
            &[bundle],
        );
        let error = FolderStore::find(machine.path())
            .unwrap()
            .install(&root_of(data.path()))
            .unwrap_err();
        assert!(
            error.to_string().contains("has no Tidegate Local Root"),
            "{error}"
        );
    }
}
