//! What error texts say beyond the table of refusals: where the help pages lie, and the mend of the
//! client that is asking. Never makes a text longer than the clients keep.

use crate::{Refusal, RefusalKind};

/// libmysqlclient keeps 512 bytes of an error, its NUL included (MYSQL_ERRMSG_SIZE).
pub const MESSAGE_MAX: usize = 511;

/// So that the longest text of the table still fits with its link: tested.
pub const HELP_BASE_MAX: usize = 120;

/// One mend. A phrase to paste, not a text: longer ones belong on the help page.
pub const MEND_MAX: usize = 120;

/// More than there are clients with attributes of their own; the first ones count.
const MENDS_MAX: usize = 256;

/// How a client that speaks plain text is told to use TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    /// The start of what it calls itself in its connection attributes.
    pub calls_itself: String,
    /// What people call it.
    pub name: String,
    /// The options that mend it.
    pub phrase: String,
}

/// Made once when the server starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wording {
    help_base: String,
    mends: Vec<Mend>,
}

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
    /// If that is no address, or one so long that texts would be cut.
    pub fn new(help_base: &str, mends: Vec<Mend>) -> Result<Self, WrongHelpBase> {
        let base = help_base.trim_end_matches('/');
        let is_address = base.starts_with("https://") || base.starts_with("http://");
        let fits = base.len() <= HELP_BASE_MAX && base.bytes().all(|b| b.is_ascii_graphic());
        if !(base.is_empty() || is_address && fits) {
            return Err(WrongHelpBase);
        }
        let printable = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        let good = |mend: &Mend| {
            mend.name.len() + mend.phrase.len() <= MEND_MAX
                && printable(&mend.name)
                && printable(&mend.phrase)
        };
        let mends = mends.into_iter().filter(good).take(MENDS_MAX).collect();
        Ok(Self {
            help_base: base.to_owned(),
            mends,
        })
    }

    /// What the client reads. `client` is what it calls itself; only one that asked for no TLS is
    /// told its own mend.
    pub fn text(&self, refusal: &Refusal, client: Option<&str>) -> String {
        let entry = refusal.kind.entry();
        let mend = client
            .filter(|_| refusal.kind == RefusalKind::InsecureTransport)
            .and_then(|name| self.mend(name));
        let said = match mend {
            Some(Mend { name, phrase, .. }) => format!(
                "{} Set {name} to use TLS and to verify the server: {phrase}. If a password was \
                 sent with this login, it \
                 travelled unprotected: change it.",
                entry.text
            ),
            None => refusal.message(),
        };
        if self.help_base.is_empty() {
            return said;
        }
        format!("{said} See {}/{}.md", self.help_base, entry.slug)
    }

    /// The one whose name fits best: the longest start of what the client calls itself.
    fn mend(&self, client: &str) -> Option<&Mend> {
        let client = client.to_ascii_lowercase();
        let fits = |mend: &&Mend| {
            !mend.calls_itself.is_empty()
                && client.starts_with(&mend.calls_itself.to_ascii_lowercase())
        };
        // Of equals the first.
        self.mends
            .iter()
            .rev()
            .filter(fits)
            .max_by_key(|mend| mend.calls_itself.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mend(calls_itself: &str, name: &str, phrase: &str) -> Mend {
        Mend {
            calls_itself: calls_itself.to_owned(),
            name: name.to_owned(),
            phrase: phrase.to_owned(),
        }
    }

    #[test]
    fn every_text_fits_with_the_longest_link_and_the_longest_mend() {
        let base = format!("https://{}", "x".repeat(HELP_BASE_MAX - 8));
        let wording =
            Wording::new(&base, vec![mend("lib", "N", &"p".repeat(MEND_MAX - 1))]).unwrap();
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
    fn the_client_that_asks_reads_its_own_mend_and_others_read_all() {
        let wording = Wording::new(
            "",
            vec![
                mend("libmysql", "MySQL", "--a"),
                mend("MySQL Connector", "J", "b=c"),
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
    fn of_several_mends_the_longest_name_counts_and_of_equals_the_first() {
        let mends = vec![
            mend("lib", "A", "a"),
            mend("libmariadb", "B", "b"),
            mend("libmariadb", "C", "c"),
        ];
        let wording = Wording::new("", mends).unwrap();
        assert_eq!(wording.mend("libmariadb").unwrap().name, "B");
        assert_eq!(wording.mend("libx").unwrap().name, "A");
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
            Wording::new("", vec![mend("x", "X", "a\nb")])
                .unwrap()
                .mend("x")
                .is_none()
        );
    }
}
