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
    /// `None`: when it is revoked.
    pub expires: Option<Moment>,
    pub ended: bool,
    pub used: Option<Moment>,
}

/// A key in the one answer that shows it.
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
    /// What was typed as a name and refused.
    pub wanted: String,
    pub ca_offered: bool,
    pub profile: String,
    pub curl: String,
}
