//! Requests that a program may repeat: each is executed once, whatever happens to the connection or
//! to the server. A repetition gets the answer of the first execution. If a crash has interrupted
//! it, what it had begun is found by a note, and is completed.

use crate::control::{Control, now_unix};
use crate::error::{ControlError, ControlResult};
use crate::limits;
use crate::operation_step::OperationStep;
use crate::store::{NewRequest, StoreError, StoredRequest};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidegate_model::ClusterId;
use zeroize::{Zeroize, Zeroizing};

/// Encryption of what the store keeps about requests: answers contain new passwords and keys.
pub trait RequestSeal: Send + Sync + 'static {
    /// Seals a text for the place of this name.
    fn seal(&self, place: &str, plain: &[u8]) -> Option<Vec<u8>>;
    /// Opens what was sealed for the place of this name. `None` if that was with another key.
    fn open(&self, place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>>;
}

/// A request with an idempotency key.
#[derive(Clone)]
pub struct RepeatableRequest {
    /// Hash of the caller and its idempotency key.
    pub key: String,
    /// Id of the API key, or a word for the owner of the server.
    pub caller: String,
    /// SHA-256 of the whole request.
    pub request_hash: [u8; 32],
    pub seal: Arc<dyn RequestSeal>,
}

/// Change that an execution is about to make, written before it makes it.
#[derive(Serialize, Deserialize)]
pub(crate) enum Intent {
    NewCluster { id: u64, password: String },
    Cluster { id: u64 },
    NewUser { password: String },
    NewKey { id: String, token: String },
}

impl Drop for Intent {
    fn drop(&mut self) {
        match self {
            Self::NewCluster { password, .. } | Self::NewUser { password } => password.zeroize(),
            Self::NewKey { token, .. } => token.zeroize(),
            Self::Cluster { .. } => {}
        }
    }
}

/// Record of a request in the store, which is sealed there.
#[derive(Serialize, Deserialize)]
struct RequestNote {
    request_hash: [u8; 32],
    intent: Option<Intent>,
}

/// The request that an operation is executed for.
pub(crate) struct ExecutedRequest {
    request: RepeatableRequest,
    /// Whether an earlier execution was interrupted, so that some of its work may be done.
    resumed: bool,
    /// Change that the earlier execution was about to make.
    intent: Option<Intent>,
}

/// Result of a look-up of a request with an idempotency key.
pub enum RequestStart {
    /// It must be executed.
    Execute(OpenRequest),
    /// It was executed, with this answer.
    Answered(Zeroizing<Vec<u8>>),
    /// It is executed now.
    Running,
    /// The caller has used the key for another request.
    OtherRequest,
    /// It was executed before the master key was replaced, and its answer can't be opened.
    Unreadable,
    /// Too many requests are executed.
    TooMany,
    /// The disk is full, so it is executed without a record.
    Unrecorded,
}

/// A request that is executed now. Nobody else executes it until this is dropped.
pub struct OpenRequest {
    control: Control,
    executed: Arc<ExecutedRequest>,
    _running: RunningRequest,
}

impl fmt::Debug for RequestStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Execute(_) => "Execute",
            Self::Answered(_) => "Answered",
            Self::Running => "Running",
            Self::OtherRequest => "OtherRequest",
            Self::Unreadable => "Unreadable",
            Self::TooMany => "TooMany",
            Self::Unrecorded => "Unrecorded",
        })
    }
}

impl OpenRequest {
    /// Returns the server whose operations know this request.
    pub fn control(&self) -> Control {
        self.control.for_request(Arc::clone(&self.executed))
    }

    /// Whether an earlier execution was interrupted.
    pub fn is_resumed(&self) -> bool {
        self.executed.resumed
    }

    /// Keeps the answer for repetitions.
    pub async fn keep(self, answer: &[u8]) {
        self.control.stepped(OperationStep::RequestExecuted);
        let RepeatableRequest { key, seal, .. } = &self.executed.request;
        // The note again, so that both are sealed with the same key: this request may have replaced
        // it.
        let note = RequestNote {
            request_hash: self.executed.request.request_hash,
            intent: None,
        };
        let sealed = self.executed.request.sealed_note(&note);
        let answer = seal.seal(&answer_place(key), answer);
        let (Some(note), Some(answer)) = (sealed, answer) else {
            return;
        };
        let noted = StoredRequest {
            note,
            answer: Some(answer),
        };
        let store = self.control.store();
        if let Err(error) = store.note_request(key.clone(), noted).await {
            tracing::warn!(%error, "the answer to a request is not kept for its repetition");
        }
    }

    /// Forgets the request, since it changed nothing: the next one with its key is executed.
    pub async fn forget(self) {
        let key = self.executed.request.key.clone();
        if let Err(error) = self.control.store().forget_request(key).await {
            tracing::warn!(%error, "the record of a refused request is kept");
        }
    }
}

impl RepeatableRequest {
    fn sealed_note(&self, note: &RequestNote) -> Option<Vec<u8>> {
        let plain = Zeroizing::new(serde_json::to_vec(note).ok()?);
        self.seal.seal(&note_place(&self.key), &plain)
    }

    fn opened_note(&self, sealed: &[u8]) -> Option<RequestNote> {
        let plain = self.seal.open(&note_place(&self.key), sealed)?;
        serde_json::from_slice(&plain).ok()
    }
}

/// Name of the place of a note, to which its encryption is bound.
fn note_place(key: &str) -> String {
    format!("answers/{key}/note")
}

fn answer_place(key: &str) -> String {
    format!("answers/{key}/answer")
}

/// Requests with an idempotency key that are executed now, by their keys.
#[derive(Default)]
pub(crate) struct RunningRequests(Mutex<HashMap<String, [u8; 32]>>);

impl RunningRequests {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, [u8; 32]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Place of a request among the running ones, until it is dropped.
struct RunningRequest {
    control: Control,
    key: String,
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        self.control.running_requests().lock().remove(&self.key);
    }
}

impl Control {
    /// Begins a request with an idempotency key, or finds what became of the first one.
    pub async fn begin_request(&self, request: RepeatableRequest) -> ControlResult<RequestStart> {
        let running = match self.enter_request(&request) {
            Ok(running) => running,
            Err(start) => return Ok(start),
        };
        let note = RequestNote {
            request_hash: request.request_hash,
            intent: None,
        };
        let Some(sealed) = request.sealed_note(&note) else {
            return Err(ControlError::internal(&NotSealed));
        };
        let now = now_unix();
        let life = i64::try_from(limits::ANSWER_LIFE.as_secs()).unwrap_or(i64::MAX);
        let new = NewRequest {
            key: request.key.clone(),
            caller: request.caller.clone(),
            note: sealed,
            expires_unix: now.saturating_add(life),
        };
        let found = match self.store().begin_request(new, now).await {
            // The operator may need the operation to free space.
            Err(StoreError::DiskFull) => return Ok(RequestStart::Unrecorded),
            found => found?,
        };
        let mut executed = ExecutedRequest {
            request,
            resumed: false,
            intent: None,
        };
        if let Some(found) = found {
            let request = &executed.request;
            let Some(note) = request.opened_note(&found.note) else {
                return Ok(RequestStart::Unreadable);
            };
            if note.request_hash != request.request_hash {
                return Ok(RequestStart::OtherRequest);
            }
            if let Some(answer) = found.answer {
                let opened = request.seal.open(&answer_place(&request.key), &answer);
                return Ok(opened.map_or(RequestStart::Unreadable, RequestStart::Answered));
            }
            executed.resumed = true;
            executed.intent = note.intent;
        }
        Ok(RequestStart::Execute(OpenRequest {
            control: self.clone(),
            executed: Arc::new(executed),
            _running: running,
        }))
    }

    /// Takes a place among the running requests.
    fn enter_request(&self, request: &RepeatableRequest) -> Result<RunningRequest, RequestStart> {
        let mut running = self.running_requests().lock();
        match running.get(&request.key) {
            Some(hash) if *hash == request.request_hash => return Err(RequestStart::Running),
            Some(_) => return Err(RequestStart::OtherRequest),
            None if running.len() >= limits::REQUESTS_AT_ONCE => return Err(RequestStart::TooMany),
            None => {}
        }
        running.insert(request.key.clone(), request.request_hash);
        Ok(RunningRequest {
            control: self.clone(),
            key: request.key.clone(),
        })
    }

    /// Whether an earlier execution of this request was interrupted. What it has done is found, and
    /// is no error.
    pub(crate) fn is_resumed(&self) -> bool {
        self.executed_request()
            .is_some_and(|request| request.resumed)
    }

    /// Returns the change that an earlier execution of this request was about to make.
    pub(crate) fn earlier_intent(&self) -> Option<&Intent> {
        self.executed_request()?.intent.as_ref()
    }

    /// Notes what this request is about to do, so that a repetition after a crash finds it.
    pub(crate) async fn note_intent(&self, intent: Intent) -> ControlResult<()> {
        let Some(executed) = self.executed_request() else {
            return Ok(());
        };
        let note = RequestNote {
            request_hash: executed.request.request_hash,
            intent: Some(intent),
        };
        let sealed = executed.request.sealed_note(&note);
        let sealed = sealed.ok_or_else(|| ControlError::internal(&NotSealed))?;
        let noted = StoredRequest {
            note: sealed,
            answer: None,
        };
        let key = executed.request.key.clone();
        match self.store().note_request(key, noted).await {
            Err(StoreError::DiskFull) => Ok(()),
            noted => Ok(noted?),
        }
    }

    /// Returns the cluster that an earlier execution of this request was about to change or create.
    pub(crate) fn earlier_cluster(&self) -> Option<ClusterId> {
        match self.earlier_intent()? {
            Intent::NewCluster { id, .. } | Intent::Cluster { id } => Some(ClusterId(*id)),
            _ => None,
        }
    }
}

/// The key is not usable: a bug.
#[derive(Debug, thiserror::Error)]
#[error("what a request needs for its repetition can't be sealed")]
struct NotSealed;
