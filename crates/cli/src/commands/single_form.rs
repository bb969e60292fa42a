//! A single connection string in a format (`--format url`, `--format env`), for a script or a file.
//! Where a client has none, the hint works when it is typed.

use super::connect::wrong;
use crate::failure::Failure;
use anyhow::Result;
use tidegate_connect::{Endpoint, Format, RenderOptions, Rendered, TlsMinimum, clients, render};
use tidegate_model::Trust;

/// The client whose `.env` lines serve any program.
const GENERAL: &str = "general";

/// Returns only the connection string in this format, for a script or a file.
pub fn single_form(
    client: Option<&str>,
    endpoint: &Endpoint,
    wish: RenderOptions<'_>,
    format: Format,
) -> Result<String> {
    // Environment variables work for any client, a URL only for its own.
    let found = render(client.unwrap_or(GENERAL), endpoint, wish).map_err(wrong)?;
    if let Some(form) = found.first(format) {
        return Ok(format!("{}\n", form.text));
    }
    if format == Format::Env {
        let general = render(GENERAL, endpoint, wish).map_err(wrong)?;
        if let Some(form) = general.first(format) {
            return Ok(format!("{}\n", form.text));
        }
    }
    Err(no_form(client, &found, endpoint, wish, format).into())
}

/// Returns the failure for a client without a form of this format. Its hint works when it is typed.
fn no_form(
    client: Option<&str>,
    found: &Rendered,
    endpoint: &Endpoint,
    wish: RenderOptions<'_>,
    format: Format,
) -> Failure {
    let others: Vec<_> = clients()
        .iter()
        .filter(|other| has_form(&other.id, endpoint, wish, format))
        .map(|other| other.id.as_str())
        .collect();
    let choose = format!("--with one of {}", others.join(", "));
    if client.is_none() {
        let cause = "a connection URL depends on the client, and none is named";
        return Failure::usage(cause, format!("add {choose}"));
    }
    let name = found.name;
    let system = Endpoint {
        trust: Trust::Public,
        ..endpoint.clone()
    };
    let any_tls = RenderOptions {
        tls: TlsMinimum::Tls12,
        ..wish
    };
    if has_form(found.client, &system, wish, format) {
        return Failure::usage(
            format!("a connection URL of {name} can't name the CA file"),
            "leave --format out, or add --ca system if the client trusts the CA already",
        );
    }
    if has_form(found.client, endpoint, any_tls, format) {
        return Failure::usage(
            format!("a connection URL of {name} can't require TLS 1.3"),
            "leave --tls out",
        );
    }
    if has_form(found.client, &system, any_tls, format) {
        return Failure::usage(
            format!("a connection URL of {name} can neither name the CA file nor require TLS 1.3"),
            "leave --format out, or leave --tls out and add --ca system if the client trusts the \
             CA already",
        );
    }
    Failure::usage(
        format!("{name} does not take a connection URL"),
        format!("leave --format out, or choose {choose}"),
    )
}

/// Whether the client has a form of this format for this endpoint.
fn has_form(client: &str, endpoint: &Endpoint, wish: RenderOptions<'_>, format: Format) -> bool {
    render(client, endpoint, wish).is_ok_and(|rendered| rendered.first(format).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    fn endpoint(trust: Trust) -> Endpoint {
        Endpoint {
            host: "db.example.com".to_owned(),
            port: 4000,
            user: "abcdefghjkmn.root".to_owned(),
            database: "test".to_owned(),
            trust,
        }
    }

    /// Follows a hint: each way that it names must print a string, or lead to a hint that does.
    fn follow(
        client: Option<&str>,
        endpoint: &Endpoint,
        wish: RenderOptions<'_>,
        format: Format,
        steps: usize,
    ) -> Result<()> {
        let place = format!("{client:?} {:?} {format:?} {}", endpoint.trust, wish.tls);
        let error = match single_form(client, endpoint, wish, format) {
            Ok(text) if text.trim().is_empty() => return Err(anyhow!("{place}: nothing printed")),
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let failure: &Failure = error.downcast_ref().ok_or_else(|| anyhow!("{place}"))?;
        let hint = &failure.hint;
        if steps == 0 {
            return Err(anyhow!("{place}: no end: {hint}"));
        }
        let mut ways = 0;
        if hint.contains("leave --tls out") || hint.contains("--ca system") {
            ways += 1;
            let tls = if hint.contains("--tls") {
                TlsMinimum::Tls12
            } else {
                wish.tls
            };
            let mut next = endpoint.clone();
            if hint.contains("--ca system") {
                next.trust = Trust::Public;
            }
            follow(
                client,
                &next,
                RenderOptions { tls, ..wish },
                format,
                steps - 1,
            )?;
        }
        if hint.contains("leave --format out") {
            ways += 1;
            let id = client.unwrap_or(GENERAL);
            let any = RenderOptions {
                tls: TlsMinimum::Tls12,
                ..wish
            };
            assert!(
                !render(id, endpoint, any)?.forms.is_empty(),
                "{place}: {hint}"
            );
        }
        if let Some((_, list)) = hint.split_once("--with one of ") {
            for other in list.split(", ") {
                ways += 1;
                assert_ne!(Some(other), client, "{place}: {hint}");
                let form = single_form(Some(other), endpoint, wish, format);
                assert!(form.is_ok(), "{place}: {other}: {hint}");
            }
        }
        assert!(ways > 0, "{place}: {hint}");
        Ok(())
    }

    #[test]
    fn every_client_prints_each_format_or_gives_a_hint_that_works() {
        let ids = clients().iter().map(|client| Some(client.id.as_str()));
        for client in ids.chain([None]) {
            for trust in [
                Trust::Public,
                Trust::Private(None),
                Trust::Local("/ca.pem".into()),
            ] {
                for tls in [TlsMinimum::Tls12, TlsMinimum::Tls13] {
                    for format in [Format::Url, Format::Env] {
                        let wish = RenderOptions {
                            tls,
                            ..RenderOptions::default()
                        };
                        follow(client, &endpoint(trust.clone()), wish, format, 3).unwrap();
                    }
                }
            }
        }
    }

    #[test]
    fn a_url_that_cannot_name_the_ca_says_so() {
        let local = endpoint(Trust::Local("/ca.pem".into()));
        let error = single_form(
            Some("prisma"),
            &local,
            RenderOptions::default(),
            Format::Url,
        );
        let error = error.unwrap_err();
        let failure: &Failure = error.downcast_ref().unwrap();
        assert!(
            failure.cause.contains("can't name the CA file"),
            "{}",
            failure.cause
        );
        assert!(!failure.hint.contains("prisma"), "{}", failure.hint);
    }
}
