//! A refusal as a packet: the only place where one becomes the other.

use tidegate_model::{Refusal, Wording};
use tidegate_wire::response::ErrPacket;

pub(crate) fn err_packet(refusal: &Refusal, wording: &Wording, client: Option<&str>) -> ErrPacket {
    let entry = refusal.kind.entry();
    ErrPacket::new(entry.code, entry.sqlstate, &wording.text(refusal, client))
}
