//! Hints for clients that the gateway recognises, for the refusal of a login without TLS. A test
//! checks that each one fits into the error's text.

use crate::table::{Client, clients};
use tidegate_model::ClientHint;

/// Returns a hint for each name that a client gives itself in its connection attributes.
pub fn client_hints() -> Vec<ClientHint> {
    clients().iter().flat_map(hints_of).collect()
}

/// Returns the hints for one client: one for each of its names.
fn hints_of(client: &Client) -> Vec<ClientHint> {
    let Some(phrase) = &client.hint else {
        return Vec::new();
    };
    let names = client.attributes.iter();
    names
        .map(|client_name_prefix| ClientHint {
            client_name_prefix: client_name_prefix.clone(),
            name: client.name.clone(),
            phrase: phrase.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_model::{Refusal, RefusalKind, Wording};

    #[test]
    fn each_client_with_a_hint_gets_it_when_it_does_not_ask_for_tls() {
        let hints = client_hints();
        assert!(hints.len() >= 2);
        let wording = Wording::new("", hints.clone()).unwrap();
        let mut told = std::collections::BTreeSet::new();
        for hint in &hints {
            let text = wording.text(
                &Refusal::new(RefusalKind::InsecureTransport),
                Some(&hint.client_name_prefix),
            );
            // Clients with the same name get the hint of the first one in the list.
            let first = hints
                .iter()
                .find(|other| other.client_name_prefix == hint.client_name_prefix)
                .unwrap();
            assert!(
                text.contains(&format!(
                    "{} to use TLS and to verify the server: {}",
                    first.name, first.phrase
                )),
                "{text}"
            );
            told.insert(first.name.clone());
        }
        assert!(
            told.contains("MySQL Client") && told.contains("MariaDB Client"),
            "{told:?}"
        );
    }
}
