//! Stand-in for a kind that this version does not have: a store written by a newer version may name
//! one. Its clusters are shown as failed, and nothing of them is changed or deleted.

use crate::driver::{Driver, Run};
use crate::error::{EngineError, StartError};
use crate::kind::{ClusterSpec, EngineKind};
use std::sync::Arc;
use tidegate_model::{Abilities, BoxFuture, EngineAddress, KindDescription, PasswordVerifier};

const UNKNOWN: KindDescription = KindDescription {
    name: "unknown",
    summary: "a kind of engine that this version does not have",
    page: "engines/README.md",
    parameters: &[],
    login_check: PasswordVerifier::KnownAccounts,
    abilities: Abilities {
        sleeps: false,
        backs_up: false,
        branches: false,
    },
};

/// Kind of a name that is not in the list of kinds.
#[derive(Clone)]
pub struct UnknownKind {
    name: String,
}

impl UnknownKind {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
        }
    }

    fn reason(&self) -> String {
        format!(
            "its kind of engine, {:?}, is unknown to this version of Tidegate; hint: run the \
             version that created the cluster",
            self.name
        )
    }
}

impl EngineKind for UnknownKind {
    fn description(&self) -> &'static KindDescription {
        &UNKNOWN
    }

    fn create<'a>(
        &'a self,
        _: &'a ClusterSpec,
        _: [u8; 20],
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async { Err(EngineError::Start(StartError::new(self.reason()))) })
    }

    fn driver(&self, _: &ClusterSpec) -> Arc<dyn Driver> {
        Arc::new(self.clone())
    }
}

impl Driver for UnknownKind {
    fn prepare(&self) -> Result<(), StartError> {
        Err(StartError::new(self.reason()))
    }

    fn start(&self) -> BoxFuture<'_, Result<Arc<dyn Run>, StartError>> {
        Box::pin(async { Err(StartError::new(self.reason())) })
    }

    fn address(&self) -> EngineAddress {
        // Nobody connects to it, because no start succeeds.
        EngineAddress::Unix("/nonexistent".into())
    }

    fn remove(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async { Err(EngineError::Start(StartError::new(self.reason()))) })
    }
}
