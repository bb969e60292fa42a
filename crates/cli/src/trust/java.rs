//! Trust stores of the Java installations on this machine, changed by their own `keytool`. Only
//! entries with our certificate are removed, and only under a name that we or the system's store
//! gave them.

use super::copy::RootCopy;
use super::files;
use super::store::{NAME, TrustStore, store_name};
use super::tool::{self, ToolResult};
use crate::failure::Failure;
use anyhow::Result;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tidegate_tls::LocalRoot;

/// Folders of Java installations that are not on $PATH.
const HOMES: [&str; 3] = [
    "/usr/lib/jvm",
    "/opt/java",
    "/Library/Java/JavaVirtualMachines",
];

/// Path of the store in a Java home; the second is that of a JDK 8.
const STORES: [&str; 2] = ["lib/security/cacerts", "jre/lib/security/cacerts"];

/// Environment variable from which keytool reads the store's password, so that it is in no
/// argument.
const PASSWORD: &str = "TIDEGATE_JAVA_STORE_PASSWORD";

/// Java's default password of a store.
const USUAL_PASSWORD: &str = "changeit";

/// Beginning of the names that Debian's hook gives to roots of the system's store.
const DEBIAN: &str = "debian:";

pub struct JavaStore {
    keytool: PathBuf,
    file: PathBuf,
    /// Entries that were read last, cached because each start of Java takes a second. Our changes
    /// clear the cache. Changes by the system's tool don't, so the system's store is changed first.
    read: RefCell<Option<Rc<[Entry]>>>,
}

impl JavaStore {
    /// Finds every store, each once, even if several paths lead to it.
    pub fn find() -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for home in homes() {
            let keytool = home.join("bin/keytool");
            let store = STORES
                .iter()
                .find_map(|store| home.join(store).canonicalize().ok());
            let Some(file) =
                store.filter(|file| keytool.is_file() && found.iter().all(|old| old.file != *file))
            else {
                continue;
            };
            found.push(Self {
                keytool,
                file,
                read: RefCell::new(None),
            });
        }
        found
    }

    fn keytool(&self, args: &[&str]) -> Result<ToolResult> {
        let file = self.file.to_string_lossy();
        let store = [
            // The output is parsed, so its language must not depend on the machine.
            "-J-Duser.language=en",
            "-keystore",
            &file,
            // Not as an argument, which all users of the machine can read in the list of processes.
            "-storepass:env",
            PASSWORD,
        ];
        let set = std::env::var(PASSWORD).unwrap_or_else(|_| USUAL_PASSWORD.to_owned());
        tool::run(&self.keytool, &[args, &store].concat(), &[(PASSWORD, &set)])
    }

    fn must(&self, args: &[&str]) -> Result<Vec<u8>> {
        let ran = self.keytool(args)?;
        if ran.ok {
            return Ok(ran.out);
        }
        let cause = format!(
            "keytool could not use {}: {}",
            self.file.display(),
            ran.said
        );
        Err(Failure::new(
            cause,
            format!("if its password is not the default, set ${PASSWORD}"),
        )
        .into())
    }

    /// Returns all entries, each as keytool prints it.
    fn entries(&self) -> Result<Rc<[Entry]>> {
        if let Some(read) = self.read.borrow().as_ref() {
            return Ok(Rc::clone(read));
        }
        let listed = self.must(&["-list", "-rfc"])?;
        let entries: Rc<[Entry]> = split(&String::from_utf8_lossy(&listed)).into();
        *self.read.borrow_mut() = Some(Rc::clone(&entries));
        Ok(entries)
    }

    fn change(&self, args: &[&str]) -> Result<()> {
        // Cleared first: a change may fail after it was made in part.
        *self.read.borrow_mut() = None;
        self.must(args).map(drop)
    }

    fn aliases(&self, root: &LocalRoot) -> Result<Vec<String>> {
        let entries = self.entries()?;
        Ok(entries
            .iter()
            .filter(|e| root.is_in(e.text.as_bytes()))
            .map(|e| e.alias.clone())
            .collect())
    }
}

struct Entry {
    alias: String,
    text: String,
}

fn split(listed: &str) -> Vec<Entry> {
    // The first part is keytool's heading.
    let blocks = listed.split("Alias name: ").skip(1);
    let entry = |block: &str| {
        let (alias, text) = block.split_once('\n')?;
        Some(Entry {
            alias: alias.trim().to_owned(),
            text: text.to_owned(),
        })
    };
    blocks.filter_map(entry).collect()
}

/// Whether we added the entry, or the system's store did for one of our files.
fn is_ours(alias: &str) -> bool {
    alias
        .strip_prefix(DEBIAN)
        .unwrap_or(alias)
        .starts_with(NAME)
}

fn homes() -> Vec<PathBuf> {
    let set = std::env::var_os("JAVA_HOME").map(PathBuf::from);
    let on_path =
        tool::find(Path::new("/"), "keytool").and_then(|keytool| keytool.canonicalize().ok());
    let on_path = on_path.and_then(|keytool| Some(keytool.parent()?.parent()?.to_owned()));
    let listed = HOMES
        .iter()
        .flat_map(|folder| files::entries(Path::new(folder)).unwrap_or_default());
    // On macOS the home is inside the folder.
    let listed = listed.flat_map(|home| [home.join("Contents/Home"), home]);
    set.into_iter()
        .chain(on_path)
        .chain(listed)
        .filter(|home| home.is_dir())
        .collect()
}

impl TrustStore for JavaStore {
    fn title(&self) -> String {
        "Java's store".to_owned()
    }

    fn place(&self) -> PathBuf {
        self.file.clone()
    }

    fn trusts(&self, root: &LocalRoot) -> Result<bool> {
        Ok(!self.aliases(root)?.is_empty())
    }

    fn ours(&self) -> Result<Vec<LocalRoot>> {
        let mut found: Vec<LocalRoot> = Vec::new();
        for entry in self.entries()?.iter().filter(|entry| is_ours(&entry.alias)) {
            let root = LocalRoot::parse(entry.text.as_bytes(), &self.file).ok();
            found.extend(root.filter(|root| !found.contains(root)));
        }
        Ok(found)
    }

    fn install(&self, root: &LocalRoot) -> Result<Vec<String>> {
        let copy = RootCopy::new(root)?;
        let name = store_name(root);
        let path = copy.path();
        self.change(&["-importcert", "-noprompt", "-alias", &name, "-file", &path])?;
        Ok(vec![format!("keytool imported it as {name}")])
    }

    fn remove(&self, roots: &[LocalRoot]) -> Result<Vec<String>> {
        let entries = self.entries()?;
        let mut lines = Vec::new();
        for entry in entries
            .iter()
            .filter(|e| roots.iter().any(|root| root.is_in(e.text.as_bytes())))
        {
            let alias = &entry.alias;
            if is_ours(alias) {
                self.change(&["-delete", "-alias", alias])?;
                lines.push(format!("keytool deleted {alias}"));
            } else {
                lines.push(format!(
                    "kept {alias}, which somebody added by hand: `keytool -delete` removes it"
                ));
            }
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_told_apart_by_their_aliases() {
        let listed = "Keystore type: JKS\n\nAlias name: debian:a.pem\nCreation date: x\n\n\
                      BEGIN a\n\n\n\
                      Alias name: tidegate-local-0011\nCreation date: y\n\nBEGIN b\n";
        let entries = split(listed);
        let aliases: Vec<_> = entries.iter().map(|e| e.alias.as_str()).collect();
        assert_eq!(aliases, ["debian:a.pem", "tidegate-local-0011"]);
        assert!(entries[0].text.contains("BEGIN a") && !entries[0].text.contains("BEGIN b"));
        assert!(split("Keystore type: JKS\n").is_empty());
    }

    #[test]
    fn only_our_names_and_debians_for_them_are_ours() {
        assert!(is_ours("tidegate-local-0011") && is_ours("debian:tidegate-local-0011.pem"));
        assert!(
            !is_ours("debian:isrg_root_x1.pem")
                && !is_ours("mine")
                && !is_ours("x-tidegate-local-0011")
        );
    }
}
