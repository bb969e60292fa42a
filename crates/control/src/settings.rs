//! Settings of this room.

use crate::datadir::DataDir;
use crate::limits;
use crate::operation_step::AfterStep;
use std::time::Duration;
use tidegate_engine::{EngineSettings, UidChoice};
use tidegate_model::ClusterLimits;

/// Settings that an operator can choose.
#[derive(Debug, Clone)]
pub struct ControlSettings {
    pub engine: EngineSettings,
    /// User numbers for engines, if the server runs as root.
    pub uids: UidChoice,
    /// Default limits of new clusters.
    pub limits: ClusterLimits,
    pub web: WebSessionLife,
    /// Called after each step of an operation, for tests of crashes.
    pub after_step: Option<AfterStep>,
}

impl ControlSettings {
    pub fn new(dir: &DataDir) -> Self {
        let engine = EngineSettings::new(dir.root().to_owned());
        Self {
            engine,
            uids: UidChoice::Auto,
            limits: ClusterLimits::default(),
            web: WebSessionLife::default(),
            after_step: None,
        }
    }
}

/// Lifetime of web sessions.
#[derive(Debug, Clone, Copy)]
pub struct WebSessionLife {
    /// Time without use after which a session expires.
    pub idle: Duration,
    /// Time after which a session expires even if it is used.
    pub most: Duration,
}

impl Default for WebSessionLife {
    fn default() -> Self {
        Self {
            idle: limits::WEB_IDLE,
            most: limits::WEB_LIFE,
        }
    }
}
