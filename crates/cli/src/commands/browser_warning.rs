//! Lines about the warning of a browser, printed before it opens the console: it warns if the local
//! CA signed the console's certificate and it does not trust that CA.

use super::trust::sudo_line;
use crate::trust::browser_stores;
use std::path::Path;
use tidegate_console::types::Certificate;
use tidegate_tls::LocalRoot;

/// Returns the lines about the browser's warning; none if there will be none.
pub fn lines(data: &Path, certificate: &Certificate) -> Vec<String> {
    let shown = certificate.console.as_deref().unwrap_or(certificate);
    if shown.trust != "local" || browsers_trust(data) {
        return Vec::new();
    }
    vec![
        "the browser warns first, because this server's own CA signed the console's certificate;"
            .to_owned(),
        "the certificate that it shows must have this SHA-256 fingerprint:".to_owned(),
        format!("  {}", shown.served.fingerprint),
        format!(
            "without a warning: {}, then restart the browser",
            sudo_line(data, "install")
        ),
    ]
}

/// Whether every browser of this user trusts the CA. Without a browser here, the one that opens the
/// console is on another machine, which knows nothing of the CA.
fn browsers_trust(data: &Path) -> bool {
    let Ok(Some(root)) = LocalRoot::current(data) else {
        return false;
    };
    let stores = browser_stores();
    !stores.is_empty()
        && stores
            .iter()
            .all(|store| store.trusts(&root).unwrap_or(false))
}
