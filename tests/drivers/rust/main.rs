//! mysql_async against the endpoint: verified, with a wrong CA, with a wrong host, without TLS.
//! Reads TG_*; exits with 0 only if each behaves as expected. Does not import the product.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder, SslOpts};
use std::path::PathBuf;
use std::process::ExitCode;

fn env(name: &str) -> String {
    std::env::var(format!("TG_{name}")).unwrap_or_default()
}

async fn connect(host: &str, ca: Option<String>) -> Result<Conn, Error> {
    let ssl = ca.map(|ca| SslOpts::default().with_root_certs(vec![PathBuf::from(ca).into()]));
    let opts = OptsBuilder::default()
        .ip_or_hostname(host)
        .tcp_port(env("PORT").parse().unwrap_or_default())
        .user(Some(env("USER")))
        .pass(Some(env("PASSWORD")))
        .db_name(Some(env("DATABASE")))
        // A Unix socket would go round what is tested.
        .prefer_socket(false)
        .ssl_opts(ssl);
    Conn::new(opts).await
}

async fn verified() -> Result<(), String> {
    let mut conn = connect(&env("HOST"), Some(env("CA")))
        .await
        .map_err(|e| e.to_string())?;
    let answer: Option<i64> = conn
        .exec_first("SELECT 6 * ?", (7,))
        .await
        .map_err(|e| e.to_string())?;
    if answer != Some(42) {
        return Err(format!("6 * 7 = {answer:?}"));
    }
    conn.disconnect().await.map_err(|e| e.to_string())
}

async fn must_fail_verifying(what: &str, host: String, ca: String) -> Result<(), String> {
    match connect(&host, Some(ca)).await {
        Ok(_) => Err(format!("{what}: connected")),
        Err(e) if format!("{e:?}").to_lowercase().contains("certificate") => Ok(()),
        Err(e) => Err(format!("{what} must fail in verification, not: {e:?}")),
    }
}

async fn all() -> Result<(), String> {
    verified().await?;
    must_fail_verifying("a wrong CA", env("HOST"), env("WRONG_CA")).await?;
    must_fail_verifying("a wrong host", env("WRONG_HOST"), env("CA")).await?;
    match connect(&env("HOST"), None).await {
        Err(Error::Server(refused)) if refused.code == 3159 => Ok(()),
        other => Err(format!("3159 was expected, not {other:?}")),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // The lock file knows which version was built in.
    let lock = include_str!("../../../Cargo.lock");
    let version = lock
        .split("name = \"mysql_async\"\nversion = \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    println!("version {}", version.unwrap_or("unknown"));
    match all().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}
