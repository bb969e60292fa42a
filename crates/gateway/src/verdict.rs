//! Judges a credential against what the directory knows, with the same work for every no.

use crate::attempt::Attempt;
use crate::limits;
use crate::shared::Shared;
use std::net::IpAddr;
use tidegate_model::{
    Account, Claim, ClusterId, Found, LoginName, Prefix, PrefixTag, Refusal, RefusalKind,
    Requirement, Tenant, Twin, Verifier,
};
use tidegate_wire::auth;
use tidegate_wire::server::{Credential, Login};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

/// Accounts that nobody logs in to from outside.
const RESERVED: [&str; 2] = ["mariadb.sys", tidegate_model::account::GATEWAY_USER];

pub(crate) struct Judge<'a> {
    pub shared: &'a Shared,
    pub salt: &'a [u8; 20],
    pub client: IpAddr,
}

/// What a client has proved: enough to log in to the engine, which stays the last judge.
pub(crate) struct Proven {
    pub tenant: Tenant,
    /// The account's own name, with or without the prefix.
    pub user: String,
    /// SHA1(password); `None` for the empty password.
    pub stage1: Option<Zeroizing<[u8; 20]>>,
}

pub(crate) enum Verdict {
    Proven(Box<Proven>),
    /// Why, for the log only.
    Denied(&'static str),
    NotJudged(String),
}

/// What the log may know, whatever the verdict.
#[derive(Default)]
pub(crate) struct Detail {
    pub cluster: Option<ClusterId>,
    pub cluster_name: Option<String>,
}

/// A match within one comparison.
struct Match {
    user: String,
    stage1: Option<Zeroizing<[u8; 20]>>,
    /// The most that an account asks which this password fits.
    requires: Requirement,
}

impl Judge<'_> {
    /// Judges a login. An unknown prefix is answered as its twin would answer a wrong password at
    /// this moment.
    pub async fn judge(
        &self,
        name: &LoginName,
        login: &Login,
        attempt: &mut Attempt<'_>,
    ) -> (Verdict, Detail) {
        let prefix = match name {
            LoginName::Routed { prefix, .. } => Some(prefix),
            _ => None,
        };
        let tag = self.shared.decoy.tag(prefix);
        let prefix = prefix
            .cloned()
            .unwrap_or_else(|| self.shared.decoy.prefix());
        let claim = self.claim(name);
        let (found, detail) = match self.find(&prefix, tag, &claim, attempt.recovered_by).await {
            Ok(found) => found,
            Err((why, detail)) => return (Verdict::NotJudged(why), detail),
        };
        if attempt.goes_unjudged() {
            return (
                Verdict::NotJudged("too many failed logins wait".to_owned()),
                detail,
            );
        }
        (
            self.judge_found(found, tag, &claim, login, attempt).await,
            detail,
        )
    }

    /// Accounts that this login may mean.
    fn claim(&self, name: &LoginName) -> Claim {
        let names = match name {
            // The very name first: an account may have been created in SQL with its prefix.
            LoginName::Routed { whole, user, .. } => vec![whole.clone(), user.clone()],
            _ => Vec::new(),
        };
        let reserved = |name: &String| RESERVED.iter().any(|r| r.eq_ignore_ascii_case(name));
        Claim {
            names: names.into_iter().filter(|name| !reserved(name)).collect(),
            client: self.client,
        }
    }

    /// The cluster of a prefix or its twin, as soon as that one is recovered.
    async fn find(
        &self,
        prefix: &Prefix,
        tag: PrefixTag,
        claim: &Claim,
        by: Instant,
    ) -> Result<(Found, Detail), (String, Detail)> {
        let directory = &self.shared.directory;
        loop {
            let found = directory
                .find(prefix, tag, claim)
                .await
                .map_err(|e| (e.to_string(), Detail::default()))?;
            let detail = found.tenant().map_or_else(Detail::default, |t| Detail {
                cluster: Some(t.cluster),
                cluster_name: Some(t.name.to_string()),
            });
            let Some(Twin {
                cluster,
                recovering: true,
                ..
            }) = found.standing()
            else {
                return Ok((found, detail));
            };
            if timeout_at(by, directory.recovered(cluster)).await.is_err() {
                return Err(("its recovery has not ended".to_owned(), detail));
            }
        }
    }

    async fn judge_found(
        &self,
        found: Found,
        tag: PrefixTag,
        claim: &Claim,
        login: &Login,
        attempt: &mut Attempt<'_>,
    ) -> Verdict {
        let tenant = found.tenant();
        let first = self.compare(tenant.map(|t| &*t.accounts), &login.credential);
        if let (Some(tenant), Some(matched)) = (tenant, first) {
            return proven(tenant.clone(), matched);
        }
        attempt.count_mismatch();
        let denied = || {
            Verdict::Denied(if tenant.is_some() {
                "wrong user or password"
            } else {
                "no such prefix"
            })
        };
        // What we remember is no verdict while somebody may have changed it since: read again.
        let Some(Twin {
            cluster,
            settled: false,
            ..
        }) = found.standing()
        else {
            // As many hashes as where the accounts are read again.
            let _ = self.compare(None, &login.credential);
            return denied();
        };
        let fresh = async {
            tokio::time::sleep_until(self.shared.reading_turns.next(tag)).await;
            match tenant {
                Some(_) => self
                    .shared
                    .directory
                    .refresh(cluster, claim, attempt.came.into_std())
                    .await
                    .map(Some),
                None => self
                    .shared
                    .directory
                    .imitate_refresh(cluster)
                    .await
                    .map(|()| None),
            }
        };
        let accounts = match timeout_at(attempt.came + limits::REREAD_PATIENCE, fresh).await {
            Ok(Ok(accounts)) => accounts,
            Ok(Err(e)) => return Verdict::NotJudged(e.to_string()),
            Err(_) => return Verdict::NotJudged("the accounts were not read in time".to_owned()),
        };
        match (tenant, self.compare(accounts.as_deref(), &login.credential)) {
            (Some(tenant), Some(matched)) => {
                attempt.take_back();
                proven(tenant.clone(), matched)
            }
            _ => denied(),
        }
    }

    /// What to tell a client whose proof the engine did not take. The engine's accounts are read
    /// anew: it may know another password than we remember, and only whoever has the right one is
    /// told what else it asks.
    pub async fn refused_by_engine(
        &self,
        cluster: ClusterId,
        name: &LoginName,
        login: &Login,
    ) -> Refusal {
        let now = Instant::now();
        let claim = self.claim(name);
        let reread = self
            .shared
            .directory
            .refresh(cluster, &claim, now.into_std());
        let Ok(Ok(accounts)) = timeout_at(now + limits::REREAD_PATIENCE, reread).await else {
            return Refusal::because(
                RefusalKind::AccessDenied,
                "the engine said no; its accounts could not be read",
            );
        };
        let kind = match self
            .compare(Some(&accounts), &login.credential)
            .map(|found| found.requires)
        {
            Some(Requirement::Tls) => RefusalKind::RequiresTls,
            Some(Requirement::Certificate) => RefusalKind::RequiresCertificate,
            Some(Requirement::None) | None => RefusalKind::AccessDenied,
        };
        Refusal::because(kind, "the engine did not take what was proved")
    }

    /// Compares the credential with every account that may be meant, filled up with made-up ones:
    /// the number of hashes tells nothing.
    fn compare(&self, accounts: Option<&[Account]>, credential: &Credential) -> Option<Match> {
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
            Credential::Empty => {
                return matched(empty.into_iter(), None);
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
        matched(fitting.filter_map(|(owner, _)| *owner), Some(stage1))
    }
}

/// The first of the accounts that the password fits, and what it or its namesakes ask beside it.
fn matched<'a>(
    mut accounts: impl Iterator<Item = &'a Account>,
    stage1: Option<Zeroizing<[u8; 20]>>,
) -> Option<Match> {
    let first = accounts.next()?;
    let namesakes = accounts
        .filter(|account| account.user == first.user)
        .map(|account| account.requires);
    let requires = namesakes.chain([first.requires]).max().unwrap_or_default();
    Some(Match {
        user: first.user.clone(),
        stage1,
        requires,
    })
}

fn proven(tenant: Tenant, found: Match) -> Verdict {
    Verdict::Proven(Box::new(Proven {
        tenant,
        user: found.user,
        stage1: found.stage1,
    }))
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
