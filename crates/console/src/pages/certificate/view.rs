//! View of the certificate page.

use crate::pages::frame::Frame;
use crate::pages::words::{Moment, filters};
use askama::Template;

pub struct LeafView {
    pub heading: &'static str,
    pub key: String,
    pub names: Vec<String>,
    pub issuer: String,
    pub serial: String,
    pub fingerprint: String,
    pub not_before: Moment,
    pub not_after: Moment,
    /// Part of its lifetime that has passed, in percent.
    pub spent: u8,
    /// Remaining lifetime, as text.
    pub left: String,
    pub renewal: String,
}

pub struct ChainLink {
    pub role: &'static str,
    pub subject: String,
    pub expiry: String,
}

pub struct HistoryRow {
    pub at: Moment,
    pub what: String,
    pub class: &'static str,
}

#[derive(Template)]
#[template(path = "certificate.html")]
pub struct CertificatePage {
    pub frame: Frame,
    pub trust_line: &'static str,
    pub ca_offered: bool,
    pub alarms: Vec<String>,
    pub leaves: Vec<LeafView>,
    pub chain: Vec<ChainLink>,
    pub history: Vec<HistoryRow>,
}
