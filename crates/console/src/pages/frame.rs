//! What surrounds every page: title, place in the menu, who is signed in, and one notice. Never a
//! password.

use super::assets;
use super::words::sentence;
use crate::types::Warning;

/// The frame of one page.
pub struct Frame {
    pub title: String,
    /// The entry of the menu that this page belongs to.
    pub place: &'static str,
    /// Who is signed in, if anybody.
    pub operator: Option<String>,
    pub csrf: String,
    pub notice: Option<Notice>,
    /// While the disk of the data directory is full, on every page of an operator.
    pub disk_full: Option<WarningView>,
    /// Whether the page stays fresh by itself.
    pub live: bool,
}

impl Frame {
    pub fn new(title: impl Into<String>, place: &'static str) -> Self {
        Self {
            title: title.into(),
            place,
            operator: None,
            csrf: String::new(),
            notice: None,
            disk_full: None,
            live: false,
        }
    }

    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

/// Why what was just asked was not done.
#[derive(Debug, Clone)]
pub struct Notice {
    pub text: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

/// State that an operator must know of, in sentences.
#[derive(Debug, Clone)]
pub struct WarningView {
    pub text: String,
    pub hint: String,
}

impl From<&Warning> for WarningView {
    fn from(warning: &Warning) -> Self {
        let text = format!(
            "{} {}",
            sentence(&warning.message),
            sentence(&warning.meaning)
        );
        Self {
            text,
            hint: sentence(&warning.hint),
        }
    }
}
