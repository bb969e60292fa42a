//! Check that a request comes from a page of this console, by the headers `Origin` and
//! `Sec-Fetch-Site`. Current browsers send at least one of the two with each POST. A request with
//! neither, or with a wrong one, is refused.

use axum::extract::FromRequestParts;
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Proof that a request is from the same origin. For the form that redeems a link, which has no
/// session; [`super::CheckedForm`] makes this check itself.
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
            "this form was not sent by a page of this console; hint: open the console's own page \
             and send the form there",
        )
            .into_response())
    }
}

/// Whether at least one of the two headers is there, and none of them contradicts.
pub fn is_same_origin(headers: &HeaderMap) -> bool {
    let site = header_text(headers, &SEC_FETCH_SITE);
    let origin = header_text(headers, &ORIGIN);
    let host = header_text(headers, &HOST);
    let site_fits = site.is_none_or(|site| site == "same-origin");
    let origin_fits = origin.is_none_or(|origin| {
        host.is_some_and(|host| origin.strip_prefix("https://") == Some(host))
    });
    site_fits && origin_fits && (site.is_some() || origin.is_some())
}

/// Returns the value of a header. A value that is not text becomes one that never fits.
fn header_text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn judge_headers(pairs: &[(&'static str, &'static str)]) -> bool {
        let headers = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        is_same_origin(&headers.collect())
    }

    #[test]
    fn a_request_must_say_that_it_is_ours_and_nothing_against_it() {
        let host = ("host", "127.0.0.1:4443");
        assert!(judge_headers(&[host, ("origin", "https://127.0.0.1:4443")]));
        assert!(judge_headers(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(judge_headers(&[
            host,
            ("origin", "https://127.0.0.1:4443"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(
            !judge_headers(&[host]),
            "every browser sends one of the two"
        );
        for origin in [
            "null",
            "http://127.0.0.1:4443",
            "https://127.0.0.1:4444",
            "https://evil.example",
            "",
        ] {
            assert!(!judge_headers(&[host, ("origin", origin)]), "{origin}");
            assert!(
                !judge_headers(&[host, ("origin", origin), ("sec-fetch-site", "same-origin")]),
                "{origin}"
            );
        }
        for site in ["cross-site", "same-site", "none"] {
            assert!(!judge_headers(&[host, ("sec-fetch-site", site)]), "{site}");
            assert!(
                !judge_headers(&[
                    host,
                    ("origin", "https://127.0.0.1:4443"),
                    ("sec-fetch-site", site)
                ]),
                "{site}"
            );
        }
    }
}
