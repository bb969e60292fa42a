//! Databases of roots (NSS) that Chromium and Firefox read, changed by Mozilla's `certutil`. They
//! belong to one user, so the tool runs as that user: root's files in a user's home would lock the
//! browser out.

use super::copy::RootCopy;
use super::files;
use super::store::{NAME, TrustStore, store_name};
use super::tool::{self, ToolResult};
use super::user::{StoreUser, browsing_user};
use crate::failure::Failure;
use anyhow::Result;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tidegate_tls::LocalRoot;

/// Folders of a Chromium database below the home directory: of packages, of newer versions, and of
/// snaps.
const CHROMIUM: [&str; 3] = [
    ".pki/nssdb",
    ".local/share/pki/nssdb",
    "snap/chromium/current/.pki/nssdb",
];

/// Folders of Firefox profiles below the home directory: of packages, of newer versions, of snaps,
/// and of flatpaks.
const FIREFOX: [&str; 4] = [
    ".mozilla/firefox",
    ".config/mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
];

/// Programs that read the first folder of [`CHROMIUM`], which they make at their first start.
const CHROMIUM_PROGRAMS: [&str; 6] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "brave-browser",
    "microsoft-edge",
];

/// File of every database.
const CERTIFICATES: &str = "cert9.db";

/// Trust as an issuer of servers, and for nothing else.
const ISSUER: &str = "C,,";

/// Database of one browser profile.
pub struct BrowserStore {
    title: String,
    folder: PathBuf,
    user: StoreUser,
}

impl BrowserStore {
    /// Finds the databases of the user who typed the command, below `root`.
    pub fn find(root: &Path) -> Vec<Self> {
        let Some(user) = browsing_user() else {
            return Vec::new();
        };
        let chromium = CHROMIUM
            .iter()
            .map(|folder| ("Chromium", user.home.join(folder)));
        let profiles = FIREFOX
            .iter()
            .flat_map(|folder| files::entries(&user.home.join(folder)).unwrap_or_default());
        let firefox = profiles.map(|folder| ("Firefox", folder));
        let mut found: Vec<_> = chromium
            .chain(firefox)
            .filter(|(_, folder)| belongs_to(&folder.join(CERTIFICATES), &user))
            .collect();
        let has_chromium = found.iter().any(|(browser, _)| *browser == "Chromium");
        if !has_chromium
            && CHROMIUM_PROGRAMS
                .iter()
                .any(|name| tool::find(root, name).is_some())
        {
            found.insert(0, ("Chromium", user.home.join(CHROMIUM[0])));
        }
        found
            .into_iter()
            .map(|(browser, folder)| Self {
                title: format!("{browser}'s store of {}", user.name),
                folder,
                user: user.clone(),
            })
            .collect()
    }

    fn exists(&self) -> bool {
        self.folder.join(CERTIFICATES).exists()
    }

    fn certutil(&self, args: &[&str]) -> Result<ToolResult> {
        let program = tool::find(Path::new("/"), "certutil").ok_or_else(|| {
            Failure::new(
                "the program `certutil`, which changes the stores of browsers, is not installed",
                "install the package `libnss3-tools` (Debian, Ubuntu), `nss-tools` (Fedora) or \
                 `nss` (Arch), then run the same command again",
            )
        })?;
        let database = format!("sql:{}", self.folder.display());
        tool::run_as(&program, &[args, &["-d", &database]].concat(), &self.user)
    }

    fn must(&self, args: &[&str]) -> Result<Vec<u8>> {
        let ran = self.certutil(args)?;
        if ran.ok {
            return Ok(ran.out);
        }
        let cause = format!(
            "certutil could not use {}: {}",
            self.folder.display(),
            ran.said
        );
        let hint = "a store with a password (Firefox: primary password) can only be changed in \
                    the browser: import ca.pem under \"Certificates\"";
        Err(Failure::new(cause, hint).into())
    }

    /// Names of our entries, each with its trust as certutil prints it.
    fn entries(&self) -> Result<Vec<(String, String)>> {
        if !self.exists() {
            return Ok(Vec::new());
        }
        let listed = self.must(&["-L"])?;
        Ok(our_entries(&String::from_utf8_lossy(&listed)))
    }

    fn root_named(&self, name: &str) -> Result<LocalRoot> {
        let pem = self.must(&["-L", "-n", name, "-a"])?;
        Ok(LocalRoot::parse(&pem, &self.folder)?)
    }

    /// Makes the database that Chromium would make at its first start.
    fn create(&self) -> Result<()> {
        tool::must_as(
            Path::new("/bin/mkdir"),
            &["-p", "-m", "700", &self.folder.to_string_lossy()],
            &self.user,
        )?;
        self.must(&["-N", "--empty-password"]).map(drop)
    }
}

/// Whether the user owns the database, and no link leads to it. Another's database is never
/// changed.
fn belongs_to(database: &Path, user: &StoreUser) -> bool {
    let of_user = |path: &Path| {
        path.symlink_metadata()
            .is_ok_and(|found| !found.is_symlink() && found.uid() == user.uid)
    };
    database.is_file() && database.ancestors().take(2).all(of_user)
}

/// Returns the lines of `certutil -L` with our names: the name, then the trust.
fn our_entries(listed: &str) -> Vec<(String, String)> {
    listed
        .lines()
        .filter(|line| line.starts_with(NAME))
        .filter_map(|line| line.trim_end().rsplit_once(char::is_whitespace))
        .map(|(name, trust)| (name.trim_end().to_owned(), trust.to_owned()))
        .collect()
}

impl TrustStore for BrowserStore {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn place(&self) -> PathBuf {
        self.folder.clone()
    }

    fn trusts(&self, root: &LocalRoot) -> Result<bool> {
        let name = store_name(root);
        for (found, trust) in self.entries()? {
            if found == name && trust.starts_with('C') {
                return Ok(self.root_named(&found)? == *root);
            }
        }
        Ok(false)
    }

    fn ours(&self) -> Result<Vec<LocalRoot>> {
        self.entries()?
            .iter()
            .map(|(name, _)| self.root_named(name))
            .collect()
    }

    fn install(&self, root: &LocalRoot) -> Result<Vec<String>> {
        if !self.exists() {
            self.create()?;
        }
        let name = store_name(root);
        let copy = RootCopy::new(root)?;
        let path = copy.path();
        let added = self.must(&[
            "-A",
            "-n",
            &name,
            "-t",
            ISSUER,
            "-a",
            "-i",
            &path,
            "-f",
            "/dev/null",
        ]);
        if added.is_err() {
            // A store with a password keeps the certificate, without its trust.
            let _ = self.certutil(&["-D", "-n", &name, "-f", "/dev/null"]);
        }
        added?;
        Ok(vec![format!(
            "certutil imported it as {name}; restart the browser"
        )])
    }

    fn remove(&self, roots: &[LocalRoot]) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for (name, _) in self.entries()? {
            if roots.contains(&self.root_named(&name)?) {
                self.must(&["-D", "-n", &name, "-f", "/dev/null"])?;
                lines.push(format!("certutil deleted {name}"));
            }
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_entries_with_our_names_are_ours() {
        let listed = "\nCertificate Nickname                    Trust Attributes\n\n\
                      my company root                         CT,C,C\n\
                      tidegate-local-00aa                     C,,  \n\
                      x tidegate-local-00bb                   C,,  \n\
                      tidegate-local-00cc                     ,,   \n";
        let found = our_entries(listed);
        let expected = [
            ("tidegate-local-00aa", "C,,"),
            ("tidegate-local-00cc", ",,"),
        ];
        assert_eq!(
            found,
            expected.map(|(name, trust)| (name.to_owned(), trust.to_owned()))
        );
    }
}
