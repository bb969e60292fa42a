//! System keychain of macOS, changed by `security`. Written from its manual and never run
//! (docs/trust.md).

use super::store::{TrustStore, store_name};
use super::tool;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use tidegate_tls::LocalRoot;

const KEYCHAIN: &str = "/Library/Keychains/System.keychain";
const SECURITY: &str = "/usr/bin/security";

/// Beginning of the common name of all our roots, by which `security` finds them.
const COMMON_NAME: &str = "Tidegate Local Root";

pub struct Keychain;

impl Keychain {
    /// Returns all our certificates as PEM blocks. `security` fails if there are none.
    fn found() -> Result<String> {
        let ran = tool::run(
            Path::new(SECURITY),
            &["find-certificate", "-a", "-c", COMMON_NAME, "-p", KEYCHAIN],
            &[],
        )?;
        Ok(if ran.ok {
            String::from_utf8_lossy(&ran.out).into_owned()
        } else {
            String::new()
        })
    }

    /// Runs `security` with the certificate in a temporary file.
    fn with_file(root: &LocalRoot, args: &[&str]) -> Result<()> {
        let path =
            std::env::temp_dir().join(format!("{}-{}.pem", store_name(root), std::process::id()));
        let mut file = std::fs::File::create_new(&path)
            .with_context(|| format!("creating {}", path.display()))?;
        std::io::Write::write_all(&mut file, root.pem.as_bytes())?;
        let name = path.to_string_lossy().into_owned();
        let ran = tool::must(Path::new(SECURITY), &[args, &[name.as_str()]].concat(), &[]);
        std::fs::remove_file(&path)?;
        ran.map(drop)
    }
}

impl TrustStore for Keychain {
    fn title(&self) -> String {
        "macOS's system keychain".to_owned()
    }

    fn place(&self) -> PathBuf {
        KEYCHAIN.into()
    }

    fn trusts(&self, root: &LocalRoot) -> Result<bool> {
        Ok(root.is_in(Self::found()?.as_bytes()))
    }

    fn ours(&self) -> Result<Vec<LocalRoot>> {
        let found = Self::found()?;
        let blocks = found.split_inclusive("-----END CERTIFICATE-----\n");
        Ok(blocks
            .filter_map(|block| LocalRoot::parse(block.as_bytes(), Path::new(KEYCHAIN)).ok())
            .collect())
    }

    fn install(&self, root: &LocalRoot) -> Result<Vec<String>> {
        Self::with_file(
            root,
            &["add-trusted-cert", "-d", "-r", "trustRoot", "-k", KEYCHAIN],
        )?;
        Ok(vec![format!("added {} as a trusted root", root.name)])
    }

    fn remove(&self, roots: &[LocalRoot]) -> Result<Vec<String>> {
        let found = Self::found()?;
        let mut lines = Vec::new();
        for root in roots.iter().filter(|root| root.is_in(found.as_bytes())) {
            Self::with_file(root, &["remove-trusted-cert", "-d"])?;
            // By its name, which is different for each of our roots.
            tool::must(
                Path::new(SECURITY),
                &["delete-certificate", "-c", &root.name, KEYCHAIN],
                &[],
            )?;
            lines.push(format!("removed {}", root.name));
        }
        Ok(lines)
    }
}
