//! Properties that the strings of every client must have, whatever the table contains.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic; that is how it fails"
)]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use tidegate_connect::{
    CaNeed, ConnectError, Endpoint, Format, PasswordFrom, RenderOptions, Rendered, Syntax,
    TlsMinimum, argv, clients, platforms, render,
};
use tidegate_model::Trust;

fn endpoint(trust: Trust) -> Endpoint {
    Endpoint {
        host: "127.0.0.1".to_owned(),
        port: 4000,
        user: "abcdefghjkmn.root".to_owned(),
        database: "test".to_owned(),
        trust,
    }
}

fn local(path: &str) -> Endpoint {
    endpoint(Trust::Local(PathBuf::from(path)))
}

fn first(id: &str, endpoint: &Endpoint, os: Option<&str>) -> String {
    render(
        id,
        endpoint,
        RenderOptions {
            os,
            ..RenderOptions::default()
        },
    )
    .unwrap()
    .forms[0]
        .text
        .clone()
}

#[test]
fn mysql_verifies_identity_in_each_trust() {
    let company = Trust::Private(Some(PathBuf::from("/etc/company.pem")));
    for (trust, os, ca) in [
        (
            Trust::Local(PathBuf::from("/data/ca.pem")),
            None,
            "/data/ca.pem",
        ),
        (company, None, "/etc/company.pem"),
        (Trust::Public, None, "/etc/ssl/certs/ca-certificates.crt"),
        (Trust::Public, Some("macos"), "/etc/ssl/cert.pem"),
        (
            Trust::Private(None),
            Some("redhat"),
            "/etc/pki/tls/certs/ca-bundle.crt",
        ),
    ] {
        assert_eq!(
            first("mysql", &endpoint(trust), os),
            format!(
                "mysql --connect-timeout 15 -u 'abcdefghjkmn.root' -h 127.0.0.1 -P 4000 \
                 --ssl-mode=VERIFY_IDENTITY --ssl-ca={ca} \
                 --default-character-set=utf8mb4 -D test -p"
            )
        );
    }
}

#[test]
fn mariadb_verifies_and_names_a_ca_only_where_the_store_lacks_it() {
    let head = "mariadb -u 'abcdefghjkmn.root' -h 127.0.0.1 -P 4000";
    let tail = "--ssl-verify-server-cert --default-character-set=utf8mb4 -D test -p";
    assert_eq!(
        first("mariadb", &local("/data/ca.pem"), None),
        format!("{head} --ssl-ca=/data/ca.pem {tail}")
    );
    assert_eq!(
        first("mariadb", &endpoint(Trust::Public), None),
        format!("{head} {tail}")
    );
}

#[test]
fn localhost_is_spoken_to_over_tcp() {
    for id in ["mysql", "mariadb"] {
        let mut named = local("/data/ca.pem");
        assert!(!first(id, &named, None).contains("--protocol"));
        named.host = "localhost".to_owned();
        assert!(
            first(id, &named, None).contains(" -P 4000 --protocol=tcp "),
            "{id}"
        );
    }
}

#[test]
fn a_shell_reads_each_command_line_as_the_words_of_argv() {
    let mut odd = local("/data dir/it's \"$HOME\"/ca.pem");
    odd.user = "abcdefghjkmn.o'brien {ca}".to_owned();
    odd.database = "my `db`".to_owned();
    for id in ["mysql", "mariadb"] {
        let line = first(id, &odd, None);
        let script = format!("printf '%s\\n' {line}");
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        let read: Vec<_> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        assert_eq!(read, argv(id, &odd).unwrap(), "{line}");
        assert!(read.contains(&"abcdefghjkmn.o'brien {ca}".to_owned()));
    }
}

/// Renders every client for each trust, platform and TLS version, also with unusual values.
fn everything() -> Vec<Rendered> {
    let mut all = Vec::new();
    for client in clients() {
        for trust in [
            Trust::Public,
            Trust::Private(None),
            Trust::Local(PathBuf::from("/it's \"my\"/ca.pem")),
        ] {
            for host in ["db.example.com", "localhost", "127.0.0.1", "::1"] {
                for tls in [TlsMinimum::Tls12, TlsMinimum::Tls13] {
                    let endpoint = Endpoint {
                        host: host.to_owned(),
                        ..endpoint(trust.clone())
                    };
                    match render(
                        &client.id,
                        &endpoint,
                        RenderOptions {
                            tls,
                            password: Some("p'w\"$x\\"),
                            ..RenderOptions::default()
                        },
                    ) {
                        Ok(rendered) => all.push(rendered),
                        Err(error) => {
                            let expected = !client.tls13 && tls == TlsMinimum::Tls13;
                            assert!(
                                expected && matches!(error, ConnectError::NoTlsMinimum { .. }),
                                "{error}"
                            );
                        }
                    }
                }
            }
        }
    }
    all
}

#[test]
fn every_client_renders_and_the_best_form_holds_no_password() {
    for rendered in everything() {
        let id = rendered.client;
        assert!(!rendered.forms.is_empty(), "{id}");
        assert_ne!(
            rendered.forms[0].password,
            PasswordFrom::Literal,
            "{id}: the literal form never comes first"
        );
        for form in &rendered.forms {
            assert!(
                !form.text.contains("{{") && !form.text.contains("{%"),
                "{id}: {}",
                form.text
            );
            let shows = form.text.contains("p'w")
                || form.text.contains("p%27w")
                || form.text.contains("p''w")
                || form.text.contains("p\\'w");
            assert_eq!(
                shows,
                form.password == PasswordFrom::Literal,
                "{id} {}: {}",
                form.id,
                form.text
            );
            if form.password == PasswordFrom::Asked && form.syntax == Syntax::Sh {
                assert!(!form.text.contains("--password"), "{id}: {}", form.text);
            }
        }
        let ids: BTreeSet<_> = rendered.forms.iter().map(|form| &form.id).collect();
        assert_eq!(ids.len(), rendered.forms.len(), "{id}: forms of one name");
    }
}

#[test]
fn a_local_ca_is_named_and_a_public_one_never_downloaded() {
    for rendered in everything() {
        let client = clients()
            .iter()
            .find(|client| client.id == rendered.client)
            .unwrap();
        let ca = rendered.ca.as_deref();
        match (rendered.trust, client.ca) {
            ("local", CaNeed::Always | CaNeed::Private) => {
                assert_eq!(ca, Some("/it's \"my\"/ca.pem"))
            }
            (_, CaNeed::Always) => assert_eq!(
                ca,
                Some("/etc/ssl/certs/ca-certificates.crt"),
                "{}",
                rendered.client
            ),
            _ => assert_eq!(ca, None, "{}", rendered.client),
        }
        if rendered.trust == "public" {
            let text: String = rendered
                .forms
                .iter()
                .map(|form| form.text.as_str())
                .collect();
            assert!(!text.contains("ca.pem"), "{}: {text}", rendered.client);
        }
    }
}

#[test]
fn every_client_verifies_chain_and_name_or_says_who_does() {
    for client in clients() {
        let verifies = client.verifies.chain && client.verifies.dns_name;
        assert_eq!(verifies, client.no_form_verifies.is_none(), "{}", client.id);
    }
}

#[test]
fn only_what_was_asked_for_insists_on_tls_13() {
    for client in clients().iter().filter(|client| client.tls13) {
        let older = strings_of(&client.id, TlsMinimum::Tls12);
        let newer = strings_of(&client.id, TlsMinimum::Tls13);
        assert_ne!(older, newer, "{}", client.id);
    }
}

/// Returns all strings of a client that require this version of TLS.
fn strings_of(client: &str, tls: TlsMinimum) -> Vec<String> {
    let wish = RenderOptions {
        tls,
        ..RenderOptions::default()
    };
    let forms = render(client, &local("/ca.pem"), wish).unwrap().forms;
    forms.into_iter().map(|form| form.text).collect()
}

#[test]
fn a_form_that_is_a_url_is_one_line() {
    for rendered in everything() {
        for form in rendered
            .forms
            .iter()
            .filter(|form| form.format == Format::Url)
        {
            assert_eq!(
                form.text.lines().count(),
                1,
                "{}: {}",
                rendered.client,
                form.text
            );
            assert!(
                !form.text.contains(' '),
                "{}: {}",
                rendered.client,
                form.text
            );
        }
    }
}

#[test]
fn a_password_that_is_not_known_is_named_the_same_in_every_form() {
    for client in clients() {
        let forms = render(&client.id, &local("/ca.pem"), RenderOptions::default())
            .unwrap()
            .forms;
        for form in forms
            .iter()
            .filter(|form| form.password == PasswordFrom::Literal)
        {
            assert!(
                form.text.contains("<your_password>"),
                "{}: {}",
                client.id,
                form.text
            );
        }
    }
}

#[test]
fn what_cannot_be_rendered_says_why() {
    let unknown = render("psql", &local("/ca.pem"), RenderOptions::default()).unwrap_err();
    assert!(unknown.to_string().contains("`psql`"), "{unknown}");
    let wish = RenderOptions {
        os: Some("beos"),
        ..RenderOptions::default()
    };
    let nowhere = render("mysql", &local("/ca.pem"), wish).unwrap_err();
    assert!(nowhere.to_string().contains("`beos`"), "{nowhere}");
    let bytes = PathBuf::from(OsString::from_vec(vec![b'/', 0xff]));
    assert!(matches!(
        argv("mysql", &endpoint(Trust::Local(bytes))),
        Err(ConnectError::PathNotText(_))
    ));
    assert!(matches!(
        argv("mysql", &local("/a\nb")),
        Err(ConnectError::ControlCharacter(_))
    ));
}

/// Files that Go's crypto/x509 (root_linux.go, root_bsd.go) and openssl-probe look for, as of Go
/// 1.26 and openssl-probe 0.2.
const KNOWN_FILES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
];

#[test]
fn every_linux_path_is_one_that_go_or_openssl_probe_knows() {
    for platform in platforms().iter().filter(|platform| platform.linux) {
        for path in std::iter::once(&platform.ca).chain(&platform.alternatives) {
            assert!(
                KNOWN_FILES.contains(&path.as_str()),
                "{}: {path}",
                platform.id
            );
        }
    }
    // If Go is installed, its own source is read.
    let root = std::process::Command::new("go")
        .args(["env", "GOROOT"])
        .output();
    let root = root
        .ok()
        .map(|said| PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()));
    let source = root
        .and_then(|root| std::fs::read_to_string(root.join("src/crypto/x509/root_linux.go")).ok());
    let Some(source) = source else {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"\nnot run: comparing with Go's list, which is not here\n",
        );
        return;
    };
    for path in KNOWN_FILES
        .iter()
        .filter(|path| !path.starts_with("/var/lib/"))
    {
        assert!(source.contains(path), "{path} is not in Go's list any more");
    }
}

#[test]
fn the_platforms_are_those_of_the_guide() {
    for (id, path) in [
        ("macos", "/etc/ssl/cert.pem"),
        ("debian", "/etc/ssl/certs/ca-certificates.crt"),
        ("redhat", "/etc/pki/tls/certs/ca-bundle.crt"),
        ("alpine", "/etc/ssl/cert.pem"),
        ("opensuse", "/etc/ssl/ca-bundle.pem"),
    ] {
        let platform = platforms().iter().find(|platform| platform.id == id);
        assert_eq!(platform.unwrap().ca, path, "{id}");
    }
    assert_eq!(platforms()[0].id, "debian");
}
