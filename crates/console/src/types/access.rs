//! Sign-in links and API keys in requests and answers.

use super::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Link that signs in one browser, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInLink {
    #[schema(value_type = String, example = "https://127.0.0.1:4443/link/5f2c...")]
    pub url: Secret,
    /// RFC 3339, UTC.
    pub expires_at: String,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Key {
    #[schema(example = "k7m2q9x4w3tz")]
    pub id: String,
    #[schema(example = "terraform")]
    pub name: String,
    /// `read`, `clusters:PATTERN`, `all`.
    #[schema(example = json!(["clusters:shop-*"]))]
    pub scopes: Vec<String>,
    /// Only in the answer to the request that created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub key: Option<Secret>,
    pub created_at: String,
    /// Null for a key that is valid until it is revoked.
    pub expires_at: Option<String>,
    /// To the minute; null if never.
    pub used_at: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyList {
    pub keys: Vec<Key>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// Purpose of the key: 1 to 64 characters without control characters, with no space at either
    /// end.
    #[schema(
        example = "terraform",
        pattern = r"^[^\s\u0000-\u001f\u007f-\u009f]([^\u0000-\u001f\u007f-\u009f]{0,62}[^\s\u0000-\u001f\u007f-\u009f])?$"
    )]
    pub name: String,
    /// Scopes of the key. `read`: see all clusters and their sessions, without logs.
    /// `clusters:PATTERN`: everything on clusters whose names match, with limits up to the server's
    /// defaults. `all`: everything except keys and sign-in links.
    #[schema(
        min_items = 1,
        max_items = 32,
        example = json!(["clusters:shop-*"]),
        value_type = Vec<KeyScope>
    )]
    pub scopes: Vec<String>,
    /// At most ten years. If missing, the key is valid until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1.0, maximum = 316_224_000.0)]
    pub expires_after_seconds: Option<f64>,
}

/// Scope of a key.
#[derive(ToSchema)]
#[schema(pattern = r"^(all|read|clusters:[a-z0-9*-]{1,63})$")]
pub struct KeyScope(#[expect(dead_code, reason = "for the description only")] String);
