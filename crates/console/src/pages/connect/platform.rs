//! Which platform of the table a visitor's browser runs on, from what it says of itself. A guess:
//! the visitor chooses.

use axum::http::{HeaderMap, header};

/// The platform to preselect, by its id in room `connect`'s table.
pub fn guess_platform(headers: &HeaderMap) -> &'static str {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    // Chromium's hint says it plainly, but only the kind of system.
    let hint = text(header::HeaderName::from_static("sec-ch-ua-platform"));
    let agent = text(header::USER_AGENT);
    let says = |word: &str| agent.contains(word);
    match hint.trim_matches('"') {
        "macOS" => return "macos",
        "Windows" => return "windows",
        _ => {}
    }
    match () {
        () if says("Windows") => "windows",
        () if says("Mac OS X") || says("iPhone") || says("iPad") => "macos",
        () if says("Fedora") || says("Red Hat") || says("CentOS") => "redhat",
        () if says("SUSE") => "opensuse",
        () if says("Gentoo") => "gentoo",
        () if says("FreeBSD") => "freebsd",
        () if says("OpenBSD") => "openbsd",
        () => "debian",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn browsers_say_where_they_run() {
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
    fn the_hint_goes_before_the_agent() {
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
