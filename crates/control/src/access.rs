//! Who may use the console and the API: sign-in links, web sessions, API keys. A token leaves here once and is kept
//! nowhere; what is kept opens nothing. Never HTTP: cookies and headers are the console's.

use crate::control::{Control, now_unix};
use crate::error::{ControlError, ErrorCode};
use crate::limits;
use crate::store::{Hash, KeyRow};
use crate::token;
use std::time::Duration;
use tidegate_model::Prefix;
use zeroize::Zeroizing;

/// The one operator account, made at the first start.
pub const OPERATOR: &str = "operator";

type Answer<T> = Result<T, ControlError>;

/// What was made, with the token that is shown once.
pub struct WithToken<T> {
    pub made: T,
    pub token: Zeroizing<String>,
}

/// Who looks a session up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A person does something.
    Use,
    /// A page keeps itself fresh.
    Alone,
}

/// A signed-in browser.
#[derive(Clone)]
pub struct WebSession {
    pub operator: String,
    /// For the log; opens nothing.
    pub id: String,
    /// What each form of this session must bring back.
    pub csrf: Zeroizing<String>,
    hash: Hash,
}

/// An API key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: String,
    pub name: String,
    pub created_unix: i64,
    /// `None` for one that ends only when it is revoked.
    pub expires_unix: Option<i64>,
    /// To the minute.
    pub used_unix: Option<i64>,
}

impl Control {
    /// A link's token, and when it ends.
    pub async fn new_sign_in_link(&self) -> Answer<WithToken<i64>> {
        let token = token::generate("")?;
        let now = now_unix();
        let expires = now.saturating_add(secs(limits::LINK_LIFE));
        self.store().add_link(&token::hash(&token), OPERATOR, now, expires).await?;
        Ok(WithToken { made: expires, token })
    }

    /// Turns a link's token into a session's, once. The new one shares nothing with any the browser had before.
    pub async fn redeem_link(&self, link: &str) -> Answer<WithToken<WebSession>> {
        let token = token::generate("")?;
        let hash = token::hash(&token);
        match self.store().redeem(&token::hash(link), &hash, now_unix(), self.web()).await? {
            Some(operator) => Ok(WithToken { made: session(operator, &token, hash), token }),
            None => Err(ControlError::new(
                ErrorCode::NotAuthorized,
                "this link was used already, or is older than 15 minutes",
                "`tidegate operator link` prints a new one",
            )),
        }
    }

    /// The session of a cookie, if it holds. A look by itself keeps no session alive.
    pub async fn web_session(&self, token: &str, look: Look) -> Answer<Option<WebSession>> {
        let hash = token::hash(token);
        let Some(row) = self.store().web_session(&hash).await? else { return Ok(None) };
        let now = now_unix();
        let over = |since: i64, life: Duration| now.saturating_sub(since) >= secs(life);
        let life = self.web();
        if over(row.seen_unix, life.idle) || over(row.created_unix, life.most) {
            self.store().end_web_session(&hash).await?;
            return Ok(None);
        }
        // Often enough that a short life is not shorter still.
        if look == Look::Use && over(row.seen_unix, limits::SEEN_EVERY.min(life.idle / 10)) {
            self.store().saw_web_session(&hash, now).await?;
        }
        Ok(Some(session(row.operator, token, hash)))
    }

    pub async fn end_web_session(&self, session: &WebSession) -> Answer<()> {
        Ok(self.store().end_web_session(&session.hash).await?)
    }

    /// Makes a key. Its token is in the answer and nowhere else.
    pub async fn create_key(&self, name: &str, life: Option<Duration>) -> Answer<WithToken<ApiKey>> {
        check_name(name)?;
        if life.is_some_and(|life| life.is_zero() || life > limits::KEY_LIFE_MAX) {
            let hint = "give at least a second and at most ten years, or no end at all";
            return Err(ControlError::new(ErrorCode::BadLimits, "a key can't live for that long", hint));
        }
        let now = now_unix();
        let row = KeyRow {
            id: Prefix::random()?.into(),
            name: name.to_owned(),
            created_unix: now,
            // A part of a second counts as a whole one.
            expires_unix: life.map(|life| now.saturating_add(secs(life).max(1))),
            used_unix: None,
        };
        let token = token::generate(token::KEY_MARK)?;
        self.store().add_key(&token::hash(&token), &row).await?;
        Ok(WithToken { made: row.into(), token })
    }

    pub async fn keys(&self) -> Answer<Vec<ApiKey>> {
        Ok(self.store().keys().await?.into_iter().map(ApiKey::from).collect())
    }

    /// By id or name.
    pub async fn revoke_key(&self, key: &str) -> Answer<()> {
        if self.store().revoke_key(key).await? {
            return Ok(());
        }
        let shown: String = key.chars().take(limits::KEY_NAME_MAX).collect();
        let message = format!("there is no key {shown:?}");
        Err(ControlError::new(ErrorCode::NotFound, message, "`tidegate key list` shows those that exist"))
    }

    /// The key of a token, if it holds.
    pub async fn key_of(&self, token: &str) -> Answer<Option<ApiKey>> {
        let Some(row) = self.store().key(&token::hash(token)).await? else { return Ok(None) };
        let now = now_unix();
        if row.expires_unix.is_some_and(|end| end <= now) {
            return Ok(None);
        }
        if row.used_unix.is_none_or(|used| now.saturating_sub(used) >= secs(limits::SEEN_EVERY)) {
            self.store().saw_key(&row.id, now).await?;
        }
        Ok(Some(row.into()))
    }
}

fn session(operator: String, token: &str, hash: Hash) -> WebSession {
    WebSession { operator, id: token::public_id(&hash), csrf: token::csrf(token), hash }
}

fn secs(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn check_name(name: &str) -> Answer<()> {
    let fits = (1..=limits::KEY_NAME_MAX).contains(&name.chars().count());
    if fits && name.trim() == name && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let hint = "use 1 to 64 characters without control characters, and no space at either end";
    Err(ControlError::new(ErrorCode::BadName, "that can't be the name of a key", hint))
}

impl From<KeyRow> for ApiKey {
    fn from(row: KeyRow) -> Self {
        let KeyRow { id, name, created_unix, expires_unix, used_unix } = row;
        Self { id, name, created_unix, expires_unix, used_unix }
    }
}
