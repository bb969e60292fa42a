//! Users of a cluster in requests and answers.

use super::Secret;
use serde::{Deserialize, Serialize};
use tidegate_model::UserRole;
use utoipa::ToSchema;

/// A user of a cluster: all accounts of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Empty for accounts without a name.
    #[schema(example = "app")]
    pub name: String,
    /// Full user name, with the cluster's prefix.
    #[schema(example = "k7m2q9x4w3tz.app")]
    pub user: String,
    /// Only in the answer to a request that generated it; the server does not store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub password: Option<Secret>,
    /// Role of its account at `%`: `admin`, `read-write` or `read-only`; null if SQL created that
    /// account, or there is none. `accounts` has all of them.
    pub role: Option<Role>,
    /// Whether that account gets databases that are created later with Tidegate.
    pub every_database: bool,
    /// Databases of the role. Empty for an administrator, who has all.
    #[schema(example = json!(["app"]))]
    pub databases: Vec<String>,
    /// All its accounts.
    pub accounts: Vec<Account>,
    /// Host patterns of its accounts.
    #[schema(example = json!(["%"]))]
    pub hosts: Vec<String>,
    /// Whether one of its accounts is locked.
    pub locked: bool,
}

/// Account of a user at one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Host pattern of clients that use it.
    #[schema(example = "%")]
    pub host: String,
    /// Null if SQL created the account: it has the rights that SQL gave it.
    pub role: Option<Role>,
    pub locked: bool,
}

/// Role of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything that root may do.
    Admin,
    /// Rows and schema of its databases.
    ReadWrite,
    /// Rows of its databases.
    ReadOnly,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        UserRole::from(self).as_str()
    }
}

impl From<Role> for UserRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => Self::Admin,
            Role::ReadWrite => Self::ReadWrite,
            Role::ReadOnly => Self::ReadOnly,
        }
    }
}

impl From<UserRole> for Role {
    fn from(role: UserRole) -> Self {
        match role {
            UserRole::Admin => Self::Admin,
            UserRole::ReadWrite => Self::ReadWrite,
            UserRole::ReadOnly => Self::ReadOnly,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserList {
    /// Users with a role first, root included, then those that SQL made, each by name.
    pub users: Vec<User>,
    /// Whether there are no others after these.
    pub complete: bool,
    /// Name to send as `after` for the next page; missing on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "app")]
    pub next: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// Name without the cluster's prefix: 1 to 64 characters and at most 83 bytes. Control
    /// characters, spaces at either end, characters beyond U+FFFF and reserved names such as `root`
    /// are refused.
    #[schema(
        example = "app",
        pattern = r"^[!-~\u00a1-\u00ac\u00ae-\u05ff\u0900-\u167f\u2100-\u2fff\u3001-\ud7ff]([ !-~\u00a1-\u00ac\u00ae-\u05ff\u0900-\u167f\u2100-\u2fff\u3001-\ud7ff]{0,62}[!-~\u00a1-\u00ac\u00ae-\u05ff\u0900-\u167f\u2100-\u2fff\u3001-\ud7ff])?$"
    )]
    pub name: String,
    pub role: Role,
    /// Databases that the role is for. If missing: all databases, and those that are created later
    /// with Tidegate. Not possible for `admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 100, example = json!(["test"]))]
    pub databases: Option<Vec<String>>,
    /// Generated if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        value_type = Option<String>,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]{1,256}$"
    )]
    pub password: Option<Secret>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SetPassword {
    /// Generated if missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        value_type = Option<String>,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]{1,256}$"
    )]
    pub password: Option<Secret>,
}
