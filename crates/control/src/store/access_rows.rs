//! Rows of the store about access: sign-in links, web sessions and API keys.

/// Name of the one operator account, which is made at the first start.
pub const OPERATOR: &str = "operator";

/// SHA-256 of a token.
pub type Hash = [u8; 32];

/// An unused sign-in link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    pub hash: Hash,
    pub expires_unix: i64,
}

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSessionRow {
    pub hash: Hash,
    pub operator: String,
    pub created_unix: i64,
    pub seen_unix: i64,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    pub id: String,
    pub name: String,
    pub hash: Hash,
    /// Scopes in the form of [`crate::Scopes`].
    pub scopes: String,
    pub created_unix: i64,
    pub expires_unix: Option<i64>,
    pub used_unix: Option<i64>,
}

/// All rows about access.
#[derive(Debug, Default)]
pub struct AccessRows {
    pub links: Vec<LinkRow>,
    pub sessions: Vec<WebSessionRow>,
    pub keys: Vec<KeyRow>,
}
