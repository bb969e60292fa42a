//! Our account at a CA: the one that is kept, or a new one. Never the key of a certificate.

use crate::acme::failure::{Failure, Step};
use crate::acme::http::{Https, Patience};
use crate::acme::limits::BAD_NONCE_TRIES;
use crate::acme::order::again;
use crate::acme::order::is_problem;
use crate::acme::settings::CaSettings;
use crate::acme::store::Store;
use crate::profile::{Roots, client_config};
use instant_acme::{Account, Error, NewAccount};

/// Our account at this CA.
pub async fn open(ca: &CaSettings, store: &Store, patience: &Patience) -> Result<Account, Failure> {
    let kept = store.account(&ca.directory).map_err(Failure::at(Step::Storage))?;
    match kept {
        Some(kept) => {
            let builder = Account::builder_with_http(https(ca, patience)?);
            builder.from_credentials(kept).await.map_err(Failure::said(Step::Directory))
        }
        None => create(ca, store, patience).await,
    }
}

/// A new account, kept.
pub async fn create(ca: &CaSettings, store: &Store, patience: &Patience) -> Result<Account, Failure> {
    let contact: Vec<String> = ca.email.iter().map(|email| format!("mailto:{email}")).collect();
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let wanted = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let create = || async {
        let https = https(ca, patience).map_err(|failure| Error::Other(failure.reason.into()))?;
        Account::builder_with_http(https).create(&wanted, ca.directory.clone(), None).await
    };
    let (account, credentials) = again!(create()).map_err(|error| {
        let step = if matches!(error, Error::Api(_)) { Step::Account } else { Step::Directory };
        Failure::said(step)(error)
    })?;
    store.keep_account(&ca.directory, &credentials).map_err(Failure::at(Step::Storage))?;
    Ok(account)
}

fn https(ca: &CaSettings, patience: &Patience) -> Result<Box<Https>, Failure> {
    let believed = match &ca.directory_ca {
        Some(file) => Roots::file(file),
        None => Roots::Mozilla,
    };
    let tls = client_config(believed).map_err(Failure::at(Step::Directory))?;
    Ok(Box::new(Https { tls, patience: patience.clone() }))
}
