//! SQL that the engine runs at each start: it creates the gateway's own account, and at the first
//! start the cluster's root. It contains hashes, never a password.

use crate::local::accounts::secret::AdminSecret;
use std::fmt::Write as _;

/// The gateway's account. Clients can't log in with it, because no account book contains it.
pub const ADMIN_USER: &str = tidegate_model::account::GATEWAY_USER;
/// The administrator that a new cluster begins with.
pub const FIRST_USER: &str = "root";
/// The definer of the engine's own views. Its account is locked.
pub const SYSTEM_USER: &str = "mariadb.sys";

/// The first administrator of a cluster.
#[derive(Clone)]
pub struct RootSeed {
    pub user: String,
    /// SHA1(SHA1(password)).
    pub stage2: [u8; 20],
    /// Replaces the account if it exists.
    pub replace: bool,
}

impl std::fmt::Debug for RootSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RootSeed")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Global privileges of a cluster's root.
const ROOT_GLOBAL: &str =
    "PROCESS, RELOAD, SHOW DATABASES, CREATE USER, BINLOG MONITOR, SLAVE MONITOR, SET USER";

/// Returns the grants of a cluster's root, for this account as SQL names it.
pub fn root_grants(account: &str) -> [String; 3] {
    [
        format!("GRANT {ROOT_GLOBAL} ON *.* TO {account} WITH GRANT OPTION"),
        format!("GRANT ALL ON `%`.* TO {account} WITH GRANT OPTION"),
        format!("GRANT SELECT ON mysql.* TO {account} WITH GRANT OPTION"),
    ]
}

/// Returns `*` and forty hex digits, the form in which `mysql_native_password` stores stage 2.
pub fn native_hash(stage2: &[u8; 20]) -> String {
    let mut out = String::with_capacity(41);
    out.push('*');
    for byte in stage2 {
        // Writing to a String can't fail.
        let _ = write!(out, "{byte:02X}");
    }
    out
}

/// Returns the text as a string literal that is safe in every SQL mode, with and without
/// NO_BACKSLASH_ESCAPES. `None` if it would need an escape.
pub fn literal(text: &str) -> Option<String> {
    let harmless = !text.contains(['\\', '\'', '\0', '\n', '\r']);
    harmless.then(|| format!("'{text}'"))
}

/// Returns the statements, one per line. `seed` is passed until the cluster's first start has
/// succeeded. `None` if its name can't be written as a literal.
///
/// `sets_variables`: the account gets the right to set server variables, until the gateway takes it
/// away again (`variables.rs`).
pub fn init_sql(
    admin: &AdminSecret,
    seed: Option<&RootSeed>,
    sets_variables: bool,
) -> Option<String> {
    let mut out = String::new();
    // OR REPLACE: whatever a tenant did to the account in the last run is undone.
    let _ = writeln!(
        out,
        "CREATE OR REPLACE USER '{ADMIN_USER}'@'localhost' IDENTIFIED VIA mysql_native_password \
         USING '{}';",
        native_hash(&admin.stage2())
    );
    // It grants the roles of users, so it needs all that root has, with the right to grant it. A
    // tenant gains nothing by a routine of this definer: root can write the tables of privileges.
    // READ ONLY ADMIN sets a cluster at its disk limit read-only, and changes a password in it all
    // the same.
    let _ = writeln!(
        out,
        "GRANT SELECT, {ROOT_GLOBAL}, CONNECTION ADMIN, READ_ONLY ADMIN{} ON *.* TO \
         '{ADMIN_USER}'@'localhost' WITH GRANT OPTION;\n\
         GRANT ALL ON `%`.* TO '{ADMIN_USER}'@'localhost' WITH GRANT OPTION;",
        if sets_variables { ", SUPER" } else { "" },
    );
    if let Some(seed) = seed {
        let user = literal(&seed.user)?;
        let hash = native_hash(&seed.stage2);
        let create = if seed.replace {
            "CREATE OR REPLACE USER"
        } else {
            "CREATE USER IF NOT EXISTS"
        };
        let _ = writeln!(
            out,
            "{create} {user}@'%' IDENTIFIED VIA mysql_native_password USING \
             '{hash}';"
        );
        for grant in root_grants(&format!("{user}@'%'")) {
            let _ = writeln!(out, "{grant};");
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_hashes_and_no_password() {
        let admin = AdminSecret::random().unwrap();
        let seed = RootSeed {
            user: "root".into(),
            stage2: [0xAB; 20],
            replace: false,
        };
        let sql = init_sql(&admin, Some(&seed), false).unwrap();
        assert!(!sql.contains(admin.password()));
        assert!(sql.contains(&format!("'*{}'", "AB".repeat(20))));
        assert!(!init_sql(&admin, None, false).unwrap().contains("root"));
        assert!(
            init_sql(
                &admin,
                Some(&RootSeed {
                    user: "a'b".into(),
                    stage2: [0; 20],
                    replace: false,
                }),
                false,
            )
            .is_none()
        );
        assert!(
            !format!("{seed:?}").contains("171"),
            "a seed never prints its hash"
        );
    }
}
