//! A real ACME server for the tests: Pebble, with its DNS server, on free ports; its validators ask
//! the port that a test names. It ends with the test. `None` if Pebble is not installed.

use crate::certificates::{Company, VALID};
use crate::limits::soon;
use crate::not_run;
use crate::ports::free_port;
use crate::tls;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// Script that ends its program when standard input closes, however this process ends.
const KEEPER: &str =
    r#""$@" </dev/null >>"$LOG" 2>&1 & pid=$!; read -r _; kill "$pid"; wait "$pid""#;

/// Name of the directory that only a proxy can reach: it does not resolve.
pub const PROXIED_NAME: &str = "ca.invalid";

#[derive(Debug, Clone)]
pub struct Wanted {
    /// Lifetime of a certificate, in seconds.
    pub life: u64,
    /// Share of nonces that are refused, in percent.
    pub bad_nonces: u32,
    /// Longest random wait of the validators.
    pub delay: u32,
    /// DNS server, if not Pebble's own.
    pub dns: Option<u16>,
    /// Whether validators find every challenge answered.
    pub always_valid: bool,
    /// Key ids and their keys (base64url), where an account needs one.
    pub eab: Option<(String, String)>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            life: 7_776_000,
            bad_nonces: 0,
            delay: 0,
            dns: None,
            always_valid: false,
            eab: None,
        }
    }
}

pub struct Pebble {
    folder: tempfile::TempDir,
    wanted: Wanted,
    acme: u16,
    management: u16,
    /// Ports at which validators ask for HTTP-01 and TLS-ALPN-01.
    pub http: u16,
    pub alpn: u16,
    pub dns: u16,
    dns_management: u16,
    kept: Option<Child>,
    dns_kept: Child,
}

/// Folder into which `script/setup test` installs programs.
pub fn tool(name: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let path = cache.join("tidegate/tools/bin").join(name);
    path.is_file().then_some(path)
}

fn kept(log: &Path, program: &Path, args: &[&str], env: &[(&str, String)]) -> Child {
    let mut command = Command::new("sh");
    command
        .args(["-c", KEEPER, "sh"])
        .arg(program)
        .args(args)
        .env("LOG", log);
    command
        .envs(env.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::piped())
        .spawn()
        .expect("sh runs")
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    let _ = child.wait();
}

impl Pebble {
    /// Starts it. None, with a message on standard error, if the programs are missing.
    pub fn start(wanted: Wanted) -> Option<Self> {
        let Some(dns_program) = tool("pebble-challtestsrv").filter(|_| tool("pebble").is_some())
        else {
            not_run("Pebble is not installed (script/setup test)");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let company = Company::new();
        company
            .leaf_with(VALID, &[PROXIED_NAME])
            .write(folder.path());
        std::fs::write(folder.path().join("ca.pem"), company.pem()).expect("our own folder");
        let ports: [u16; 6] = std::array::from_fn(|_| free_port());
        let [acme, management, http, alpn, own_dns, dns_management] = ports;
        let dns = wanted.dns.unwrap_or(own_dns);
        let dns_kept = kept(
            &folder.path().join("dns.log"),
            &dns_program,
            &[
                "-http01",
                "",
                "-https01",
                "",
                "-tlsalpn01",
                "",
                "-doh",
                "",
                // No IPv6 addresses: the servers of the tests listen on 127.0.0.1.
                "-defaultIPv6",
                "",
                "-dnsserver",
                &format!("127.0.0.1:{own_dns}"),
                "-management",
                &format!("127.0.0.1:{dns_management}"),
            ],
            &[],
        );
        let mut pebble = Self {
            folder,
            wanted,
            acme,
            management,
            http,
            alpn,
            dns,
            dns_management,
            kept: None,
            dns_kept,
        };
        pebble.run();
        Some(pebble)
    }

    /// Returns the path of a file in Pebble's folder.
    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Starts the CA, with a new root each time.
    pub fn run(&mut self) {
        let mut config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{}", self.acme),
            "managementListenAddress": format!("127.0.0.1:{}", self.management),
            "certificate": self.file("chain.pem"), "privateKey": self.file("key.pem"),
            "httpPort": self.http, "tlsPort": self.alpn,
            "externalAccountBindingRequired": self.wanted.eab.is_some(),
            "retryAfter": { "authz": 1, "order": 1 }, "keyAlgorithm": "ecdsa",
            "profiles": {
                "default": profile_of(self.wanted.life), "shortlived": profile_of(518_400),
            },
        }});
        if let Some((kid, key)) = &self.wanted.eab {
            config["pebble"]["externalAccountMACKeys"] = serde_json::json!({ kid: key });
        }
        std::fs::write(self.file("pebble.json"), config.to_string()).expect("our own folder");
        let mut env = vec![("PEBBLE_WFE_NONCEREJECT", self.wanted.bad_nonces.to_string())];
        // By default Pebble's validators wait for a random time.
        match self.wanted.delay {
            0 => env.push(("PEBBLE_VA_NOSLEEP", "1".to_owned())),
            delay => env.push(("PEBBLE_VA_SLEEPTIME", delay.to_string())),
        }
        if self.wanted.always_valid {
            env.push(("PEBBLE_VA_ALWAYS_VALID", "1".to_owned()));
        }
        // Without reuse, each order validates its names again.
        env.push(("PEBBLE_AUTHZREUSE", "0".to_owned()));
        let config = self.file("pebble.json");
        let dns = format!("127.0.0.1:{}", self.dns);
        let program = tool("pebble").expect("looked for before");
        let args = ["-config", &config, "-dnsserver", &dns];
        self.kept = Some(kept(&self.folder.path().join("log"), &program, &args, &env));
        soon("Pebble's directory", || self.get(self.acme, "/dir"));
        soon("Pebble's management", || {
            self.get(self.management, "/roots/0")
        });
    }

    pub fn stop(&mut self) {
        if let Some(kept) = self.kept.take() {
            end(kept);
        }
    }

    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.acme)
    }

    /// Returns the CA file for the TLS of the directory.
    pub fn directory_ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Returns a TLS server that answers as `localhost`, with the certificate of the directory.
    pub fn server_config(&self) -> Arc<rustls::ServerConfig> {
        tls::server_config(self.folder.path())
    }

    pub fn port(&self) -> u16 {
        self.acme
    }

    /// Returns the root of issued certificates, PEM.
    pub fn root(&self) -> String {
        soon("the root", || self.get(self.management, "/roots/0"))
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Returns how many certificates it has issued, over all its starts.
    pub fn issued(&self) -> usize {
        self.log().matches("Issued certificate serial").count()
    }

    pub fn orders(&self) -> usize {
        self.log().matches("Added order").count()
    }

    /// Returns the body of an answer that is not an error.
    fn get(&self, port: u16, path: &str) -> Option<String> {
        self.ask(
            port,
            &format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nUser-Agent: tests\r\n\r\n"),
        )
    }

    fn ask(&self, port: u16, request: &str) -> Option<String> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
        let name = ServerName::try_from("localhost").expect("a name");
        let client =
            ClientConnection::new(tls::verified(&self.directory_ca(), tls::BOTH), name).ok()?;
        let mut stream = StreamOwned::new(client, tcp);
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.lines()
            .next()?
            .contains(" 200 ")
            .then(|| body.to_owned())
    }

    /// Sets the CA's answer to requests for this certificate's renewal window.
    pub fn set_renewal_info(&self, certificate: &str, answer: &str) {
        let body =
            serde_json::json!({ "certificate": certificate, "ariResponse": answer }).to_string();
        let request = format!(
            "POST /set-renewal-info/ HTTP/1.0\r\nHost: localhost\r\nUser-Agent: tests\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.ask(self.management, &request)
            .expect("the management takes it");
    }

    /// Sends a command to the DNS server, such as `set-txt`.
    pub fn tell_dns(&self, what: &str, body: &serde_json::Value) {
        let body = body.to_string();
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.dns_management)).expect("it listens");
        let length = body.len();
        write!(
            stream,
            "POST /{what} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.contains(" 200 "), "{what}: {answer}");
    }

    pub fn dns_management(&self) -> u16 {
        self.dns_management
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.stop();
        drop(self.dns_kept.stdin.take());
        let _ = self.dns_kept.wait();
    }
}

fn profile_of(life: u64) -> serde_json::Value {
    serde_json::json!({ "description": "a profile", "validityPeriod": life })
}
