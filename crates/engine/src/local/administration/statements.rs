//! SQL text of the administration. Every name is quoted as an identifier, which is valid under any
//! sql_mode and needs no escape but a doubled backtick.

use crate::limits::{NAME_OVERHEAD, NAMES_PER_STATEMENT_BYTES};
use crate::local::accounts::init_sql::{native_hash, root_grants};
use crate::local::administration::mark::Mark;
use tidegate_model::{DatabaseName, UserRole};
use tidegate_wire::query::literal;

/// Privileges of a reader. SHOW VIEW is what a dump of views needs. EXECUTE is not among them: a
/// routine writes with the rights of its definer.
const READ_ONLY: &str = "SELECT, SHOW VIEW";

/// All privileges that a database has, except the right to grant them. Listed, so that a new
/// version of the engine adds none by itself.
const READ_WRITE: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, \
     CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER \
     ROUTINE, EVENT, TRIGGER, DELETE HISTORY";

/// An identifier in backticks.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// An account as SQL names it.
pub fn account(user: &str, host: &str) -> String {
    // An identifier can't be empty, and an account can be without a name.
    let user = match user {
        "" => "''".to_owned(),
        user => quoted(user),
    };
    format!("{user}@{}", quoted(host))
}

/// A user's account from any host.
pub fn any_host(user: &str) -> String {
    account(user, "%")
}

/// A change of accounts or grants, with a condition in SQL that is true once it is made: under a
/// backup lock MariaDB makes the change, and answers that it waited too long for the lock.
pub struct Change {
    pub sql: String,
    pub is_made: String,
}

/// A name as the tables of privileges have it.
fn name_value(name: &str) -> String {
    format!("CONVERT({} USING utf8mb3)", literal(name))
}

fn name_list(names: &[String]) -> String {
    let values: Vec<String> = names.iter().map(|name| name_value(name)).collect();
    values.join(",")
}

/// Condition for the account of a user at any host.
fn any_host_is(user: &str, condition: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM mysql.global_priv WHERE Host = '%' AND User = {} AND {condition})",
        name_value(user)
    )
}

/// Creates a locked account: nobody logs in with it before its grants are complete.
pub fn create_locked(user: &str, stage2: &[u8; 20]) -> Change {
    let hash = native_hash(stage2);
    Change {
        sql: format!(
            "CREATE USER {} IDENTIFIED VIA mysql_native_password USING '{hash}' ACCOUNT LOCK",
            any_host(user),
        ),
        is_made: is_locked_with(user, stage2),
    }
}

/// Condition for a locked account with this password.
pub fn is_locked_with(user: &str, stage2: &[u8; 20]) -> String {
    let hash = native_hash(stage2);
    any_host_is(
        user,
        &format!(
            "JSON_VALUE(Priv, '$.authentication_string') = '{hash}' AND JSON_VALUE(Priv, \
             '$.account_locked') = '1'"
        ),
    )
}

pub fn unlock(user: &str) -> Change {
    Change {
        sql: format!("ALTER USER {} ACCOUNT UNLOCK", any_host(user)),
        is_made: any_host_is(
            user,
            "COALESCE(JSON_VALUE(Priv, '$.account_locked'), '0') = '0'",
        ),
    }
}

/// Sets the password of a user at these hosts.
pub fn set_passwords(user: &str, hosts: &[String], stage2: &[u8; 20]) -> Change {
    let hash = native_hash(stage2);
    let accounts: Vec<String> = hosts
        .iter()
        .map(|host| {
            let account = account(user, host);
            format!("{account} IDENTIFIED VIA mysql_native_password USING '{hash}'")
        })
        .collect();
    Change {
        sql: format!("ALTER USER {}", accounts.join(", ")),
        is_made: format!(
            "(SELECT COUNT(*) FROM mysql.global_priv WHERE User = {} AND Host IN ({}) AND \
             JSON_VALUE(Priv, '$.authentication_string') = '{hash}') = {}",
            name_value(user),
            name_list(hosts),
            hosts.len()
        ),
    }
}

/// Drops a user at these hosts.
pub fn drop_users(user: &str, hosts: &[String]) -> Change {
    let accounts: Vec<String> = hosts.iter().map(|host| account(user, host)).collect();
    Change {
        sql: format!("DROP USER {}", accounts.join(", ")),
        is_made: format!(
            "NOT EXISTS (SELECT 1 FROM mysql.global_priv WHERE User = {} AND Host IN ({}))",
            name_value(user),
            name_list(hosts)
        ),
    }
}

/// Condition for grants that include SELECT on a database, by its pattern, to all these users.
fn are_granted(pattern: &str, users: &[String]) -> String {
    format!(
        "(SELECT COUNT(*) FROM mysql.db WHERE Host = '%' AND Db = {} AND User IN ({}) AND \
         Select_priv = 'Y') = {}",
        name_value(pattern),
        name_list(users),
        users.len()
    )
}

fn any_hosts(users: &[String]) -> String {
    let accounts: Vec<String> = users.iter().map(|user| any_host(user)).collect();
    accounts.join(", ")
}

/// Records the role of a user.
pub fn grant_mark(user: &str, mark: Mark) -> Change {
    Change {
        sql: format!(
            "GRANT SELECT ON {}.* TO {}",
            quoted(mark.database()),
            any_host(user)
        ),
        is_made: are_granted(mark.database(), &[user.to_owned()]),
    }
}

/// Bit of CREATE USER in the global privileges of an account.
const CREATE_USER_BIT: u32 = 25;

/// Grants of an administrator: those of root, since who may create users can become root anyway.
pub fn admin_grants(user: &str) -> [Change; 3] {
    let [global, every, system] = root_grants(&any_host(user));
    let name = [user.to_owned()];
    [
        Change {
            sql: global,
            is_made: any_host_is(
                user,
                &format!("JSON_VALUE(Priv, '$.access') & (1 << {CREATE_USER_BIT}) <> 0"),
            ),
        },
        Change {
            sql: every,
            is_made: are_granted("%", &name),
        },
        Change {
            sql: system,
            is_made: are_granted("mysql", &name),
        },
    ]
}

/// Grants a database to users of a role. `None` for an administrator, who has it.
pub fn grant(role: UserRole, database: &DatabaseName, users: &[String]) -> Option<Change> {
    let privileges = match role {
        UserRole::Admin => return None,
        UserRole::ReadWrite => READ_WRITE,
        UserRole::ReadOnly => READ_ONLY,
    };
    let pattern = database.pattern();
    Some(Change {
        sql: format!(
            "GRANT {privileges} ON {}.* TO {}",
            quoted(&pattern),
            any_hosts(users)
        ),
        is_made: are_granted(&pattern, users),
    })
}

/// Takes all rights on a database from users that have some.
pub fn revoke(database: &DatabaseName, users: &[String]) -> Change {
    let pattern = database.pattern();
    Change {
        sql: format!(
            "REVOKE ALL PRIVILEGES ON {}.* FROM {}",
            quoted(&pattern),
            any_hosts(users)
        ),
        is_made: format!(
            "NOT EXISTS (SELECT 1 FROM mysql.db WHERE Host = '%' AND Db = {} AND User IN ({}))",
            name_value(&pattern),
            name_list(users)
        ),
    }
}

/// Parts of a list of names, such that a statement with the names of one part stays below the
/// smallest packet that a tenant can limit all sessions to, if the names are not longer than usual.
pub fn name_parts(names: &[String]) -> Vec<&[String]> {
    let mut parts = Vec::new();
    let mut rest = names;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |name: &&String| {
            bytes += name.len() + NAME_OVERHEAD;
            bytes <= NAMES_PER_STATEMENT_BYTES
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let Some((part, others)) = rest.split_at_checked(count) else {
            break;
        };
        parts.push(part);
        rest = others;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_names_whatever_they_contain() {
        let evil = "a`; DROP DATABASE x; -- '\"\\";
        assert_eq!(quoted(evil), "`a``; DROP DATABASE x; -- '\"\\`");
        let database = DatabaseName::parse("app_1`%").unwrap();
        assert_eq!(
            grant(UserRole::ReadOnly, &database, &["o'b`".to_owned()])
                .unwrap()
                .sql,
            "GRANT SELECT, SHOW VIEW ON `app\\_1``\\%`.* TO `o'b```@`%`"
        );
        assert!(grant(UserRole::Admin, &database, &[]).is_none());
        assert!(!create_locked("a", &[0xAB; 20]).sql.contains("0xAB"));
    }

    #[test]
    fn no_role_but_the_administrators_may_grant() {
        let database = DatabaseName::parse("app").unwrap();
        for role in [UserRole::ReadWrite, UserRole::ReadOnly] {
            let sql = grant(role, &database, &["a".to_owned()]).unwrap().sql;
            assert!(!sql.contains("OPTION") && !sql.contains("`%`.*"), "{sql}");
        }
        let admin = admin_grants("a").map(|change| change.sql).join(";");
        assert!(admin.contains("GRANT OPTION"), "{admin}");
    }

    #[test]
    fn parts_of_names_have_all_of_them_and_are_short() {
        let names: Vec<String> = (0..100).map(|n| "x".repeat(n)).collect();
        let parts = name_parts(&names);
        assert_eq!(parts.concat(), names);
        for part in parts {
            let bytes: usize = part.iter().map(|name| name.len() + NAME_OVERHEAD).sum();
            assert!(bytes <= NAMES_PER_STATEMENT_BYTES);
        }
        assert_eq!(name_parts(&["x".repeat(9000)]).len(), 1);
        assert!(name_parts(&[]).is_empty());
    }
}
