//! Guess of a visitor's operating system from the headers of the browser. The visitor can choose
//! another one.

use axum::http::{HeaderMap, header};

/// Returns the id of the platform to preselect.
pub fn guess_platform(headers: &HeaderMap) -> &'static str {
    // Chromium's hint is exact, but does not tell the Linux distribution.
    let hint = header_text(
        headers,
        header::HeaderName::from_static("sec-ch-ua-platform"),
    );
    let agent = header_text(headers, header::USER_AGENT);
    match hint.trim_matches('"') {
        "macOS" => return "macos",
        "Windows" => return "windows",
        _ => {}
    }
    let named = AGENT_WORDS.iter().find(|(word, _)| agent.contains(word));
    named.map_or("debian", |(_, platform)| platform)
}

/// Words in `User-Agent`, with the platforms that they indicate; the first match is used.
const AGENT_WORDS: [(&str, &str); 11] = [
    ("Windows", "windows"),
    ("Mac OS X", "macos"),
    ("iPhone", "macos"),
    ("iPad", "macos"),
    ("Fedora", "redhat"),
    ("Red Hat", "redhat"),
    ("CentOS", "redhat"),
    ("SUSE", "opensuse"),
    ("Gentoo", "gentoo"),
    ("FreeBSD", "freebsd"),
    ("OpenBSD", "openbsd"),
];

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_platform_is_guessed_from_the_user_agent() {
        let cases = [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36",
                "windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1",
                "macos",
            ),
            (
                "Mozilla/5.0 (X11; Fedora; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
                "redhat",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
                "debian",
            ),
            ("", "debian"),
        ];
        for (agent, platform) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
            assert_eq!(guess_platform(&headers), platform, "{agent}");
            assert!(tidegate_connect::platform(Some(platform)).is_ok());
        }
    }

    #[test]
    fn the_hint_has_priority_over_the_user_agent() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static("Mozilla/5.0 (X11; Linux x86_64)"),
        );
        headers.insert(
            "sec-ch-ua-platform",
            HeaderValue::from_static("\"Windows\""),
        );
        assert_eq!(guess_platform(&headers), "windows");
    }
}
