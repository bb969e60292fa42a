//! Our account at a CA: the one that is kept, or a new one. Never the key of a certificate.

use crate::acme::failure::{Failure, Step};
use crate::acme::http::{Https, Patience};
use crate::acme::limits::BAD_NONCE_TRIES;
use crate::acme::order::again;
use crate::acme::order::is_problem;
use crate::acme::settings::{CaSettings, ExternalAccount};
use crate::acme::store::Store;
use crate::profile::{Roots, client_config};
use crate::state;
use data_encoding::BASE64URL_NOPAD;
use hyper::Request;
use hyper::header::USER_AGENT;
use instant_acme::{Account, BodyWrapper, Error, ExternalAccountKey, HttpClient, NewAccount};
use zeroize::Zeroizing;

/// CAs want to know what asks them.
const AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// Our account at this CA.
pub async fn open(ca: &CaSettings, store: &Store, patience: &Patience) -> Result<Account, Failure> {
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

/// The account that is kept, if there is one and the CA answers.
pub async fn open_kept(ca: &CaSettings, store: &Store) -> Option<Account> {
    let kept = store.account(&ca.directory).ok()??;
    Account::builder_with_http(https(ca, &Patience::default()).ok()?)
        .from_credentials(kept)
        .await
        .ok()
}

/// Whether the CA answers at all.
pub async fn directory(ca: &CaSettings) -> Result<String, String> {
    let https = https(ca, &Patience::default()).map_err(|failure| failure.reason)?;
    let request = Request::get(&ca.directory)
        .header(USER_AGENT, AGENT)
        .body(BodyWrapper::default());
    let said = https
        .request(request.map_err(|error| error.to_string())?)
        .await
        .map_err(|error| error.to_string())?;
    let status = said.parts.status;
    if status.is_success() {
        Ok("answers".to_owned())
    } else {
        Err(format!("answers {status}"))
    }
}

/// A new account, kept.
pub async fn create(
    ca: &CaSettings,
    store: &Store,
    patience: &Patience,
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
    let create = || async {
        let https = https(ca, patience).map_err(|failure| Error::Other(failure.reason.into()))?;
        Account::builder_with_http(https)
            .create(&wanted, ca.directory.clone(), bound.as_ref())
            .await
    };
    let (account, credentials) = again!(create()).map_err(|error| {
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

/// The external account's key, from the file the user put it in.
fn external(eab: &ExternalAccount) -> Result<ExternalAccountKey, Failure> {
    let read = state::read(&eab.key_file).map_err(Failure::at(Step::Account))?;
    let text = read.trim_ascii();
    let text = text.split(|byte| *byte == b'=').next().unwrap_or_default();
    let key = BASE64URL_NOPAD.decode(text).map(Zeroizing::new);
    let key = key.map_err(|_| {
        Failure::new(
            Step::Account,
            format!("{} holds no base64url", eab.key_file.display()),
        )
    })?;
    Ok(ExternalAccountKey::new(eab.key_id.clone(), &key))
}

fn https(ca: &CaSettings, patience: &Patience) -> Result<Box<Https>, Failure> {
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
