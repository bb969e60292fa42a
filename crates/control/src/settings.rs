//! Settings of this room.

use crate::datadir::DataDir;
use crate::limits;
use std::time::Duration;
use tidegate_engine::{EngineSettings, UidChoice};
use tidegate_model::ClusterLimits;

/// What an operator may choose here.
#[derive(Debug, Clone)]
pub struct ControlSettings {
    pub engine: EngineSettings,
    /// The numbers of the engines' own users, where the server is root.
    pub uids: UidChoice,
    /// What a cluster gets that asked for nothing else.
    pub limits: ClusterLimits,
    pub web: WebSessionLife,
}

impl ControlSettings {
    pub fn new(dir: &DataDir) -> Self {
        let engine = EngineSettings::new(dir.root().to_owned());
        Self {
            engine,
            uids: UidChoice::Auto,
            limits: ClusterLimits::default(),
            web: WebSessionLife::default(),
        }
    }
}

/// When a signed-in browser must sign in again.
#[derive(Debug, Clone, Copy)]
pub struct WebSessionLife {
    /// After this long without use.
    pub idle: Duration,
    /// And after this long whatever its use.
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
