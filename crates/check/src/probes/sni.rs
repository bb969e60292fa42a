//! Probe of SNI: clients that send no name, and clients that send another one. It sends no login.

use super::ProbeTarget;
use crate::chain::{Chain, Trust};
use crate::finding::FindingKind;
use crate::report::FindingSheet;
use crate::tls::{self, BOTH, Client, Offer};
use rustls::pki_types::{CertificateDer, ServerName};
use time::OffsetDateTime;

/// A host name that can't exist (RFC 2606).
const MADE_UP: &str = "wrong-name.tidegate-check.invalid";

pub(crate) fn probe_sni(
    place: &ProbeTarget<'_>,
    chain: &[CertificateDer<'static>],
    sheet: &mut FindingSheet,
) {
    wrong_name(place, sheet);
    no_sni(place, chain, sheet);
}

fn wrong_name(place: &ProbeTarget<'_>, sheet: &mut FindingSheet) {
    let Ok(client) = Client::new(&Offer {
        versions: BOTH,
        sni: true,
        alpn: &[],
    }) else {
        return;
    };
    let Ok(name) = ServerName::try_from(MADE_UP) else {
        return;
    };
    if let Err((error, _)) = place.shake(&client, &name) {
        sheet.pass(
            FindingKind::WrongName,
            format!("an unknown SNI is refused: {}", tls::reason(&error)),
        );
        return;
    }
    let Ok(chain) = Chain::read(client.chain()) else {
        return;
    };
    let trusted = !matches!(
        chain.trust(place.settings.roots.as_ref(), OffsetDateTime::now_utc()),
        Trust::None(_)
    );
    // A self-signed certificate for every name deceives no client that verifies.
    if chain.is_for(&name) && trusted {
        sheet.fail(
            FindingKind::WrongName,
            format!("a trusted certificate for {MADE_UP} came"),
        );
    } else {
        sheet.pass(
            FindingKind::WrongName,
            "an unknown SNI gets a certificate that is not for it",
        );
    }
}

fn no_sni(place: &ProbeTarget<'_>, with_sni: &[CertificateDer<'static>], sheet: &mut FindingSheet) {
    if matches!(place.name, ServerName::IpAddress(_)) {
        // An address is never sent as SNI, so the handshakes before had none.
        return verdict(place, with_sni, with_sni, sheet);
    }
    let Ok(client) = Client::new(&Offer {
        versions: BOTH,
        sni: false,
        alpn: &[],
    }) else {
        return;
    };
    match place.shake(&client, &place.name) {
        Ok(_) => verdict(place, &client.chain(), with_sni, sheet),
        Err((error, _)) => sheet.fail(FindingKind::NoSni, tls::reason(&error)),
    }
}

fn verdict(
    place: &ProbeTarget<'_>,
    without: &[CertificateDer<'static>],
    with_sni: &[CertificateDer<'static>],
    sheet: &mut FindingSheet,
) {
    // Whether that certificate is right is another finding.
    if without == with_sni {
        sheet.pass(FindingKind::NoSni, "the same certificate as with SNI");
    } else if Chain::read(without.to_vec()).is_ok_and(|chain| chain.is_for(&place.name)) {
        sheet.pass(
            FindingKind::NoSni,
            "another certificate, also for this name",
        );
    } else {
        sheet.fail(
            FindingKind::NoSni,
            "a certificate that is not for this name",
        );
    }
}
