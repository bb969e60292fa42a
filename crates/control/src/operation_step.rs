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
}

impl OperationStep {
    pub const ALL: [Self; 13] = [
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
    ];
}

/// Called after each step of an operation. Tests end the server in it.
pub type AfterStep = fn(OperationStep);
