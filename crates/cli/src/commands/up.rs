//! `tidegate up`: the first cluster and the one calm screen, printed only after a login through our
//! own port by a client that verifies. It makes nothing that `cluster create` could not make.

use super::cluster;
use super::endpoint::endpoint_of;
use crate::compose::Server;
use crate::compose::own_login::{self, Door, Proof, reachable};
use crate::context::{Context, refused};
use crate::failure::Failure;
use crate::limits;
use crate::screen::{self, Paint, Step};
use anyhow::{Context as _, Result};
use tidegate_console::types::Cluster;
use tidegate_model::printable;
use tidegate_tls::{Roots, client_config};

/// The first cluster's name.
const FIRST: &str = "demo";

pub async fn greet(context: &Context, server: &Server) -> Result<()> {
    let client = context.client();
    // First: what is said of the cluster goes by the certificate.
    wait_certificate(server).await;
    let step = Step::begin("cluster");
    let demo = cluster::first(&client, FIRST).await?;
    step.done(FIRST);
    let step = Step::begin("proof");
    let proof = prove(server, &demo).await.map_err(|error| {
        // Its password was never shown, so the way to a new one belongs to the error.
        let hint = format!(
            "look into the log, then `{}` for a password",
            context.next("cluster password demo")
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
        return screen::print_json(&json);
    }
    let facts = client.server().await.map_err(refused)?;
    let lines = super::connect::lines(&endpoint_of(&demo, &facts));
    let card = cluster::card(context, &demo, lines, Some(proof.to_string()));
    screen::print(&format!("\n{}\n", card.render(Paint::stdout())))?;
    if let Some(link) = link {
        let title = Paint::stdout()
            .dim("# the console, in a browser: this link signs in once, within 15 minutes");
        screen::print(&format!("  {title}\n  {}\n\n", link.url.reveal()))?;
    }
    if let Some(missing) = server.no_console() {
        screen::say(&format!(
            "no console: {}\n  try: {}\n",
            missing.cause, missing.hint
        ));
    }
    screen::say("ready; Ctrl-C stops it");
    Ok(())
}

/// Where ACME shall bring a certificate, its first order is waited for. What comes of it is told;
/// the local CA serves until there is one.
async fn wait_certificate(server: &Server) {
    if !server.orders_certificates() {
        return;
    }
    let step = Step::begin("order");
    let end = tokio::time::Instant::now() + limits::RENEWAL_MAX;
    while tokio::time::Instant::now() < end {
        match server.certificate_alarm() {
            Ok(false) => tokio::time::sleep(limits::RENEWAL_LOOK).await,
            Ok(true) => return step.done("certificate by ACME"),
            Err(alarm) => {
                step.done("none yet");
                return screen::say(&printable(&alarm));
            }
        }
    }
    step.done("none yet");
}

/// With the password where we have it just now; without, what can be proved without it.
async fn prove(server: &Server, demo: &Cluster) -> Result<Proof> {
    let face = server.face();
    let first = server.listening().first().copied().context("no listener")?;
    let tls = client_config(Roots::for_trust(&face.trust))?;
    let door = Door {
        host: &face.host,
        address: reachable(first),
        tls,
    };
    match &demo.password {
        Some(password) => {
            own_login::first_row(&door, &demo.user, password.reveal(), &demo.database).await
        }
        None => own_login::identity(&door).await,
    }
}
