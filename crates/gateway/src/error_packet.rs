//! A refusal as a packet: the only place where one becomes the other.

use tidegate_model::Refusal;
use tidegate_wire::response::ErrPacket;

pub(crate) fn err_packet(refusal: &Refusal) -> ErrPacket {
    let entry = refusal.kind.entry();
    ErrPacket::new(entry.code, entry.sqlstate, &refusal.message())
}
