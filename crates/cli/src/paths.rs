//! Where the data directory lies. It creates nothing.

use crate::failure::Failure;
use std::ffi::OsString;
use std::path::PathBuf;

/// The environment variable that names it.
pub const DATA_ENV: &str = "TIDEGATE_DATA";

/// --data, else $TIDEGATE_DATA, else the place that this user's data has. Always absolute, so that
/// a socket's or a certificate's path stays right for who reads it from another directory.
pub fn data_dir(
    flag: Option<PathBuf>,
    root: bool,
    env: impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<PathBuf> {
    let set = |name: &str| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let chosen = match flag.or_else(|| set(DATA_ENV)) {
        Some(path) => path,
        None if root => PathBuf::from("/var/lib/tidegate"),
        None => set("HOME")
            .ok_or_else(|| {
                Failure::usage(
                    "$HOME is not set, so there is no place for data",
                    "give one with --data DIR",
                )
            })?
            .join(".local/share/tidegate"),
    };
    if chosen.as_os_str().is_empty() {
        return Err(Failure::usage("--data is empty", "give a directory with --data DIR").into());
    }
    Ok(std::path::absolute(&chosen)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn dir(flag: Option<&str>, root: bool, vars: &[(&str, &str)]) -> anyhow::Result<PathBuf> {
        data_dir(flag.map(PathBuf::from), root, |n| {
            vars.iter()
                .find(|(k, _)| *k == n)
                .map(|(_, v)| OsString::from(v))
        })
    }

    #[test]
    fn flag_then_environment_then_home() {
        let home = [("HOME", "/home/a")];
        assert_eq!(
            dir(Some("/d"), false, &[("TIDEGATE_DATA", "/e")]).unwrap(),
            Path::new("/d")
        );
        assert_eq!(
            dir(None, true, &[("TIDEGATE_DATA", "/e")]).unwrap(),
            Path::new("/e")
        );
        assert_eq!(
            dir(None, false, &home).unwrap(),
            Path::new("/home/a/.local/share/tidegate")
        );
        assert_eq!(
            dir(None, true, &home).unwrap(),
            Path::new("/var/lib/tidegate")
        );
        assert!(dir(None, false, &[]).is_err());
        assert!(dir(Some("rel"), false, &[]).unwrap().is_absolute());
    }
}
