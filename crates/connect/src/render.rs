//! Rendering of connection strings from the table and an endpoint. No string verifies less than its
//! template, and only the literal forms contain a password.

use crate::ConnectError;
use crate::endpoint::{Endpoint, RenderOptions, TlsMinimum, bracketed};
use crate::names::{client, platform};
use crate::quote::{Syntax, percent};
use crate::table::{
    CaNeed, Client, Fails, FormTemplate, Format, PasswordFrom, Platform, Setting, Verifies,
};
use crate::template::fill;
use minijinja::value::Value;
use serde::Serialize;
use std::collections::BTreeMap;
use tidegate_model::Trust;

/// Environment variable from which the first form of most clients reads the password.
pub const PASSWORD_VARIABLE: &str = "TIDEGATE_PASSWORD";

/// Placeholder for an unknown password in a literal form.
const PASSWORD_PLACEHOLDER: &str = "<your_password>";

/// Everything about one client: strings, notes and facts, for the terminal, JSON and pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rendered {
    pub client: &'static str,
    pub name: &'static str,
    pub language: &'static str,
    pub install: &'static str,
    pub minimum_version: &'static str,
    pub platform: &'static str,
    /// `public`, `private` or `local`.
    pub trust: &'static str,
    /// Oldest TLS version that the strings accept.
    pub tls: String,
    /// CA file that the strings name, if any.
    pub ca: Option<String>,
    pub verifies: Verifies,
    pub no_form_verifies: Option<&'static str>,
    pub not_run: Option<&'static str>,
    /// Setup that is done once, before connecting.
    pub setup: Option<Block>,
    /// Strings, best first.
    pub forms: Vec<Form>,
    pub notes: Vec<String>,
    pub fails: &'static [Fails],
}

/// A piece of text in some language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Block {
    pub syntax: Syntax,
    pub text: String,
}

/// A string to copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Form {
    pub id: String,
    pub title: String,
    pub syntax: Syntax,
    pub format: Format,
    pub password: PasswordFrom,
    pub text: String,
}

/// Renders everything about one client for this endpoint.
///
/// # Errors
/// If client or platform is unknown, a value has control characters, or the client's string can't
/// require TLS 1.3 as requested.
pub fn render(
    client_id: &str,
    endpoint: &Endpoint,
    wish: RenderOptions<'_>,
) -> Result<Rendered, ConnectError> {
    let client = client(client_id)?;
    let platform = platform(wish.os)?;
    endpoint.refuse_control_characters()?;
    let trust = endpoint.trust.word();
    let copied = copied_ca(endpoint, platform, wish)?;
    let unnamed = endpoint.unnamed_host(wish);
    let endpoint = &match &copied {
        Some(copy) => Endpoint {
            trust: Trust::Private(Some(copy.to.clone().into())),
            ..endpoint.clone()
        },
        None => endpoint.clone(),
    };
    if wish.tls == TlsMinimum::Tls13 && !client.tls13 {
        return Err(ConnectError::NoTlsMinimum {
            client: client.name.clone(),
        });
    }
    let ca = ca_file(client, endpoint, platform)?;
    let values = values(endpoint, ca.as_deref(), platform, wish.tls);
    let setup = client.setup.as_ref().map(|setup| {
        let syntax = shells(setup.syntax, platform)
            .next()
            .unwrap_or(setup.syntax);
        let text =
            fill(syntax, &setup.text, &values).map_err(|error| bad_template(client, &error))?;
        Ok((!text.is_empty()).then_some(Block { syntax, text }))
    });
    let mut forms = Vec::new();
    for template in &client.forms {
        for &from in &template.password {
            for syntax in shells(template.syntax, platform) {
                let form = form(client, template, syntax, from, &values, wish.password)?;
                // A template is empty if its form can't verify this endpoint, for example a short
                // form.
                if !form.text.is_empty() {
                    forms.push(form);
                }
            }
        }
    }
    Ok(Rendered {
        client: &client.id,
        name: &client.name,
        language: &client.language,
        install: client
            .packages
            .get(&platform.packages)
            .unwrap_or(&client.install),
        minimum_version: &client.minimum_version,
        platform: &platform.id,
        trust,
        tls: wish.tls.to_string(),
        notes: unnamed
            .into_iter()
            .chain(copied.map(|copy| copy.note()))
            .chain(notes(client, endpoint, platform, ca.as_deref()))
            .collect(),
        ca,
        verifies: client.verifies,
        no_form_verifies: client.no_form_verifies.as_deref(),
        not_run: client.not_run.as_deref(),
        setup: setup.transpose()?.flatten(),
        forms,
        fails: &client.fails,
    })
}

/// Returns the words of a command-line client's first form for `exec`, the program's name first.
/// They contain no password: the client asks for it (`-p`).
///
/// # Errors
/// As [`render`], and if the client has no command line.
pub fn argv(client_id: &str, endpoint: &Endpoint) -> Result<Vec<String>, ConnectError> {
    let rendered = render(client_id, endpoint, RenderOptions::default())?;
    rendered
        .forms
        .iter()
        .find(|form| form.syntax == Syntax::Sh && form.password == PasswordFrom::Asked)
        .and_then(|form| shlex::split(&form.text))
        .ok_or_else(|| ConnectError::NoCommandLine {
            client: rendered.name.to_owned(),
        })
}

/// Copy of the endpoint's CA file on the client's machine.
struct CopiedCa {
    from: String,
    to: String,
}

impl CopiedCa {
    fn note(&self) -> String {
        format!(
            "The CA file is {} on the server's machine: copy it to {} on the client's.",
            self.from, self.to
        )
    }
}

/// Returns the copy that the client needs, if it is on another platform than the CA file.
fn copied_ca(
    endpoint: &Endpoint,
    platform: &Platform,
    wish: RenderOptions<'_>,
) -> Result<Option<CopiedCa>, ConnectError> {
    let Some(file) = endpoint.ca_file()?.filter(|_| wish.os.is_some()) else {
        return Ok(None);
    };
    let machine = wish
        .ca_machine
        .and_then(|id| crate::names::platform(Some(id)).ok());
    // The server runs on Linux only, so the file is not on another system even if the distribution
    // is not known.
    let is_elsewhere = platform.hosted
        || machine.map_or(!platform.linux, |machine| machine.base() != platform.base());
    Ok(
        (wish.ca_machine.is_some() && is_elsewhere).then(|| CopiedCa {
            from: file.to_owned(),
            to: platform.own_ca.clone(),
        }),
    )
}

/// Returns the languages in which a form is written on a platform: a shell's form for both shells
/// of Windows.
fn shells(syntax: Syntax, platform: &Platform) -> impl Iterator<Item = Syntax> {
    let shells: &[Syntax] = match (syntax, platform.base()) {
        (Syntax::Sh, "windows") => &[Syntax::Powershell, Syntax::Cmd],
        _ => &[],
    };
    let own = shells.is_empty().then_some(syntax);
    own.into_iter().chain(shells.iter().copied())
}

fn form(
    client: &Client,
    template: &FormTemplate,
    syntax: Syntax,
    from: PasswordFrom,
    values: &BTreeMap<&'static str, Value>,
    password: Option<&str>,
) -> Result<Form, ConnectError> {
    let mut values = values.clone();
    values.insert("env", Value::from(from == PasswordFrom::Env));
    match from {
        PasswordFrom::Literal => {
            values.insert(
                "password",
                Value::from(password.unwrap_or(PASSWORD_PLACEHOLDER)),
            );
        }
        PasswordFrom::Env => {
            if let Some(expression) = &template.env_password {
                values.insert("password", Value::from_safe_string(expression.clone()));
            }
        }
        PasswordFrom::Asked | PasswordFrom::Apart => {}
    }
    let mut text =
        fill(syntax, &template.text, &values).map_err(|error| bad_template(client, &error))?;
    if password.is_none() {
        // People replace the placeholder, so it stays readable in a URL too.
        text = text.replace(&percent(PASSWORD_PLACEHOLDER), PASSWORD_PLACEHOLDER);
    }
    let suffix = match from {
        PasswordFrom::Literal if template.password.len() > 1 => "-literal",
        _ => "",
    };
    let shell = match syntax {
        Syntax::Powershell => Some("PowerShell"),
        Syntax::Cmd => Some("cmd"),
        _ => None,
    };
    let of_cmd = if syntax == Syntax::Cmd { "-cmd" } else { "" };
    Ok(Form {
        id: format!("{}{suffix}{of_cmd}", template.id),
        title: shell.map_or_else(
            || template.title.clone(),
            |shell| format!("{}, {shell}", template.title),
        ),
        syntax,
        format: template.format,
        password: from,
        text,
    })
}

fn bad_template(client: &Client, error: &minijinja::Error) -> ConnectError {
    ConnectError::BadTemplate {
        client: client.id.clone(),
        reason: error.to_string(),
    }
}

/// Returns the values that a template may use.
fn values(
    endpoint: &Endpoint,
    ca: Option<&str>,
    platform: &Platform,
    tls: TlsMinimum,
) -> BTreeMap<&'static str, Value> {
    let mut values = BTreeMap::from([
        ("host", Value::from(endpoint.host.as_str())),
        ("authority", Value::from(bracketed(&endpoint.host))),
        ("port", Value::from(endpoint.port)),
        ("user", Value::from(endpoint.user.as_str())),
        ("database", Value::from(endpoint.database.as_str())),
        ("os", Value::from(platform.base())),
        ("tls13", Value::from(tls == TlsMinimum::Tls13)),
        (
            "is_address",
            Value::from(endpoint.host.parse::<std::net::IpAddr>().is_ok()),
        ),
    ]);
    if let Some(ca) = ca {
        values.insert("ca", Value::from(ca));
    }
    values
}

/// Returns the CA file to name in the string, if the client needs one.
fn ca_file(
    client: &Client,
    endpoint: &Endpoint,
    platform: &Platform,
) -> Result<Option<String>, ConnectError> {
    let file = endpoint.ca_file()?;
    Ok(match client.ca {
        CaNeed::Always => Some(file.unwrap_or(&platform.ca).to_owned()),
        CaNeed::Private => file.map(str::to_owned),
        CaNeed::Store => None,
    })
}

fn notes(
    client: &Client,
    endpoint: &Endpoint,
    platform: &Platform,
    ca: Option<&str>,
) -> Vec<String> {
    let mut notes = client.notes.clone();
    let own_ca = endpoint.trust.ca_path().is_some();
    if own_ca && client.ca == CaNeed::Store {
        notes.push(
            "It accepts no CA file: add the CA to the machine's trust store first (on the server's \
             machine, `tidegate trust install`)."
                .to_owned(),
        );
    } else if own_ca {
        notes.push(
            "On another machine, copy the CA file there and give its path instead.".to_owned(),
        );
    } else if ca.is_some() {
        notes.extend(platform.note.clone());
    }
    if client
        .forms
        .iter()
        .any(|form| form.password.contains(&PasswordFrom::Env))
    {
        notes.push(format!(
            "The password is read from the environment variable {PASSWORD_VARIABLE}; the literal \
             form contains it."
        ));
    }
    if !client.tls13 {
        notes.push(
            "Its string can't require TLS 1.3; client and server use it if both support it."
                .to_owned(),
        );
    }
    if let Ok(true) = endpoint
        .host
        .parse::<std::net::IpAddr>()
        .map(|_| !client.verifies.address)
    {
        notes.push(
            "It does not check an IP address against the certificate: connect by name.".to_owned(),
        );
    }
    notes
}

impl Rendered {
    /// Returns the first form of this format.
    pub fn first(&self, format: Format) -> Option<&Form> {
        self.forms.iter().find(|form| form.format == format)
    }

    /// Returns the client's error text for this setting, if the table has it.
    pub fn error_text(&self, setting: Setting) -> Option<&'static str> {
        self.fails
            .iter()
            .find(|fails| fails.setting == setting)
            .map(|fails| fails.looks.as_str())
    }
}
