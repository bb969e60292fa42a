//! Rows of the store about the operator: sign-in links, web sessions and API keys.

/// Name of the one operator account, which is made at the first start.
pub const OPERATOR: &str = "operator";

/// SHA-256 of a token.
pub type Hash = [u8; 32];

/// Sign-in link that was not used yet.
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
    /// As [`crate::Scopes`] writes them.
    pub scopes: String,
    pub created_unix: i64,
    pub expires_unix: Option<i64>,
    pub used_unix: Option<i64>,
}

/// Everything that opens something.
#[derive(Debug, Default)]
pub struct AccessRows {
    pub links: Vec<LinkRow>,
    pub sessions: Vec<WebSessionRow>,
    pub keys: Vec<KeyRow>,
}
