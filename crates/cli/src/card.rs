//! Text that `up` and `cluster create` print: how to connect to a cluster.

use crate::screen::Paint;
use std::fmt::Write;

/// Facts that a person needs to connect.
pub struct Card<'a> {
    pub endpoint: String,
    pub user: &'a str,
    /// `None` if it was set earlier: it is shown only once.
    pub password: Option<&'a str>,
    pub database: &'a str,
    pub ca: Option<String>,
    /// Command that sets a new password.
    pub new_password: String,
    /// Result of the login that was tried, if one was.
    pub verified: Option<String>,
    /// Title and command line of each client.
    pub lines: Vec<(String, String)>,
}

impl Card<'_> {
    pub fn render(&self, paint: Paint) -> String {
        let mut rows = vec![
            ("endpoint", paint.bold(&self.endpoint)),
            ("user", paint.bold(self.user)),
        ];
        match self.password {
            Some(password) => {
                let once = format!("shown only once; to set a new one: {}", self.new_password);
                rows.push(("password", paint.bold(password)));
                rows.push(("", paint.dim(&once)));
            }
            None => {
                let earlier = format!("set earlier; to set a new one: {}", self.new_password);
                rows.push(("password", earlier));
            }
        }
        rows.push(("database", self.database.to_owned()));
        rows.extend(self.ca.clone().map(|ca| ("ca", ca)));
        let verified = self.verified.as_deref();
        rows.extend(verified.map(|text| ("verified", paint.green(text))));
        let mut out = String::new();
        for (label, value) in rows {
            let _ = writeln!(out, "  {}  {value}", paint.dim(&format!("{label:<9}")));
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
                    shown only once; to set a new one: tidegate cluster password demo\n  \
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
            text.contains(
                "password   set earlier; to set a new one: tidegate cluster password demo\n"
            ),
            "{text}"
        );
    }
}
