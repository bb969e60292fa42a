//! Tests of strings for a client on another machine than the server: install line, quoting, the
//! path of the CA file, and a host that the certificate does not contain.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic; that is how it fails"
)]

use std::collections::BTreeSet;
use tidegate_connect::{CaNeed, Endpoint, RenderOptions, Rendered, Syntax, clients, render};
use tidegate_model::Trust;

const CA: &str = "/var/lib/tidegate/ca.pem";

fn endpoint() -> Endpoint {
    Endpoint {
        host: "db.example.com".to_owned(),
        port: 4000,
        user: "abcdefghjkmn.root".to_owned(),
        database: "test".to_owned(),
        trust: Trust::Local(CA.into()),
    }
}

/// Renders a client's strings for a platform; the server runs on Debian.
fn on(client: &str, os: &str) -> Rendered {
    let wish = RenderOptions {
        os: Some(os),
        ca_machine: Some("debian"),
        ..RenderOptions::default()
    };
    render(client, &endpoint(), wish).unwrap()
}

#[test]
fn the_ca_is_where_the_clients_machine_has_it() {
    for client in clients().iter().filter(|client| client.ca != CaNeed::Store) {
        for (os, path) in [
            ("debian", CA),
            ("ubuntu", CA),
            ("fedora", "/etc/ssl/tidegate-ca.pem"),
            ("macos", "/etc/ssl/tidegate-ca.pem"),
            ("vercel", "./tidegate-ca.pem"),
            ("slim", "/etc/ssl/tidegate-ca.pem"),
            ("windows", r"C:\ssl\tidegate-ca.pem"),
        ] {
            let rendered = on(&client.id, os);
            assert_eq!(rendered.ca.as_deref(), Some(path), "{} on {os}", client.id);
            assert_eq!(rendered.trust, "local");
            let text: String = rendered
                .forms
                .iter()
                .map(|form| form.text.as_str())
                .collect();
            assert!(path == CA || !text.contains(CA), "{}: {text}", client.id);
            let note = rendered
                .notes
                .iter()
                .any(|note| note.contains(&format!("copy it to {path}")));
            assert_eq!(
                note,
                path != CA,
                "{} on {os}: {:?}",
                client.id,
                rendered.notes
            );
        }
    }
}

#[test]
fn a_ca_that_the_client_named_is_left_as_it_is() {
    let wish = RenderOptions {
        os: Some("windows"),
        ..RenderOptions::default()
    };
    assert_eq!(
        render("mysql", &endpoint(), wish).unwrap().ca.as_deref(),
        Some(CA)
    );
}

#[test]
fn command_lines_on_windows_are_for_its_shells() {
    for client in ["mysql", "mariadb", "mycli"] {
        let rendered = on(client, "windows");
        let forms = &rendered.forms;
        let shells: Vec<_> = forms.iter().take(2).map(|form| form.syntax).collect();
        assert_eq!(shells, [Syntax::Powershell, Syntax::Cmd], "{client}");
        assert!(
            forms[0].text.contains("-u 'abcdefghjkmn.root'"),
            "{}",
            forms[0].text
        );
        assert!(
            forms[1].text.contains("-u \"abcdefghjkmn.root\""),
            "{}",
            forms[1].text
        );
        assert!(!forms[1].text.contains('\''), "{}", forms[1].text);
        let ids: BTreeSet<_> = forms.iter().map(|form| &form.id).collect();
        assert_eq!(ids.len(), forms.len());
    }
    let setup = on("ruby-mysql2", "windows").setup.unwrap();
    assert!(setup.text.starts_with("Set-Content") && setup.syntax == Syntax::Powershell);
    assert!(
        on("ruby-mysql2", "debian")
            .setup
            .unwrap()
            .text
            .starts_with("printf")
    );
}

#[test]
fn the_install_line_is_that_of_the_platform() {
    for (client, os, line) in [
        ("mariadb", "ubuntu", "apt install mariadb-client"),
        ("mariadb", "arch", "pacman -S mariadb-clients"),
        ("mariadb", "fedora", "dnf install mariadb"),
        ("mariadb", "alpine", "apk add mariadb-client"),
        ("mariadb", "windows", "winget install MariaDB.Server"),
        ("mysql", "macos", "brew install mysql-client"),
        ("php-pdo", "fedora", "dnf install php-mysqlnd"),
        ("pymysql", "windows", "pip install PyMySQL"),
    ] {
        assert_eq!(on(client, os).install, line, "{client} on {os}");
    }
}

#[test]
fn a_host_that_the_certificate_lacks_is_told() {
    let names = [
        "db.example.com".to_owned(),
        "*.apps.example.com".to_owned(),
        "127.0.0.1".to_owned(),
    ];
    for (host, is_named) in [
        ("db.example.com", true),
        ("DB.example.com", true),
        ("a.apps.example.com", true),
        ("a.b.apps.example.com", false),
        ("apps.example.com", false),
        ("127.0.0.1", true),
        ("127.0.0.2", false),
        ("db.internal", false),
    ] {
        let endpoint = Endpoint {
            host: host.to_owned(),
            ..endpoint()
        };
        let wish = RenderOptions {
            names: &names,
            ..RenderOptions::default()
        };
        let rendered = render("pymysql", &endpoint, wish).unwrap();
        let first = &rendered.notes[0];
        let told = first.contains("does not contain") && first.contains(&format!("--name {host}"));
        assert_eq!(told, !is_named, "{host}: {first}");
        assert_eq!(endpoint.unnamed_host(wish).is_some(), !is_named, "{host}");
    }
    // Without the names nothing is known.
    assert_eq!(endpoint().unnamed_host(RenderOptions::default()), None);
}
