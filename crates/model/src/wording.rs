//! Parts of an error text that the table of refusals doesn't have: the address of the help page,
//! and the TLS options of the client that asks. A text is never longer than what clients keep.

use crate::{Refusal, RefusalKind};

/// libmysqlclient keeps 512 bytes of an error, its NUL included (MYSQL_ERRMSG_SIZE).
pub const MESSAGE_MAX: usize = 511;

/// Longest help base: the longest text of the table still fits with its link (tested).
pub const HELP_BASE_MAX: usize = 120;

/// Longest name and phrase of a [`ClientHint`] together. It is a phrase to paste; a longer text
/// belongs on the help page.
pub const HINT_MAX: usize = 120;

/// Most hints that are kept, more than there are clients with connection attributes. Later ones
/// are dropped.
const HINTS_MAX: usize = 256;

/// Hint for one client that connects without TLS: the options that make it use TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHint {
    /// Start of the client's name in its connection attributes.
    pub client_name_prefix: String,
    /// Name of the client as people know it.
    pub name: String,
    /// Options that make it use TLS and verify the server.
    pub phrase: String,
}

impl ClientHint {
    /// Whether it fits into an error text.
    fn is_valid(&self) -> bool {
        self.name.len() + self.phrase.len() <= HINT_MAX
            && is_printable(&self.name)
            && is_printable(&self.phrase)
    }
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

/// Writer of error texts, made once when the server starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wording {
    help_base: String,
    hints: Vec<ClientHint>,
}

/// Error of a help base that is not an address, or too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an http:// or https:// address of at most {HELP_BASE_MAX} printable characters, or \
     empty"
)]
pub struct WrongHelpBase;

impl Wording {
    /// `help_base` is the address of the folder of help pages; empty for texts without links.
    ///
    /// # Errors
    /// If it is not an address, or is longer than [`HELP_BASE_MAX`].
    pub fn new(help_base: &str, hints: Vec<ClientHint>) -> Result<Self, WrongHelpBase> {
        let base = help_base.trim_end_matches('/');
        let is_address = base.starts_with("https://") || base.starts_with("http://");
        let fits = base.len() <= HELP_BASE_MAX && base.bytes().all(|b| b.is_ascii_graphic());
        if !(base.is_empty() || is_address && fits) {
            return Err(WrongHelpBase);
        }
        let hints = hints
            .into_iter()
            .filter(ClientHint::is_valid)
            .take(HINTS_MAX)
            .collect();
        Ok(Self {
            help_base: base.to_owned(),
            hints,
        })
    }

    /// Text of the error packet. `client` is the client's name from its connection attributes; its
    /// own hint is used only if it was refused for connecting without TLS.
    pub fn text(&self, refusal: &Refusal, client: Option<&str>) -> String {
        let entry = refusal.kind.entry();
        let hint = client
            .filter(|_| refusal.kind == RefusalKind::InsecureTransport)
            .and_then(|name| self.client_hint(name));
        let said = match hint {
            Some(ClientHint { name, phrase, .. }) => format!(
                "{} Set {name} to use TLS and to verify the server: {phrase}. If a password was \
                 sent with this login, it travelled unprotected: change it.",
                entry.text
            ),
            None => refusal.message(),
        };
        if self.help_base.is_empty() {
            return said;
        }
        format!("{said} See {}/{}.md", self.help_base, entry.slug)
    }

    /// Text of the engine's error for a statement that writes while the cluster is above its disk
    /// limit: the engine's own, and behind it the refusal of such a cluster with its link. `None`
    /// if `said` is another error, or has no room for it. Not for a cluster whose tenant has made
    /// itself an administrator and set `read_only`.
    pub fn read_only_text(&self, said: &str) -> Option<String> {
        if !said.contains("--read-only") {
            return None;
        }
        let refusal = Refusal::new(RefusalKind::DiskLimit);
        let text = format!("{said}. {}", self.text(&refusal, None));
        (text.len() <= MESSAGE_MAX).then_some(text)
    }

    /// Hint with the longest `client_name_prefix` that `client` starts with.
    fn client_hint(&self, client: &str) -> Option<&ClientHint> {
        let client = client.to_ascii_lowercase();
        let fits = |hint: &&ClientHint| {
            !hint.client_name_prefix.is_empty()
                && client.starts_with(&hint.client_name_prefix.to_ascii_lowercase())
        };
        // `max_by_key` returns the last of equal ones, so the order is reversed to get the first.
        self.hints
            .iter()
            .rev()
            .filter(fits)
            .max_by_key(|hint| hint.client_name_prefix.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint_of(client_name_prefix: &str, name: &str, phrase: &str) -> ClientHint {
        ClientHint {
            client_name_prefix: client_name_prefix.to_owned(),
            name: name.to_owned(),
            phrase: phrase.to_owned(),
        }
    }

    #[test]
    fn every_text_fits_with_the_longest_link_and_the_longest_hint() {
        let base = format!("https://{}", "x".repeat(HELP_BASE_MAX - 8));
        let wording =
            Wording::new(&base, vec![hint_of("lib", "N", &"p".repeat(HINT_MAX - 1))]).unwrap();
        for kind in RefusalKind::ALL {
            for client in [None, Some("libmariadb")] {
                let text = wording.text(&Refusal::new(*kind), client);
                assert!(text.len() <= MESSAGE_MAX, "{kind:?}: {} {text}", text.len());
                assert!(
                    text.ends_with(&format!(" See {base}/{}.md", kind.entry().slug)),
                    "{text}"
                );
                assert!(text.starts_with(kind.entry().text), "{text}");
            }
        }
    }

    #[test]
    fn the_client_that_asks_reads_its_own_hint_and_others_read_all() {
        let wording = Wording::new(
            "",
            vec![
                hint_of("libmysql", "MySQL", "--a"),
                hint_of("MySQL Connector", "J", "b=c"),
            ],
        )
        .unwrap();
        let plain = Refusal::new(RefusalKind::InsecureTransport);
        let asked = wording.text(&plain, Some("libmysql"));
        assert!(
            asked.contains("Set MySQL to use TLS and to verify the server: --a."),
            "{asked}"
        );
        assert!(
            !asked.contains("JDBC") && asked.contains("change it"),
            "{asked}"
        );
        assert!(
            wording
                .text(&plain, Some("mysql connector/j"))
                .contains("b=c")
        );
        for client in [None, Some(""), Some("other"), Some("lib")] {
            assert_eq!(wording.text(&plain, client), plain.message());
        }
        let denied = Refusal::new(RefusalKind::AccessDenied);
        assert_eq!(wording.text(&denied, Some("libmysql")), denied.message());
    }

    #[test]
    fn of_several_hints_the_longest_name_is_used_and_of_equals_the_first() {
        let hints = vec![
            hint_of("lib", "A", "a"),
            hint_of("libmariadb", "B", "b"),
            hint_of("libmariadb", "C", "c"),
        ];
        let wording = Wording::new("", hints).unwrap();
        assert_eq!(wording.client_hint("libmariadb").unwrap().name, "B");
        assert_eq!(wording.client_hint("libx").unwrap().name, "A");
    }

    #[test]
    fn an_engine_that_is_read_only_says_why_and_other_settings_say_nothing() {
        let said = "The MariaDB server is running with the --read-only option so it cannot execute \
                    this statement";
        let base = format!("https://{}", "x".repeat(HELP_BASE_MAX - 8));
        for base in ["", &base] {
            let wording = Wording::new(base, Vec::new()).unwrap();
            let text = wording.read_only_text(said).unwrap();
            let refusal = Refusal::new(RefusalKind::DiskLimit);
            assert_eq!(text, format!("{said}. {}", wording.text(&refusal, None)));
            assert!(text.len() <= MESSAGE_MAX, "{}", text.len());
            let other = said.replace("--read-only", "--secure-file-priv");
            assert_eq!(wording.read_only_text(&other), None);
            let long = format!("{said}{}", "x".repeat(MESSAGE_MAX));
            assert_eq!(
                wording.read_only_text(&long),
                None,
                "never longer than clients keep"
            );
        }
    }

    #[test]
    fn a_base_that_is_no_address_is_refused() {
        for base in [
            "ftp://x",
            "docs/refusals",
            "https://a b",
            "https://x\n",
            &format!("https://{}", "x".repeat(200)),
        ] {
            assert_eq!(Wording::new(base, Vec::new()), Err(WrongHelpBase), "{base}");
        }
        let wording = Wording::new("https://help.example/", Vec::new()).unwrap();
        let text = wording.text(&Refusal::new(RefusalKind::AccessDenied), None);
        assert!(
            text.ends_with(" See https://help.example/access-denied.md"),
            "{text}"
        );
        // What is not printable never gets into a text.
        assert!(
            Wording::new("", vec![hint_of("x", "X", "a\nb")])
                .unwrap()
                .client_hint("x")
                .is_none()
        );
    }
}
