//! Who may use the console and the API: sign-in links, web sessions, API keys. A token leaves here
//! once and is kept nowhere; what is kept opens nothing. Never HTTP: cookies and headers are the
//! console's.

use crate::control::{Control, now_unix};
use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::limits;
use crate::scope::{Scopes, WrongScope};
use crate::store::{Hash, KeyRow, LinkRow, OPERATOR, StoreError, WebSessionRow};
use crate::token;
use std::time::Duration;
use tidegate_model::Prefix;
use zeroize::Zeroizing;

/// What was made, with the token that is shown once.
pub struct WithToken<T> {
    pub made: T,
    pub token: Zeroizing<String>,
}

/// Who looks a session up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebSessionUse {
    /// A person does something.
    Person,
    /// A page keeps itself fresh.
    Refresh,
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
    pub scopes: Scopes,
    pub created_unix: i64,
    /// `None` for one that ends only when it is revoked.
    pub expires_unix: Option<i64>,
    /// To the minute.
    pub used_unix: Option<i64>,
}

impl Control {
    /// A link's token, and when it expires.
    pub async fn new_sign_in_link(&self) -> ControlResult<WithToken<i64>> {
        let token = token::generate("")?;
        let now = now_unix();
        let expires_unix = now.saturating_add(secs(limits::LINK_LIFE));
        let _changing = self.credentials().changing.lock().await;
        let row = LinkRow {
            hash: token::hash(&token),
            expires_unix,
        };
        match self.store().add_link(row.clone(), OPERATOR, now).await {
            // Whoever shall make room must be able to sign in.
            Err(StoreError::DiskFull) => self.credentials().keep_link(row, now),
            added => {
                added?;
                self.reload_credentials().await?;
            }
        }
        Ok(WithToken {
            made: expires_unix,
            token,
        })
    }

    /// Turns a link's token into a session's, once. The new one shares nothing with any the browser
    /// had before.
    pub async fn redeem_link(&self, link: &str) -> ControlResult<WithToken<WebSession>> {
        let link = token::hash(link);
        let now = now_unix();
        let expired = || {
            let hint = "`tidegate operator link` prints a new one";
            Err(ControlError::new(
                ErrorCode::NotAuthorized,
                "link expired or already used",
                hint,
            ))
        };
        // A made-up link must not reach the store.
        if !self.credentials().has_link(&link, now) {
            return expired();
        }
        let token = token::generate("")?;
        let hash = token::hash(&token);
        let _changing = self.credentials().changing.lock().await;
        let row = WebSessionRow {
            hash,
            operator: OPERATOR.to_owned(),
            created_unix: now,
            seen_unix: now,
        };
        if self.credentials().redeem_unstored(&link, row) {
            return Ok(WithToken {
                made: session(OPERATOR.to_owned(), &token, hash),
                token,
            });
        }
        let Some(operator) = self.store().redeem(link, hash, now, self.web()).await? else {
            return expired();
        };
        self.reload_credentials().await?;
        Ok(WithToken {
            made: session(operator, &token, hash),
            token,
        })
    }

    /// The session of a cookie, if it is valid. A page that refreshes itself keeps no session
    /// alive.
    pub fn web_session(&self, token: &str, look: WebSessionUse) -> Option<WebSession> {
        let hash = token::hash(token);
        let row = self.credentials().session(&hash)?;
        let now = now_unix();
        let over = |since: i64, life: Duration| now.saturating_sub(since) >= secs(life);
        let life = self.web();
        let this = self.clone();
        if over(row.seen_unix, life.idle) || over(row.created_unix, life.most) {
            self.credentials().forget_session(&hash);
            tokio::spawn(async move { tell(this.store().end_web_session(hash).await) });
            return None;
        }
        // Often enough that a short life is not shorter still.
        if look == WebSessionUse::Person
            && over(row.seen_unix, limits::SEEN_EVERY.min(life.idle / 10))
        {
            self.credentials().saw_session(&hash, now);
            tokio::spawn(async move { tell(this.store().saw_web_session(hash, now).await) });
        }
        Some(session(row.operator, token, hash))
    }

    pub async fn end_web_session(&self, session: &WebSession) -> ControlResult<()> {
        let _changing = self.credentials().changing.lock().await;
        // First in memory: whatever happens to the store, the cookie opens nothing from here on.
        if self.credentials().forget_session(&session.hash) {
            self.store().end_web_session(session.hash).await?;
        }
        Ok(())
    }

    /// Makes a key. Its token is in the answer and nowhere else.
    pub async fn create_key(
        &self,
        name: &str,
        scopes: Scopes,
        life: Option<Duration>,
    ) -> ControlResult<WithToken<ApiKey>> {
        check_name(name)?;
        if life.is_some_and(|life| life.is_zero() || life > limits::KEY_LIFE_MAX) {
            let hint = "give at least a second and at most ten years, or no end at all";
            return Err(ControlError::new(
                ErrorCode::BadLimits,
                "a key can't live for that long",
                hint,
            ));
        }
        let now = now_unix();
        let token = token::generate(token::KEY_MARK)?;
        let row = KeyRow {
            id: Prefix::random()?.into(),
            name: name.to_owned(),
            hash: token::hash(&token),
            scopes: scopes.to_string(),
            created_unix: now,
            // A part of a second counts as a whole one.
            expires_unix: life.map(|life| now.saturating_add(secs(life).max(1))),
            used_unix: None,
        };
        let _changing = self.credentials().changing.lock().await;
        self.store().add_key(row.clone()).await?;
        self.reload_credentials().await?;
        let made = ApiKey::try_from(row).map_err(ControlError::internal)?;
        Ok(WithToken { made, token })
    }

    /// All keys by name.
    pub fn keys(&self) -> Vec<ApiKey> {
        self.credentials()
            .keys()
            .into_iter()
            .filter_map(|row| ApiKey::try_from(row).ok())
            .collect()
    }

    /// By id or name.
    pub async fn revoke_key(&self, key: &str) -> ControlResult<()> {
        let _changing = self.credentials().changing.lock().await;
        let Some(row) = self.credentials().find_key(key) else {
            let shown: String = key.chars().take(limits::KEY_NAME_MAX).collect();
            let message = format!("there is no key {shown:?}");
            return Err(ControlError::new(
                ErrorCode::NotFound,
                message,
                "`tidegate key list` shows those that exist",
            ));
        };
        self.store().remove_key(row.id).await?;
        self.reload_credentials().await
    }

    /// The key of a token, if it is valid.
    pub fn key_of(&self, token: &str) -> Option<ApiKey> {
        let hash = token::hash(token);
        let row = self.credentials().key(&hash)?;
        let now = now_unix();
        if row.expires_unix.is_some_and(|end| end <= now) {
            return None;
        }
        if row
            .used_unix
            .is_none_or(|used| now.saturating_sub(used) >= secs(limits::SEEN_EVERY))
        {
            self.credentials().saw_key(&hash, now);
            let this = self.clone();
            let id = row.id.clone();
            tokio::spawn(async move { tell(this.store().saw_key(id, now).await) });
        }
        ApiKey::try_from(row).ok()
    }

    /// What the store has into memory.
    pub(crate) async fn reload_credentials(&self) -> ControlResult<()> {
        self.credentials().load(self.store().load_access().await?);
        Ok(())
    }
}

/// Says that a time of use could not be kept. Nobody waits for it.
fn tell(done: Result<(), StoreError>) {
    if let Err(error) = done {
        tracing::debug!(%error, "the use of a session or key could not be noted");
    }
}

fn session(operator: String, token: &str, hash: Hash) -> WebSession {
    WebSession {
        operator,
        id: token::public_id(&hash),
        csrf: token::csrf(token),
        hash,
    }
}

fn secs(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn check_name(name: &str) -> ControlResult<()> {
    let fits = (1..=limits::KEY_NAME_MAX).contains(&name.chars().count());
    if fits && name.trim() == name && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let hint = "use 1 to 64 characters without control characters, and no space at either end";
    Err(ControlError::new(
        ErrorCode::BadName,
        "that can't be the name of a key",
        hint,
    ))
}

impl TryFrom<KeyRow> for ApiKey {
    type Error = WrongScope;

    fn try_from(row: KeyRow) -> Result<Self, WrongScope> {
        let KeyRow {
            id,
            name,
            scopes,
            created_unix,
            expires_unix,
            used_unix,
            ..
        } = row;
        Ok(Self {
            id,
            name,
            scopes: Scopes::parse(&scopes)?,
            created_unix,
            expires_unix,
            used_unix,
        })
    }
}
