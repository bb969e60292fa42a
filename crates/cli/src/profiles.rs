//! Profiles: URLs, CA files and API keys of remote servers, in a file that only its owner may read.
//! It contains the keys in plain text, and nothing prints them.

use crate::failure::Failure;
use crate::paths::path_from_env;
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

/// Environment variable with the API key, for a URL without a profile.
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

/// Remote server, ready to be asked.
#[derive(Debug)]
pub struct Remote {
    pub client: Client,
    /// CA file on this machine, for connection strings.
    pub ca: Option<PathBuf>,
}

impl Remote {
    pub fn open(server: &str, env: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let mut profiles = Profiles::read(&path(&env)?)?;
        let has_url = |p: &Profile| p.server.trim_end_matches('/') == server.trim_end_matches('/');
        let profile = profiles.profile.remove(server);
        let profile = profile.or_else(|| profiles.profile.into_values().find(has_url));
        let profile = match profile {
            Some(profile) => profile,
            None if server.contains("://") => {
                let key = env(KEY_ENV)
                    .and_then(|key| key.into_string().ok())
                    .ok_or_else(|| {
                        let hint = format!(
                            "set ${KEY_ENV}, or store URL and key with `tidegate profile add`"
                        );
                        Failure::usage(format!("there is no API key for {server}"), hint)
                    })?;
                Profile {
                    server: server.to_owned(),
                    ca: None,
                    key: Secret::new(Zeroizing::new(key)),
                }
            }
            None => {
                let hint = "`tidegate profile list` shows the profiles";
                return Err(
                    Failure::not_found(format!("there is no profile {server:?}"), hint).into(),
                );
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
        let client = client.map_err(|error| {
            let hint = error.hint();
            let code = error.program_code().to_owned();
            Failure::of(error, hint).with_code(code)
        })?;
        Ok(Remote {
            client,
            ca: self.ca.clone(),
        })
    }
}

impl Profiles {
    /// Reads the file. Refuses one that other users may read, since they may know its keys.
    pub fn read(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        if std::fs::metadata(path)?.mode() & 0o077 != 0 {
            let cause = format!(
                "{} contains API keys, and other users may read it",
                path.display()
            );
            let hint = format!(
                "`chmod 600 {}`, and replace the keys if others may have read them",
                path.display()
            );
            return Err(Failure::new(cause, hint).into());
        }
        // The reader's error is dropped, because it may quote a key.
        toml::from_str(&text).map_err(|_| {
            Failure::new(
                format!("{} is not a valid file of profiles", path.display()),
                "correct it, or remove it",
            )
            .into()
        })
    }

    /// Writes the whole file or nothing. It has mode 0600 from its first byte.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = Zeroizing::new(toml::to_string(self)?);
        let folder = path
            .parent()
            .context("the file of profiles has no folder")?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let fresh = path.with_extension("new");
        // Left over if an earlier write was interrupted.
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

/// Returns `$XDG_CONFIG_HOME/tidegate/profiles.toml`, else the same path under `~/.config`.
pub fn path(env: Env<'_>) -> Result<PathBuf> {
    let home = || path_from_env(env, "HOME").map(|home| home.join(".config"));
    let config = path_from_env(env, "XDG_CONFIG_HOME")
        // The XDG specification says to ignore a relative path.
        .filter(|path| path.is_absolute())
        .or_else(home);
    let config = config.ok_or_else(|| {
        Failure::usage(
            "$HOME is not set, so the file of profiles can't be found",
            "set HOME or XDG_CONFIG_HOME",
        )
    })?;
    Ok(config.join("tidegate/profiles.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_their_owner_may_read_profiles() {
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
