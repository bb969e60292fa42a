//! The user whose browsers are meant: who typed the command, also behind sudo.

use std::path::PathBuf;

/// Variables in which programs that give root's rights name the number of the user who asked.
const ASKED_BY: [&str; 2] = ["SUDO_UID", "PKEXEC_UID"];

/// User in whose home a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUser {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: PathBuf,
}

/// Returns the user behind sudo, else the user of this process.
pub fn browsing_user() -> Option<StoreUser> {
    let own = rustix::process::geteuid().as_raw();
    let asked = ASKED_BY
        .iter()
        .find_map(|name| std::env::var(name).ok()?.parse().ok());
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    match asked {
        Some(uid) if own == 0 && uid != 0 => user_of(&users, uid),
        _ => {
            let user = user_of(&users, own);
            // A user who set HOME means that one, as the browsers do.
            let home = std::env::var_os("HOME").map(PathBuf::from);
            match (user, home) {
                (Some(user), Some(home)) => Some(StoreUser { home, ..user }),
                (user, _) => user,
            }
        }
    }
}

fn user_of(users: &str, uid: u32) -> Option<StoreUser> {
    users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, found, gid, _, home, ..] = fields.as_slice() else {
            return None;
        };
        (found.parse() == Ok(uid)).then_some(())?;
        let home = PathBuf::from(home);
        home.is_absolute().then_some(StoreUser {
            name: (*name).to_owned(),
            uid,
            gid: gid.parse().ok()?,
            home,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number_and_a_broken_line_is_no_user() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbad:x:7\nno:x:8:8::relative:/bin/sh\n\
                     ann:x:1000:1001:Ann,,,:/home/ann:/bin/bash\n";
        let ann = user_of(users, 1000).unwrap();
        assert_eq!((ann.name.as_str(), ann.gid), ("ann", 1001));
        assert_eq!(ann.home, PathBuf::from("/home/ann"));
        assert_eq!(user_of(users, 7), None);
        assert_eq!(user_of(users, 8), None);
        assert_eq!(user_of(users, 5), None);
    }
}
