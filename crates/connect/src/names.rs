//! Names of clients and platforms, as people type them: ids, names, aliases, languages and labels.
//! A name that is none of them gets a suggestion only if that can't mislead.

use crate::ConnectError;
use crate::table::{Client, Platform, all_platforms, clients, platforms};
use tidegate_model::edit_distance;

/// Words for other databases. Some differ from a client's id in one letter only.
const OTHER_DATABASES: [&str; 13] = [
    "psql",
    "pgsql",
    "postgres",
    "postgresql",
    "pg",
    "psycopg2",
    "mssql",
    "sqlserver",
    "sqlite",
    "oracle",
    "mongo",
    "mongodb",
    "redis",
];

/// Most typing errors in a name that gets a suggestion.
const EDITS_MAX: usize = 2;

/// Returns the client with this id, name or alias. A language means the client that is its first
/// choice.
///
/// # Errors
/// If there is none, or several.
pub fn client(name: &str) -> Result<&'static Client, ConnectError> {
    if let Some(client) = clients().iter().find(|client| client.id == name) {
        return Ok(client);
    }
    let wanted = plain(name);
    let found: Vec<_> = clients()
        .iter()
        .filter(|client| names_of(client).any(|other| plain(other) == wanted))
        .collect();
    match found.as_slice() {
        [client] => Ok(client),
        _ => Err(ConnectError::UnknownClient {
            given: name.to_owned(),
            advice: client_advice(&wanted, &found),
        }),
    }
}

/// Returns the platform with this id, name or alias; without one, the first platform.
///
/// # Errors
/// If there is none of that name, or several.
pub fn platform(name: Option<&str>) -> Result<&'static Platform, ConnectError> {
    let default = || platforms().first();
    let wanted = name.map(plain).unwrap_or_default();
    let found = all_platforms().iter().find(|platform| {
        let aliases = platform.aliases.iter().map(String::as_str);
        let mut names = aliases.chain([platform.id.as_str(), platform.name.as_str()]);
        names.any(|other| plain(other) == wanted)
    });
    let found = if name.is_none() { default() } else { found };
    found.ok_or_else(|| ConnectError::UnknownPlatform {
        given: name.unwrap_or_default().to_owned(),
        advice: platform_advice(&wanted),
    })
}

/// Returns the other clients of the same language, if the name is that of a language and not of a
/// client.
pub fn other_clients(name: &str, chosen: &Client) -> Vec<&'static str> {
    let wanted = plain(name);
    let is_client =
        plain(&chosen.id) == wanted && chosen.id != "go" || plain(&chosen.name) == wanted;
    let is_language = plain(&chosen.language) == wanted || LANGUAGES.contains(&wanted.as_str());
    if is_client || !is_language {
        return Vec::new();
    }
    let others = clients().iter();
    others
        .filter(|client| client.language == chosen.language && client.id != chosen.id)
        .map(|client| client.id.as_str())
        .collect()
}

/// Other words for the languages of the table.
const LANGUAGES: [&str; 18] = [
    "python3",
    "py",
    "jdbc",
    "jvm",
    "kotlin",
    "scala",
    "golang",
    "node",
    "nodejs",
    "javascript",
    "js",
    "typescript",
    "ts",
    "dotnet",
    ".net",
    "csharp",
    "c++",
    "cpp",
];

/// Returns the platform of a machine by the text of its `/etc/os-release`.
pub fn platform_of_os_release(text: &str) -> Option<&'static Platform> {
    let own = os_release_value(text, "ID=").into_iter();
    let like = os_release_value(text, "ID_LIKE=").unwrap_or_default();
    let mut ids = own.chain(like.split_whitespace());
    ids.find_map(|id| platform(Some(id)).ok())
}

fn os_release_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim_matches(['"', '\'']))
}

/// Returns a name without what people write differently.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

fn names_of(client: &Client) -> impl Iterator<Item = &str> {
    let aliases = client.aliases.iter().map(String::as_str);
    aliases.chain([client.id.as_str(), client.name.as_str()])
}

fn client_advice(wanted: &str, found: &[&Client]) -> String {
    if !found.is_empty() {
        let choices: Vec<_> = found
            .iter()
            .map(|client| format!("`{}` ({})", client.id, client.language))
            .collect();
        return format!("choose {}", choices.join(" or "));
    }
    if OTHER_DATABASES.contains(&wanted) {
        return "Tidegate speaks MySQL's protocol, and this is for another database".to_owned();
    }
    let near = clients().iter().filter_map(|client| {
        let distances = names_of(client).filter_map(|name| near(wanted, &plain(name)));
        Some((distances.min()?, client.id.as_str()))
    });
    suggestion(near).unwrap_or_else(|| "`tidegate connect --list` shows all clients".to_owned())
}

fn platform_advice(wanted: &str) -> String {
    if wanted == "linux" || wanted == "unix" {
        return "name the distribution, such as debian, fedora, arch, alpine or opensuse"
            .to_owned();
    }
    let near = all_platforms().iter().filter_map(|platform| {
        let aliases = platform.aliases.iter().map(String::as_str);
        let names = aliases.chain([platform.id.as_str()]);
        let distances = names.filter_map(|name| near(wanted, &plain(name)));
        Some((distances.min()?, platform.id.as_str()))
    });
    suggestion(near)
        .unwrap_or_else(|| "`tidegate connect --list` shows all operating systems".to_owned())
}

/// Returns a question for the nearest names, if there are few.
fn suggestion(near: impl Iterator<Item = (usize, &'static str)>) -> Option<String> {
    let near: Vec<_> = near.collect();
    let least = near.iter().map(|(distance, _)| *distance).min()?;
    let nearest: Vec<_> = near
        .iter()
        .filter(|(distance, _)| *distance == least)
        .map(|(_, id)| format!("`{id}`"))
        .collect();
    (nearest.len() <= 3).then(|| format!("did you mean {}?", nearest.join(" or ")))
}

/// Returns the number of edits between two names that begin with the same letter, if it is small
/// for their length.
fn near(word: &str, name: &str) -> Option<usize> {
    let most = word.len().max(name.len()) / 3;
    let begins_alike = word.chars().next() == name.chars().next();
    let distance = edit_distance(word, name);
    (begins_alike && distance <= most.min(EDITS_MAX)).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_and_other_names_mean_a_client() {
        for (name, id) in [
            ("python", "pymysql"),
            ("Python", "pymysql"),
            ("java", "connectorj"),
            ("node", "node-mysql2"),
            ("Node.js", "node-mysql2"),
            ("typescript", "node-mysql2"),
            ("php", "php-pdo"),
            ("ruby", "ruby-mysql2"),
            ("go", "go"),
            ("golang", "go"),
            ("rust", "rust-sqlx"),
            ("dotnet", "dotnet-mysqlconnector"),
            ("c#", "dotnet-mysqlconnector"),
            ("c", "libmariadb"),
            ("C++", "libmariadb"),
            ("perl", "dbd-mariadb"),
            ("PyMySQL", "pymysql"),
            ("MySQL Connector/J", "connectorj"),
            ("mysql_async", "rust-mysql-async"),
            ("ActiveRecord", "rails"),
            ("knex", "node-mysql2"),
        ] {
            assert_eq!(client(name).unwrap().id, id, "{name}");
        }
        let python = client("python").unwrap();
        assert!(other_clients("python", python).contains(&"django"));
        assert!(other_clients("pymysql", python).is_empty());
        assert!(other_clients("flask", client("flask").unwrap()).is_empty());
        assert!(other_clients("go", client("go").unwrap()).contains(&"gorm"));
    }

    #[test]
    fn every_alias_names_one_client_or_asks_which() {
        for one in clients() {
            for alias in &one.aliases {
                match client(alias) {
                    Ok(found) => assert_eq!(found.id, one.id, "{alias}"),
                    Err(ConnectError::UnknownClient { advice, .. }) => {
                        assert!(
                            advice.starts_with("choose") && advice.contains(&one.id),
                            "{advice}"
                        );
                    }
                    Err(error) => panic!("{alias}: {error}"),
                }
            }
        }
    }

    fn advice_for(name: &str) -> String {
        match client(name) {
            Err(ConnectError::UnknownClient { advice, .. }) => advice,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn a_wrong_name_gets_a_suggestion_that_does_not_mislead() {
        for (name, piece) in [
            ("pymsql", "did you mean `pymysql`?"),
            ("djagno", "did you mean `django`?"),
            ("prizma", "did you mean `prisma`?"),
            ("sequelise", "did you mean `sequelize`?"),
            (
                "mysql2",
                "choose `node-mysql2` (Node.js) or `ruby-mysql2` (Ruby)",
            ),
            ("psql", "another database"),
            ("mssql", "another database"),
            ("zzz", "connect --list"),
            ("", "connect --list"),
        ] {
            assert!(
                advice_for(name).contains(piece),
                "{name}: {}",
                advice_for(name)
            );
        }
    }

    #[test]
    fn every_label_of_the_guide_is_a_platform() {
        for (names, ca) in [
            (&["macos", "MacOS"] as &[&str], "/etc/ssl/cert.pem"),
            (
                &["debian", "Ubuntu", "arch"],
                "/etc/ssl/certs/ca-certificates.crt",
            ),
            (
                &[
                    "RedHat", "fedora", "centos", "mageia", "Vercel", "netlify", "rocky",
                ],
                "/etc/pki/tls/certs/ca-bundle.crt",
            ),
            (&["alpine"], "/etc/ssl/cert.pem"),
            (&["OpenSUSE", "sles"], "/etc/ssl/ca-bundle.pem"),
        ] {
            for name in names {
                assert_eq!(platform(Some(name)).unwrap().ca, ca, "{name}");
            }
        }
        for (name, piece) in [
            ("linux", "distribution"),
            ("ubunto", "did you mean `ubuntu`?"),
            ("beos", "connect --list"),
        ] {
            let Err(ConnectError::UnknownPlatform { advice, .. }) = platform(Some(name)) else {
                panic!("{name}");
            };
            assert!(advice.contains(piece), "{name}: {advice}");
        }
    }

    #[test]
    fn the_platform_of_a_machine_is_read_from_os_release() {
        for (text, id) in [
            ("NAME=\"Debian\"\nID=debian\n", Some("debian")),
            ("ID=ubuntu\nID_LIKE=debian\n", Some("ubuntu")),
            ("ID=\"kali\"\nID_LIKE=\"debian\"\n", Some("debian")),
            (
                "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"",
                Some("redhat"),
            ),
            ("ID=plan9\n", None),
        ] {
            let found = platform_of_os_release(text).map(|platform| platform.id.as_str());
            assert_eq!(found, id, "{text}");
        }
    }
}
