//! Marks of roles: a grant of SELECT on a database that never exists, whose name tells the role.
//! It is the engine's own record, so it ends with the account and is copied with the data. Its
//! words are a closed set: what else a tenant writes there has no meaning.

use tidegate_model::UserRole;

/// A role with its scope, as a mark tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub role: UserRole,
    /// Whether the user gets databases that are created later.
    pub every_database: bool,
}

/// All marks with the names of their databases. The names contain no wildcards.
const MARKS: [(Mark, &str); 5] = [
    (Mark::new(UserRole::Admin, true), "tidegate:admin"),
    (Mark::new(UserRole::ReadWrite, false), "tidegate:read-write"),
    (
        Mark::new(UserRole::ReadWrite, true),
        "tidegate:read-write:every",
    ),
    (Mark::new(UserRole::ReadOnly, false), "tidegate:read-only"),
    (
        Mark::new(UserRole::ReadOnly, true),
        "tidegate:read-only:every",
    ),
];

impl Mark {
    pub const fn new(role: UserRole, every_database: bool) -> Self {
        Self {
            role,
            every_database,
        }
    }

    /// Name of the database that the mark is a grant on.
    pub fn database(self) -> &'static str {
        let found = MARKS.iter().find(|(mark, _)| *mark == self);
        // An administrator always has every database.
        found.map_or("tidegate:admin", |(_, name)| name)
    }

    pub fn parse(database: &str) -> Option<Self> {
        let found = MARKS.iter().find(|(_, name)| *name == database);
        found.map(|(mark, _)| *mark)
    }

    /// All names, as a list of SQL.
    pub fn sql_list() -> String {
        let names: Vec<String> = MARKS.iter().map(|(_, name)| format!("'{name}'")).collect();
        names.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_model::sql_names::MARK_PREFIX;

    #[test]
    fn every_role_has_its_marks_and_nothing_else_is_one() {
        for role in UserRole::ALL {
            for every_database in [true, role == UserRole::Admin] {
                let mark = Mark::new(role, every_database);
                assert_eq!(Mark::parse(mark.database()), Some(mark));
                assert!(mark.database().starts_with(MARK_PREFIX));
                assert!(!mark.database().contains(['_', '%', '\\', '\'']));
            }
        }
        for other in ["tidegate:", "tidegate:read-only:", "Tidegate:admin", "app"] {
            assert_eq!(Mark::parse(other), None);
        }
    }
}
