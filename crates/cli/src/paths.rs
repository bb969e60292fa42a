//! Path of the data directory.

use crate::failure::Failure;
use std::ffi::OsString;
use std::path::PathBuf;

/// Environment variable that names it.
pub const DATA_ENV: &str = "TIDEGATE_DATA";

/// Returns --data, else $TIDEGATE_DATA, else the default of this user. The path is absolute,
/// because paths below it are printed for people who may be in another directory.
pub fn data_dir(
    flag: Option<PathBuf>,
    root: bool,
    env: impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<PathBuf> {
    let chosen = match flag.or_else(|| path_from_env(&env, DATA_ENV)) {
        Some(path) => path,
        None if root => PathBuf::from("/var/lib/tidegate"),
        None => path_from_env(&env, "HOME")
            .ok_or_else(|| {
                Failure::usage(
                    "$HOME is not set, so there is no default data directory",
                    "name one with --data DIR",
                )
            })?
            .join(".local/share/tidegate"),
    };
    if chosen.as_os_str().is_empty() {
        return Err(Failure::usage("--data is empty", "name a directory with --data DIR").into());
    }
    Ok(std::path::absolute(&chosen)?)
}

/// Returns the path in an environment variable; `None` if it is unset or empty.
pub fn path_from_env(env: impl Fn(&str) -> Option<OsString>, name: &str) -> Option<PathBuf> {
    env(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
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
