//! Formats of dates, durations and sentences on pages.

use crate::timestamp::rfc3339_date;
use std::fmt::{self, Write};
use std::time::{Duration, SystemTime};
use tidegate_model::printable;
use time::OffsetDateTime;
use time::macros::format_description;

/// Time in UTC, with the formats that pages use.
#[derive(Debug, Clone)]
pub struct Moment {
    /// For `<time datetime>`.
    pub iso: String,
    at: OffsetDateTime,
}

impl Moment {
    pub fn from_unix(unix: i64) -> Self {
        let at = OffsetDateTime::from_unix_timestamp(unix).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self {
            iso: rfc3339_date(unix),
            at,
        }
    }

    pub fn from_system(at: SystemTime) -> Self {
        let seconds = at
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        Self::from_unix(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    pub fn now_unix() -> i64 {
        OffsetDateTime::now_utc().unix_timestamp()
    }

    pub fn day(&self) -> String {
        self.at
            .format(format_description!(
                "[day padding:none] [month repr:short] [year]"
            ))
            .unwrap_or_default()
    }

    pub fn minute(&self) -> String {
        self.at
            .format(format_description!(
                "[day padding:none] [month repr:short] [year], [hour]:[minute] UTC"
            ))
            .unwrap_or_default()
    }

    pub fn short(&self) -> String {
        self.at
            .format(format_description!(
                "[day padding:none] [month repr:short], [hour]:[minute] UTC"
            ))
            .unwrap_or_default()
    }

    pub fn second(&self) -> String {
        self.at
            .format(format_description!(
                "[day padding:none] [month repr:short], [hour]:[minute]:[second]"
            ))
            .unwrap_or_default()
    }
}

/// Formats a duration in its two largest units.
pub fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let days = seconds / 86_400;
    let hours = seconds / 3_600 % 24;
    let minutes = seconds / 60 % 60;
    match (days, hours, minutes) {
        (0, 0, 0) if length.subsec_millis() != 0 && seconds < 10 => {
            format!("{:.1} s", length.as_secs_f64())
        }
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, m) if seconds.is_multiple_of(60) => format!("{m} min"),
        (0, 0, m) => format!("{m} min {} s", seconds % 60),
        (0, h, 0) => format!("{h} h"),
        (0, h, m) => format!("{h} h {m} min"),
        (1, _, _) => "1 day".to_owned(),
        (d, _, _) => format!("{d} days"),
    }
}

/// Makes a sentence of an error message: the first letter becomes a capital, and a full stop is
/// added.
pub fn sentence(text: &str) -> String {
    let text = printable(text.trim());
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    let end = if text.ends_with(['.', '!', '?', ':']) {
        ""
    } else {
        "."
    };
    format!("{}{}{end}", first.to_uppercase(), chars.as_str())
}

/// Text as HTML, in which text between backticks becomes `<code>`. Everything else is escaped.
pub struct Prose<'a>(pub &'a str);

impl fmt::Display for Prose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.split('`').collect();
        // With an odd number of backticks, all are shown as they are.
        let paired = !parts.len().is_multiple_of(2);
        for (i, part) in parts.iter().enumerate() {
            match (i % 2 == 1, paired) {
                (true, true) => {
                    f.write_str("<code>")?;
                    escape(part, f)?;
                    f.write_str("</code>")?;
                }
                (_, false) if i > 0 => {
                    f.write_char('`')?;
                    escape(part, f)?;
                }
                _ => escape(part, f)?,
            }
        }
        Ok(())
    }
}

fn escape(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for c in text.chars() {
        match c {
            '<' => f.write_str("&lt;")?,
            '>' => f.write_str("&gt;")?,
            '&' => f.write_str("&amp;")?,
            '"' => f.write_str("&quot;")?,
            '\'' => f.write_str("&#39;")?,
            other => f.write_char(other)?,
        }
    }
    Ok(())
}

/// Filters for templates.
pub mod filters {
    use super::Prose;
    use askama::{Result, Values};
    use std::fmt::Display;

    /// Formats text as [`Prose`].
    #[askama::filter_fn]
    pub fn prose(text: impl Display, _: &dyn Values) -> Result<String> {
        Ok(Prose(&text.to_string()).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_marks_code_and_escapes_everything_else() {
        assert_eq!(
            Prose("a `b<c>` & d").to_string(),
            "a <code>b&lt;c&gt;</code> &amp; d"
        );
        assert_eq!(Prose("one ` tick").to_string(), "one ` tick");
        assert_eq!(Prose("<script>").to_string(), "&lt;script&gt;");
    }

    #[test]
    fn messages_become_sentences() {
        assert_eq!(sentence("there is no cluster"), "There is no cluster.");
        assert_eq!(sentence("`tidegate` does it."), "`tidegate` does it.");
        assert_eq!(sentence(""), "");
    }

    #[test]
    fn durations_have_their_two_largest_units() {
        let cases = [
            (5, "5 s"),
            (300, "5 min"),
            (90, "1 min 30 s"),
            (3600, "1 h"),
            (86_400 * 3, "3 days"),
        ];
        for (seconds, words) in cases {
            assert_eq!(span(Duration::from_secs(seconds)), words);
        }
        assert_eq!(span(Duration::from_millis(1500)), "1.5 s");
    }

    #[test]
    fn moments_are_utc() {
        let moment = Moment::from_unix(1_795_376_042);
        assert_eq!(
            (moment.iso.as_str(), moment.day().as_str()),
            ("2026-11-22T19:34:02Z", "22 Nov 2026")
        );
    }
}
