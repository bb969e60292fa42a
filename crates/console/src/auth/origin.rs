//! Whether a browser's own words say that a request comes from a page of ours. Every browser of the
//! last years sends at least one of the two on each POST; a request with neither, or with a wrong
//! one, changes nothing here.

use axum::extract::FromRequestParts;
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

/// Proof that [`is_same_origin`] held. For forms without a session (the one that redeems a link);
/// [`super::CheckedForm`] asks too.
#[derive(Debug, Clone, Copy)]
pub struct SameOrigin(());

impl<S: Send + Sync> FromRequestParts<S> for SameOrigin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        if is_same_origin(&parts.headers) {
            return Ok(Self(()));
        }
        Err((
            StatusCode::FORBIDDEN,
            "this form was not sent by a page of this console",
        )
            .into_response())
    }
}

pub fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text(axum::http::HeaderName::from_static("sec-fetch-site"));
    let origin = text(ORIGIN);
    let host = text(HOST);
    let site_fits = site.is_none_or(|site| site == "same-origin");
    let same =
        |origin: &str| host.is_some_and(|host| origin.strip_prefix("https://") == Some(host));
    site_fits && origin.is_none_or(same) && (site.is_some() || origin.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    #[test]
    fn a_request_must_say_that_it_is_ours_and_nothing_against_it() {
        let judge = |pairs: &[(&'static str, &'static str)]| {
            let pair = |(name, value): &(&'static str, &'static str)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            };
            is_same_origin(&pairs.iter().map(pair).collect())
        };
        let host = ("host", "127.0.0.1:4443");
        assert!(judge(&[host, ("origin", "https://127.0.0.1:4443")]));
        assert!(judge(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(judge(&[
            host,
            ("origin", "https://127.0.0.1:4443"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(!judge(&[host]), "no browser is that silent");
        for origin in [
            "null",
            "http://127.0.0.1:4443",
            "https://127.0.0.1:4444",
            "https://evil.example",
            "",
        ] {
            assert!(!judge(&[host, ("origin", origin)]), "{origin}");
            assert!(
                !judge(&[host, ("origin", origin), ("sec-fetch-site", "same-origin")]),
                "{origin}"
            );
        }
        for site in ["cross-site", "same-site", "none"] {
            assert!(!judge(&[host, ("sec-fetch-site", site)]), "{site}");
            assert!(
                !judge(&[
                    host,
                    ("origin", "https://127.0.0.1:4443"),
                    ("sec-fetch-site", site)
                ]),
                "{site}"
            );
        }
    }
}
