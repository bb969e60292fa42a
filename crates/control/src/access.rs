//! Access to the console and the API: sign-in links, web sessions and API keys. A token is returned
//! once and never stored; only its hash is. Cookies and headers are the console's.

use crate::control::{Control, now_unix};
use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::limits;
use crate::requests::Intent;
use crate::scope::{Scopes, WrongScope};
use crate::store::{Hash, KeyRow, LinkRow, OPERATOR, StoreError, WebSessionRow};
use crate::token;
use std::time::Duration;
use tidegate_model::Prefix;
use zeroize::Zeroizing;

/// A new link, session or key, with its token, which is shown once.
pub struct WithToken<T> {
    pub made: T,
    pub token: Zeroizing<String>,
}

/// Reason why a session is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebSessionUse {
    /// A person did something.
    Person,
    /// A page refreshes itself, which does not prolong the session.
    Refresh,
}

/// A signed-in browser.
#[derive(Clone)]
pub struct WebSession {
    pub operator: String,
    /// Id for the log. It can't be used to sign in.
    pub id: String,
    /// Token that every form of this session must send back.
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
    /// `None` for a key that never expires.
    pub expires_unix: Option<i64>,
    /// Time of last use, to the minute.
    pub used_unix: Option<i64>,
}

impl Control {
    /// Makes a sign-in link. Returns its token and the time at which it expires.
    pub async fn new_sign_in_link(&self) -> ControlResult<WithToken<i64>> {
        let token = token::generate("")?;
        let now = now_unix();
        let expires_unix = now.saturating_add(secs(limits::LINK_LIFE));
        let row = LinkRow {
            hash: token::hash(&token),
            expires_unix,
        };
        let this = self.clone();
        self.to_its_end(async move {
            let _changing = this.credentials().changing.lock().await;
            match this.store().add_link(row.clone(), OPERATOR, now).await {
                // The operator must be able to sign in, in order to free space.
                Err(StoreError::DiskFull) => this.credentials().keep_link(row, now),
                added => {
                    added?;
                    this.credentials().add_link(row, now);
                }
            }
            Ok(())
        })
        .await?;
        Ok(WithToken {
            made: expires_unix,
            token,
        })
    }

    /// Exchanges a link's token for a session's token, once. The new session is independent of any
    /// that the browser had before.
    pub async fn redeem_link(&self, link: &str) -> ControlResult<WithToken<WebSession>> {
        let link = token::hash(link);
        let now = now_unix();
        // An invented link must not reach the store.
        if !self.credentials().has_link(&link, now) {
            return Err(expired_link());
        }
        let token = token::generate("")?;
        let hash = token::hash(&token);
        let row = WebSessionRow {
            hash,
            operator: OPERATOR.to_owned(),
            created_unix: now,
            seen_unix: now,
        };
        let this = self.clone();
        let operator = self.to_its_end(this.redeem_for(link, row)).await?;
        Ok(WithToken {
            made: session(operator, &token, hash),
            token,
        })
    }

    /// Turns a link into this session, for the operator whose name it returns.
    async fn redeem_for(self, link: Hash, mut row: WebSessionRow) -> ControlResult<String> {
        let _changing = self.credentials().changing.lock().await;
        if self.credentials().redeem_unstored(&link, row.clone()) {
            return Ok(row.operator);
        }
        let life = self.web();
        let redeemed = self
            .store()
            .redeem(link, row.hash, row.created_unix, life)
            .await?;
        self.credentials().forget_link(&link);
        row.operator = redeemed.ok_or_else(expired_link)?;
        let operator = row.operator.clone();
        self.credentials().add_session(row, life);
        Ok(operator)
    }

    /// Returns the session of a cookie, if it is valid. A page that refreshes itself does not
    /// prolong it.
    pub fn web_session(&self, token: &str, look: WebSessionUse) -> Option<WebSession> {
        let hash = token::hash(token);
        let row = self.credentials().session(&hash)?;
        let now = now_unix();
        let life = self.web();
        let this = self.clone();
        if is_over(row.seen_unix, life.idle, now) || is_over(row.created_unix, life.most, now) {
            // The request does not wait for the store, because the copy in memory decides.
            self.credentials().forget_session(&hash);
            tokio::spawn(async move { log_unsaved_use(this.store().end_web_session(hash).await) });
            return None;
        }
        // Often enough that a short idle time, as in tests, isn't shortened noticeably.
        if look == WebSessionUse::Person
            && is_over(row.seen_unix, limits::SEEN_EVERY.min(life.idle / 10), now)
        {
            self.credentials().saw_session(&hash, now);
            tokio::spawn(
                async move { log_unsaved_use(this.store().saw_web_session(hash, now).await) },
            );
        }
        Some(session(row.operator, token, hash))
    }

    pub async fn end_web_session(&self, session: &WebSession) -> ControlResult<()> {
        let this = self.clone();
        let hash = session.hash;
        self.to_its_end(async move {
            let _changing = this.credentials().changing.lock().await;
            // Memory first: the cookie is invalid from here on, whatever happens to the store.
            if this.credentials().forget_session(&hash) {
                this.store().end_web_session(hash).await?;
            }
            Ok(())
        })
        .await
    }

    /// Makes a key. Its token is in the result and is stored nowhere.
    pub async fn create_key(
        &self,
        name: &str,
        scopes: Scopes,
        life: Option<Duration>,
    ) -> ControlResult<WithToken<ApiKey>> {
        check_name(name)?;
        if life.is_some_and(|life| life.is_zero() || life > limits::KEY_LIFE_MAX) {
            let hint =
                "give a time from one second to ten years, or none for a key that never expires";
            return Err(ControlError::new(
                ErrorCode::BadLimits,
                "the lifetime of the key is out of range",
                hint,
            ));
        }
        if let Some(made) = self.key_made_earlier() {
            return Ok(made);
        }
        let now = now_unix();
        let token = token::generate(token::KEY_MARK)?;
        let row = KeyRow {
            id: Prefix::random()?.into(),
            name: name.to_owned(),
            hash: token::hash(&token),
            scopes: scopes.to_string(),
            created_unix: now,
            // A part of a second is rounded up to a second.
            expires_unix: life.map(|life| now.saturating_add(secs(life).max(1))),
            used_unix: None,
        };
        let this = self.clone();
        let added = row.clone();
        let intent = Intent::NewKey {
            id: row.id.clone(),
            token: token.to_string(),
        };
        self.to_its_end(async move {
            this.note_intent(intent).await?;
            let _changing = this.credentials().changing.lock().await;
            this.store().add_key(added.clone()).await?;
            this.credentials().add_key(added);
            Ok(())
        })
        .await?;
        let made = ApiKey::try_from(row).map_err(|e| ControlError::internal(&e))?;
        Ok(WithToken { made, token })
    }

    /// Returns the key that an interrupted execution of this request has created.
    fn key_made_earlier(&self) -> Option<WithToken<ApiKey>> {
        let Some(Intent::NewKey { id, token }) = self.earlier_intent() else {
            return None;
        };
        let row = self.credentials().key(&token::hash(token))?;
        Some(WithToken {
            made: ApiKey::try_from(row).ok().filter(|key| key.id == *id)?,
            token: token.clone().into(),
        })
    }

    /// Returns all keys, ordered by name.
    pub fn keys(&self) -> Vec<ApiKey> {
        self.credentials()
            .keys()
            .into_iter()
            .filter_map(|row| ApiKey::try_from(row).ok())
            .collect()
    }

    /// Revokes a key, by id or name.
    pub async fn revoke_key(&self, key: &str) -> ControlResult<()> {
        let this = self.clone();
        let key = key.to_owned();
        self.to_its_end(async move {
            let _changing = this.credentials().changing.lock().await;
            let Some(row) = this.credentials().find_key(&key) else {
                // An interrupted execution of this request has revoked it.
                if this.is_resumed() {
                    return Ok(());
                }
                return Err(no_such_key(&key));
            };
            this.store().remove_key(row.id).await?;
            this.credentials().forget_key(&row.hash);
            Ok(())
        })
        .await
    }

    /// Returns the key of a token, if it is valid.
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
            tokio::spawn(async move { log_unsaved_use(this.store().saw_key(id, now).await) });
        }
        ApiKey::try_from(row).ok()
    }

    /// Loads the store's links, sessions and keys into memory, at the start.
    pub(crate) async fn load_credentials(&self) -> ControlResult<()> {
        self.credentials().load(self.store().load_access().await?);
        Ok(())
    }
}

/// Logs that a time of use could not be stored. No caller waits for it.
fn log_unsaved_use(done: Result<(), StoreError>) {
    if let Err(error) = done {
        tracing::debug!(%error, "the time of use of a session or key could not be stored");
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

fn no_such_key(key: &str) -> ControlError {
    let shown: String = key.chars().take(limits::KEY_NAME_MAX).collect();
    ControlError::new(
        ErrorCode::NotFound,
        format!("there is no key {shown:?}"),
        "`tidegate key list` shows those that exist",
    )
}

fn expired_link() -> ControlError {
    ControlError::new(
        ErrorCode::NotAuthorized,
        "link expired or already used",
        "`tidegate operator link` prints a new one",
    )
}

/// Whether this much time has passed.
fn is_over(since_unix: i64, life: Duration, now: i64) -> bool {
    now.saturating_sub(since_unix) >= secs(life)
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
        "invalid name of a key",
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
