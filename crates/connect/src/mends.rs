//! The mend of each client that the gateway can recognise, for the refusal of plain text. Never
//! longer than an error text can take: a test looks at each.

use crate::table::{Client, clients};
use tidegate_model::Mend;

/// One for each name that a client gives itself in its connection attributes.
pub fn mends() -> Vec<Mend> {
    let of = |client: &Client| {
        let phrase = client.mend.clone()?;
        let name = client.name.clone();
        let mend = move |calls_itself: &String| Mend {
            calls_itself: calls_itself.clone(),
            name: name.clone(),
            phrase: phrase.clone(),
        };
        Some(client.attributes.iter().map(mend).collect::<Vec<_>>())
    };
    clients().iter().filter_map(of).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_model::{Refusal, RefusalKind, Wording};

    #[test]
    fn each_client_with_a_mend_is_told_it_when_it_asks_for_no_tls() {
        let mends = mends();
        assert!(mends.len() >= 2);
        let wording = Wording::new("", mends.clone()).unwrap();
        let mut told = std::collections::BTreeSet::new();
        for mend in &mends {
            let text = wording.text(
                &Refusal::new(RefusalKind::InsecureTransport),
                Some(&mend.calls_itself),
            );
            // Of clients that call themselves the same, the first in the list speaks.
            let speaks = mends
                .iter()
                .find(|other| other.calls_itself == mend.calls_itself)
                .unwrap();
            assert!(
                text.contains(&format!(
                    "{} to use TLS and to verify the server: {}",
                    speaks.name, speaks.phrase
                )),
                "{text}"
            );
            told.insert(speaks.name.clone());
        }
        assert!(
            told.contains("MySQL Client") && told.contains("MariaDB Client"),
            "{told:?}"
        );
    }
}
