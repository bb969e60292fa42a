//! View of the Connect page.

use crate::pages::cluster_row::ClusterRow;
use crate::pages::frame::Frame;
use crate::pages::words::filters;
use crate::types::Secret;
use askama::Template;
use tidegate_connect::{Form, PasswordFrom, Platform, Rendered, Setting};

/// Choice on the Connect page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientChoice {
    pub with: String,
    pub os: String,
    pub tls: String,
}

/// Clients of one language, in the order of the table of clients.
pub struct ClientGroup {
    pub language: &'static str,
    pub clients: Vec<&'static tidegate_connect::Client>,
}

pub struct FormView {
    pub dom_id: String,
    pub title: String,
    pub text: String,
    pub password: PasswordFrom,
}

impl From<&Form> for FormView {
    fn from(form: &Form) -> Self {
        Self {
            dom_id: format!("form-{}", form.id),
            title: form.title.clone(),
            text: form.text.clone(),
            password: form.password,
        }
    }
}

impl FormView {
    pub fn password_word(&self) -> &'static str {
        match self.password {
            PasswordFrom::Env => "password from an environment variable",
            PasswordFrom::Literal => "password in the string",
            PasswordFrom::Asked => "asks for the password",
            PasswordFrom::Apart => "without the password, which is entered separately",
        }
    }
}

/// Error message of the client for a wrong setting.
pub struct FailsView {
    pub when: &'static str,
    pub looks: &'static str,
}

impl From<&'static tidegate_connect::Fails> for FailsView {
    fn from(fails: &'static tidegate_connect::Fails) -> Self {
        let when = match fails.setting {
            Setting::Off => "TLS is disabled",
            Setting::Impostor => "The server's certificate is from another CA",
            Setting::WrongName => "The host name is not in the certificate",
            Setting::WrongAddress => "The IP address is not in the certificate",
            Setting::NoCa => "No CA file is set",
            Setting::NoTlsOffered => "The server offers no TLS",
            Setting::OnlyTls12 => "TLS 1.3 is required and the server has only 1.2",
        };
        Self {
            when,
            looks: &fails.looks,
        }
    }
}

/// Step of the connection test.
pub struct StepView {
    pub name: String,
    pub ok: bool,
    pub ms: Option<u64>,
    pub detail: String,
}

impl StepView {
    pub fn class(&self) -> &'static str {
        if self.ok { "good" } else { "bad" }
    }
}

#[derive(Template)]
#[template(path = "connect.html")]
pub struct ConnectPage {
    pub frame: Frame,
    pub row: ClusterRow,
    pub wish: ClientChoice,
    pub clients: Vec<ClientGroup>,
    pub platforms: &'static [Platform],
    pub strings: Result<Rendered, String>,
    /// Only in the answer to the request that created it, and in answers to a form that sent it
    /// back.
    pub password: Option<Secret>,
    /// Whether the cluster was just created, so that nobody uses its password yet.
    pub fresh: bool,
    pub trust: &'static str,
    pub ca_offered: bool,
    pub steps: Vec<StepView>,
}

impl ConnectPage {
    pub fn forms(&self) -> Vec<FormView> {
        let forms = self.strings.iter().flat_map(|strings| &strings.forms);
        forms.map(FormView::from).collect()
    }

    pub fn fails(&self) -> Vec<FailsView> {
        let fails = self.strings.iter().flat_map(|strings| strings.fails);
        fails.map(FailsView::from).collect()
    }
}

/// Returns all clients by language. Languages are in the order of their first client.
pub fn client_groups() -> Vec<ClientGroup> {
    let mut groups: Vec<ClientGroup> = Vec::new();
    for client in tidegate_connect::clients() {
        match groups
            .iter_mut()
            .find(|group| group.language == client.language)
        {
            Some(group) => group.clients.push(client),
            None => groups.push(ClientGroup {
                language: &client.language,
                clients: vec![client],
            }),
        }
    }
    groups
}
