//! The answer to a pasted string: the strings that verify, first in the form that was pasted.

use super::families::{Family, of_client};
use super::read_values::ReadValues;
use super::shape::StringShape;
use super::shown::ShownValues;
use super::{ExplainOptions, GENERAL, VerifyingForms};
use crate::ConnectError;
use crate::endpoint::{Endpoint, RenderOptions, bracketed};
use crate::quote::{Syntax, percent};
use crate::render::{Form, Rendered, render};
use crate::table::{Format, PasswordFrom, clients, platforms};
use std::path::PathBuf;
use tidegate_model::Trust;

/// Words that only texts of this client have, beside those of its driver.
const CLIENT_WORDS: &[(&str, &str)] = &[
    ("spring.datasource", "spring-boot"),
    ("datasource:", "spring-boot"),
    ("django.db", "django"),
    ("DB_CONNECTION=mysql", "laravel"),
    ("DB_USERNAME=", "laravel"),
    ("adapter: mysql2", "rails"),
    ("DB_NAME", "wordpress"),
    ("MYSQL_CLIENT_FLAGS", "wordpress"),
    ("typeorm", "typeorm"),
    ("DataSource(", "typeorm"),
    ("dialectOptions", "sequelize"),
    ("new Sequelize", "sequelize"),
    ("drizzle", "drizzle"),
    ("dbCredentials", "drizzle"),
    ("gorm.", "gorm"),
    ("PrismaMariaDb", "prisma"),
    ("jakarta.persistence", "hibernate"),
    ("hibernate.", "hibernate"),
    ("sqlalchemy", "sqlalchemy"),
    ("SQLALCHEMY", "sqlalchemy"),
    ("create_engine", "sqlalchemy"),
];

/// Returns the client whose strings are shown: the one that words of the text name, otherwise the
/// family's first one.
pub fn client_of(family: &Family, text: &str, values: &ReadValues) -> &'static str {
    let mut named = CLIENT_WORDS.iter();
    let by_word = named.find(|(word, id)| text.contains(*word) && belongs_to(id, family));
    let sqlalchemy = values.has("sqlalchemy").then_some("sqlalchemy");
    sqlalchemy
        .or(by_word.map(|(_, id)| *id))
        .or_else(|| known(family))
        .unwrap_or(GENERAL)
}

/// Whether a client's strings are of this family, or of a driver that the family is.
fn belongs_to(id: &str, family: &Family) -> bool {
    family.ids.contains(&id)
        || id == "prisma" && family.ids.contains(&"node-mariadb")
        || id == "sqlalchemy" && !family.drivers.is_empty()
}

/// Returns a family's first client that is in the table.
pub fn known(family: &Family) -> Option<&'static str> {
    let ids = family.ids.iter();
    ids.copied()
        .find(|id| clients().iter().any(|client| client.id == *id))
}

/// Renders the strings that verify, for the general list of values if the client is unknown.
pub fn verifying_forms(
    client: &str,
    shown: &ShownValues,
    shape: &StringShape,
    values: &ReadValues,
    ask: &ExplainOptions<'_>,
) -> Result<VerifyingForms, ConnectError> {
    // What a client in plain text sends, an attacker who offers no TLS can read.
    let client = if client == "aiomysql" {
        "asyncmy"
    } else {
        client
    };
    let endpoint = endpoint(shown, ask);
    // The result never contains a password.
    let wish = RenderOptions {
        password: None,
        ..ask.wish
    };
    let rendered = render(client, &endpoint, wish)?;
    let pasted = older_prisma(&endpoint, shape, values)
        .or_else(|| as_pasted(&rendered, shape))
        .or_else(|| {
            // Another client of the same driver may have such a form.
            let ids = of_client(client).map_or(&[] as &[_], |family| family.ids);
            let mut others = ids.iter().filter_map(|id| render(id, &endpoint, wish).ok());
            others.find_map(|other| as_pasted(&other, shape))
        });
    let first = rendered.forms.first().cloned();
    let literal = rendered
        .forms
        .iter()
        .find(|form| form.password == PasswordFrom::Literal)
        .cloned();
    let mut forms: Vec<Form> = Vec::new();
    for form in pasted.into_iter().chain(first).chain(literal) {
        if !forms.iter().any(|other| other.text == form.text) {
            forms.push(form);
        }
    }
    Ok(VerifyingForms {
        client: rendered.client,
        name: rendered.name,
        forms,
    })
}

fn endpoint(shown: &ShownValues, ask: &ExplainOptions<'_>) -> Endpoint {
    Endpoint {
        host: shown.host.as_deref().unwrap_or("HOST").to_owned(),
        // 3306 in a string is MySQL's default; this endpoint's default is 4000.
        port: shown.port.filter(|port| *port != 3306).unwrap_or(4000),
        user: shown.user.as_deref().unwrap_or("PREFIX.USER").to_owned(),
        database: shown.database.as_deref().unwrap_or("test").to_owned(),
        trust: ask.trust.cloned().unwrap_or_else(|| trust(shown, ask)),
    }
}

/// Returns the trust of the endpoint by the CA file that the string names, and by the server.
fn trust(shown: &ShownValues, ask: &ExplainOptions<'_>) -> Trust {
    let own = shown.ca.as_ref().filter(|path| !is_of_system(path));
    match (own, ask.server_trust, &shown.ca) {
        (Some(path), _, _) | (None, None, Some(path)) => Trust::Private(Some(PathBuf::from(path))),
        (None, Some(server), _) => server.clone(),
        (None, None, None) => Trust::Public,
    }
}

/// Whether this is the file in which some system keeps its roots.
fn is_of_system(path: &str) -> bool {
    platforms()
        .iter()
        .flat_map(|platform| std::iter::once(&platform.ca).chain(&platform.alternatives))
        .any(|file| file == path)
}

/// Returns a client's form in the shape of the pasted text.
fn as_pasted(rendered: &Rendered, shape: &StringShape) -> Option<Form> {
    let syntax = shape.syntax?;
    let mut forms = rendered.forms.iter();
    let address = forms
        .clone()
        .find(|form| is_of_scheme(form, shape))
        .or_else(|| forms.clone().find(|form| is_address(form)));
    if syntax == Syntax::Text {
        let string = forms.find(|form| form.id == "string");
        return address.or(string).cloned();
    }
    if let Some(form) = forms.find(|form| form.syntax == syntax) {
        return Some(form.clone());
    }
    let address = address?;
    Some(Form {
        id: "pasted".to_owned(),
        title: "As pasted".to_owned(),
        syntax,
        text: shape.wrapped(&address.text)?,
        ..address.clone()
    })
}

fn is_address(form: &Form) -> bool {
    form.format == Format::Url || ["url", "dsn"].contains(&form.id.as_str())
}

/// Whether the form is an address with the scheme of the pasted one.
fn is_of_scheme(form: &Form, shape: &StringShape) -> bool {
    let head = shape.scheme.as_ref().map(|scheme| format!("{scheme}://"));
    is_address(form) && head.is_some_and(|head| form.text.starts_with(&head))
}

/// Returns the address for Prisma 6 and older, whose options the table's Prisma 7 does not read.
fn older_prisma(endpoint: &Endpoint, shape: &StringShape, values: &ReadValues) -> Option<Form> {
    if !values.any(&["sslaccept", "sslcert"]) || shape.scheme.as_deref() != Some("mysql") {
        return None;
    }
    let file = endpoint.ca_file().ok()?;
    let ca = file.map_or_else(String::new, |file| format!("&sslcert={}", percent(file)));
    let url = format!(
        "mysql://{}:<your_password>@{}:{}/{}?sslaccept=strict{ca}",
        percent(&endpoint.user),
        bracketed(&endpoint.host),
        endpoint.port,
        percent(&endpoint.database),
    );
    Some(Form {
        id: "prisma-6".to_owned(),
        title: "Prisma 6 and older".to_owned(),
        syntax: shape.syntax.unwrap_or(Syntax::Text),
        format: Format::Url,
        password: PasswordFrom::Literal,
        text: shape.wrapped(&url).unwrap_or(url),
    })
}
