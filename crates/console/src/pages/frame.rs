//! Frame of every page: title, menu, signed-in operator and one notice.

use super::assets;
use super::words::sentence;
use crate::auth::SignedIn;
use crate::state::Web;
use crate::types::Warning;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::convert::Infallible;
use tidegate_control::{ControlError, ErrorCode};

/// Entry of the menu that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MenuEntry {
    Clusters,
    Certificate,
    Keys,
    Help,
    /// A page that is not in the menu.
    Outside,
}

impl MenuEntry {
    /// Entries that only a signed-in operator has.
    const OF_OPERATORS: [Self; 3] = [Self::Clusters, Self::Certificate, Self::Keys];

    pub fn label(self) -> &'static str {
        match self {
            Self::Clusters => "Clusters",
            Self::Certificate => "Certificate",
            Self::Keys => "API keys",
            Self::Help => "Help",
            Self::Outside => "",
        }
    }

    pub fn address(self) -> &'static str {
        match self {
            Self::Clusters | Self::Outside => "/",
            Self::Certificate => "/certificate",
            Self::Keys => "/keys",
            Self::Help => "/help",
        }
    }
}

/// Frame of a page.
pub struct Frame {
    pub title: String,
    /// Entry of the menu that this page belongs to.
    pub menu_entry: MenuEntry,
    /// Name of the signed-in operator.
    pub operator: Option<String>,
    pub csrf: String,
    pub notice: Option<Notice>,
    /// Warning while the disk of the data directory is full; on every page of an operator.
    pub disk_full: Option<WarningView>,
    /// Whether the page refreshes itself.
    pub live: bool,
}

impl Frame {
    pub fn new(title: impl Into<String>, menu_entry: MenuEntry) -> Self {
        Self {
            title: title.into(),
            menu_entry,
            operator: None,
            csrf: String::new(),
            notice: None,
            disk_full: None,
            live: false,
        }
    }

    /// Frame of a page for a signed-in operator.
    pub fn of(who: &SignedIn, title: impl Into<String>, menu_entry: MenuEntry) -> Self {
        let operator = Some(who.operator().to_owned());
        let csrf = who.csrf().to_owned();
        Self {
            operator,
            csrf,
            disk_full: who.disk_full().map(WarningView::from),
            ..Self::new(title, menu_entry)
        }
    }

    /// Frame of a page that does not need a session.
    pub fn for_visitor(visitor: &Visitor, title: &str, menu_entry: MenuEntry) -> Self {
        match &visitor.0 {
            Some(who) => Self::of(who, title, menu_entry),
            None => Self::new(title, menu_entry),
        }
    }

    /// Entries of the menu that this visitor has.
    pub fn menu(&self) -> Vec<MenuEntry> {
        let mut entries = Vec::new();
        if self.operator.is_some() {
            entries.extend(MenuEntry::OF_OPERATORS);
        }
        entries.push(MenuEntry::Help);
        entries
    }

    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

/// Reason why a request was refused.
#[derive(Debug, Clone)]
pub struct Notice {
    pub text: String,
    /// Advice on how to fix it; may be empty.
    pub hint: String,
}

impl Notice {
    /// Returns the notice about a change that was refused.
    pub fn of_change(error: &ControlError) -> Self {
        match error.code {
            ErrorCode::Stale => Self {
                text: "Nothing was changed: the cluster was changed since you opened this page."
                    .to_owned(),
                hint: "The facts on this page are the current ones. Check your values against \
                       them, then send them again."
                    .to_owned(),
            },
            _ => Self::from(error),
        }
    }
}

impl From<&ControlError> for Notice {
    fn from(error: &ControlError) -> Self {
        Self {
            text: sentence(&error.message),
            hint: sentence(&error.hint),
        }
    }
}

/// Warning for an operator, in sentences.
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

/// Visitor of a page that does not need a session: a signed-in operator or anybody else.
pub struct Visitor(pub Option<SignedIn>);

impl FromRequestParts<Web> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        Ok(Self(SignedIn::from_request_parts(parts, web).await.ok()))
    }
}
