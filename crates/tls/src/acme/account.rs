//! The server's account at a CA: loads the stored one or creates one.

use crate::acme::failure::{Failure, Step};
use crate::acme::http::{Https, RetryAfter};
use crate::acme::limits::BAD_NONCE_TRIES;
use crate::acme::order::is_problem;
use crate::acme::order::retry_bad_nonce;
use crate::acme::settings::{CaSettings, ExternalAccount};
use crate::acme::store::AcmeFiles;
use crate::profile::{Roots, client_config};
use crate::state;
use data_encoding::BASE64URL_NOPAD;
use hyper::Request;
use hyper::header::USER_AGENT;
use instant_acme::{
    Account, AccountCredentials, BodyWrapper, Error, ExternalAccountKey, HttpClient, NewAccount,
};
use zeroize::Zeroizing;

/// User-Agent of requests to CAs.
const AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// Loads the account at this CA, or creates one.
pub async fn open(
    ca: &CaSettings,
    store: &AcmeFiles,
    patience: &RetryAfter,
) -> Result<Account, Failure> {
    let kept = store
        .account(&ca.directory)
        .map_err(Failure::at(Step::Storage))?;
    match kept {
        Some(kept) => {
            let builder = Account::builder_with_http(https(ca, patience)?);
            builder
                .from_credentials(kept)
                .await
                .map_err(Failure::said(Step::Directory))
        }
        None => create(ca, store, patience).await,
    }
}

/// Loads the stored account, if there is one and the CA answers.
pub async fn open_kept(ca: &CaSettings, store: &AcmeFiles) -> Option<Account> {
    let kept = store.account(&ca.directory).ok()??;
    Account::builder_with_http(https(ca, &RetryAfter::default()).ok()?)
        .from_credentials(kept)
        .await
        .ok()
}

/// Checks that the CA's directory answers.
pub async fn directory(ca: &CaSettings) -> Result<String, Failure> {
    let https = https(ca, &RetryAfter::default())?;
    let request = Request::get(&ca.directory)
        .header(USER_AGENT, AGENT)
        .body(BodyWrapper::default())
        .map_err(Failure::at(Step::Directory))?;
    let response = https
        .request(request)
        .await
        .map_err(Failure::at(Step::Directory))?;
    let status = response.parts.status;
    if status.is_success() {
        Ok("answers".to_owned())
    } else {
        Err(Failure::new(Step::Directory, format!("answers {status}")))
    }
}

/// Creates an account and stores it.
pub async fn create(
    ca: &CaSettings,
    store: &AcmeFiles,
    patience: &RetryAfter,
) -> Result<Account, Failure> {
    let contact: Vec<String> = ca
        .email
        .iter()
        .map(|email| format!("mailto:{email}"))
        .collect();
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let wanted = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let bound = ca.eab.as_ref().map(external).transpose()?;
    let created = retry_bad_nonce!(create_account(ca, patience, &wanted, bound.as_ref()));
    let (account, credentials) = created.map_err(|error| {
        // An API error is the CA's answer about the account; any other is a fault on the way to it.
        let step = if matches!(error, Error::Api(_)) {
            Step::Account
        } else {
            Step::Directory
        };
        Failure::said(step)(error)
    })?;
    store
        .keep_account(&ca.directory, &credentials)
        .map_err(Failure::at(Step::Storage))?;
    Ok(account)
}

/// Asks the CA for a new account, over a new connection.
async fn create_account(
    ca: &CaSettings,
    patience: &RetryAfter,
    wanted: &NewAccount<'_>,
    bound: Option<&ExternalAccountKey>,
) -> Result<(Account, AccountCredentials), Error> {
    let https = https(ca, patience).map_err(|failure| Error::Other(failure.reason.into()))?;
    Account::builder_with_http(https)
        .create(wanted, ca.directory.clone(), bound)
        .await
}

/// Reads the key of an external account binding from its file.
fn external(eab: &ExternalAccount) -> Result<ExternalAccountKey, Failure> {
    let read = state::read(&eab.key_file).map_err(Failure::at(Step::Account))?;
    let text = read.trim_ascii();
    // The key has no padding (RFC 8555, 7.3.4), but one that was padded is accepted too.
    let text = text.split(|byte| *byte == b'=').next().unwrap_or_default();
    let key = BASE64URL_NOPAD.decode(text).map(Zeroizing::new);
    let key = key.map_err(|_| {
        Failure::new(
            Step::Account,
            format!("{} is not base64url", eab.key_file.display()),
        )
    })?;
    Ok(ExternalAccountKey::new(eab.key_id.clone(), &key))
}

fn https(ca: &CaSettings, patience: &RetryAfter) -> Result<Box<Https>, Failure> {
    let believed = match &ca.directory_ca {
        Some(file) => Roots::file(file),
        None => Roots::Mozilla,
    };
    let tls = client_config(believed).map_err(Failure::at(Step::Directory))?;
    Ok(Box::new(Https {
        tls,
        patience: patience.clone(),
    }))
}
