//! A login attempt while its password is checked: the earlier failures of its source, and the delay
//! that a wrong password causes.

use crate::limits;
use std::net::IpAddr;
use tidegate_model::{AdmissionPlace, Throttle};
use tokio::time::Instant;

/// State of a login attempt that the check of its password reads and changes.
pub(crate) struct LoginAttempt<'a> {
    pub throttle: &'a dyn Throttle,
    pub client: IpAddr,
    /// Login name as the client wrote it.
    pub name: &'a [u8],
    /// Place among the unproven connections; `None` once the password was proved.
    pub place: Option<&'a mut AdmissionPlace>,
    /// When the password arrived.
    pub came: Instant,
    /// Time by which a cluster that was not cleanly asleep must be recovered.
    pub recovered_by: Instant,
    /// Ticks after which a refusal is sent at the earliest. Zero until a mismatch was counted.
    pub late: u32,
}

impl LoginAttempt<'_> {
    /// Whether the password is not even checked: the source failed repeatedly under this name, and
    /// already has as many delayed denials waiting as it may have. Existing and made-up names are
    /// treated alike.
    pub async fn is_unchecked(&self) -> bool {
        self.place.as_deref().is_some_and(AdmissionPlace::late_full)
            && self.throttle.is_suspected(self.client, self.name).await
    }

    /// Counts a wrong password, as soon as it is seen: of guesses that are sent at the same time,
    /// each must already be delayed by the ones before it.
    pub async fn count_mismatch(&mut self) {
        self.late = self.throttle.count_failure(self.client, self.name).await;
        if self.late > 1
            && let Some(place) = &mut self.place
        {
            let until = self.came + limits::DENIAL_TICK.saturating_mul(self.late);
            place.wait_late(until.into_std());
        }
    }

    /// Takes the count back: the password was right, but had been changed since the accounts were
    /// last read.
    pub async fn take_back(&mut self) {
        self.throttle.take_back(self.client, self.name).await;
        self.late = 0;
    }
}
