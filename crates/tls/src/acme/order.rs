//! An order at one CA, from the account to the chain. It writes nothing to disk and removes its
//! challenge answers.

use crate::acme::failure::{ERROR_PREFIX, Failure, Step};
use crate::acme::key;
use crate::acme::limits::{BAD_NONCE_TRIES, FIRST_POLL, ISSUING_MAX, VALIDATION_MAX};
use crate::acme::settings::ChallengeKind;
use crate::acme::solve::Solver;
use crate::names::Name;
use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use std::time::{Duration, Instant};
use tidegate_model::error_chain;

/// The certificate to order.
pub struct OrderRequest<'a> {
    pub names: &'a [String],
    pub profile: Option<&'a str>,
    /// The certificate that this one replaces, if the CA is told.
    pub replaces: Option<CertificateIdentifier<'static>>,
    /// The challenge that proves control of the names.
    pub challenge: ChallengeKind,
}

/// Repeats a request that was refused for its nonce: it changed nothing.
macro_rules! retry_bad_nonce {
    ($call:expr) => {{
        let mut tries = 0;
        loop {
            match $call.await {
                Err(error) if is_problem(&error, "badNonce") && tries < BAD_NONCE_TRIES => {
                    tries += 1
                }
                other => break other,
            }
        }
    }};
}
pub(super) use retry_bad_nonce;

/// Whether the CA's error is of this type of RFC 8555.
pub fn is_problem(error: &Error, kind: &str) -> bool {
    let Error::Api(problem) = error else {
        return false;
    };
    problem
        .r#type
        .as_deref()
        .and_then(|urn| urn.strip_prefix(ERROR_PREFIX))
        == Some(kind)
}

/// Places an order. If the CA refuses `replaces` (the old certificate is already replaced, not its
/// own, or another account's), the order is placed again without it: it is optional.
pub async fn place(account: &Account, request: &OrderRequest<'_>) -> Result<Order, Failure> {
    let identifiers = request
        .names
        .iter()
        .map(|name| identifier(name))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(replaces) = &request.replaces {
        let order = new_order(&identifiers, request).replaces(replaces.clone());
        match retry_bad_nonce!(account.new_order(&order)) {
            Ok(order) => return Ok(order),
            // These errors are not about `replaces`, so a second request would fail in the same
            // way.
            Err(error) if is_problem(&error, "rateLimited") || !was_answered(&error) => {
                return Err(Failure::said(Step::Order)(error));
            }
            Err(_) => {}
        }
    }
    retry_bad_nonce!(account.new_order(&new_order(&identifiers, request)))
        .map_err(Failure::said(Step::Order))
}

fn new_order<'a>(identifiers: &'a [Identifier], request: &OrderRequest<'a>) -> NewOrder<'a> {
    let order = NewOrder::new(identifiers);
    match request.profile {
        Some(profile) => order.profile(profile),
        None => order,
    }
}

/// Whether the CA answered at all.
fn was_answered(error: &Error) -> bool {
    !matches!(error, Error::Other(inner) if !inner.to_string().starts_with("replaces"))
}

fn identifier(name: &str) -> Result<Identifier, Failure> {
    match Name::parse(name).map_err(Failure::at(Step::Order))? {
        Name::Dns(dns) => Ok(Identifier::Dns(dns)),
        Name::Ip(address) => Ok(Identifier::Ip(address)),
    }
}

/// State of an order at the end of an attempt.
pub enum Carried {
    /// The chain as the CA issued it.
    Issued(String),
    /// The CA still works on it, and may have said in which time to ask again.
    Waiting(Option<Duration>),
}

/// Completes an order from its current state, as far as the CA does.
pub async fn carry_out(
    order: &mut Order,
    request: &OrderRequest<'_>,
    key_pem: &str,
    solver: &mut Solver,
) -> Result<Carried, Failure> {
    if order.state().status == OrderStatus::Pending {
        let proved = prove(order, request.challenge, solver).await;
        // Also after a failure: no answer may stay in the DNS or at a port.
        solver.clean_up().await;
        proved?;
    }
    if order.state().status == OrderStatus::Ready {
        let signing_request =
            key::signing_request(request.names, key_pem, request.profile.is_none())?;
        retry_bad_nonce!(order.finalize_csr(&signing_request))
            .map_err(Failure::said(Step::Finalize))?;
    }
    let patience = RetryPolicy::new()
        .initial_delay(FIRST_POLL)
        .backoff(1.5)
        .timeout(ISSUING_MAX);
    match retry_bad_nonce!(order.poll_certificate(&patience)) {
        Ok(chain) => Ok(Carried::Issued(chain)),
        Err(Error::Timeout(next)) if order.state().status == OrderStatus::Processing => {
            let wait = next.map(|next| next.saturating_duration_since(Instant::now()));
            Ok(Carried::Waiting(wait))
        }
        Err(error) => Err(Failure::said(Step::Finalize)(error)),
    }
}

/// Whether an order that failed like this can still be completed: the CA did not say otherwise.
pub fn is_undecided(order: &mut Order, failure: &Failure) -> bool {
    let status = order.state().status;
    failure.step == Step::Finalize
        && failure.problem.is_none()
        && matches!(
            status,
            OrderStatus::Ready | OrderStatus::Processing | OrderStatus::Valid
        )
}

async fn prove(order: &mut Order, kind: ChallengeKind, solver: &mut Solver) -> Result<(), Failure> {
    answer_all(order, kind, solver).await?;
    let patience = RetryPolicy::new()
        .initial_delay(FIRST_POLL)
        .backoff(1.5)
        .timeout(VALIDATION_MAX);
    match retry_bad_nonce!(order.poll_ready(&patience)) {
        Ok(OrderStatus::Ready) => Ok(()),
        Ok(status) => Err(Failure::new(
            Step::Challenge,
            failed_challenges(order, &format!("the order is {status:?}")).await,
        )),
        Err(error) => Err(Failure::new(
            Step::Challenge,
            failed_challenges(order, &error_chain(&error)).await,
        )),
    }
}

async fn read_authorizations(order: &mut Order) -> Result<(), Error> {
    let mut authorizations = order.authorizations();
    while let Some(found) = authorizations.next().await {
        let _ = found?;
    }
    Ok(())
}

async fn answer_all(
    order: &mut Order,
    kind: ChallengeKind,
    solver: &mut Solver,
) -> Result<(), Failure> {
    let wanted = match kind {
        ChallengeKind::Http01 => ChallengeType::Http01,
        ChallengeKind::TlsAlpn01 => ChallengeType::TlsAlpn01,
        ChallengeKind::Dns01 => ChallengeType::Dns01,
    };
    // Authorizations that were read stay in the order, so that a bad nonce among many names costs
    // one request and not the order.
    retry_bad_nonce!(read_authorizations(order)).map_err(Failure::at(Step::Challenge))?;
    let mut ready = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(found) = authorizations.next().await {
        let mut authorization = found.map_err(Failure::at(Step::Challenge))?;
        // CAs reuse authorizations: a name that was proven recently needs no challenge.
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        let Some(challenge) = authorization.challenge(wanted.clone()) else {
            let reason = format!("the CA does not offer {} for {name}", kind.as_str());
            return Err(Failure::new(Step::Challenge, reason));
        };
        let identifier = match challenge.identifier().identifier {
            Identifier::Dns(dns) => dns.clone(),
            other => other.authorized(false).to_string(),
        };
        solver
            .answer(
                &identifier,
                &challenge.token,
                &challenge.key_authorization(),
            )
            .await?;
        ready.push(challenge.url.clone());
    }
    // The CA may validate at once, so every answer must be visible before a challenge is ready.
    solver.settle().await?;
    let mut authorizations = order.authorizations();
    while let Some(found) = authorizations.next().await {
        let mut authorization = found.map_err(Failure::at(Step::Challenge))?;
        if let Some(mut challenge) = authorization.challenge(wanted.clone())
            && ready.contains(&challenge.url)
        {
            retry_bad_nonce!(challenge.set_ready()).map_err(Failure::at(Step::Challenge))?;
        }
    }
    Ok(())
}

/// Returns the CA's reason for each failed challenge, which is what an operator needs to fix it.
async fn failed_challenges(order: &mut Order, otherwise: &str) -> String {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if retry_bad_nonce!(async { authorization.refresh().await.map(drop) }).is_err() {
            continue;
        }
        let name = authorization.identifier().to_string();
        for challenge in &authorization.challenges {
            if let Some(error) = &challenge.error {
                let detail = error
                    .detail
                    .as_deref()
                    .or(error.r#type.as_deref())
                    .unwrap_or("no reason given");
                reasons.push(format!("{name}: {detail}"));
            }
        }
    }
    if reasons.is_empty() {
        otherwise.to_owned()
    } else {
        reasons.join("; ")
    }
}
