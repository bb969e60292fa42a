//! Words of a command line as a POSIX shell reads them. Never runs one.

/// A word that the shell gives on unchanged. Of `--option=value` only the value is quoted, as people write it.
pub fn quote(word: &str) -> String {
    match word.split_once('=') {
        Some((option, value)) if option.starts_with("--") && is_plain(option) => format!("{option}={}", bare(value)),
        _ => bare(word),
    }
}

/// A word in quotes, whether it needs them or not.
pub fn quote_always(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn bare(word: &str) -> String {
    if is_plain(word) { word.to_owned() } else { quote_always(word) }
}

fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./:@%+,".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_they_must_be() {
        assert_eq!(quote("-P"), "-P");
        assert_eq!(quote("--ssl-ca=/a/ca.pem"), "--ssl-ca=/a/ca.pem");
        assert_eq!(quote("--ssl-ca=/a b/it's.pem"), r"--ssl-ca='/a b/it'\''s.pem'");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("~/x"), "'~/x'");
        assert_eq!(quote("a=b"), "'a=b'");
        assert_eq!(quote_always("x.root"), "'x.root'");
    }
}
