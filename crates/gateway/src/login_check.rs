//! Check of a login against the accounts that the directory knows. Every denial costs the same
//! work, whatever its cause.

use crate::attempt::LoginAttempt;
use crate::limits;
use crate::shared::GatewayShared;
use std::net::IpAddr;
use tidegate_model::{
    Account, Claim, ClusterId, DirectoryError, Found, LoginName, Prefix, PrefixTag, Refusal,
    RefusalKind, Requirement, Tenant, Twin, Verifier, error_chain,
};
use tidegate_wire::auth;
use tidegate_wire::server::{Credential, Login};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

/// Accounts that accept no login from outside.
const RESERVED: [&str; 2] = ["mariadb.sys", tidegate_model::account::GATEWAY_USER];

/// Check of the logins of one connection.
pub(crate) struct LoginCheck<'a> {
    pub shared: &'a GatewayShared,
    /// Salt of the greeting that the client answered.
    pub salt: &'a [u8; 20],
    pub client: IpAddr,
}

/// Login whose password was proved. It is enough to log in at the engine, which decides last.
pub(crate) struct ProvenLogin {
    pub tenant: Tenant,
    /// Name of the account at the engine, with or without the prefix.
    pub user: String,
    /// SHA1(password); `None` for the empty password.
    pub stage1: Option<Zeroizing<[u8; 20]>>,
    /// Requirement for the connection to the engine, as it was last read.
    pub requires: Requirement,
}

/// Result of a check.
pub(crate) enum LoginVerdict {
    Proven(Box<ProvenLogin>),
    /// The cause is for the log only.
    Denied(&'static str),
    /// The cluster, or the one that is imitated, does not allow this address. Nothing was checked.
    AddressRefused,
    /// The check could not be completed, for this reason.
    Unchecked(String),
}

/// Facts for the log, whatever the verdict.
#[derive(Default)]
pub(crate) struct LoginDetail {
    pub cluster: Option<ClusterId>,
    pub cluster_name: Option<String>,
}

/// Account that a password fits.
struct AccountMatch {
    user: String,
    stage1: Option<Zeroizing<[u8; 20]>>,
    /// Strictest requirement of the accounts with this name that the password fits.
    requires: Requirement,
}

impl LoginCheck<'_> {
    /// Checks a login. An unknown prefix is answered as its twin, the cluster that it imitates,
    /// would answer a wrong password at this moment.
    pub async fn check(
        &self,
        name: &LoginName,
        login: &Login,
        attempt: &mut LoginAttempt<'_>,
    ) -> (LoginVerdict, LoginDetail) {
        let prefix = match name {
            LoginName::Routed { prefix, .. } => Some(prefix),
            _ => None,
        };
        // A name without a valid prefix takes the same look-up as one with an unknown prefix.
        let tag = self.shared.decoy.tag(prefix);
        let prefix = prefix
            .cloned()
            .unwrap_or_else(|| self.shared.decoy.prefix());
        let claim = self.claim(name);
        let (found, detail) = match self
            .find_cluster(&prefix, tag, &claim, attempt.recovered_by)
            .await
        {
            Ok(found) => found,
            Err((why, detail)) => return (LoginVerdict::Unchecked(why), detail),
        };
        // Before the password is compared with anything.
        if found.standing().is_some_and(|now| !now.allows_client) {
            return (LoginVerdict::AddressRefused, detail);
        }
        // After the look-up, so that known and unknown prefixes have cost the same so far.
        if attempt.is_unchecked().await {
            let why = "too many delayed denials of this address are waiting".to_owned();
            return (LoginVerdict::Unchecked(why), detail);
        }
        let verdict = self.check_found(found, tag, &claim, login, attempt).await;
        (verdict, detail)
    }

    /// Returns the accounts that this login may mean.
    fn claim(&self, name: &LoginName) -> Claim {
        let names = match name {
            // The name as it was sent comes first: an account may have been created in SQL with the
            // prefix in its name.
            // Last, accounts without a name, which the engine takes for any user at their hosts.
            LoginName::Routed { whole, user, .. } => {
                vec![whole.clone(), user.clone(), String::new()]
            }
            _ => Vec::new(),
        };
        let reserved = |name: &String| RESERVED.iter().any(|r| r.eq_ignore_ascii_case(name));
        Claim {
            names: names.into_iter().filter(|name| !reserved(name)).collect(),
            client: self.client,
        }
    }

    /// Returns the cluster of a prefix, or its twin, as soon as that one is recovered.
    async fn find_cluster(
        &self,
        prefix: &Prefix,
        tag: PrefixTag,
        claim: &Claim,
        by: Instant,
    ) -> Result<(Found, LoginDetail), (String, LoginDetail)> {
        let directory = &self.shared.directory;
        loop {
            let found = directory
                .find(prefix, tag, claim)
                .await
                .map_err(|e| (error_chain(&e), LoginDetail::default()))?;
            let detail = found
                .tenant()
                .map_or_else(LoginDetail::default, |t| LoginDetail {
                    cluster: Some(t.cluster),
                    cluster_name: Some(t.name.to_string()),
                });
            // A refused address needs no recovery.
            let Some(Twin {
                cluster,
                recovering: true,
                allows_client: true,
                ..
            }) = found.standing()
            else {
                return Ok((found, detail));
            };
            if timeout_at(by, directory.recovered(cluster)).await.is_err() {
                return Err((
                    "the recovery of its cluster has not ended".to_owned(),
                    detail,
                ));
            }
        }
    }

    /// Checks the password, with accounts that are read again if they may be out of date.
    async fn check_found(
        &self,
        found: Found,
        tag: PrefixTag,
        claim: &Claim,
        login: &Login,
        attempt: &mut LoginAttempt<'_>,
    ) -> LoginVerdict {
        let tenant = found.tenant();
        let first = self.match_account(tenant.map(|t| &*t.accounts), &login.credential);
        if let (Some(tenant), Some(matched)) = (tenant, first) {
            return proven(tenant.clone(), matched, claim);
        }
        attempt.count_mismatch().await;
        let denied = match tenant {
            Some(_) => LoginVerdict::Denied("wrong user or password"),
            None => LoginVerdict::Denied("no such prefix"),
        };
        // While somebody may have changed the accounts since they were read, a mismatch is no
        // verdict: they are read again.
        let Some(Twin {
            cluster,
            accounts_current: false,
            ..
        }) = found.standing()
        else {
            // The same number of hashes as where the accounts are read again.
            let _ = self.match_account(None, &login.credential);
            return denied;
        };
        let directory = &self.shared.directory;
        let fresh = async {
            // Unknown prefixes wait in the same way. A budget that refused logins instead would
            // reveal the real ones.
            tokio::time::sleep_until(self.shared.reading_turns.next_turn(tag)).await;
            if tenant.is_some() {
                let not_before = attempt.came.into_std();
                let accounts = directory.refresh(cluster, claim, not_before).await?;
                Ok(Some(accounts))
            } else {
                directory.imitate_refresh(cluster).await?;
                Ok::<_, DirectoryError>(None)
            }
        };
        // From the arrival of the password on, so that the wait for a turn is included.
        let accounts = match timeout_at(attempt.came + limits::REREAD_PATIENCE, fresh).await {
            Ok(Ok(accounts)) => accounts,
            Ok(Err(e)) => return LoginVerdict::Unchecked(error_chain(&e)),
            Err(_) => {
                let why = "the accounts were not read in time".to_owned();
                return LoginVerdict::Unchecked(why);
            }
        };
        let second = self.match_account(accounts.as_deref(), &login.credential);
        match (tenant, second) {
            (Some(tenant), Some(matched)) => {
                attempt.take_back().await;
                proven(tenant.clone(), matched, claim)
            }
            _ => denied,
        }
    }

    /// Returns what the account of a client requires that the engine did not let in. The engine's
    /// accounts are read again: its password may have been changed, and only a client with the
    /// right one is told what else the account requires. An error is the refusal for the client.
    pub async fn reread_requirement(
        &self,
        cluster: ClusterId,
        name: &LoginName,
        login: &Login,
    ) -> Result<Requirement, Refusal> {
        let now = Instant::now();
        let claim = self.claim(name);
        let reread = self
            .shared
            .directory
            .refresh(cluster, &claim, now.into_std());
        let Ok(Ok(accounts)) = timeout_at(now + limits::REREAD_PATIENCE, reread).await else {
            return Err(Refusal::because(
                RefusalKind::AccessDenied,
                "denied by the engine; its accounts could not be read",
            ));
        };
        self.match_account(Some(&accounts), &login.credential)
            .map(|found| found.requires)
            .ok_or_else(|| denied_by_engine(Requirement::None))
    }

    /// Compares the credential with every account that may be meant, filled up with made-up ones,
    /// so that the number of hashes does not tell how many accounts there are.
    fn match_account(
        &self,
        accounts: Option<&[Account]>,
        credential: &Credential,
    ) -> Option<AccountMatch> {
        let mut owners: Vec<Option<&Account>> = Vec::with_capacity(limits::CANDIDATES_MIN);
        let mut stages: Vec<[u8; 20]> = Vec::with_capacity(limits::CANDIDATES_MIN);
        let mut empty: Vec<&Account> = Vec::new();
        for account in accounts.unwrap_or_default() {
            for verifier in &account.verifiers {
                match verifier {
                    Verifier::Native(stage2) if stages.len() < limits::CANDIDATES_MAX => {
                        owners.push(Some(account));
                        stages.push(*stage2);
                    }
                    Verifier::Empty => empty.push(account),
                    Verifier::Native(_) | Verifier::Unsupported(_) => {}
                }
            }
        }
        while stages.len() < limits::CANDIDATES_MIN {
            owners.push(None);
            stages.push(self.shared.decoy.stage2(stages.len()));
        }
        let (at, stage1) = match credential {
            // No hash is run, whether the name exists or not.
            Credential::Empty => {
                return first_match(empty.into_iter(), None);
            }
            Credential::Clear(password) => auth::check_clear(password, &stages)?,
            Credential::NativeToken(token) => auth::check_native(token, self.salt, &stages)?,
        };
        let stage2 = stages.get(at)?;
        let fitting = owners
            .iter()
            .zip(&stages)
            .skip(at)
            .filter(|(_, stage)| *stage == stage2);
        first_match(fitting.filter_map(|(owner, _)| *owner), Some(stage1))
    }
}

/// Returns the refusal for a client with the right password whose account requires this.
pub(crate) fn denied_by_engine(requires: Requirement) -> Refusal {
    let kind = match requires {
        Requirement::Tls => RefusalKind::RequiresTls,
        Requirement::Cipher => RefusalKind::RequiresCipher,
        Requirement::Certificate => RefusalKind::RequiresCertificate,
        Requirement::None => RefusalKind::AccessDenied,
    };
    Refusal::because(kind, "denied by the engine")
}

/// Returns the first of the accounts that the password fits, with the strictest requirement of
/// those of the same name.
fn first_match<'a>(
    mut accounts: impl Iterator<Item = &'a Account>,
    stage1: Option<Zeroizing<[u8; 20]>>,
) -> Option<AccountMatch> {
    let first = accounts.next()?;
    let namesakes = accounts
        .filter(|account| account.user == first.user)
        .map(|account| account.requires);
    let requires = namesakes.chain([first.requires]).max().unwrap_or_default();
    Some(AccountMatch {
        user: first.user.clone(),
        stage1,
        requires,
    })
}

fn proven(tenant: Tenant, found: AccountMatch, claim: &Claim) -> LoginVerdict {
    // An account without a name is logged in to with the name that the client claims.
    let user = match found.user.is_empty() {
        true => claim.names.iter().rfind(|name| !name.is_empty()).cloned(),
        false => Some(found.user),
    };
    LoginVerdict::Proven(Box::new(ProvenLogin {
        tenant,
        user: user.unwrap_or_default(),
        stage1: found.stage1,
        requires: found.requires,
    }))
}

#[cfg(test)]
#[path = "login_check_fakes.rs"]
pub(crate) mod fakes;
#[cfg(test)]
#[path = "login_check_tests.rs"]
mod tests;
