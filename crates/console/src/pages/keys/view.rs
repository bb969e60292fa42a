//! View of the page of API keys.

use crate::pages::frame::Frame;
use crate::pages::words::{Moment, filters};
use crate::types::Secret;
use askama::Template;

pub struct KeyRow {
    pub id: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub created: Moment,
    /// `None` for a key that is valid until it is revoked.
    pub expires: Option<Moment>,
    pub expired: bool,
    pub used: Option<Moment>,
}

/// New key, in the only answer that contains it.
pub struct MadeKey {
    pub name: String,
    pub key: Secret,
}

#[derive(Template)]
#[template(path = "keys.html")]
pub struct KeysPage {
    pub frame: Frame,
    pub rows: Vec<KeyRow>,
    pub made: Option<MadeKey>,
    /// Name that was entered and refused.
    pub wanted: String,
    pub ca_offered: bool,
    pub profile: String,
    pub curl: String,
}
