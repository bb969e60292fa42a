//! The one cookie. `__Host-` binds it to this very host over TLS; `Strict` keeps it from every
//! request that another site began. It has no `Max-Age`, since the server ends the session, and the
//! browser forgets it when it closes.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use tidegate_control::{ControlError, ErrorCode};

const NAME: &str = "__Host-tidegate";
const ATTRIBUTES: &str = "; Path=/; Secure; HttpOnly; SameSite=Strict";

/// The session's token, if exactly one cookie carries one: two of the same name are somebody's
/// trick.
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
            "a cookie could not be written",
            "try again",
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

    #[test]
    fn one_cookie_of_the_name_counts_and_two_are_none() {
        let with =
            |text: &str| HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(text).unwrap())]);
        assert_eq!(
            session_token(&with("a=b; __Host-tidegate=abc; c=d")),
            Some("abc")
        );
        assert_eq!(
            session_token(&with("__Host-tidegate=abc; __Host-tidegate=evil")),
            None
        );
        assert_eq!(
            session_token(&with("__Host-tidegate2=abc; tidegate=x")),
            None
        );
        assert_eq!(session_token(&HeaderMap::new()), None);
    }

    #[test]
    fn clearing_names_the_same_cookie() {
        let set = set_session("x").unwrap();
        assert!(set.is_sensitive(), "no log shows it");
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
