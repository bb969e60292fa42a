//! One login on its way to a verdict: what its source failed with before, and what a mismatch costs
//! it now.

use crate::failures::Failures;
use crate::limits;
use std::net::IpAddr;
use tidegate_model::Place;
use tokio::time::Instant;

pub(crate) struct Attempt<'a> {
    pub failures: &'a Failures,
    pub client: IpAddr,
    /// The login name as it was written.
    pub name: &'a [u8],
    /// Among the unproven; none once the password was believed.
    pub place: Option<&'a mut Place>,
    /// When the credential came.
    pub came: Instant,
    /// A cluster that was not cleanly asleep must be recovered by then.
    pub recovered_by: Instant,
    /// Ticks after which a refusal is sent at the earliest. Zero until a mismatch was counted.
    pub late: u32,
}

impl Attempt<'_> {
    /// Whether this one goes unjudged: its source has failed under this very name again and again,
    /// and waits for all the denials that it may wait for at once. Names that exist and names that
    /// don't are alike here.
    pub fn goes_unjudged(&self) -> bool {
        self.place.as_deref().is_some_and(Place::late_full)
            && self.failures.suspected(self.client, self.name)
    }

    /// Counts a mismatch as soon as it is seen, whatever is answered in the end and however long
    /// that takes: guesses that are made together must not pass before the first of them has
    /// counted.
    pub fn count_mismatch(&mut self) {
        self.late = self.failures.add(self.client, self.name);
        if self.late > 1
            && let Some(place) = &mut self.place
        {
            let until = self.came + limits::DENIAL_TICK.saturating_mul(self.late);
            place.wait_late(until.into_std());
        }
    }

    /// The password was right after all: it had been changed since the accounts were last read.
    pub fn take_back(&mut self) {
        self.failures.take_back(self.client, self.name);
        self.late = 0;
    }
}
