//! The configuration: one TOML file, laid over the defaults and under the flags, every value with
//! its origin. It never guesses: an unknown key, a wrong type or a value out of bounds is an error
//! that names line and mend.

pub mod keys;
mod nearest;
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
use toml::de::{DeTable, DeValue};
use value::Value;

/// The configuration file's name where --config is not given, in the data directory.
pub const FILE_NAME: &str = "tidegate.toml";

/// Where a value came from.
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

/// Every setting there is, by `section.key`.
#[derive(Debug, Clone)]
pub struct Config {
    pub settings: BTreeMap<String, Setting>,
    /// The file that was read, if any.
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

    /// Defaults, then the file, then the environment, then the flags.
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
            Ok(text) => config.lay_file(&path, &text)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && global.config.is_none() => {}
            Err(e) => {
                return Err(Failure::usage(
                    format!(
                        "the configuration file {} can't be read: {e}",
                        path.display()
                    ),
                    "check the path given with --config, and that this user may read it",
                )
                .into());
            }
        }
        if let Some(level) = env("TIDEGATE_LOG") {
            let value = value::filter(&level).map_err(|e| {
                Failure::usage(
                    format!("$TIDEGATE_LOG {e}; it is {level:?}"),
                    "set it right, or unset it",
                )
            })?;
            config.set(
                "log.level",
                Value::Text(value),
                Origin::Environment("TIDEGATE_LOG"),
            );
        }
        if let Some(path) = env("TIDEGATE_TZINFO_TO_SQL") {
            let origin = Origin::Environment("TIDEGATE_TZINFO_TO_SQL");
            config.set(
                "engine.tzinfo_to_sql",
                Value::File(Some(path.into())),
                origin,
            );
        }
        if !flags.listen.is_empty() {
            config.set(
                "gateway.listen",
                Value::Addresses(flags.listen.clone()),
                Origin::Flag("--listen"),
            );
        }
        if !flags.name.is_empty() {
            config.set(
                "tls.names",
                Value::Names(flags.name.clone()),
                Origin::Flag("--name"),
            );
        }
        if !flags.domain.is_empty() {
            config.set(
                "acme.domains",
                Value::Names(flags.domain.clone()),
                Origin::Flag("--domain"),
            );
        }
        if let Some(email) = &flags.acme_email {
            config.set(
                "acme.email",
                Value::Text(email.clone()),
                Origin::Flag("--acme-email"),
            );
        }
        if !flags.console.is_empty() {
            config.set(
                "console.listen",
                Value::Addresses(flags.console.clone()),
                Origin::Flag("--console"),
            );
        }
        if let Some(domain) = &flags.console_domain {
            config.set(
                "console.domain",
                Value::Text(domain.clone()),
                Origin::Flag("--console-domain"),
            );
        }
        config.check_pairs()?;
        Ok(config)
    }

    fn set(&mut self, key: &str, value: Value, origin: Origin) {
        self.settings
            .insert(key.to_owned(), Setting { value, origin });
    }

    fn lay_file(&mut self, path: &Path, text: &str) -> Result<()> {
        let at = |offset: usize| text.get(..offset).unwrap_or(text).matches('\n').count() + 1;
        let wrong = |line: usize, what: String, hint: String| {
            anyhow::Error::from(Failure::usage(
                format!("{}:{line}: {what}", path.display()),
                hint,
            ))
        };
        let document = DeTable::parse(text).map_err(|e| {
            let line = e.span().map_or(1, |s| at(s.start));
            wrong(line, e.message().to_owned(), "mend the TOML there".into())
        })?;
        for (name, table) in document.get_ref() {
            let line = at(name.span().start);
            let Some(section) = keys::SECTIONS.iter().find(|s| s.name == name.get_ref()) else {
                let what = format!("there is no section `{}`", name.get_ref());
                return Err(wrong(line, what, section_suggestion(name.get_ref())));
            };
            let Some(table) = table.get_ref().as_table() else {
                let what = format!("`{}` is a section, not a value", section.name);
                return Err(wrong(
                    line,
                    what,
                    format!("write [{}] on a line of its own", section.name),
                ));
            };
            for (name, raw) in table {
                let line = at(name.span().start);
                let Some(key) = section.keys.iter().find(|k| k.name == name.get_ref()) else {
                    let known = || section.keys.iter().map(|k| k.name);
                    let what =
                        format!("there is no key `{}` in [{}]", name.get_ref(), section.name);
                    return Err(wrong(line, what, suggestion(name.get_ref(), known, "keys")));
                };
                let value = key.kind.read(raw.get_ref()).map_err(|e| {
                    let what = format!("{}.{} {e}", section.name, key.name);
                    wrong(
                        line,
                        what,
                        format!("its default is {} = {}", key.name, key.default),
                    )
                })?;
                let name = format!("{}.{}", section.name, key.name);
                self.set(
                    &name,
                    value,
                    Origin::File {
                        path: path.to_owned(),
                        line,
                    },
                );
            }
        }
        self.file = Some(path.to_owned());
        Ok(())
    }

    /// What two keys must have to do with one another.
    fn check_pairs(&self) -> Result<()> {
        let certificate = self.file("tls.certificate")?;
        let key = self.file("tls.key")?;
        if certificate.is_some() != key.is_some() {
            let (has, lacks) = if key.is_some() {
                ("key", "certificate")
            } else {
                ("certificate", "key")
            };
            return Err(Failure::usage(
                format!("tls.{has} is set, tls.{lacks} is not"),
                "set both, or neither (then a local CA makes the certificate)",
            )
            .into());
        }
        if certificate.is_some() && !self.names("acme.domains")?.is_empty() {
            return Err(Failure::usage(
                "both tls.certificate and acme.domains (--domain) are set",
                "keep one: certificates are either yours or got by ACME",
            )
            .into());
        }
        if self.file("console.certificate")?.is_some() != self.file("console.key")?.is_some() {
            let hint = "set both, or neither";
            return Err(Failure::usage(
                "of console.certificate and console.key only one is set",
                hint,
            )
            .into());
        }
        self.check_console_name()?;
        if self.file("tls.ca")?.is_some() && certificate.is_none() {
            return Err(Failure::usage(
                "tls.ca is set without tls.certificate",
                "tls.ca names the CA file of your own certificate; leave it out for the local CA",
            )
            .into());
        }
        Ok(())
    }

    /// One certificate for both would let a stream of one protocol be sent on to the other's port.
    fn check_console_name(&self) -> Result<()> {
        let console = self.text("console.domain")?.to_ascii_lowercase();
        let above = console
            .split_once('.')
            .map(|(_, above)| format!("*.{above}"));
        let domains = self.names("acme.domains")?;
        let shared = domains.iter().map(|domain| domain.to_ascii_lowercase());
        match shared
            .filter(|_| !console.is_empty())
            .find(|name| *name == console || Some(name) == above.as_ref())
        {
            Some(name) => Err(Failure::usage(
                format!(
                    "console.domain (--console-domain) is {console:?}, which the database's \
                     {name:?} covers"
                ),
                "give the console a name of its own that no certificate of the database carries",
            )
            .into()),
            None => Ok(()),
        }
    }

    fn value(&self, key: &str) -> Result<&Value> {
        self.settings
            .get(key)
            .map(|s| &s.value)
            .with_context(|| format!("no setting {key}"))
    }

    /// Whether somebody chose this value.
    pub fn is_chosen(&self, key: &str) -> bool {
        self.settings
            .get(key)
            .is_some_and(|setting| setting.origin != Origin::Default)
    }

    pub fn duration(&self, key: &str) -> Result<Duration> {
        match self.value(key)? {
            Value::Duration(d) => Ok(*d),
            _ => anyhow::bail!("{key} is no duration"),
        }
    }

    pub fn count(&self, key: &str) -> Result<u64> {
        match self.value(key)? {
            Value::Count(n) => Ok(*n),
            _ => anyhow::bail!("{key} is no number"),
        }
    }

    /// In bytes.
    pub fn size(&self, key: &str) -> Result<u64> {
        match self.value(key)? {
            Value::Size(size) => Ok(size.0),
            _ => anyhow::bail!("{key} is no size"),
        }
    }

    pub fn addresses(&self, key: &str) -> Result<Vec<SocketAddr>> {
        match self.value(key)? {
            Value::Addresses(a) => Ok(a.clone()),
            _ => anyhow::bail!("{key} is no list of addresses"),
        }
    }

    pub fn networks(&self, key: &str) -> Result<Vec<(IpAddr, u8)>> {
        match self.value(key)? {
            Value::Networks(n) => Ok(n.clone()),
            _ => anyhow::bail!("{key} is no list of networks"),
        }
    }

    pub fn names(&self, key: &str) -> Result<Vec<String>> {
        match self.value(key)? {
            Value::Names(n) => Ok(n.clone()),
            _ => anyhow::bail!("{key} is no list of names"),
        }
    }

    pub fn file(&self, key: &str) -> Result<Option<PathBuf>> {
        match self.value(key)? {
            Value::File(p) => Ok(p.clone()),
            _ => anyhow::bail!("{key} is no file"),
        }
    }

    pub fn text(&self, key: &str) -> Result<&str> {
        match self.value(key)? {
            Value::Text(t) => Ok(t),
            _ => anyhow::bail!("{key} is no text"),
        }
    }
}

fn section_suggestion(word: &str) -> String {
    match keys::SECTIONS
        .iter()
        .find(|s| s.keys.iter().any(|k| k.name == word))
    {
        Some(section) => format!("the key `{word}` belongs under [{}]", section.name),
        None => suggestion(word, || keys::SECTIONS.iter().map(|s| s.name), "sections"),
    }
}

fn suggestion<'a, I: Iterator<Item = &'a str>>(
    word: &str,
    known: impl Fn() -> I,
    what: &str,
) -> String {
    match nearest::nearest(word, known()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("the {what} are: {}", known().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests;
