//! Creation of a cluster.

use super::ROOT;
use crate::control::{Control, now_unix, spec};
use crate::engine_error::engine_error;
use crate::entry_cache::EntryUse;
use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::limits;
use crate::limits_check::check_limits;
use crate::operation_step::OperationStep;
use crate::requests::Intent;
use crate::store::{
    ClusterRow, HostRow, OperationClaim, Reservation, StoreError, StoreResult, StoredCluster,
};
use crate::views::{NewCluster, WithPassword};
use crate::{names, password};
use std::error::Error;
use tidegate_engine::EngineError;
use tidegate_model::{
    Account, AccountBook, ClusterEngine, ClusterId, ClusterLimits, ClusterName, EngineParameters,
    Prefix, ReadingOrder, Requirement, RunEpoch, Verifier, error_chain,
};

impl Control {
    /// Creates a cluster, asleep, with a new password that is stored nowhere.
    pub async fn create_cluster(&self, new: NewCluster) -> ControlResult<WithPassword> {
        let this = self.clone();
        self.to_its_end(async move { this.create(new).await }).await
    }

    async fn create(&self, new: NewCluster) -> ControlResult<WithPassword> {
        let limits = new.limits.unwrap_or(self.default_limits());
        check_limits(&limits)?;
        if let Some(made) = self.made_earlier().await? {
            return Ok(made);
        }
        let engine = self.choose_engine(new.engine.as_deref(), &new.parameters)?;
        let password = password::generate()?;
        let stage2 = password::stage2(&password);
        // 1. A record, before any file. 2. The record of this host. 3. The files. 4. The cluster
        // becomes visible. A start that finds a cluster before step 4 removes it.
        let row = self.reserve(new.name.as_deref(), engine, limits).await?;
        let claim = OperationClaim::of_new(row.id);
        self.stepped(OperationStep::CreateReserved);
        let mut host = HostRow::new(row.id);
        let intent = Intent::NewCluster {
            id: row.id.0,
            password: password.to_string(),
        };
        let made = async {
            self.note_intent(intent).await?;
            host.uid = self.take(row.id).await?;
            self.stepped(OperationStep::CreateTaken);
            self.engines()
                .create(spec(&row, host.uid), stage2)
                .await
                .map_err(|e| engine_error(e, &row.name))?;
            self.stepped(OperationStep::CreateMade);
            Ok(self.store().publish(claim, &first_accounts(stage2)).await?)
        };
        let row = match made.await {
            Ok(row) => row,
            Err(e) => {
                self.discard(&row, claim).await;
                return Err(e);
            }
        };
        self.stepped(OperationStep::CreatePublished);
        let entry = self.register().insert(StoredCluster { row, host }).await;
        self.keep_awake(&entry);
        Ok(WithPassword {
            cluster: self.view(&entry),
            password,
        })
    }

    /// Returns the cluster that an interrupted execution of this request has created, unless the
    /// start after it has undone that.
    async fn made_earlier(&self) -> ControlResult<Option<WithPassword>> {
        let Some(Intent::NewCluster { id, password }) = self.earlier_intent() else {
            return Ok(None);
        };
        let entry = self.register().by_id(ClusterId(*id), EntryUse::Work);
        Ok(entry.await?.map(|entry| WithPassword {
            cluster: self.view(&entry),
            password: password.clone().into(),
        }))
    }

    /// Checks the requested kind of engine and its parameters.
    fn choose_engine(
        &self,
        wanted: Option<&str>,
        parameters: &serde_json::Map<String, serde_json::Value>,
    ) -> ControlResult<ClusterEngine> {
        let default = self.engines().kinds().next().map(|kind| kind.name);
        let name = wanted.or(default).unwrap_or_default();
        let Some(kind) = self.engines().kind(name) else {
            let names: Vec<_> = self.engines().kinds().map(|kind| kind.name).collect();
            return Err(ControlError::unknown_kind(name, &names));
        };
        let description = kind.description();
        let checked = EngineParameters::check(description.parameters, parameters)
            .and_then(|checked| kind.check_parameters(&checked).map(|()| checked));
        let parameters = checked
            .map_err(|e| ControlError::new(ErrorCode::BadParameters, e.to_string(), e.hint()))?;
        Ok(ClusterEngine {
            kind: description.name.to_owned(),
            parameters,
        })
    }

    async fn reserve(
        &self,
        given: Option<&str>,
        engine: ClusterEngine,
        limits: ClusterLimits,
    ) -> ControlResult<ClusterRow> {
        let given = match given {
            Some(text) => Some(ClusterName::parse(text).map_err(|_| ControlError::bad_name(text))?),
            None => None,
        };
        for _ in 0..limits::DRAWS_MAX {
            let name = match &given {
                Some(name) => name.clone(),
                None => names::generate()?,
            };
            let id = ClusterId::random()?;
            if self.strays().find().await?.ids.contains(&id) {
                continue;
            }
            let wanted = Reservation {
                id,
                name,
                prefix: Prefix::random()?,
                created_unix: now_unix(),
                engine: engine.clone(),
                limits,
            };
            match self.store().reserve(wanted).await {
                Err(StoreError::PrefixTaken | StoreError::IdTaken) => {}
                Err(StoreError::NameTaken(_)) if given.is_none() => {}
                other => return Ok(other?),
            }
        }
        Err(ControlError::internal(&NoFreeName))
    }

    /// Makes this host run a new cluster. Returns the system user of its engine, if it has one.
    async fn take(&self, cluster: ClusterId) -> StoreResult<Option<u32>> {
        match self.uids() {
            Some(uids) => {
                let strays = self.strays().find().await?;
                let uid = uids.take(self.store(), cluster, strays).await?;
                Ok(Some(uid))
            }
            None => {
                self.store().take_cluster(cluster, None).await?;
                Ok(None)
            }
        }
    }

    /// Removes a cluster whose creation failed. The next start removes what can't be removed now.
    async fn discard(&self, row: &ClusterRow, claim: OperationClaim) {
        let recorded = match self.engines().remove(row.id).await {
            Ok(()) | Err(EngineError::Unknown(_)) => self.bury(claim).await,
            Err(error) => {
                warn_of_leftovers(row, &error);
                // Frees its name.
                let hidden = self.store().begin_delete(row.id, now_unix());
                hidden.await.map(drop)
            }
        };
        if let Err(error) = recorded {
            warn_of_leftovers(row, &error);
        }
    }
}

/// No attempt to generate a name or prefix found a free one.
#[derive(Debug, thiserror::Error)]
#[error("found no free name or prefix")]
struct NoFreeName;

fn warn_of_leftovers(row: &ClusterRow, error: &(dyn Error + 'static)) {
    let error = error_chain(error);
    tracing::warn!(cluster = %row.id, error, "a cluster that could not be created is not \
         completely removed");
}

/// Accounts of a new cluster: root from any host.
fn first_accounts(stage2: [u8; 20]) -> AccountBook {
    let root = Account {
        user: ROOT.to_owned(),
        host: "%".to_owned(),
        verifiers: vec![Verifier::Native(stage2)],
        locked: false,
        requires: Requirement::None,
    };
    AccountBook {
        accounts: [root].into_iter().collect(),
        run: RunEpoch(0),
        order: ReadingOrder::default(),
    }
}
