//! From the table and an endpoint to a line that verifies the server. Never weakens a line, and never holds a
//! password: clients ask for it.

use crate::ConnectError;
use crate::shell::{quote, quote_always};
use crate::table::{CaNeed, Client, When, client, platform};
use tidegate_model::Trust;

/// What to connect to, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    /// The full login, `<prefix>.<user>`.
    pub user: String,
    pub database: String,
    pub trust: Trust,
}

/// What a person pastes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// Quoted for a POSIX shell.
    pub text: String,
    /// What is good to know beside it.
    pub notes: Vec<String>,
}

/// The line of a client, for people. `os` is a platform's id; it decides where the roots lie if the server is
/// publicly trusted.
///
/// # Errors
/// If client or platform is unknown, or the path of the CA file is no text.
pub fn render(client_id: &str, endpoint: &Endpoint, os: Option<&str>) -> Result<Snippet, ConnectError> {
    let client = client(client_id)?;
    let words: Vec<String> = words(client, endpoint, os)?
        .into_iter()
        .map(|(template, word)| if template == "{user}" { quote_always(&word) } else { quote(&word) })
        .collect();
    let mut notes = client.notes.clone();
    if matches!(endpoint.trust, Trust::Local(_) | Trust::Private(Some(_))) {
        notes.push("On another machine, copy the CA file there and give its path instead.".to_owned());
    }
    Ok(Snippet { text: words.join(" "), notes })
}

/// The words of the same line for `exec` on this machine, the program's name first. The client asks for the
/// password (`-p`): none is ever among the words.
///
/// # Errors
/// As [`render`].
pub fn argv(client_id: &str, endpoint: &Endpoint) -> Result<Vec<String>, ConnectError> {
    Ok(words(client(client_id)?, endpoint, None)?.into_iter().map(|(_, word)| word).collect())
}

/// Each word, beside the template it was made from.
fn words<'a>(
    client: &'a Client,
    endpoint: &Endpoint,
    os: Option<&str>,
) -> Result<Vec<(&'a str, String)>, ConnectError> {
    let ca = ca_file(client, endpoint, os)?;
    let port = endpoint.port.to_string();
    let fill = |template: &str| match template {
        // Whole words only, or one value behind `=`: what is filled in is never searched for placeholders.
        "{user}" => endpoint.user.clone(),
        "{host}" => endpoint.host.clone(),
        "{port}" => port.clone(),
        "{database}" => endpoint.database.clone(),
        _ => match template.strip_suffix("{ca}") {
            Some(option) => format!("{option}{}", ca.as_deref().unwrap_or_default()),
            None => template.to_owned(),
        },
    };
    let holds = |when: Option<When>| match when {
        None => true,
        Some(When::Localhost) => endpoint.host == "localhost",
        Some(When::Ca) => ca.is_some(),
    };
    let parts = client.command.iter().filter(|part| holds(part.when));
    Ok(parts.flat_map(|part| &part.words).map(|template| (template.as_str(), fill(template))).collect())
}

/// The CA file to name, if one has to be.
fn ca_file(client: &Client, endpoint: &Endpoint, os: Option<&str>) -> Result<Option<String>, ConnectError> {
    // Asked for even where it is not needed: a mistyped platform is told about under any trust.
    let platform = platform(os)?;
    match &endpoint.trust {
        Trust::Local(path) | Trust::Private(Some(path)) => {
            let text = path.to_str().ok_or_else(|| ConnectError::PathNotText(path.display().to_string()))?;
            Ok(Some(text.to_owned()))
        }
        // A company's CA whose file nobody named is taken to be in the machine's own store.
        Trust::Public | Trust::Private(None) => Ok((client.ca == CaNeed::Always).then(|| platform.ca.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::clients;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    use std::path::PathBuf;

    fn endpoint(trust: Trust) -> Endpoint {
        Endpoint {
            host: "127.0.0.1".to_owned(),
            port: 4000,
            user: "abcdefghjkmn.root".to_owned(),
            database: "test".to_owned(),
            trust,
        }
    }

    fn local(path: &str) -> Endpoint {
        endpoint(Trust::Local(PathBuf::from(path)))
    }

    fn text(id: &str, endpoint: &Endpoint, os: Option<&str>) -> String {
        render(id, endpoint, os).unwrap().text
    }

    #[test]
    fn mysql_verifies_identity_in_each_trust() {
        let head = "mysql --connect-timeout 15 -u 'abcdefghjkmn.root' -h 127.0.0.1 -P 4000 --ssl-mode=VERIFY_IDENTITY";
        let line = |ca: &str| format!("{head} --ssl-ca={ca} -D test -p");
        assert_eq!(text("mysql", &local("/data/ca.pem"), None), line("/data/ca.pem"));
        let company = endpoint(Trust::Private(Some(PathBuf::from("/etc/company.pem"))));
        assert_eq!(text("mysql", &company, None), line("/etc/company.pem"));
        let public = endpoint(Trust::Public);
        assert_eq!(text("mysql", &public, None), line("/etc/ssl/certs/ca-certificates.crt"));
        assert_eq!(text("mysql", &public, Some("macos")), line("/etc/ssl/cert.pem"));
        assert_eq!(
            text("mysql", &endpoint(Trust::Private(None)), Some("redhat")),
            line("/etc/pki/tls/certs/ca-bundle.crt")
        );
    }

    #[test]
    fn mariadb_verifies_and_names_a_ca_only_where_the_store_lacks_it() {
        let head = "mariadb -u 'abcdefghjkmn.root' -h 127.0.0.1 -P 4000";
        let tail = "--ssl-verify-server-cert -D test -p";
        assert_eq!(text("mariadb", &local("/data/ca.pem"), None), format!("{head} --ssl-ca=/data/ca.pem {tail}"));
        assert_eq!(text("mariadb", &endpoint(Trust::Public), None), format!("{head} {tail}"));
    }

    #[test]
    fn localhost_is_spoken_to_over_tcp() {
        for id in ["mysql", "mariadb"] {
            let mut named = local("/data/ca.pem");
            assert!(!text(id, &named, None).contains("--protocol"));
            named.host = "localhost".to_owned();
            assert!(text(id, &named, None).contains(" -P 4000 --protocol=tcp "), "{id}");
        }
    }

    #[test]
    fn a_shell_reads_each_line_as_the_words_of_argv() {
        let mut odd = local("/data dir/it's \"$HOME\"/ca.pem");
        odd.user = "abcdefghjkmn.o'brien {ca}".to_owned();
        odd.database = "my `db`".to_owned();
        for client in clients() {
            let line = text(&client.id, &odd, None);
            let script = format!("printf '%s\\n' {line}");
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            let read: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
            assert_eq!(read, argv(&client.id, &odd).unwrap(), "{line}");
        }
    }

    #[test]
    fn no_placeholder_is_left_and_no_line_lets_verification_go() {
        for client in clients() {
            for trust in [Trust::Public, Trust::Private(None), Trust::Local(PathBuf::from("/ca.pem"))] {
                let line = text(&client.id, &endpoint(trust), None);
                assert!(!line.contains(['{', '}']), "{line}");
                assert!(line.ends_with(" -p"), "the password is asked for: {line}");
            }
        }
    }

    #[test]
    fn what_cannot_be_rendered_says_why() {
        let unknown = render("psql", &local("/ca.pem"), None).unwrap_err();
        assert!(unknown.to_string().contains("mysql, mariadb"), "{unknown}");
        let nowhere = render("mysql", &local("/ca.pem"), Some("beos")).unwrap_err();
        assert!(nowhere.to_string().contains("debian"), "{nowhere}");
        let bytes = PathBuf::from(OsString::from_vec(vec![b'/', 0xff]));
        assert!(matches!(argv("mysql", &endpoint(Trust::Local(bytes))), Err(ConnectError::PathNotText(_))));
    }

    #[test]
    fn a_ca_file_of_ours_comes_with_the_advice_to_copy_it() {
        let notes = |trust| render("mysql", &endpoint(trust), None).unwrap().notes;
        assert!(notes(Trust::Local(PathBuf::from("/ca.pem"))).iter().any(|note| note.contains("copy the CA file")));
        assert!(!notes(Trust::Public).iter().any(|note| note.contains("copy the CA file")));
    }
}
