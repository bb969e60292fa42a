//! `tidegate up`: creates the first cluster, logs in to it through our own port as a client that
//! verifies the server, and then prints how to connect.

use super::endpoint::endpoint_of;
use super::shown_once::ShownOnce;
use super::{browser_warning, cluster};
use crate::compose::own_login::{OwnPort, Proof, prove_identity, prove_login, reachable};
use crate::compose::{FirstOrder, Server};
use crate::context::{Context, refused};
use crate::failure::{Failure, ReportForm, report};
use crate::limits;
use crate::screen::{self, Paint, Step};
use crate::server_options::ServerOptions;
use anyhow::{Context as _, Result};
use tidegate_console::types::Cluster;
use tidegate_model::printable;
use tidegate_tls::{Roots, client_config};

/// The first cluster's name.
const FIRST: &str = "demo";

pub async fn greet(context: &Context, server: &Server) -> Result<()> {
    let client = context.client();
    // Before the cluster, whose connection strings depend on the certificate.
    wait_for_certificate(server).await;
    let step = Step::begin("cluster");
    let demo = cluster::first(&client, FIRST).await?;
    step.done(FIRST);
    // With the first cluster there, "the port accepts" means that everything is ready.
    server.open_database_ports()?;
    let step = Step::begin("login");
    let proof = prove(server, &demo).await.map_err(|error| {
        // The cluster's password was never shown, so the hint says how to get a new one.
        let hint = format!(
            "read the log in {}, then get a password with `tidegate cluster password {FIRST}`",
            context.data.join("log").display(),
        );
        error.context(Failure::new("the login through our own port failed", hint))
    })?;
    step.done(&proof.to_string());
    let link = match server.face().console {
        Some(_) => Some(client.sign_in_link().await.map_err(refused)?),
        None => None,
    };
    if context.global.json {
        let mut json = serde_json::to_value(&demo)?;
        if let Some(object) = json.as_object_mut() {
            object.insert("verified".into(), proof.to_string().into());
            object.insert(
                "console".into(),
                link.as_ref().map(|link| link.url.reveal()).into(),
            );
        }
        screen::print_json(&json)?;
        say_if_lost(context, &demo);
        return Ok(());
    }
    let facts = client.server().await.map_err(refused)?;
    let lines = super::connect::first_lines(context, FIRST, &endpoint_of(&demo, &facts), "");
    let card = cluster::card(context, &demo, lines, Some(proof.to_string()));
    screen::print(&format!("\n{}\n", card.render(Paint::stdout())))?;
    if let Some(link) = link {
        let title = Paint::stdout()
            .dim("# console in a browser: this link signs in once, within 15 minutes");
        screen::print(&format!("  {title}\n  {}\n\n", link.url.reveal()))?;
        let certificate = client.certificate().await.map_err(refused)?;
        // Stores are read by programs, for which this thread would otherwise wait.
        let data = context.data.clone();
        let lines =
            tokio::task::spawn_blocking(move || browser_warning::lines(&data, &certificate));
        for line in lines.await.unwrap_or_default() {
            screen::print(&format!("  {line}\n"))?;
        }
    }
    say_if_lost(context, &demo);
    if let Some(missing) = server.no_console() {
        screen::say(&format!(
            "no console: {}\n  hint: {}\n",
            missing.cause, missing.hint
        ));
    }
    screen::say("ready; Ctrl-C stops it");
    Ok(())
}

/// Says that nobody saw the password, if standard output failed. The server goes on: it serves.
fn say_if_lost(context: &Context, demo: &Cluster) {
    if demo.password.is_none() {
        return;
    }
    if let Err(lost) = ShownOnce::root_password(FIRST).check(context, Ok(())) {
        let (text, _) = report(
            &lost,
            &ReportForm {
                json: false,
                options: ServerOptions::of(&context.global),
            },
        );
        screen::say(text.trim_end());
    }
}

/// Waits for the first order, if the certificate comes from ACME, and says how it went. Until a
/// certificate is issued, the server uses one from its local CA.
async fn wait_for_certificate(server: &Server) {
    if !server.orders_certificates() {
        return;
    }
    let step = Step::begin("certificate by ACME");
    let end = tokio::time::Instant::now() + limits::RENEWAL_MAX;
    while tokio::time::Instant::now() < end {
        match server.first_order() {
            FirstOrder::Pending => tokio::time::sleep(limits::RENEWAL_POLL_PAUSE).await,
            FirstOrder::Issued => return step.done("issued"),
            FirstOrder::Failed(alarm) => {
                step.done("none yet");
                return screen::say(&printable(&alarm));
            }
        }
    }
    step.done("none yet");
}

/// Logs in if the cluster was just created and its password is known; otherwise verifies only the
/// server's identity.
async fn prove(server: &Server, demo: &Cluster) -> Result<Proof> {
    let face = server.face();
    let first = server.listening().first().copied().context("no listener")?;
    let tls = client_config(Roots::for_trust(&face.trust))?;
    let port = OwnPort {
        host: &face.host,
        address: reachable(first),
        tls,
    };
    match &demo.password {
        Some(password) => prove_login(&port, &demo.user, password.reveal(), &demo.database).await,
        None => prove_identity(&port).await,
    }
}
