//! Names of the steps of operations, and what may be called after each.

/// Step of an operation that has just been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationStep {
    CreateReserved,
    CreateTaken,
    CreateMade,
    CreatePublished,
    DeleteHidden,
    DeleteRemoved,
    DeleteReleased,
    DeleteBuried,
    PasswordBegun,
    PasswordChanged,
    PasswordEnded,
    LimitsApplied,
    LimitsStored,
    /// A request with an idempotency key is executed, and its answer not yet stored.
    RequestExecuted,
}

impl OperationStep {
    pub const ALL: [Self; 14] = [
        Self::CreateReserved,
        Self::CreateTaken,
        Self::CreateMade,
        Self::CreatePublished,
        Self::DeleteHidden,
        Self::DeleteRemoved,
        Self::DeleteReleased,
        Self::DeleteBuried,
        Self::PasswordBegun,
        Self::PasswordChanged,
        Self::PasswordEnded,
        Self::LimitsApplied,
        Self::LimitsStored,
        Self::RequestExecuted,
    ];
}

/// Called after each step of an operation. Tests end the server in it.
pub type AfterStep = fn(OperationStep);
