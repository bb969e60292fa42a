//! Databases of a cluster in requests and answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A database of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Database {
    #[schema(example = "app")]
    pub name: String,
    #[schema(example = "utf8mb4")]
    pub character_set: String,
    #[schema(example = "utf8mb4_general_ci")]
    pub collation: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatabaseList {
    /// By name, without the engine's own.
    pub databases: Vec<Database>,
    /// Whether these are all. A list has at most 1000.
    pub complete: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDatabase {
    /// 1 to 64 characters, of which `_`, `%` and `\` count twice. Control characters, spaces at
    /// either end, characters beyond U+FFFF and the names of the engine's own databases are
    /// refused.
    #[schema(
        example = "app",
        pattern = r"^[!-~\u00a1-\u00ac\u00ae-\u05ff\u0900-\u167f\u2100-\u2fff\u3001-\ud7ff]([ !-~\u00a1-\u00ac\u00ae-\u05ff\u0900-\u167f\u2100-\u2fff\u3001-\ud7ff]{0,62}[!-~\u00a1-\u00ac\u00ae-\u05ff\u0900-\u167f\u2100-\u2fff\u3001-\ud7ff])?$"
    )]
    pub name: String,
}
