//! The guide "Connect securely" in Markdown, made from the table of clients. The caller compares or
//! saves it.

use crate::endpoint::{Endpoint, RenderOptions};
use crate::render::{Form, Rendered, render};
use crate::table::{CaNeed, Client, Format, PasswordFrom, all_platforms, clients, platforms};
use std::fmt::Write;
use tidegate_model::Trust;

const MADE: &str = "<!-- Made from the table of clients (crates/connect); change it there. -->\n";

const HEAD: &str = r"
# Connect securely

This page is for everybody who connects a client or an application to a Tidegate endpoint. Every
connection uses TLS, and every string here makes its client verify the server: a CA that the client
trusts must have signed the certificate, and the certificate must contain the host's name.
`tidegate connect NAME --with CLIENT --os OS` prints the same strings with your endpoint filled in,
and `tidegate connect --explain -` tells what an existing string verifies. What each client really
checks was measured: [Which clients verify what](verification.md).

## Can TLS be turned off?

No. A connection that does not request TLS is refused with error 3159 before a login is read, and no
setting of the server changes that: a password that crosses a network in clear text must be
considered stolen. The [page of that error](refusals/insecure-transport.md) has the fix for each
client.

## Which TLS versions are supported?

TLS 1.2 and 1.3; older versions are refused. Client and server use 1.3 if both support it. To
require it, add `--tls 1.3` to `tidegate connect`: the string then requires 1.3, for every client
that can. An operator may allow only one of the two versions (`tls.versions`).

## Which certificates do I need?

It depends on who signed the server's certificate. `tidegate connect` knows that, and its strings
differ.

- **A public CA** (a public host, by ACME): nothing to download. The roots are on your machine
  already. Clients that read the system's store need no path; for others the string names the file
  where [your platform](#where-are-the-ca-roots-on-my-system) has them. The CA may change its root or
  issuer at any renewal, so no CA file is offered for download: it would become outdated.
- **A company's own CA**: the file that your company distributes. The string names it if the
  operator configured it (`tls.ca`).
- **The local CA** (on your own machine, as `tidegate up` creates it): the file `ca.pem` in the
  server's data directory. `tidegate trust install` adds it to the machine's trust store instead;
  with `--ca system` the string then has no path.

## Can the server verify the client's certificate?

No. TLS is one-way here: the client verifies the server, and proves its own identity by user name
and password inside TLS. The server never asks for a client certificate; a configured one
(`--ssl-cert`, `--ssl-key`) is ignored.

## Which user name do I use?

One endpoint serves many clusters. The user name selects one: `<prefix>.<user>`, such as
`abcdefghjkmn.root`. The port is 4000, the first database `test`. A sleeping cluster wakes at the
login, in about a tenth of a second.
";

/// Returns the whole guide.
pub fn guide() -> String {
    let mut page = format!("{MADE}{HEAD}\n## Strings by client\n\n");
    page.push_str(
        "For an endpoint with a publicly trusted certificate, on Debian or Ubuntu. The first form \
         reads the password from the environment variable `TIDEGATE_PASSWORD` or asks for it; the \
         second one contains it.\n",
    );
    for client in clients() {
        page.push_str(&section(client));
    }
    page.push_str(&roots());
    page
}

fn example(trust: Trust) -> Endpoint {
    Endpoint {
        host: "db.example.com".to_owned(),
        port: 4000,
        user: "abcdefghjkmn.root".to_owned(),
        database: "test".to_owned(),
        trust,
    }
}

fn section(client: &Client) -> String {
    // The client is in the table, so rendering never fails.
    let Ok(rendered) = render(
        &client.id,
        &example(Trust::Public),
        RenderOptions::default(),
    ) else {
        return String::new();
    };
    let Rendered {
        name,
        language,
        install,
        minimum_version,
        ..
    } = rendered;
    let mut out = format!(
        "\n### {name}\n\n\
         - Option: `--with {}`\n\
         - Language: {language}\n\
         - Minimum version: {minimum_version}\n\
         - Install: {install}\n",
        client.id
    );
    if let Some(text) = rendered.no_form_verifies {
        let _ = write!(out, "\n**{text}**\n");
    }
    for form in &rendered.forms {
        let _ = write!(
            out,
            "\n{}:\n\n{}",
            title(form),
            fenced(form.syntax.fence(), &form.text)
        );
    }
    let store = match client.ca {
        CaNeed::Always => "It never reads the system's store, so the string always names the file.",
        CaNeed::Private => {
            "It finds public roots by itself; for another CA the string names the file."
        }
        CaNeed::Store => "It reads the system's store and accepts no file.",
    };
    let _ = write!(out, "\n- {store}\n");
    for note in &client.notes {
        let _ = writeln!(out, "- {note}");
    }
    if !client.tls13 {
        out.push_str("- Its string can't require TLS 1.3.\n");
    }
    if !client.verifies.address {
        out.push_str(
            "- It does not check an IP address against the certificate: connect by name.\n",
        );
    }
    if let Some(why) = &client.not_run {
        let _ = writeln!(out, "- Not run: {why}.");
    }
    out.push_str(&local_difference(client, &rendered.forms));
    out
}

fn title(form: &Form) -> String {
    let password = match form.password {
        PasswordFrom::Env => ", password from the environment",
        PasswordFrom::Apart => ", without the password",
        PasswordFrom::Literal if form.format != Format::Env => ", password in the text",
        _ => "",
    };
    format!("{}{password}", form.title)
}

fn fenced(language: &str, text: &str) -> String {
    format!("```{language}\n{text}\n```\n")
}

/// Returns the first form with a CA file, if it differs from the public one.
fn local_difference(client: &Client, public: &[Form]) -> String {
    let with_file = example(Trust::Local("ca.pem".into()));
    let Ok(local) = render(&client.id, &with_file, RenderOptions::default()) else {
        return String::new();
    };
    let (Some(form), Some(same)) = (local.forms.first(), public.first()) else {
        return String::new();
    };
    if form.text == same.text {
        return String::new();
    }
    let mut out = "\nWith a CA file (local or private trust):\n\n".to_owned();
    if let Some(setup) = &local.setup {
        out.push_str(&fenced(setup.syntax.fence(), &setup.text));
        out.push('\n');
    }
    out.push_str(&fenced(form.syntax.fence(), &form.text));
    out
}

fn roots() -> String {
    let mut out = String::from(
        "\n## Where are the CA roots on my system?\n\n\
         Each file contains all roots that the system trusts, as PEM.\n\n\
         | platform | `--os` | file | also there | known from |\n| --- | --- | --- | --- | --- |\n",
    );
    for platform in platforms() {
        let also: Vec<_> = platform
            .alternatives
            .iter()
            .map(|path| format!("`{path}`"))
            .collect();
        let from = if platform.run {
            "a client read it in the tests"
        } else {
            "documentation"
        };
        let labels = all_platforms()
            .iter()
            .filter(|other| other.base() == platform.id)
            .map(|other| format!("`{}`", other.id));
        let _ = writeln!(
            out,
            "| {} | {} | `{}` | {} | {from} |",
            platform.name,
            labels.collect::<Vec<_>>().join(", "),
            platform.ca,
            also.join(", ")
        );
    }
    out.push('\n');
    for platform in platforms() {
        if let Some(note) = &platform.note {
            let _ = writeln!(out, "- {}: {note}", platform.name);
        }
    }
    out
}
