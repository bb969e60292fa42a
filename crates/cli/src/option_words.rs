//! Words of a command line whose number of values depends on what they are. `clap` gives an option
//! with several values every word after it, and so the name of a cluster too.

use std::ffi::OsString;

/// Option that takes addresses and networks.
const NETWORKS: &str = "--ip-allow";
/// Option that takes a number or nothing.
const INTERVAL: &str = "--watch";

/// Returns the words with at most one value for each option: several networks after
/// [`NETWORKS`] become a list with commas, and [`INTERVAL`] without a number gets `default`.
pub fn with_single_values(words: &[OsString], default: &str) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::with_capacity(words.len());
    let mut rest = words.iter().peekable();
    while let Some(word) = rest.next() {
        let text = word.to_str().unwrap_or_default();
        if text == "--" {
            out.push(word.clone());
            out.extend(rest.cloned());
            break;
        }
        let is_networks = text == NETWORKS || text.strip_prefix(NETWORKS).is_some_and(is_value);
        if is_networks {
            out.push(word.clone());
            let mut list = match text == NETWORKS {
                true => rest.next().cloned(),
                false => out.pop(),
            };
            while let Some(next) = rest.next_if(|next| next.to_str().is_some_and(is_network)) {
                if let Some(list) = &mut list {
                    list.push(",");
                    list.push(next);
                }
            }
            out.extend(list);
        } else if text == INTERVAL
            && !rest
                .peek()
                .is_some_and(|next| next.to_str().is_some_and(is_number))
        {
            out.push(format!("{INTERVAL}={default}").into());
        } else {
            out.push(word.clone());
        }
    }
    out
}

fn is_value(rest: &str) -> bool {
    rest.starts_with('=')
}

/// Whether a word is meant as an address or network: no name of a cluster has a dot or a colon.
fn is_network(word: &str) -> bool {
    !word.starts_with('-') && word.contains(['.', ':'])
}

/// Whether a word is meant as a number. An endpoint such as `10.0.0.1:4000` is none.
fn is_number(word: &str) -> bool {
    !word.starts_with('-')
        && !word.contains([':', '.'])
        && word.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_never_swallows_the_name_after_it() {
        for (line, want) in [
            (
                "cluster set --ip-allow 10.0.0.0/8 demo",
                "cluster set --ip-allow 10.0.0.0/8 demo",
            ),
            (
                "cluster set --ip-allow 10.0.0.0/8 2001:db8::/32 demo",
                "cluster set --ip-allow 10.0.0.0/8,2001:db8::/32 demo",
            ),
            (
                "cluster set demo --ip-allow=::1 10.0.0.1 --events on",
                "cluster set demo --ip-allow=::1,10.0.0.1 --events on",
            ),
            (
                "cluster set --ip-allow any any",
                "cluster set --ip-allow any any",
            ),
            ("cluster set demo --ip-allow", "cluster set demo --ip-allow"),
            ("check --watch h:1", "check --watch=300 h:1"),
            ("check --watch 60 h:1", "check --watch 60 h:1"),
            (
                "check --watch 10.0.0.1:4000",
                "check --watch=300 10.0.0.1:4000",
            ),
            ("check h:1 --watch", "check h:1 --watch=300"),
            ("sql d -- --watch x", "sql d -- --watch x"),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let want: Vec<OsString> = want.split(' ').map(OsString::from).collect();
            assert_eq!(with_single_values(&words, "300"), want, "{line}");
        }
    }
}
