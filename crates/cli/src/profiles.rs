//! Profiles: addresses, CA files and keys of servers elsewhere, in one file that only its owner may
//! read. A key stands here in clear, as in every such file, and is printed nowhere.

use crate::failure::Failure;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tidegate_console::Client;
use tidegate_console::types::Secret;
use tidegate_tls::{Roots, client_config};
use zeroize::Zeroizing;

/// The key, where no profile has one.
pub const KEY_ENV: &str = "TIDEGATE_API_KEY";

type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    #[serde(default)]
    pub profile: BTreeMap<String, Profile>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub server: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    pub key: Secret,
}

/// A server elsewhere, ready to be asked.
#[derive(Debug)]
pub struct Remote {
    pub client: Client,
    /// For connect strings of this machine.
    pub ca: Option<PathBuf>,
}

impl Remote {
    pub fn open(server: &str, env: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let mut profiles = Profiles::read(&path(&env)?)?;
        let by_url = |p: &Profile| p.server.trim_end_matches('/') == server.trim_end_matches('/');
        let profile = profiles.profile.remove(server);
        let profile = profile.or_else(|| profiles.profile.into_values().find(by_url));
        let profile = match profile {
            Some(profile) => profile,
            None if server.contains("://") => {
                let key = env(KEY_ENV)
                    .and_then(|key| key.into_string().ok())
                    .ok_or_else(|| {
                        let hint =
                            format!("set ${KEY_ENV}, or keep both with `tidegate profile add`");
                        Failure::usage(format!("there is no key for {server}"), hint)
                    })?;
                Profile {
                    server: server.to_owned(),
                    ca: None,
                    key: Secret::new(Zeroizing::new(key)),
                }
            }
            None => {
                let hint = "`tidegate profile list` shows those that exist";
                return Err(Failure::usage(format!("there is no profile {server:?}"), hint).into());
            }
        };
        profile.open()
    }
}

impl Profile {
    pub fn open(&self) -> Result<Remote> {
        let roots = self.ca.as_ref().map_or(Roots::Mozilla, Roots::file);
        let tls = client_config(roots).context("reading the profile's CA file")?;
        let client = Client::https(&self.server, self.key.clone(), tls);
        let client = client.map_err(|error| Failure::usage(error.to_string(), error.hint()))?;
        Ok(Remote {
            client,
            ca: self.ca.clone(),
        })
    }
}

impl Profiles {
    /// Refuses a file that others may read: its keys are known to them then.
    pub fn read(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        if std::fs::metadata(path)?.mode() & 0o077 != 0 {
            let cause = format!(
                "{} may be read by other users, and holds keys",
                path.display()
            );
            let hint = format!(
                "`chmod 600 {}`, and make new keys if others had a look",
                path.display()
            );
            return Err(Failure::new(cause, hint).into());
        }
        // What the reader says may quote a key.
        toml::from_str(&text).map_err(|_| {
            Failure::new(
                format!("{} can't be read as profiles", path.display()),
                "mend it, or remove it",
            )
            .into()
        })
    }

    /// Whole or not at all, 0600 from its first byte.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = Zeroizing::new(toml::to_string(self)?);
        let folder = path.parent().context("profiles lie in a folder")?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let fresh = path.with_extension("new");
        let _ = std::fs::remove_file(&fresh);
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, path).with_context(|| format!("writing {}", path.display()))
    }
}

/// `$XDG_CONFIG_HOME/tidegate/profiles.toml`, else under `~/.config`.
pub fn path(env: Env<'_>) -> Result<PathBuf> {
    let set = |name: &str| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || set("HOME").map(|home| home.join(".config"));
    let config = set("XDG_CONFIG_HOME")
        .filter(|path| path.is_absolute())
        .or_else(home);
    let config = config.ok_or_else(|| {
        Failure::usage(
            "$HOME is not set, so there is no place for profiles",
            "set it",
        )
    })?;
    Ok(config.join("tidegate/profiles.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn profiles_are_their_owners_alone() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("a/b/profiles.toml");
        assert!(Profiles::read(&path).unwrap().profile.is_empty());
        let mut profiles = Profiles::default();
        let key = Secret::new("tg_secret".to_owned().into());
        let profile = Profile {
            server: "https://127.0.0.1:4443".into(),
            ca: Some("/ca.pem".into()),
            key,
        };
        profiles.profile.insert("prod".into(), profile);
        profiles.write(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(
            path.parent().unwrap().metadata().unwrap().mode() & 0o777,
            0o700
        );
        let back = Profiles::read(&path).unwrap();
        assert_eq!(back.profile["prod"].key.reveal(), "tg_secret");
        assert!(!format!("{back:?}").contains("tg_secret"));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(
            Profiles::read(&path)
                .unwrap_err()
                .to_string()
                .contains("other users")
        );
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&path, "key = \"tg_secret\"").unwrap();
        assert!(
            !format!("{:?}", Profiles::read(&path).unwrap_err()).contains("tg_secret"),
            "no error quotes a key"
        );
    }
}
