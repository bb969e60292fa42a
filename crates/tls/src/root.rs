//! The root certificate of a local CA, as clients and trust stores see it. It is identified by its
//! fingerprint. This file reads no key and changes no trust store.

use crate::chain::certificates;
use crate::error::TlsError;
use crate::issue::ROOT_NAME;
use crate::limits::FORMER_MAX;
use crate::state::{self, SECRET_MODE};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use time::OffsetDateTime;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// A root that Tidegate made, from any file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRoot {
    /// The certificate in PEM, without any text around it.
    pub pem: String,
    /// Its common name, which is unique.
    pub name: String,
    /// SHA-256 of the certificate in lower-case hex.
    pub fingerprint: String,
    pub not_after: OffsetDateTime,
    der: Vec<u8>,
}

impl LocalRoot {
    /// Reads the current root of a data folder; none if it has no local CA.
    ///
    /// # Errors
    /// If `ca.pem` can't be read or is not a root made by Tidegate.
    pub fn current(data: &Path) -> Result<Option<Self>, TlsError> {
        let path = data.join("ca.pem");
        state::read_if_there(&path)?
            .map(|text| Self::parse(&text, &path))
            .transpose()
    }

    /// Reads the former roots of a data folder that were kept and that this user may read.
    pub fn former(data: &Path) -> Vec<Self> {
        let files = by_age(&former_folder(&data.join("tls")));
        files
            .iter()
            .filter_map(|(_, path)| Self::parse(&state::read(path).ok()?, path).ok())
            .collect()
    }

    /// Parses exactly one certificate, which must be a self-signed CA with a name as Tidegate gives
    /// it.
    ///
    /// # Errors
    /// If it is anything else: only roots made by Tidegate may go into a machine's trust store.
    pub fn parse(text: &[u8], path: &Path) -> Result<Self, TlsError> {
        let [der] =
            <[_; 1]>::try_from(certificates(text, path)?).map_err(|_| foreign_root(path))?;
        let pem = std::str::from_utf8(text)
            .ok()
            .and_then(alone)
            .ok_or_else(|| foreign_root(path))?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&der).map_err(|_| foreign_root(path))?;
        let name = parsed
            .subject()
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok())
            .unwrap_or_default();
        let ours =
            name.starts_with(ROOT_NAME) && parsed.subject() == parsed.issuer() && parsed.is_ca();
        if !ours {
            return Err(foreign_root(path));
        }
        Ok(Self {
            pem,
            name: name.to_owned(),
            fingerprint: hex(&Sha256::digest(&der)),
            not_after: parsed.validity().not_after.to_datetime(),
            der: der.to_vec(),
        })
    }

    /// Whether a PEM bundle contains this certificate.
    pub fn is_in(&self, bundle: &[u8]) -> bool {
        CertificateDer::pem_slice_iter(bundle).any(|found| found.is_ok_and(|der| *der == *self.der))
    }
}

/// Returns the certificate's PEM block without the text around it.
fn alone(text: &str) -> Option<String> {
    let (_, rest) = text.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    Some(format!("{BEGIN}{}{END}\n", body.replace('\r', "")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn former_folder(keys: &Path) -> PathBuf {
    keys.join("former")
}

/// Keeps a copy of a root that is about to be replaced, so that it can be found in a machine's
/// trust store later. A file that is not a root made by Tidegate is ignored.
pub fn keep_former(keys: &Path, ca: &Path) -> Result<(), TlsError> {
    let Some(text) = state::read_if_there(ca)? else {
        return Ok(());
    };
    let Ok(root) = LocalRoot::parse(&text, ca) else {
        return Ok(());
    };
    let folder = former_folder(keys);
    state::private_folder(&folder)?;
    state::write_whole(
        &folder.join(format!("{}.pem", root.fingerprint)),
        root.pem.as_bytes(),
        SECRET_MODE,
    )?;
    let files = by_age(&folder);
    for (_, oldest) in files.iter().take(files.len().saturating_sub(FORMER_MAX)) {
        std::fs::remove_file(oldest).map_err(TlsError::io("removing", oldest))?;
    }
    Ok(())
}

/// Lists the PEM files of a folder, oldest first. A folder that is missing or unreadable has none.
fn by_age(folder: &Path) -> Vec<(SystemTime, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let pem = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "pem"));
    let mut files: Vec<_> = pem
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .collect();
    files.sort();
    files
}

fn foreign_root(path: &Path) -> TlsError {
    TlsError::ForeignRoot(path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::TestCa;
    use crate::{Identity, TlsSettings};

    #[test]
    fn a_root_of_ours_is_read_and_found_in_a_bundle() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(LocalRoot::current(folder.path()).unwrap(), None);
        Identity::open(TlsSettings::new(folder.path()), |_| {}).unwrap();
        let root = LocalRoot::current(folder.path()).unwrap().unwrap();
        assert!(
            root.name.starts_with("Tidegate Local Root "),
            "{}",
            root.name
        );
        assert_eq!(root.fingerprint.len(), 64);
        let stranger = TestCa::new("stranger").pem();
        assert!(root.is_in(format!("{stranger}\nsome words\n{}{stranger}", root.pem).as_bytes()));
        assert!(!root.is_in(stranger.as_bytes()));
        assert!(!root.is_in(b""));
    }

    #[test]
    fn only_a_root_of_ours_and_nothing_beside_it_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        Identity::open(TlsSettings::new(folder.path()), |_| {}).unwrap();
        let ours = std::fs::read_to_string(folder.path().join("ca.pem")).unwrap();
        let stranger = TestCa::new("stranger").pem();
        // A leaf of a CA that only has the right name.
        let leaf = TestCa::new("Tidegate Local Root 00")
            .leaf(&["a.test"], -1, 1)
            .0;
        let chain = std::fs::read_to_string(folder.path().join("tls/leaf.pem")).unwrap();
        for (what, text) in [
            ("a stranger's", &stranger),
            ("two", &format!("{ours}{stranger}")),
            ("a leaf", &leaf),
            ("a chain", &chain),
            ("nothing", &String::new()),
        ] {
            std::fs::write(folder.path().join("ca.pem"), text).unwrap();
            assert!(LocalRoot::current(folder.path()).is_err(), "{what}");
        }
    }

    #[test]
    fn former_roots_are_kept_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("tls");
        let ca = folder.path().join("ca.pem");
        state::private_folder(&keys).unwrap();
        keep_former(&keys, &ca).unwrap();
        std::fs::write(&ca, TestCa::new("stranger").pem()).unwrap();
        keep_former(&keys, &ca).unwrap();
        assert_eq!(LocalRoot::former(folder.path()), []);
        for number in 0..FORMER_MAX + 2 {
            std::fs::write(
                &ca,
                TestCa::new(&format!("Tidegate Local Root {number}")).pem(),
            )
            .unwrap();
            keep_former(&keys, &ca).unwrap();
        }
        let names: Vec<_> = LocalRoot::former(folder.path())
            .into_iter()
            .map(|root| root.name)
            .collect();
        assert_eq!(names.len(), FORMER_MAX);
        assert_eq!(
            names.last().unwrap(),
            &format!("Tidegate Local Root {}", FORMER_MAX + 1)
        );
    }
}
