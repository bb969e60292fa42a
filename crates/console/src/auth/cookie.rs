//! The cookie of a session. The prefix `__Host-` restricts it to this host and TLS; browsers do not
//! send a `SameSite=Strict` cookie with requests that another site caused. It has no `Max-Age`: the
//! server decides when the session expires, and the browser deletes the cookie when it is closed.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use tidegate_control::{ControlError, ErrorCode};

const NAME: &str = "__Host-tidegate";
const ATTRIBUTES: &str = "; Path=/; Secure; HttpOnly; SameSite=Strict";

/// Returns the session's token, if there is exactly one cookie of this name. Two can only come from
/// an attack, such as a cookie that a sibling host set.
pub fn session_token(headers: &HeaderMap) -> Option<&str> {
    let mut found = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='));
    let token = found.next()?;
    found.next().is_none().then_some(token)
}

pub fn set_session(token: &str) -> Result<HeaderValue, ControlError> {
    let mut value = HeaderValue::try_from(format!("{NAME}={token}{ATTRIBUTES}")).map_err(|_| {
        ControlError::new(
            ErrorCode::Internal,
            "the session's cookie could not be written",
            "open the link again",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

pub fn clear_session() -> HeaderValue {
    HeaderValue::from_static(
        "__Host-tidegate=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_cookies(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(text).unwrap())])
    }

    #[test]
    fn one_cookie_of_the_name_is_accepted_and_two_are_not() {
        assert_eq!(
            session_token(&with_cookies("a=b; __Host-tidegate=abc; c=d")),
            Some("abc")
        );
        assert_eq!(
            session_token(&with_cookies("__Host-tidegate=abc; __Host-tidegate=evil")),
            None
        );
        assert_eq!(
            session_token(&with_cookies("__Host-tidegate2=abc; tidegate=x")),
            None
        );
        assert_eq!(session_token(&HeaderMap::new()), None);
    }

    #[test]
    fn clearing_sets_the_same_cookie() {
        let set = set_session("x").unwrap();
        assert!(set.is_sensitive(), "logs do not show it");
        let set = set.to_str().unwrap().to_owned();
        let clear = clear_session();
        assert_eq!(set, format!("{NAME}=x{ATTRIBUTES}"));
        assert!(
            clear
                .to_str()
                .unwrap()
                .starts_with(&format!("{NAME}={ATTRIBUTES}"))
        );
    }
}
