//! Quoting of values as literals of a language, so that any value stays one value.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::Write;

/// Language of a connection string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Syntax {
    /// A POSIX shell.
    Sh,
    Powershell,
    /// The command prompt of Windows.
    Cmd,
    Python,
    /// JavaScript and TypeScript.
    Js,
    Java,
    Go,
    Rust,
    C,
    Csharp,
    Php,
    Ruby,
    Perl,
    Yaml,
    Json,
    /// Options files of MySQL and MariaDB.
    Ini,
    /// `.env` files.
    Env,
    /// Java's `.properties`, and other `key=value` lines.
    Properties,
    /// Unquoted text: for people, and for URLs whose parts the template encodes.
    Text,
}

impl Syntax {
    /// Returns the language name of a fenced block in Markdown.
    pub fn fence(self) -> &'static str {
        match self {
            Self::Sh => "sh",
            Self::Powershell => "powershell",
            Self::Cmd => "bat",
            Self::Python => "python",
            Self::Js => "js",
            Self::Java => "java",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::C => "c",
            Self::Csharp => "csharp",
            Self::Php => "php",
            Self::Ruby => "ruby",
            Self::Perl => "perl",
            Self::Yaml => "yaml",
            Self::Json => "json",
            Self::Ini => "ini",
            Self::Env => "sh",
            Self::Properties => "properties",
            Self::Text => "text",
        }
    }
}

/// Returns a value as a literal. It must not contain control characters.
pub fn literal(syntax: Syntax, value: &str) -> String {
    match syntax {
        Syntax::Sh => {
            shlex::try_quote(value).map_or_else(|_| always(syntax, value), Cow::into_owned)
        }
        Syntax::Powershell | Syntax::Cmd => {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "/\\._:-".contains(c);
            if !value.is_empty() && value.chars().all(is_plain) {
                value.to_owned()
            } else {
                always(syntax, value)
            }
        }
        Syntax::Python
        | Syntax::Js
        | Syntax::Java
        | Syntax::Go
        | Syntax::Rust
        | Syntax::C
        | Syntax::Csharp
        | Syntax::Yaml
        | Syntax::Json => {
            format!("\"{}\"", backslashed(value, &['\\', '"']))
        }
        Syntax::Php | Syntax::Ruby | Syntax::Perl => {
            format!("'{}'", backslashed(value, &['\\', '\'']))
        }
        Syntax::Env => format!("\"{}\"", backslashed(value, &['\\', '"', '$', '`'])),
        Syntax::Ini => in_options_file(value),
        Syntax::Properties => backslashed(value, &['\\']),
        Syntax::Text => value.to_owned(),
    }
}

/// Returns a value of an options file. `#` begins a comment outside of quotes, and a backslash
/// escapes the next character.
fn in_options_file(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._:@%+<>-".contains(c);
    let escaped = backslashed(value, &['\\']);
    if value.is_empty() || value.chars().all(is_plain) {
        escaped
    } else {
        format!("\"{escaped}\"")
    }
}

/// Returns a shell word in quotes, even if it needs none.
pub fn always(syntax: Syntax, word: &str) -> String {
    match syntax {
        Syntax::Powershell => format!("'{}'", word.replace('\'', "''")),
        Syntax::Cmd => format!("\"{}\"", word.replace('"', "\"\"")),
        _ => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn backslashed(value: &str, special: &[char]) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if special.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Returns a value percent-encoded for a URL: all but the unreserved characters of RFC 3986,
/// section 2.3.
pub fn percent(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: &str = r#"a b'"\$`#{x}%;&"#;

    #[test]
    fn a_shell_reads_back_what_was_written() {
        for value in [ODD, "", "plain", "~/x", "--ssl-ca=/a b"] {
            for word in [literal(Syntax::Sh, value), always(Syntax::Sh, value)] {
                assert_eq!(shlex::split(&word), Some(vec![value.to_owned()]), "{word}");
            }
        }
        assert_eq!(literal(Syntax::Sh, "/a/ca.pem"), "/a/ca.pem");
        assert_eq!(always(Syntax::Sh, "x.root"), "'x.root'");
    }

    #[test]
    fn the_shells_of_windows_have_their_own_quotes() {
        for (value, powershell, cmd) in [
            (r"C:\ssl\ca.pem", r"C:\ssl\ca.pem", r"C:\ssl\ca.pem"),
            (r"C:\a b\ca.pem", r"'C:\a b\ca.pem'", r#""C:\a b\ca.pem""#),
            ("it's", "'it''s'", "\"it's\""),
            ("$x", "'$x'", "\"$x\""),
            ("", "''", "\"\""),
        ] {
            assert_eq!(literal(Syntax::Powershell, value), powershell);
            assert_eq!(literal(Syntax::Cmd, value), cmd);
        }
    }

    #[test]
    fn python_reads_back_what_was_written() {
        let said = std::process::Command::new("python3")
            .args([
                "-c",
                &format!("print({}, end='')", literal(Syntax::Python, ODD)),
            ])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(said.stdout).unwrap(), ODD);
    }

    #[test]
    fn perl_reads_back_what_was_written() {
        let said = std::process::Command::new("perl")
            .args(["-e", &format!("print {}", literal(Syntax::Perl, ODD))])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(said.stdout).unwrap(), ODD);
    }

    #[test]
    fn json_reads_back_what_was_written_for_javascript_and_yaml() {
        for syntax in [Syntax::Js, Syntax::Yaml] {
            assert_eq!(
                serde_json::from_str::<String>(&literal(syntax, ODD)).unwrap(),
                ODD
            );
        }
    }

    #[test]
    fn a_part_of_a_url_holds_no_delimiter() {
        assert_eq!(percent("a@b:c/d?e#f g%"), "a%40b%3Ac%2Fd%3Fe%23f%20g%25");
        assert_eq!(percent("Az09-._~"), "Az09-._~");
        assert_eq!(percent("ü"), "%C3%BC");
    }
}
