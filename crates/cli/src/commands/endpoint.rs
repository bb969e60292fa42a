//! Endpoint of a cluster, as the running server tells it.

use crate::context::{Context, ask};
use anyhow::Result;
use std::path::PathBuf;
use tidegate_connect::Endpoint;
use tidegate_console::types::{Cluster, Server};
use tidegate_model::Trust;

/// Returns the endpoint of a cluster for one of its users, as the running server describes it.
pub fn endpoint(context: &Context, name: &str, user: &str) -> Result<Endpoint> {
    let client = context.client();
    ask(async {
        let cluster = client.cluster(name).await?;
        let server = client.server().await?;
        let mut endpoint = endpoint_of(&cluster, &server);
        endpoint.user = format!("{}.{user}", cluster.prefix);
        // The CA file that a remote server names is on that machine, not on this one.
        if let (Trust::Local(_) | Trust::Private(Some(_)), Some(remote)) =
            (&endpoint.trust, &context.remote)
        {
            endpoint.trust = Trust::Private(remote.ca.clone());
        }
        Ok(endpoint)
    })
}

/// Returns the names and addresses in the running server's certificate.
pub fn certificate_names(context: &Context) -> Result<Vec<String>> {
    let client = context.client();
    ask(async { Ok(client.server().await?.names) })
}

pub fn endpoint_of(cluster: &Cluster, server: &Server) -> Endpoint {
    let ca = cluster.ca.as_ref().map(PathBuf::from);
    let trust = match (server.trust.as_str(), ca) {
        ("public", _) => Trust::Public,
        ("local", Some(ca)) => Trust::Local(ca),
        (_, ca) => Trust::Private(ca),
    };
    Endpoint {
        host: cluster.host.clone(),
        port: cluster.port,
        user: cluster.user.clone(),
        database: cluster.database.clone(),
        trust,
    }
}
