//! The certificate's status for operators: the current chain, its dates, alarms and history. Never
//! contains a key.

use crate::acme::{AcmeStatus, Host};
use crate::alarm::{Alarm, AlarmKind};
use crate::chain::Chain;
use crate::error::TlsError;
use crate::history::HistoryEntry;
use crate::identity::Identity;
use crate::leaf::{LeafStatus, read_leaf, read_rsa_leaf};
use tidegate_model::Trust;

/// A renewal is late when less than a fifth of the certificate's life is left.
const LATE_PART: i64 = 5;

#[derive(Debug, Clone)]
pub struct CertificateStatus {
    /// Source of the certificates: `acme`, `files` or `local`.
    pub source: &'static str,
    pub trust: Trust,
    pub served: LeafStatus,
    /// The certificates that clients get, leaf first, without the root.
    pub chain: Vec<LinkStatus>,
    /// The second leaf, with an RSA key, where there is one.
    pub served_rsa: Option<LeafStatus>,
    pub acme: Option<AcmeStatus>,
    /// Problems that need an operator.
    pub alarms: Vec<Alarm>,
    /// Events of the certificate, latest first. They survive restarts.
    pub history: Vec<HistoryEntry>,
}

/// Certificate of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStatus {
    pub subject: String,
    pub issuer: String,
    pub not_after: i64,
}

impl Identity {
    /// Returns the certificate's status. Reads ACME's records, so it may block on the disk.
    ///
    /// # Errors
    /// If the current leaf can't be parsed.
    pub fn status(&self) -> Result<CertificateStatus, TlsError> {
        let served = self.served();
        let now = self.now().unix_timestamp();
        let leaf = read_leaf(&served.chain)?;
        let served_rsa = read_rsa_leaf(&served.chain)?;
        let mut alarms = age_alarm(&leaf, now).into_iter().collect::<Vec<_>>();
        let acme = self.manager().map(|manager| manager.status(now));
        if let Some(acme) = &acme {
            alarms.extend(acme.alarms.iter().cloned());
        }
        alarms.extend(
            self.unseen()
                .clone()
                .map(|what| Alarm::new(AlarmKind::Unseen, what)),
        );
        alarms.extend(
            self.trouble()
                .map(|what| Alarm::new(AlarmKind::Rejected, what)),
        );
        let source = match (&acme, &served.trust) {
            (Some(_), _) => "acme",
            (None, Trust::Local(_)) => "local",
            (None, _) => "files",
        };
        Ok(CertificateStatus {
            source,
            trust: served.trust.clone(),
            served: leaf,
            chain: links(&served.chain),
            served_rsa,
            acme,
            alarms,
            history: self.history(),
        })
    }
}

fn age_alarm(leaf: &LeafStatus, now: i64) -> Option<Alarm> {
    let left = leaf.not_after - now;
    if left <= 0 {
        return Some(Alarm::new(
            AlarmKind::Ended,
            "the certificate has expired: clients refuse it",
        ));
    }
    if now < leaf.not_before {
        let what = "the certificate is not valid yet; hint: check this machine's clock";
        return Some(Alarm::new(AlarmKind::NotYetValid, what));
    }
    let late = left < (leaf.not_after - leaf.not_before) / LATE_PART;
    late.then(|| {
        let what = format!(
            "the certificate expires in {} hours and has not been renewed",
            left / 3600
        );
        Alarm::new(AlarmKind::EndsSoon, what)
    })
}

/// Lists the chain's certificates. One that can't be parsed is left out of the list; it is still
/// served, and clients decide.
fn links(chain: &Chain) -> Vec<LinkStatus> {
    let link = |der: &rustls::pki_types::CertificateDer<'_>| {
        let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
        Some(LinkStatus {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            not_after: parsed.validity().not_after.timestamp(),
        })
    };
    chain.certified.cert.iter().filter_map(link).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf_at(not_before: i64, not_after: i64) -> LeafStatus {
        LeafStatus {
            key: "ecdsa",
            names: vec![],
            serial: String::new(),
            fingerprint: String::new(),
            issuer: String::new(),
            not_before,
            not_after,
        }
    }

    #[test]
    fn a_certificate_that_should_have_been_renewed_raises_an_alarm() {
        let day = 86_400;
        assert_eq!(age_alarm(&leaf_at(-60 * day, 30 * day), 0), None);
        for (from, to, kind, word) in [
            (-80 * day, 10 * day, AlarmKind::EndsSoon, "240 hours"),
            (-90 * day, 0, AlarmKind::Ended, "has expired"),
            (5, day, AlarmKind::NotYetValid, "clock"),
        ] {
            let said = age_alarm(&leaf_at(from, to), 0).unwrap();
            assert!(said.kind == kind && said.what.contains(word), "{said:?}");
        }
    }
}
