//! Cursors that a session has open at its engine, by the statements that they belong to. Their rows
//! exist only there, so they would be lost with the session.

use super::limits::CURSORS_MAX;

/// Open cursors of a session. Has no allocation while there are none.
#[derive(Debug, Default)]
pub(super) struct Cursors(Vec<u32>);

impl Cursors {
    pub fn open(&mut self, statement: u32) {
        if self.0.len() < CURSORS_MAX && !self.0.contains(&statement) {
            self.0.push(statement);
        }
    }

    pub fn close(&mut self, statement: u32) {
        self.0.retain(|open| *open != statement);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }

    pub fn close_all(&mut self) {
        self.0 = Vec::new();
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
