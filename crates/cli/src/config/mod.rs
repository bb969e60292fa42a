//! Configuration: defaults, overridden by a TOML file, by the environment and by flags. Every value
//! has its origin. An unknown key, a wrong type or a value out of bounds is an error with its line
//! and a hint.

mod checks;
mod file;
pub mod keys;
pub mod nearest;
pub mod show;
pub mod value;

use crate::args::{Global, ServeArgs};
use crate::failure::Failure;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::DeValue;
use value::Value;

/// Name of the configuration file in the data directory, used without --config.
pub const FILE_NAME: &str = "tidegate.toml";

/// Origin of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Flag(&'static str),
    Environment(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Flag(flag) => f.write_str(flag),
            Self::Environment(name) => write!(f, "${name}"),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Setting {
    pub value: Value,
    pub origin: Origin,
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Settings by `section.key`.
    pub settings: BTreeMap<String, Setting>,
    /// File that was read, if any.
    pub file: Option<PathBuf>,
}

impl Config {
    pub fn defaults() -> Result<Self> {
        let mut settings = BTreeMap::new();
        for (name, key) in keys::all() {
            let raw = DeValue::parse(key.default).with_context(|| format!("default of {name}"))?;
            let value = key
                .kind
                .read(raw.get_ref())
                .map_err(|e| anyhow::anyhow!("default of {name} {e}"))?;
            settings.insert(
                name,
                Setting {
                    value,
                    origin: Origin::Default,
                },
            );
        }
        Ok(Self {
            settings,
            file: None,
        })
    }

    /// Loads the defaults, then the file, then the environment, then the flags.
    pub fn load(
        global: &Global,
        data: &Path,
        flags: &ServeArgs,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let mut config = Self::defaults()?;
        let path = global
            .config
            .clone()
            .unwrap_or_else(|| data.join(FILE_NAME));
        match std::fs::read_to_string(&path) {
            Ok(text) => config.set_from_file(&path, &text)?,
            // The file in the data directory is optional; one that --config names is not. A data
            // directory that is a file is reported by its lock.
            Err(e) if is_missing(&e) && global.config.is_none() => {}
            Err(error) => {
                let hint = match global.config {
                    Some(_) => "check the path given with --config, and that this user may read it",
                    None if error.kind() != std::io::ErrorKind::PermissionDenied => {
                        "it must be a file that this user may read"
                    }
                    None => {
                        "choose a data directory that this user may read with --data DIR, or run \
                         the command as the user who owns it"
                    }
                };
                return Err(Failure::usage(
                    format!("the configuration file {} can't be read", path.display()),
                    hint,
                )
                .caused_by(error)
                .into());
            }
        }
        config.set_from_environment(env)?;
        config.set_from_flags(flags);
        // After all origins: a flag may contradict the file.
        checks::check_certificates(&config)?;
        Ok(config)
    }

    fn set_from_file(&mut self, path: &Path, text: &str) -> Result<(), Failure> {
        for entry in file::read_file(path, text)? {
            let origin = Origin::File {
                path: path.to_owned(),
                line: entry.line,
            };
            self.set(&entry.name, entry.value, origin);
        }
        self.file = Some(path.to_owned());
        Ok(())
    }

    fn set_from_environment(
        &mut self,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<(), Failure> {
        if let Some(level) = env("TIDEGATE_LOG") {
            let value = value::filter(&level).map_err(|wrong| {
                Failure::usage(
                    format!("$TIDEGATE_LOG {wrong}; it is {level:?}"),
                    "correct it, or unset it",
                )
            })?;
            let origin = Origin::Environment("TIDEGATE_LOG");
            self.set("log.level", Value::Text(value), origin);
        }
        if let Some(path) = env("TIDEGATE_TZINFO_TO_SQL") {
            let origin = Origin::Environment("TIDEGATE_TZINFO_TO_SQL");
            let value = Value::File(Some(path.into()));
            self.set("engine.tzinfo_to_sql", value, origin);
        }
        Ok(())
    }

    fn set_from_flags(&mut self, flags: &ServeArgs) {
        // Without `..`, so that a new flag does not compile until it is added here.
        let ServeArgs {
            listen,
            name,
            domain,
            acme_email,
            console,
            console_domain,
        } = flags;
        for (key, flag, addresses) in [
            ("gateway.listen", "--listen", listen),
            ("console.listen", "--console", console),
        ] {
            if !addresses.is_empty() {
                self.set(key, Value::Addresses(addresses.clone()), Origin::Flag(flag));
            }
        }
        for (key, flag, names) in [
            ("tls.names", "--name", name),
            ("acme.domains", "--domain", domain),
        ] {
            if !names.is_empty() {
                self.set(key, Value::Names(names.clone()), Origin::Flag(flag));
            }
        }
        for (key, flag, text) in [
            ("acme.email", "--acme-email", acme_email),
            ("console.domain", "--console-domain", console_domain),
        ] {
            if let Some(text) = text {
                self.set(key, Value::Text(text.clone()), Origin::Flag(flag));
            }
        }
    }

    fn set(&mut self, key: &str, value: Value, origin: Origin) {
        self.settings
            .insert(key.to_owned(), Setting { value, origin });
    }

    fn value(&self, key: &str) -> Result<&Value> {
        self.settings
            .get(key)
            .map(|s| &s.value)
            .with_context(|| format!("no setting {key}"))
    }

    /// Whether a value was set, instead of being the default.
    pub fn is_chosen(&self, key: &str) -> bool {
        self.settings
            .get(key)
            .is_some_and(|setting| setting.origin != Origin::Default)
    }

    pub fn duration(&self, key: &str) -> Result<Duration> {
        match self.value(key)? {
            Value::Duration(d) => Ok(*d),
            _ => anyhow::bail!("{key} is not a duration"),
        }
    }

    pub fn count(&self, key: &str) -> Result<u64> {
        match self.value(key)? {
            Value::Count(n) => Ok(*n),
            _ => anyhow::bail!("{key} is not a number"),
        }
    }

    /// Returns a size in bytes.
    pub fn size(&self, key: &str) -> Result<u64> {
        match self.value(key)? {
            Value::Size(size) => Ok(size.0),
            _ => anyhow::bail!("{key} is not a size"),
        }
    }

    pub fn addresses(&self, key: &str) -> Result<Vec<SocketAddr>> {
        match self.value(key)? {
            Value::Addresses(a) => Ok(a.clone()),
            _ => anyhow::bail!("{key} is not a list of addresses"),
        }
    }

    pub fn networks(&self, key: &str) -> Result<Vec<(IpAddr, u8)>> {
        match self.value(key)? {
            Value::Networks(n) => Ok(n.clone()),
            _ => anyhow::bail!("{key} is not a list of networks"),
        }
    }

    pub fn names(&self, key: &str) -> Result<Vec<String>> {
        match self.value(key)? {
            Value::Names(n) => Ok(n.clone()),
            _ => anyhow::bail!("{key} is not a list of names"),
        }
    }

    pub fn file(&self, key: &str) -> Result<Option<PathBuf>> {
        match self.value(key)? {
            Value::File(p) => Ok(p.clone()),
            _ => anyhow::bail!("{key} is not a file"),
        }
    }

    pub fn text(&self, key: &str) -> Result<&str> {
        match self.value(key)? {
            Value::Text(t) => Ok(t),
            _ => anyhow::bail!("{key} is not a text"),
        }
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests;
