//! SQL text of the administration. Every name is quoted as an identifier, which is valid under any
//! sql_mode and needs no escape but a doubled backtick.

use crate::local::accounts::init_sql::{native_hash, root_grants};
use crate::local::administration::mark::Mark;
use tidegate_model::{DatabaseName, UserRole};

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
    format!("{}@{}", quoted(user), quoted(host))
}

/// A user's account from any host.
pub fn any_host(user: &str) -> String {
    account(user, "%")
}

/// Creates a locked account: nobody logs in with it before its grants are complete.
pub fn create_locked(user: &str, stage2: &[u8; 20]) -> String {
    format!(
        "CREATE USER {} IDENTIFIED VIA mysql_native_password USING '{}' ACCOUNT LOCK",
        any_host(user),
        native_hash(stage2)
    )
}

/// Records the role of a user.
pub fn grant_mark(user: &str, mark: Mark) -> String {
    format!(
        "GRANT SELECT ON {}.* TO {}",
        quoted(mark.database()),
        any_host(user)
    )
}

/// Grants of an administrator: those of root, since who may create users can become root anyway.
pub fn admin_grants(user: &str) -> [String; 3] {
    root_grants(&any_host(user))
}

/// Grants a database to users of a role. `None` for an administrator, who has it.
pub fn grant(role: UserRole, database: &DatabaseName, accounts: &[String]) -> Option<String> {
    let privileges = match role {
        UserRole::Admin => return None,
        UserRole::ReadWrite => READ_WRITE,
        UserRole::ReadOnly => READ_ONLY,
    };
    Some(format!(
        "GRANT {privileges} ON {}.* TO {}",
        quoted(&database.pattern()),
        accounts.join(", ")
    ))
}

/// Takes all rights on a database from users that have some.
pub fn revoke(database: &DatabaseName, accounts: &[String]) -> String {
    format!(
        "REVOKE ALL PRIVILEGES ON {}.* FROM {}",
        quoted(&database.pattern()),
        accounts.join(", ")
    )
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
            grant(UserRole::ReadOnly, &database, &[any_host("o'b`")]).unwrap(),
            "GRANT SELECT, SHOW VIEW ON `app\\_1``\\%`.* TO `o'b```@`%`"
        );
        assert!(grant(UserRole::Admin, &database, &[]).is_none());
        assert!(!create_locked("a", &[0xAB; 20]).contains("0xAB"));
    }

    #[test]
    fn no_role_but_the_administrators_may_grant() {
        let database = DatabaseName::parse("app").unwrap();
        for role in [UserRole::ReadWrite, UserRole::ReadOnly] {
            let sql = grant(role, &database, &[any_host("a")]).unwrap();
            assert!(!sql.contains("OPTION") && !sql.contains("`%`.*"), "{sql}");
        }
        let admin = admin_grants("a").join(";");
        assert!(admin.contains("GRANT OPTION"), "{admin}");
    }
}
