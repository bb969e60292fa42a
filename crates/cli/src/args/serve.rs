//! Flags of `tidegate serve` and `tidegate up`, which `service install` takes too.

use clap::Args;
use std::net::SocketAddr;

#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// Address to listen on; can be given several times [default: 127.0.0.1:4000]
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    pub listen: Vec<SocketAddr>,

    /// Name or address in the certificate; can be given several times
    ///
    /// Clients verify the name that they connect to. localhost, 127.0.0.1 and ::1 are always
    /// included.
    #[arg(long, value_name = "N")]
    pub name: Vec<String>,

    /// Get a publicly trusted certificate for this name by ACME; can be given several times
    ///
    /// From Let's Encrypt, unless the configuration names another CA. The name must resolve to this
    /// machine, and the CA must reach its port 80. Until the certificate is issued, the server uses
    /// one from its local CA.
    #[arg(long, value_name = "NAME")]
    pub domain: Vec<String>,

    /// Email address for messages of the CA about the certificates of --domain
    #[arg(long, value_name = "ADDRESS")]
    pub acme_email: Option<String>,

    /// Address of the console and the API, over HTTPS [default: 127.0.0.1:4443]
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    pub console: Vec<SocketAddr>,

    /// Host name of the console, which must not be a name of the database
    ///
    /// With --domain, the console gets its own certificate for this name by ACME.
    #[arg(long, value_name = "NAME")]
    pub console_domain: Option<String>,
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        if text.parse::<u16>().is_ok() {
            format!("an address and a port are needed, such as 127.0.0.1:{text} or 0.0.0.0:{text}")
        } else if let Some(port) = impossible_port(text) {
            format!("the port {port} is not a number from 0 to 65535")
        } else {
            "write ADDRESS:PORT with a numeric address, such as 127.0.0.1:4000, 0.0.0.0:4000 or \
             [::1]:4000"
                .to_owned()
        }
    })
}

/// Returns the port of an address that is right but for its port.
fn impossible_port(text: &str) -> Option<&str> {
    let (host, port) = text.rsplit_once(':')?;
    let is_address = format!("{host}:0").parse::<SocketAddr>().is_ok();
    (is_address && !port.is_empty()).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_port_is_named() {
        for (text, port) in [
            ("127.0.0.1:70000", "70000"),
            ("[::1]:65536", "65536"),
            ("0.0.0.0:-1", "-1"),
            ("0.0.0.0:http", "http"),
        ] {
            let said = listen_address(text).unwrap_err();
            assert!(said.contains(&format!("the port {port} ")), "{said}");
        }
        for text in ["localhost:4000", "127.0.0.1:", "::1"] {
            let said = listen_address(text).unwrap_err();
            assert!(said.starts_with("write ADDRESS:PORT"), "{text}: {said}");
        }
    }
}
