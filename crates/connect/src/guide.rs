//! The guide "Connect securely", in Markdown, from the same table as every string. Never written
//! here: the caller compares or saves it.

use crate::endpoint::{Endpoint, Wish};
use crate::render::{Form, Rendered, render};
use crate::table::{CaNeed, Client, Format, PasswordFrom, clients, platforms};
use std::fmt::Write;
use tidegate_model::Trust;

const MADE: &str = "<!-- Made from the table of clients (crates/connect); change it there. -->\n";

const HEAD: &str = r"
# Connect securely

Every connection to a Tidegate endpoint is made over TLS, and every string here makes its client verify whom it talks
to: that a CA it trusts has signed the certificate, and that the certificate carries the host's name. `tidegate connect
NAME --with CLIENT --os OS` prints the same strings with your endpoint filled in, and `tidegate connect --explain -`
says what a string that you already have does verify. Which client really checks what was measured:
[Which clients verify what](verification.md).

## Can TLS be turned off?

No. A connection that does not ask for TLS is refused with error 3159 before a login is read, and no setting of the
server changes that: a password that crosses a network in clear text is lost, whatever comes after. The
[page of that error](refusals/insecure-transport.md) has the mend for each client.

## Which TLS versions are there?

1.2 and 1.3, nothing older. Both sides agree on 1.3 where both can. A client may insist on it: add `--tls 1.3` to
`tidegate connect`, and the string says so wherever that client can. An operator may allow only one of them
(`tls.versions`).

## Which certificates do I need?

It depends on who signed the server's certificate; `tidegate connect` knows, and its strings differ.

- **A public CA** (a public host, by ACME): nothing to download. The roots are on your machine already. Clients that
  read the system's store need no path; for others the string names the file where [your platform](#where-are-the-ca-roots-on-my-system)
  keeps them. The CA may change its root or issuer at any renewal, which is why no CA file is offered: one would only
  grow old.
- **A company's own CA**: the file that your company hands out. The string names it if the operator did (`tls.ca`).
- **The local CA** (on your own machine, as `tidegate up` makes it): the file `ca.pem` in the server's data directory.
  `tidegate trust install` puts it into the machine's own store instead, and `--ca system` then leaves the path out.

## Can the server verify the client's certificate?

No. TLS is one-way here: the client verifies the server, and proves itself by user name and password inside TLS. A
client certificate is never asked for; one that is configured (`--ssl-cert`, `--ssl-key`) is not looked at.

## Who am I?

One endpoint serves many clusters. The user name says which: `<prefix>.<user>`, such as `abcdefghjkmn.root`. The port is
4000, the first database `test`. A cluster that sleeps wakes at the login, in about a tenth of a second.
";

/// The whole guide.
pub fn guide() -> String {
    let mut page = format!("{MADE}{HEAD}\n## Strings by client\n\n");
    page.push_str(
        "For an endpoint with a publicly trusted certificate, on Debian or Ubuntu. The first form reads the password from \
         the environment variable `TIDEGATE_PASSWORD` or asks for it; the literal one stands second.\n",
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
    // Only a client of the table is asked for, so there is always a string.
    let Ok(rendered) = render(&client.id, &example(Trust::Public), Wish::default()) else {
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
        "\n### {name}\n\n`--with {}`, {language}, from {minimum_version} on. Install: {install}\n",
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
        CaNeed::Always => "It never reads the system's store: the path is always named.",
        CaNeed::Private => {
            "It finds public roots by itself; for another CA the string names the file."
        }
        CaNeed::Store => "It reads the system's store and takes no file.",
    };
    let _ = write!(out, "\n- {store}\n");
    for note in &client.notes {
        let _ = writeln!(out, "- {note}");
    }
    if !client.tls13 {
        out.push_str("- Its string can't insist on TLS 1.3.\n");
    }
    if !client.verifies.address {
        out.push_str(
            "- It does not check an IP address against the certificate: connect by a name.\n",
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
        PasswordFrom::Literal if form.format != Format::Env => ", password in the text",
        _ => "",
    };
    format!("{}{password}", form.title)
}

fn fenced(language: &str, text: &str) -> String {
    format!("```{language}\n{text}\n```\n")
}

/// The first form with a CA file, where that is another string.
fn local_difference(client: &Client, public: &[Form]) -> String {
    let with_file = example(Trust::Local("ca.pem".into()));
    let Ok(local) = render(&client.id, &with_file, Wish::default()) else {
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
        "\n## Where are the CA roots on my system?\n\nEach file holds all roots that the system trusts, as PEM.\n\n\
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
        let _ = writeln!(
            out,
            "| {} | `{}` | `{}` | {} | {from} |",
            platform.name,
            platform.id,
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
