//! Judges a credential against what the directory knows, with the same work for every no.

use crate::gateway::Shared;
use crate::limits;
use std::net::IpAddr;
use tidegate_model::{
    Account, AccountBook, ClusterId, LoginName, Prefix, Refusal, RefusalKind, Requirement, Tenant, Verifier,
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

/// A match within one look.
struct Match {
    user: String,
    stage1: Option<Zeroizing<[u8; 20]>>,
    /// The most that an account asks which this password fits.
    requires: Requirement,
}

impl Judge<'_> {
    pub async fn judge(&self, name: &LoginName, login: &Login, came: Instant) -> (Verdict, Detail) {
        let decoy;
        let prefix: &Prefix = match name {
            LoginName::Routed { prefix, .. } => prefix,
            _ => {
                decoy = self.shared.decoy.prefix();
                &decoy
            }
        };
        let tenant = match self.shared.directory.find(prefix).await {
            Ok(tenant) => tenant,
            Err(e) => return (Verdict::NotJudged(e.to_string()), Detail::default()),
        };
        let mut detail = Detail::default();
        if let Some(t) = &tenant {
            detail.cluster = Some(t.cluster);
            detail.cluster_name = Some(t.name.to_string());
        }
        (self.judge_tenant(tenant, name, login, came).await, detail)
    }

    async fn judge_tenant(&self, tenant: Option<Tenant>, name: &LoginName, login: &Login, came: Instant) -> Verdict {
        let first = self.look(tenant.as_ref().map(|t| &*t.accounts), name, &login.credential);
        if let (Some(tenant), Some(found)) = (&tenant, first) {
            return proven(tenant.clone(), found);
        }
        // A mismatch. What we remember is no verdict while somebody may have changed it since: read again.
        let unsettled = tenant.as_ref().filter(|t| !t.settled);
        let Some(tenant) = unsettled else {
            // The same second look, and the same rate of "try again", as a cluster that is awake would give.
            let _ = self.look(None, name, &login.credential);
            if self.shared.rereads.decoy_failed() {
                tokio::time::sleep_until(came + limits::REREAD_PATIENCE).await;
                return Verdict::NotJudged("as often as readings fail".to_owned());
            }
            return Verdict::Denied(if tenant.is_some() { "wrong user or password" } else { "no such prefix" });
        };
        let reread = self.shared.directory.refresh(tenant.cluster, came.into_std());
        let book = timeout_at(came + limits::REREAD_PATIENCE, reread).await;
        self.shared.rereads.record(matches!(book, Ok(Ok(_))));
        match book {
            Ok(Ok(book)) => match self.look(Some(&book), name, &login.credential) {
                Some(found) => proven(tenant.clone(), found),
                None => Verdict::Denied("wrong user or password"),
            },
            Ok(Err(e)) => Verdict::NotJudged(e.to_string()),
            Err(_) => Verdict::NotJudged("the accounts were not read in time".to_owned()),
        }
    }

    /// What to tell a client whose proof the engine did not take. The engine's accounts are read anew: it may know
    /// another password than we remember, and only whoever has the right one is told what else it asks.
    pub async fn refused_by_engine(&self, cluster: ClusterId, name: &LoginName, login: &Login) -> Refusal {
        let now = Instant::now();
        let reread = self.shared.directory.refresh(cluster, now.into_std());
        let Ok(Ok(book)) = timeout_at(now + limits::REREAD_PATIENCE, reread).await else {
            return Refusal::because(RefusalKind::AccessDenied, "the engine said no; its accounts could not be read");
        };
        let kind = match self.look(Some(&book), name, &login.credential).map(|found| found.requires) {
            Some(Requirement::Tls) => RefusalKind::RequiresTls,
            Some(Requirement::Certificate) => RefusalKind::RequiresCertificate,
            Some(Requirement::None) | None => RefusalKind::AccessDenied,
        };
        Refusal::because(kind, "the engine did not take what was proved")
    }

    /// Compares the credential with every account that may be meant, filled up with made-up ones: the number of
    /// hashes tells nothing.
    fn look(&self, book: Option<&AccountBook>, name: &LoginName, credential: &Credential) -> Option<Match> {
        let mut owners: Vec<Option<&Account>> = Vec::with_capacity(limits::CANDIDATES_MIN);
        let mut stages: Vec<[u8; 20]> = Vec::with_capacity(limits::CANDIDATES_MIN);
        let mut empty: Vec<&Account> = Vec::new();
        if let (Some(book), LoginName::Routed { user, whole, .. }) = (book, name) {
            let reserved = |n: &str| RESERVED.iter().any(|r| r.eq_ignore_ascii_case(n));
            // The very name first: an account may have been created in SQL with its prefix.
            let names = [whole.as_str(), user.as_str()].into_iter().filter(|n| !reserved(n));
            for account in names.flat_map(|n| book.candidates(n, self.client)) {
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
        let fitting = owners.iter().zip(&stages).skip(at).filter(|(_, stage)| *stage == stage2);
        matched(fitting.filter_map(|(owner, _)| *owner), Some(stage1))
    }
}

/// The first of the accounts that the password fits, and what it or its namesakes ask beside it.
fn matched<'a>(mut accounts: impl Iterator<Item = &'a Account>, stage1: Option<Zeroizing<[u8; 20]>>) -> Option<Match> {
    let first = accounts.next()?;
    let namesakes = accounts.filter(|account| account.user == first.user).map(|account| account.requires);
    let requires = namesakes.chain([first.requires]).max().unwrap_or_default();
    Some(Match { user: first.user.clone(), stage1, requires })
}

fn proven(tenant: Tenant, found: Match) -> Verdict {
    Verdict::Proven(Box::new(Proven { tenant, user: found.user, stage1: found.stage1 }))
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
