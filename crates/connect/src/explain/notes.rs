//! Notes about common mistakes beside TLS. The texts never repeat a value.

use super::secrets::Hidden;
use super::shown::ShownValues;

/// Returns the notes, the most helpful first.
pub fn notes(shown: &ShownValues, hidden: &Hidden) -> Vec<&'static str> {
    let mut notes = Vec::new();
    if hidden.unencoded {
        notes.push(
            "The password contains characters that separate the parts of an address (@ : / ? #): \
             clients may split it at the wrong place; hint: percent-encode them.",
        );
    }
    if hidden.doubt || !shown.withheld.is_empty() && !shown.spaced_password {
        notes.push(
            "A part of it can be read in more than one way and may belong to the password, so it \
             is not shown; hint: in an address percent-encode the password, elsewhere put it in \
             quotes.",
        );
    }
    if shown.spaced_password {
        notes.push(
            "A word follows `-p`: the program asks for the password all the same, and takes the \
             word for the database. It is not shown, because it may have been meant as the \
             password; hint: a bare `-p` as the last option.",
        );
    }
    if shown.password {
        notes.push(
            "It contains a password; hint: let the client ask for it, or read it from the \
             environment.",
        );
    }
    if shown.user.as_ref().is_some_and(|user| !user.contains('.')) {
        notes.push(
            "The user name has no prefix: a login here is `<prefix>.<user>`, and one without a \
             prefix is refused (1045).",
        );
    }
    if shown.port == Some(3306)
        || (shown.port.is_none() && shown.host.is_some() && !shown.withheld.contains(&"port"))
    {
        notes.push("It uses port 3306, MySQL's default; Tidegate's default is 4000.");
    }
    if shown.host.as_deref() == Some("localhost") {
        notes.push(
            "For many clients `localhost` means a Unix socket; hint: write 127.0.0.1, or make the \
             client use TCP.",
        );
    }
    notes
}
