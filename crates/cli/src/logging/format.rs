//! Format of a log line, for people and as JSON. Whatever its fields contain, it stays one line
//! without control characters, and each field has a maximum length.

use crate::limits::LOG_FIELD_MAX;
use std::fmt::{self, Debug, Write};
use tidegate_model::escape::{push_json_char, push_printable_char};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer, debug_fn};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::registry::LookupSpan;

/// End of a field that was cut.
const CUT: &str = " [cut]";
/// Beginning of the names of fields that say where a line of the `log` crate comes from.
const LOG_CRATE: &str = "log.";

/// Formats the message and fields of a line for people.
pub fn human_fields() -> impl for<'w> FormatFields<'w> + 'static {
    debug_fn(|out, field, value| {
        let name = field.name();
        if name.starts_with(LOG_CRATE) {
            return Ok(());
        }
        let text = Bounded::of(value).escaped(push_printable_char);
        if name == "message" {
            out.write_str(&text)
        } else {
            write!(out, "{name}={text}")
        }
    })
    .delimited(" ")
}

/// Format of a line as one JSON object. That of `tracing_subscriber` does not limit the length of a
/// field, and does not escape all control characters.
pub struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = JsonFields::default();
        event.record(&mut fields);
        let meta = event.metadata();
        // Lines of the `log` crate all have one target; the real one is in a field.
        let target = fields.target.as_deref().unwrap_or(meta.target());
        out.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut out)?;
        writeln!(
            out,
            "\",\"level\":\"{}\",\"fields\":{{{}}},\"target\":{}}}",
            meta.level(),
            fields.text,
            json_string(Bounded::of_str(target)),
        )
    }
}

/// Members of the object of a line's fields.
#[derive(Default)]
struct JsonFields {
    text: String,
    /// Real target of a line of the `log` crate.
    target: Option<String>,
}

impl JsonFields {
    fn push(&mut self, field: &Field, value: &str) {
        if !self.text.is_empty() {
            self.text.push(',');
        }
        self.text
            .push_str(&json_string(Bounded::of_str(field.name())));
        self.text.push(':');
        self.text.push_str(value);
    }
}

impl Visit for JsonFields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity and no NaN.
        let text = if value.is_finite() {
            value.to_string()
        } else {
            "null".to_owned()
        };
        self.push(field, &text);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, &value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, &value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, if value { "true" } else { "false" });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "log.target" => self.target = Some(value.to_owned()),
            name if name.starts_with(LOG_CRATE) => {}
            _ => self.push(field, &json_string(Bounded::of_str(value))),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if !field.name().starts_with(LOG_CRATE) {
            self.push(field, &json_string(Bounded::of(value)));
        }
    }
}

fn json_string(text: Bounded) -> String {
    format!("\"{}\"", text.escaped(push_json_char))
}

/// The first `LOG_FIELD_MAX` bytes of a text. The rest is not even formatted.
#[derive(Default)]
struct Bounded {
    text: String,
    cut: bool,
}

impl Bounded {
    fn of(value: &dyn Debug) -> Self {
        let mut bounded = Self::default();
        // An error means that the text was cut, which is not a failure.
        let _ = write!(bounded, "{value:?}");
        bounded
    }

    fn of_str(text: &str) -> Self {
        let mut bounded = Self::default();
        let _ = bounded.write_str(text);
        bounded
    }

    /// Returns the text with each character as `push` writes it, within the same maximum.
    fn escaped(self, push: impl Fn(char, &mut String)) -> String {
        let mut out = String::with_capacity(self.text.len());
        let mut cut = self.cut;
        for c in self.text.chars() {
            let end = out.len();
            push(c, &mut out);
            if out.len() > LOG_FIELD_MAX {
                out.truncate(end);
                cut = true;
                break;
            }
        }
        if cut {
            out.push_str(CUT);
        }
        out
    }
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LOG_FIELD_MAX.saturating_sub(self.text.len());
        let (head, rest) = text.split_at(text.floor_char_boundary(room));
        self.text.push_str(head);
        self.cut |= !rest.is_empty();
        // The error stops the formatter, so that a huge value is not formatted to its end.
        if self.cut { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::sink::Sink;
    use tracing_subscriber::Layer;
    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt;

    const HOSTILE: &str = "a\x1b]0;x\x07\n2026-11-30 ERROR forged \u{202e}\u{9b}31m\x7f\"\\";

    /// Returns what is written of these lines in one of the two formats.
    fn written(json: bool, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = fmt::layer()
            .fmt_fields(human_fields())
            .with_ansi(false)
            .with_writer(move || writer.clone());
        let layer = if json {
            layer.event_format(JsonLine).boxed()
        } else {
            layer.boxed()
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        String::from_utf8(sink.bytes()).unwrap()
    }

    #[test]
    fn a_line_stays_one_line_whatever_its_fields_contain() {
        for json in [false, true] {
            let text = written(json, || {
                tracing::info!(
                    user = HOSTILE,
                    shown = %HOSTILE,
                    debug = ?HOSTILE,
                    "message {HOSTILE}"
                );
            });
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(
                text.chars()
                    .all(|c| c == '\n' || c.is_ascii_graphic() || c == ' '),
                "{text:?}"
            );
            if json {
                let line: serde_json::Value = serde_json::from_str(&text).unwrap();
                let fields = &line["fields"];
                assert_eq!(fields["message"], format!("message {HOSTILE}"));
                assert_eq!(
                    (&fields["user"], &fields["shown"]),
                    (&HOSTILE.into(), &HOSTILE.into())
                );
            } else {
                assert!(
                    text.contains("message a\\x1b]0;x") && text.contains("shown=a\\x1b]0;x"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn every_field_of_every_line_is_cut_at_the_maximum() {
        for json in [false, true] {
            for text in ["x", "\x1b", "\u{202e}", "\u{e0001}", "é", "\"", "\\"] {
                let long = text.repeat(100_000);
                let line = written(json, || {
                    tracing::warn!(user = long, shown = %long, debug = ?long, "{long}");
                });
                assert_eq!(line.lines().count(), 1);
                assert!(
                    line.len() < 4 * (LOG_FIELD_MAX + 20) + 200,
                    "{} bytes of {text:?}, json: {json}",
                    line.len()
                );
                assert_eq!(line.matches(CUT).count(), 4, "{line}");
                assert!(
                    !json || serde_json::from_str::<serde_json::Value>(&line).is_ok(),
                    "{line}"
                );
            }
        }
    }

    #[test]
    fn numbers_and_booleans_keep_their_type_in_json() {
        let text = written(true, || {
            tracing::info!(
                n = 7u64,
                less = -7,
                part = 1.5,
                whole = 2.0,
                none = f64::NAN,
                yes = true,
                "m"
            );
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        let want = serde_json::json!({
            "message": "m", "n": 7, "less": -7, "part": 1.5, "whole": 2, "none": null, "yes": true
        });
        assert_eq!(line["fields"], want);
        assert_eq!(
            (&line["level"], &line["target"]),
            (&"INFO".into(), &module_path!().into())
        );
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    }
}
