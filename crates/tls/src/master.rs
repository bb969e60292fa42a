//! The master key, which seals the server's own secrets: ticket keys and ACME accounts. It never
//! leaves the machine, and each kind of secret is bound to its purpose.

use crate::error::TlsError;
use crate::state::{self, SECRET_MODE};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use rustls::crypto::SecureRandom;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

const KEY_LENGTH: usize = 32;

/// Salt of derived keys (RFC 5869). It separates them from the master key itself.
const DERIVE_SALT: &[u8] = b"tidegate derived key";

/// The master key. Cheap to clone; all clones share one key.
#[derive(Clone)]
pub struct Master {
    sealing: Arc<RandomizedNonceKey>,
    deriving: Prk,
}

/// Length of a derived key.
struct DerivedLength;

impl KeyType for DerivedLength {
    fn len(&self) -> usize {
        KEY_LENGTH
    }
}

fn unusable(path: &Path) -> TlsError {
    TlsError::MasterKey(path.to_path_buf())
}

impl Master {
    /// Reads the key, or makes it if there is none.
    pub fn open(path: &Path, random: &dyn SecureRandom) -> Result<Self, TlsError> {
        let bytes = match state::read_if_there(path)? {
            Some(bytes) => bytes,
            None => {
                let mut fresh = Zeroizing::new(vec![0; KEY_LENGTH]);
                random.fill(&mut fresh).map_err(|_| unusable(path))?;
                // An existing folder keeps its mode: engines with their own uid must be able to
                // enter the data folder.
                if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
                    state::private_folder(folder)?;
                }
                state::write_whole(path, &fresh, SECRET_MODE)?;
                fresh
            }
        };
        // Never replaced automatically: everything that the real key sealed would be lost.
        if bytes.len() != KEY_LENGTH {
            return Err(unusable(path));
        }
        let sealing = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| unusable(path))?;
        let deriving = Salt::new(HKDF_SHA256, DERIVE_SALT).extract(&bytes);
        Ok(Self {
            sealing: Arc::new(sealing),
            deriving,
        })
    }

    /// Derives a key for this purpose. It changes only if the master key does.
    pub fn derive(&self, purpose: &str) -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        self.deriving
            .expand(&[purpose.as_bytes()], DerivedLength)
            .ok()?
            .fill(&mut *key)
            .ok()?;
        Some(key)
    }

    /// Seals `plain` for a purpose. It can't be unsealed for another one.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Option<Vec<u8>> {
        seal(&self.sealing, purpose.as_bytes(), plain)
    }

    pub fn unseal(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        unseal(&self.sealing, purpose.as_bytes(), sealed)
    }
}

/// Seals `plain`, bound to `bound`. Returns a random nonce and the ciphertext.
pub fn seal(key: &RandomizedNonceKey, bound: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    // The capacity includes the tag: a buffer that grows would leave the plain text in freed
    // memory.
    let mut sealed = Vec::with_capacity(plain.len() + key.algorithm().tag_len());
    sealed.extend_from_slice(plain);
    let nonce = key
        .seal_in_place_append_tag(Aad::from(bound), &mut sealed)
        .ok()?;
    Some([nonce.as_ref().as_slice(), &sealed].concat())
}

pub fn unseal(key: &RandomizedNonceKey, bound: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut rest = Zeroizing::new(rest.to_vec());
    let length = key
        .open_in_place(nonce, Aad::from(bound), &mut rest)
        .ok()?
        .len();
    rest.truncate(length);
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::provider;
    use std::os::unix::fs::PermissionsExt;

    fn open(folder: &Path, name: &str) -> Master {
        Master::open(&folder.join(name), provider().secure_random).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_for_the_same_purpose_only() {
        let folder = tempfile::tempdir().unwrap();
        let provider = provider();
        let sealed = open(folder.path(), "one")
            .seal("tickets", b"secret")
            .unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(
            open(folder.path(), "one")
                .unseal("tickets", &sealed)
                .unwrap()
                .as_slice(),
            b"secret",
            "across restarts"
        );
        assert!(
            open(folder.path(), "one")
                .unseal("account", &sealed)
                .is_none()
        );
        assert!(
            open(folder.path(), "two")
                .unseal("tickets", &sealed)
                .is_none()
        );
        assert!(
            open(folder.path(), "one")
                .unseal("tickets", &sealed[..20])
                .is_none()
        );
        let derived = open(folder.path(), "one").derive("names").unwrap();
        assert_eq!(
            derived,
            open(folder.path(), "one").derive("names").unwrap(),
            "across restarts"
        );
        assert_ne!(derived, open(folder.path(), "one").derive("other").unwrap());
        assert_ne!(derived, open(folder.path(), "two").derive("names").unwrap());
        assert_ne!(
            derived.as_slice(),
            std::fs::read(folder.path().join("one")).unwrap()
        );
        let mode = std::fs::metadata(folder.path().join("one"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(folder.path().join("bad"), "short").unwrap();
        assert!(Master::open(&folder.path().join("bad"), provider.secure_random).is_err());
    }
}
