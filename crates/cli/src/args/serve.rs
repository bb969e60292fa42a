//! Flags of `tidegate serve` and `tidegate up`, which `service install` takes too.

use clap::Args;
use std::net::SocketAddr;

#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// Listen here; may be given several times [default: 127.0.0.1:4000]
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    pub listen: Vec<SocketAddr>,

    /// A name or address the certificate shall carry; may be given several times
    ///
    /// Clients verify the name they connect to. localhost, 127.0.0.1 and ::1 are always carried.
    #[arg(long, value_name = "N")]
    pub name: Vec<String>,

    /// Get a certificate that everybody trusts for this name, by ACME; may be given several times
    ///
    /// From Let's Encrypt, if the configuration names no other CA. The name must lead to this
    /// machine, and the CA must reach its port 80. Until the certificate is there, the local CA's
    /// serves.
    #[arg(long, value_name = "NAME")]
    pub domain: Vec<String>,

    /// Where the CA may write to about the certificates of --domain
    #[arg(long, value_name = "ADDRESS")]
    pub acme_email: Option<String>,

    /// Serve the console and the API here, over HTTPS [default: 127.0.0.1:4443]
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    pub console: Vec<SocketAddr>,

    /// The console's own name, not the database's; with --domain it gets a certificate of its own
    #[arg(long, value_name = "NAME")]
    pub console_domain: Option<String>,
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        if text.parse::<u16>().is_ok() {
            format!("an address and a port are needed, such as 127.0.0.1:{text} or 0.0.0.0:{text}")
        } else {
            "write ADDRESS:PORT with a numeric address, such as 127.0.0.1:4000, 0.0.0.0:4000 or \
             [::1]:4000"
                .to_owned()
        }
    })
}
