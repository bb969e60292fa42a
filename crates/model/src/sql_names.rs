//! Names of databases and users inside an engine, as an operator gives them. They are tenants' text
//! too: SQL can create names that are not accepted here as new ones, and those can still be listed
//! and deleted.

use crate::account::GATEWAY_USER;
use crate::escape::printable;
use std::borrow::Cow;
use std::fmt;

/// Longest name of a database, in characters, and the longest pattern of a grant.
const DATABASE_CHARS_MAX: usize = 64;
/// Longest name of a new user, in characters.
const NEW_USER_CHARS_MAX: usize = 64;
/// Longest name of a new user, in bytes: the clients of MySQL cut a login at 96 bytes, of which the
/// prefix and the dot take 13.
const NEW_USER_BYTES_MAX: usize = 83;
/// Longest user name that an engine's table can have, in characters.
const USER_CHARS_MAX: usize = 128;

/// Databases of the engine itself.
pub const SYSTEM_DATABASES: [&str; 4] =
    ["mysql", "sys", "performance_schema", "information_schema"];

/// Beginning of the names of databases that never exist: grants on them tell the role of a user.
pub const MARK_PREFIX: &str = "tidegate:";

/// Beginning of a name that the engine takes for the name of a folder.
const RAW_FOLDER: &str = "#mysql50#";

/// Files in the engine's folder of databases whose names a database could have. In a folder's name
/// the engine writes a dot as `@002e`, so names with a dot are free.
const ENGINE_FILES: [&str; 6] = [
    "ibdata1",
    "ibtmp1",
    "ib_buffer_pool",
    "aria_log_control",
    "mysql_upgrade_info",
    "mariadb_upgrade_info",
];

/// Whether a file of the engine has this name, now or at times.
fn is_engine_file(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    ENGINE_FILES.contains(&text) || text.strip_prefix("ib_logfile").is_some_and(is_number)
}

/// User names that mean something else in SQL, in the list of processes or for an operator.
const RESERVED_USERS: [&str; 9] = [
    "root",
    "mysql",
    "public",
    "none",
    "current_user",
    "current_role",
    "session_user",
    "system user",
    "event_scheduler",
];
/// Beginnings of the names of the engine's and the gateway's own accounts.
const RESERVED_USER_PREFIXES: [&str; 3] = ["mysql.", "mariadb.", "tidegate."];

/// Reason why a text is not accepted as a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SqlNameError {
    #[error("it is empty")]
    Empty,
    #[error("it is too long")]
    TooLong,
    #[error("it has a character that such a name can't have")]
    Character,
    #[error("it begins or ends with a space")]
    Space,
    #[error("it is reserved")]
    Reserved,
    #[error("a file of the engine has this name, where the folder of the database would be")]
    EngineFile,
}

/// Name of a database of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseName(String);

impl DatabaseName {
    pub const HINT: &'static str = "use 1 to 64 characters, of which `_`, `%` and `\\` count twice \
        in a grant; control characters, characters beyond U+FFFF and the names mysql, sys, \
        performance_schema, information_schema, tidegate:... and those of the engine's files, such \
        as ib_logfile0, are not possible";

    /// Name of a new database.
    pub fn parse(text: &str) -> Result<Self, SqlNameError> {
        check_new(text)?;
        if is_engine_file(text) {
            return Err(SqlNameError::EngineFile);
        }
        let name = Self::existing(text)?;
        if name.pattern().chars().count() > DATABASE_CHARS_MAX {
            return Err(SqlNameError::TooLong);
        }
        Ok(name)
    }

    /// Name of a database that may exist, whoever created it; never one of the engine's own.
    pub fn existing(text: &str) -> Result<Self, SqlNameError> {
        check_any(text, DATABASE_CHARS_MAX)?;
        let lower = text.to_lowercase();
        let reserved = SYSTEM_DATABASES.contains(&lower.as_str())
            || lower.starts_with(MARK_PREFIX)
            || lower.starts_with(RAW_FOLDER);
        match reserved {
            true => Err(SqlNameError::Reserved),
            false => Ok(Self(text.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Pattern of a grant that matches this database only: `_` and `%` would match other names too.
    pub fn pattern(&self) -> String {
        let mut out = String::with_capacity(self.0.len() + 8);
        for c in self.0.chars() {
            if matches!(c, '_' | '%' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        out
    }

    /// Whether a grant can name it: the pattern of a long name may be longer than a name can be.
    pub fn can_be_granted(&self) -> bool {
        self.pattern().chars().count() <= DATABASE_CHARS_MAX
    }

    /// Database that a pattern of a grant matches. `None` if it matches several, or one of the
    /// engine's own.
    pub fn of_pattern(pattern: &str) -> Option<Self> {
        let mut name = String::with_capacity(pattern.len());
        let mut rest = pattern.chars();
        while let Some(c) = rest.next() {
            match c {
                '_' | '%' => return None,
                '\\' => name.push(rest.next()?),
                c => name.push(c),
            }
        }
        Self::existing(&name).ok()
    }
}

/// Name of a user of a tenant, without the prefix of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

impl UserName {
    pub const HINT: &'static str = "use 1 to 64 characters and at most 83 bytes, without control \
        characters and characters beyond U+FFFF; root, mysql, public and names that begin with \
        mysql., mariadb. or tidegate. are reserved";

    /// Name of a new user.
    pub fn parse(text: &str) -> Result<Self, SqlNameError> {
        check_new(text)?;
        if text.chars().count() > NEW_USER_CHARS_MAX || text.len() > NEW_USER_BYTES_MAX {
            return Err(SqlNameError::TooLong);
        }
        Self::existing(text)
    }

    /// Name of a user that may exist, whoever created it; never root or one of the engine's or the
    /// gateway's own accounts.
    pub fn existing(text: &str) -> Result<Self, SqlNameError> {
        check_any(text, USER_CHARS_MAX)?;
        let lower = text.to_lowercase();
        let reserved = RESERVED_USERS.contains(&lower.as_str())
            || RESERVED_USER_PREFIXES
                .iter()
                .any(|start| lower.starts_with(start))
            || text == GATEWAY_USER;
        match reserved {
            true => Err(SqlNameError::Reserved),
            false => Ok(Self(text.to_owned())),
        }
    }

    /// Name of the accounts without one, by which the engine lets in users that have no account.
    pub fn anonymous() -> Self {
        Self(String::new())
    }

    pub fn is_anonymous(&self) -> bool {
        self.0.is_empty()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_any(text: &str, chars_max: usize) -> Result<(), SqlNameError> {
    if text.is_empty() {
        return Err(SqlNameError::Empty);
    }
    if text.chars().count() > chars_max {
        return Err(SqlNameError::TooLong);
    }
    // The engine's own tables store no other characters.
    if text.chars().any(|c| c == '\0' || c > '\u{ffff}') {
        return Err(SqlNameError::Character);
    }
    Ok(())
}

fn check_new(text: &str) -> Result<(), SqlNameError> {
    if matches!(printable(text), Cow::Owned(_)) {
        return Err(SqlNameError::Character);
    }
    if text.trim() != text {
        return Err(SqlNameError::Space);
    }
    Ok(())
}

/// Rights of a user that an operator creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserRole {
    /// Everything that root may do.
    Admin,
    /// Read and write rows, and change the schema, in its databases.
    ReadWrite,
    /// Read rows and definitions of views in its databases.
    ReadOnly,
}

impl UserRole {
    pub const ALL: [Self; 3] = [Self::Admin, Self::ReadWrite, Self::ReadOnly];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for UserRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_new_databases_are_those_that_the_engine_can_grant() {
        for good in [
            "app", "app_1", "a\\b", "A\"b'c`d", "größe", "x.y", "a/b", "100%",
        ] {
            let name = DatabaseName::parse(good).unwrap();
            assert_eq!(
                DatabaseName::of_pattern(&name.pattern()),
                Some(name),
                "{good}"
            );
        }
        let long = "a".repeat(64);
        assert!(DatabaseName::parse(&long).is_ok());
        for (bad, why) in [
            ("", SqlNameError::Empty),
            (&*format!("{long}a"), SqlNameError::TooLong),
            // Its pattern has 65 characters.
            (&*format!("{}_", "a".repeat(63)), SqlNameError::TooLong),
            (" a", SqlNameError::Space),
            ("a ", SqlNameError::Space),
            ("a\nb", SqlNameError::Character),
            ("a\u{202e}b", SqlNameError::Character),
            ("\u{1f600}", SqlNameError::Character),
            ("mysql", SqlNameError::Reserved),
            ("MySQL", SqlNameError::Reserved),
            ("Sys", SqlNameError::Reserved),
            ("INFORMATION_SCHEMA", SqlNameError::Reserved),
            ("performance_schema", SqlNameError::Reserved),
            ("#mysql50#../x", SqlNameError::Reserved),
            ("Tidegate:read-only", SqlNameError::Reserved),
            ("ib_logfile0", SqlNameError::EngineFile),
            ("ibdata1", SqlNameError::EngineFile),
            ("aria_log_control", SqlNameError::EngineFile),
        ] {
            assert_eq!(DatabaseName::parse(bad), Err(why), "{bad}");
        }
        for good in ["ib_logfile", "ib_logfile0x", "aria_log.00000001"] {
            assert!(DatabaseName::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_pattern_that_matches_several_databases_is_the_name_of_none() {
        assert_eq!(
            DatabaseName::parse("a_b%\\").unwrap().pattern(),
            "a\\_b\\%\\\\"
        );
        for pattern in ["%", "app_1", "app%", "a\\", "mysql", "my\\sql", ""] {
            assert_eq!(DatabaseName::of_pattern(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn reserved_users_are_refused_in_any_case() {
        for good in ["app", "app@host", "o'b`r\"ien", "a.b", "rooted", "größe"] {
            assert!(UserName::parse(good).is_ok(), "{good}");
        }
        assert!(UserName::parse(&"a".repeat(64)).is_ok());
        for (bad, why) in [
            ("", SqlNameError::Empty),
            (&*"a".repeat(65), SqlNameError::TooLong),
            // 84 bytes.
            (&*"\u{20ac}".repeat(28), SqlNameError::TooLong),
            (" a", SqlNameError::Space),
            ("a\0", SqlNameError::Character),
            ("a\x1b[2J", SqlNameError::Character),
            ("root", SqlNameError::Reserved),
            ("Root", SqlNameError::Reserved),
            ("mysql", SqlNameError::Reserved),
            ("mariadb.sys", SqlNameError::Reserved),
            ("MYSQL.sys", SqlNameError::Reserved),
            (GATEWAY_USER, SqlNameError::Reserved),
            ("PUBLIC", SqlNameError::Reserved),
            ("event_scheduler", SqlNameError::Reserved),
        ] {
            assert_eq!(UserName::parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn names_that_sql_made_can_be_named_though_they_are_no_new_ones() {
        assert!(DatabaseName::existing("a\nb ").is_ok());
        let long = format!("{}_", "a".repeat(63));
        assert!(!DatabaseName::existing(&long).unwrap().can_be_granted());
        assert!(UserName::existing(&"a".repeat(128)).is_ok());
        assert!(UserName::existing("root").is_err() && DatabaseName::existing("mysql").is_err());
    }

    #[test]
    fn a_role_is_read_as_it_is_written() {
        for role in UserRole::ALL {
            assert_eq!(UserRole::parse(role.as_str()), Some(role));
        }
        assert_eq!(UserRole::parse("Admin"), None);
    }
}
