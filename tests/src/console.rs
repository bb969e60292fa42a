//! A running server's console, queried with curl like any external client, and not with the
//! product's code.

use crate::Server;
use crate::limits::{READY_WAIT, within};
use crate::ports::free_port;
use crate::server::{Options, new_folder};
use serde_json::Value;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

/// A server with a console and a private listener.
pub struct Console {
    pub server: Server,
    pub port: u16,
    pub metrics: u16,
}

/// Status, head and body.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// Reads what `curl -i` prints.
    pub fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("curl gives an answer");
        let status = head.split_whitespace().nth(1);
        Self {
            status: status.and_then(|s| s.parse().ok()).expect("a status"),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

impl Console {
    /// Starts a server with `more` in `[console]`.
    pub fn start(more: &str) -> Self {
        Self::at(new_folder(), more)
    }

    /// Starts a server in an existing folder.
    pub fn at(folder: PathBuf, more: &str) -> Self {
        let port = free_port();
        let metrics = free_port();
        let config = format!(
            "[console]\nlisten = [\"127.0.0.1:{port}\"]\n{more}\n[metrics]\n\
             listen = \"127.0.0.1:{metrics}\"\n"
        );
        let options = Options {
            config,
            ..Options::default()
        };
        let server = Server::at(folder, options);
        within(READY_WAIT, "the console", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self {
            server,
            port,
            metrics,
        }
    }

    pub fn base(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Sends a request with curl, which verifies the certificate.
    pub fn ask(&self, path: &str, more: &[&str]) -> Answer {
        let ca = self.server.data().join("ca.pem");
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.base())
        };
        let out = Command::new("curl")
            .args(["-sS", "-i", "--cacert"])
            .arg(ca)
            .args(more)
            .arg(url)
            .output()
            .expect("curl gives an answer");
        assert!(
            out.status.success(),
            "curl {path}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        Answer::parse(&String::from_utf8(out.stdout).expect("curl gives an answer"))
    }

    pub fn with_key(&self, key: &str, path: &str, more: &[&str]) -> Answer {
        let header = format!("Authorization: Bearer {key}");
        self.ask(path, &[&["-H", &header], more].concat())
    }

    pub fn key(&self, name: &str) -> String {
        self.server.json(&["key", "create", name, "--scope", "all"])["key"]
            .as_str()
            .expect("curl gives an answer")
            .to_owned()
    }

    pub fn link(&self) -> String {
        self.server.json(&["operator", "link"])["url"]
            .as_str()
            .expect("curl gives an answer")
            .to_owned()
    }

    /// Returns an answer of the private listener.
    pub fn private(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:{}{path}", self.metrics);
        let out = Command::new("curl")
            .args(["-sS", &url])
            .output()
            .expect("curl runs");
        assert!(
            out.status.success(),
            "curl {path}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).expect("a text")
    }

    /// Returns the cookie of a new session, as a browser sends it.
    pub fn sign_in(&self) -> String {
        self.sign_in_by(&self.link())
    }

    /// Signs in by this link and returns the cookie.
    pub fn sign_in_by(&self, link: &str) -> String {
        let origin = format!("Origin: {}", self.base());
        let answer = self.ask(link, &["-X", "POST", "-H", &origin]);
        assert_eq!(answer.status, 303, "{}\n{}", answer.head, answer.body);
        let cookie = answer.header("set-cookie").expect("curl gives an answer");
        cookie
            .split(';')
            .next()
            .expect("curl gives an answer")
            .to_owned()
    }
}

/// Returns the token of a page's forms.
pub fn form_token(page: &str) -> String {
    // The templates are minified, which removes quotes that HTML does not need.
    let field = page
        .split("name=\"csrf\" value=\"")
        .nth(1)
        .or_else(|| page.split("name=csrf value=").nth(1))
        .unwrap_or_else(|| panic!("no form in {page}"));
    let token: String = field.chars().take_while(char::is_ascii_hexdigit).collect();
    assert_eq!(token.len(), 64, "{page}");
    token
}
