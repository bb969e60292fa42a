//! Error packets of refusals. No other code turns a refusal into a packet.

use tidegate_model::{Refusal, Wording};
use tidegate_wire::response::ErrPacket;

/// Returns the packet of a refusal, with the hint for this client if it is known.
pub(crate) fn err_packet(refusal: &Refusal, wording: &Wording, client: Option<&str>) -> ErrPacket {
    let entry = refusal.kind.entry();
    ErrPacket::new(entry.code, entry.sqlstate, &wording.text(refusal, client))
}
