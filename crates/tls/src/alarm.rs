//! What somebody must look at, by kind: a closed set, so that it may become a label. Never decides
//! who is told.

/// Why somebody must look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmKind {
    /// What is served has ended.
    Ended,
    /// What is served is not valid yet.
    NotYetValid,
    /// What is served ends soon and should have been renewed.
    EndsSoon,
    /// Attempts to get a new one bring nothing.
    Failed,
    /// A newer one may not be served.
    Held,
    /// Certificate files hold something that may not be served.
    Rejected,
    /// The disk takes nothing.
    Storage,
    /// This machine's clock can't be right.
    Clock,
    /// Too many were ordered lately.
    Limit,
    /// What was kept can't be read.
    Lost,
    /// A client at our own port does not get what should be served.
    Unseen,
    /// A bug of ours.
    Fault,
}

impl AlarmKind {
    pub const ALL: [Self; 12] = [
        Self::Ended,
        Self::NotYetValid,
        Self::EndsSoon,
        Self::Failed,
        Self::Held,
        Self::Rejected,
        Self::Storage,
        Self::Clock,
        Self::Limit,
        Self::Lost,
        Self::Unseen,
        Self::Fault,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::NotYetValid => "not_yet_valid",
            Self::EndsSoon => "ends_soon",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Rejected => "rejected",
            Self::Storage => "storage",
            Self::Clock => "clock",
            Self::Limit => "limit",
            Self::Lost => "lost",
            Self::Unseen => "unseen",
            Self::Fault => "fault",
        }
    }
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    pub kind: AlarmKind,
    pub what: String,
}

impl Alarm {
    pub fn new(kind: AlarmKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
        }
    }
}
