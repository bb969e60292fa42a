//! What often goes wrong beside TLS. Never repeats a value.

use super::secrets::Hidden;
use super::shown::ShownValues;

/// In the order in which they help.
pub fn notes(shown: &ShownValues, hidden: &Hidden) -> Vec<&'static str> {
    let mut notes = Vec::new();
    if hidden.unencoded {
        notes.push(
            "Its password holds characters that end a part of an address (@ : / ? #): clients may cut it at the wrong \
             place. Write them percent-encoded.",
        );
    }
    if hidden.doubt || !shown.withheld.is_empty() {
        notes.push(
            "Some of it can be read in more than one way, and may be a piece of the password: that is not shown. In an \
             address write the password percent-encoded, elsewhere in quotes.",
        );
    }
    if shown.password {
        notes.push(
            "A password stands in it. Better: let the client ask, or read it from the environment.",
        );
    }
    if shown.user.as_ref().is_some_and(|user| !user.contains('.')) {
        notes
            .push("Its user name has no prefix: here a login is `<prefix>.<user>`, and one without is refused (1045).");
    }
    if shown.port == Some(3306)
        || (shown.port.is_none() && shown.host.is_some() && !shown.withheld.contains(&"port"))
    {
        notes.push("It goes to port 3306, MySQL's default: Tidegate listens on 4000 unless it was told otherwise.");
    }
    if shown.host.as_deref() == Some("localhost") {
        notes.push("Many clients take `localhost` for a Unix socket: write 127.0.0.1, or tell the client to use TCP.");
    }
    notes
}
