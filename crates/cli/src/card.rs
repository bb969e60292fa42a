//! The one calm screen of `up`, and the login that `cluster create` prints: text from facts. It
//! asks nothing and prints nothing itself.

use crate::screen::Paint;
use std::fmt::Write;

/// What a person needs to connect.
pub struct Card<'a> {
    pub endpoint: String,
    pub user: &'a str,
    /// Shown once; `None` where it was set earlier.
    pub password: Option<&'a str>,
    pub database: &'a str,
    pub ca: Option<String>,
    /// How to make a new password.
    pub new_password: String,
    /// What was proved, if anything was.
    pub verified: Option<String>,
    /// A line to paste per client: its title and itself.
    pub lines: Vec<(String, String)>,
}

impl Card<'_> {
    pub fn render(&self, paint: Paint) -> String {
        let mut out = String::new();
        let mut row = |label: &str, value: &str| {
            let _ = writeln!(out, "  {}  {value}", paint.dim(&format!("{label:<9}")));
        };
        row("endpoint", &paint.bold(&self.endpoint));
        row("user", &paint.bold(self.user));
        match self.password {
            Some(password) => {
                row("password", &paint.bold(password));
                row(
                    "",
                    &paint.dim(&format!(
                        "shown this once; a new one: {}",
                        self.new_password
                    )),
                );
            }
            None => row(
                "password",
                &format!("set earlier; a new one: {}", self.new_password),
            ),
        }
        row("database", self.database);
        if let Some(ca) = &self.ca {
            row("ca", ca);
        }
        if let Some(verified) = &self.verified {
            row("verified", &paint.green(verified));
        }
        for (title, line) in &self.lines {
            let _ = write!(out, "\n  {}\n  {line}\n", paint.dim(&format!("# {title}")));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(password: Option<&str>) -> String {
        Card {
            endpoint: "127.0.0.1:4000".into(),
            user: "abcdefghjkmn.root",
            password,
            database: "test",
            ca: Some("/data/ca.pem".into()),
            new_password: "tidegate cluster password demo".into(),
            verified: Some("TLS 1.3, first row in 94 ms".into()),
            lines: vec![("mysql".into(), "mysql -u abcdefghjkmn.root".into())],
        }
        .render(Paint::none())
    }

    #[test]
    fn the_first_screen_shows_the_password_and_how_to_make_another() {
        let want = "  endpoint   127.0.0.1:4000\n  \
                    user       abcdefghjkmn.root\n  \
                    password   s3cret\n             \
                    shown this once; a new one: tidegate cluster password demo\n  \
                    database   test\n  \
                    ca         /data/ca.pem\n  \
                    verified   TLS 1.3, first row in 94 ms\n\n  \
                    # mysql\n  \
                    mysql -u abcdefghjkmn.root\n";
        assert_eq!(card(Some("s3cret")), want);
    }

    #[test]
    fn a_later_screen_says_that_the_password_was_set_earlier() {
        let text = card(None);
        assert!(
            text.contains("password   set earlier; a new one: tidegate cluster password demo\n"),
            "{text}"
        );
    }
}
