//! Alarms: problems of the certificate that need an operator. The kinds are a closed set, because
//! metrics use them as labels.

/// Kind of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmKind {
    /// The current certificate has expired.
    Ended,
    /// The current certificate is not valid yet.
    NotYetValid,
    /// The current certificate expires soon and should have been renewed.
    EndsSoon,
    /// Orders of a new certificate fail.
    Failed,
    /// The CA works on an order for longer than an attempt lasts.
    Waiting,
    /// A newer certificate must not be served.
    Held,
    /// The certificate files contain a pair that must not be served.
    Rejected,
    /// A file can't be written.
    Storage,
    /// This machine's clock is wrong.
    Clock,
    /// Too many certificates were ordered recently.
    Limit,
    /// The stored certificate can't be read.
    Lost,
    /// The server's own port does not present the current certificate.
    Unseen,
    /// A bug in this program.
    Fault,
}

impl AlarmKind {
    pub const ALL: [Self; 13] = [
        Self::Ended,
        Self::NotYetValid,
        Self::EndsSoon,
        Self::Failed,
        Self::Waiting,
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
            Self::Waiting => "waiting",
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

/// Problem that needs an operator.
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
