//! Places of connections that have not proved a password, and what one costs at each stage.

pub(crate) use tidegate_model::admission::{Admission, Eviction, Place};

use crate::limits;
use crate::settings::GatewaySettings;
use tidegate_model::AdmissionLimits;

pub(crate) fn admission(settings: &GatewaySettings) -> Admission {
    Admission::new(AdmissionLimits {
        per_source: settings.unproven_per_source,
        total: settings.unproven_total,
        memory: settings.unproven_memory,
        late_max: (settings.unproven_per_source / limits::LATE_SHARE).max(1),
    })
}
