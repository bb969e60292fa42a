//! A kind of engine: what makes clusters of one sort, such as MariaDB processes of this machine.
//! One folder of this room per kind, and one line in the list of kinds (`kinds.rs`).

use crate::driver::Driver;
use crate::error::EngineError;
use crate::in_force::LimitsInForce;
use crate::local::walls::Walls;
use std::sync::Arc;
use tidegate_model::{
    BoxFuture, ClusterEngine, ClusterId, ClusterLimits, ClusterName, EngineParameters,
    KindDescription, ParameterError,
};
use tidegate_wire::capabilities::{Capabilities, OFFERED};

/// A cluster as the store knows it.
#[derive(Debug, Clone)]
pub struct ClusterSpec {
    pub id: ClusterId,
    /// For logs.
    pub name: ClusterName,
    /// Its kind of engine, with parameters that were checked when the cluster was created.
    pub engine: ClusterEngine,
    /// The engine's own user, where this server is root.
    pub uid: Option<u32>,
    pub limits: ClusterLimits,
}

/// Receiver of messages about a long preparation, for people who wait.
pub type Progress<'a> = &'a (dyn Fn(&str) + Sync);

/// Version and capabilities in the gateway's greeting, which a client gets before it has named a
/// cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindGreeting {
    /// Server version. Clients decide by it which features they use.
    pub version: String,
    /// Capabilities of the engines. The gateway offers those of them that it can relay.
    pub capabilities: Capabilities,
}

impl Default for KindGreeting {
    fn default() -> Self {
        Self {
            version: "5.5.5-10.11.0-MariaDB".to_owned(),
            capabilities: OFFERED,
        }
    }
}

/// A kind of engine, opened once per server.
pub trait EngineKind: Send + Sync + 'static {
    fn description(&self) -> &'static KindDescription;

    /// Greeting of a listener whose default kind this is.
    fn greeting(&self) -> KindGreeting {
        KindGreeting::default()
    }

    /// Checks parameters of a new cluster beyond their types.
    fn check_parameters(&self, _parameters: &EngineParameters) -> Result<(), ParameterError> {
        Ok(())
    }

    /// Limits of a cluster that this machine enforces. `None`: its engines do not run here.
    fn limits_in_force(&self) -> Option<LimitsInForce> {
        None
    }

    /// Walls around its engines, as they were found at the start. `None`: they do not run here.
    fn walls(&self) -> Option<Walls> {
        None
    }

    /// Reason why the disk has no space to start an engine of this kind, if it has none.
    fn lacks_space(&self) -> Option<String> {
        None
    }

    /// Proves at the server's start that this machine can start an engine.
    fn rehearse(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async { Ok(()) })
    }

    /// Does now what the first creation would wait for.
    fn prepare<'a>(&'a self, _progress: Progress<'a>) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async { Ok(()) })
    }

    /// Makes a new cluster, whole or not at all. `stage2`: SHA1(SHA1(password)) of its `root`.
    fn create<'a>(
        &'a self,
        cluster: &'a ClusterSpec,
        stage2: [u8; 20],
    ) -> BoxFuture<'a, Result<(), EngineError>>;

    /// Driver of a cluster that exists. An obstacle must not fail here: it fails the first start,
    /// so that one broken cluster does not keep the server from starting.
    fn driver(&self, cluster: &ClusterSpec) -> Arc<dyn Driver>;
}
