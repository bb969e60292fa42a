//! Values of settings: how each kind is read from TOML, checked, and written back.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tidegate_model::Size;
use tidegate_model::limits::NEVER_SLEEPS;
use toml::de::DeValue;

/// Kind of a setting's value.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Duration {
        min: Duration,
        max: Duration,
    },
    /// Duration after which a cluster sleeps, or `never`.
    SleepTime {
        min: Duration,
        max: Duration,
    },
    Count {
        min: u64,
        max: u64,
    },
    /// Bytes with a unit, such as `512M`.
    Size {
        min: u64,
        max: u64,
    },
    /// `ADDRESS:PORT`, at least one.
    Addresses,
    /// `ADDRESS/BITS` or single addresses; may be empty.
    Networks,
    Names,
    /// Path of a file; the empty text means none.
    File,
    Choice(&'static [&'static str]),
    /// Any text; may be empty.
    Text,
    /// URL of the folder of help pages; the empty text means none.
    HelpBase,
    /// Place of the engines' control groups.
    Cgroup,
    /// User numbers of the engines.
    Uids,
    /// Filter of the log.
    Filter,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Duration(Duration),
    Count(u64),
    Size(Size),
    Addresses(Vec<SocketAddr>),
    Networks(Vec<(IpAddr, u8)>),
    Names(Vec<String>),
    File(Option<PathBuf>),
    Text(String),
}

impl Kind {
    /// Reads a TOML value of this kind. The error is the rest of a sentence that begins with the
    /// key's name: "must be ...".
    pub fn read(self, raw: &DeValue<'_>) -> Result<Value, String> {
        match self {
            Self::Duration { min, max } => {
                let value = duration(text(raw, "a duration such as \"15s\", \"5m\" or \"1h\"")?)?;
                within(value, min, max, |d| write_duration(*d)).map(Value::Duration)
            }
            Self::SleepTime { min, max } => {
                let value = sleep_time(text(raw, SLEEP_TIME)?)?;
                if value == NEVER_SLEEPS {
                    return Ok(Value::Duration(value));
                }
                within(value, min, max, |d| write_duration(*d)).map(Value::Duration)
            }
            Self::Count { min, max } => {
                let number = match raw {
                    DeValue::Integer(n) => u64::from_str_radix(n.as_str(), n.radix()).ok(),
                    _ => None,
                };
                let value = number.ok_or("must be a whole number, not negative")?;
                within(value, min, max, ToString::to_string).map(Value::Count)
            }
            Self::Size { min, max } => {
                let value = Size::parse(text(raw, "a size such as \"512M\" or \"4G\"")?)
                    .map_err(|e| e.to_string())?;
                within(value, Size(min), Size(max), ToString::to_string).map(Value::Size)
            }
            Self::Addresses => addresses(raw).map(Value::Addresses),
            Self::Networks => {
                each(&list(raw, "networks such as [\"10.0.0.0/8\"]")?, network).map(Value::Networks)
            }
            Self::Names => {
                each(&list(raw, "names such as [\"db.example.com\"]")?, host_name).map(Value::Names)
            }
            Self::File => {
                let path = text(raw, "a file's path")?;
                Ok(Value::File((!path.is_empty()).then(|| PathBuf::from(path))))
            }
            Self::Choice(choices) => {
                let all = choices.join(", ");
                let value = text(raw, &format!("one of {all}"))?;
                if choices.contains(&value) {
                    Ok(Value::Text(value.to_owned()))
                } else {
                    Err(format!("must be one of {all}"))
                }
            }
            Self::Text => {
                let value = text(raw, "a text")?;
                // These texts go into requests and file names.
                if value.len() > 1024 || value.contains(char::is_control) {
                    return Err("must be one line of at most 1024 bytes".into());
                }
                Ok(Value::Text(value.to_owned()))
            }
            Self::HelpBase => {
                let value = text(raw, "an address")?;
                let wrong = |wrong: tidegate_model::wording::WrongHelpBase| wrong.to_string();
                tidegate_model::Wording::new(value, Vec::new()).map_err(wrong)?;
                Ok(Value::Text(value.to_owned()))
            }
            Self::Cgroup => {
                let value = text(raw, "auto, off or the path of a group")?;
                tidegate_engine::CgroupChoice::parse(value)?;
                Ok(Value::Text(value.to_owned()))
            }
            Self::Uids => {
                let value = text(raw, "\"auto\", or FIRST-LAST")?;
                tidegate_engine::UidChoice::parse(value)?;
                Ok(Value::Text(value.to_owned()))
            }
            Self::Filter => filter(text(raw, "a level such as \"info\"")?).map(Value::Text),
        }
    }
}

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// Checks a level, or a filter such as `info,tidegate_gateway=debug`.
pub fn filter(value: &str) -> Result<String, String> {
    // EnvFilter reads an unknown word as the name of a target and then logs only that, so that a
    // misspelled level would silence the log.
    let known = value.split(',').all(|part| {
        let level = part.split_once('=').map_or(part, |(_, level)| level);
        LEVELS.contains(&level)
    });
    if known && value.parse::<tracing_subscriber::EnvFilter>().is_ok() {
        Ok(value.to_owned())
    } else {
        Err("must be error, warn, info, debug, trace, or a filter such \
             as \"info,tidegate_gateway=debug\""
            .into())
    }
}

/// Reads `15s`, `200ms`, `5m`, `1h`, `2d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    milliseconds(text)
        .map(Duration::from_millis)
        .ok_or_else(|| NOT_A_DURATION.to_owned())
}

/// Forms of a time after which a cluster sleeps.
const SLEEP_TIME: &str = "a duration such as \"15s\", \"5m\" or \"1h\", or \"never\"";

/// Reads a duration, or `never`: the longest one that a server accepts.
pub fn sleep_time(text: &str) -> Result<Duration, String> {
    match text {
        "never" => Ok(NEVER_SLEEPS),
        _ => duration(text).map_err(|wrong| format!("{wrong}, or \"never\"")),
    }
}

const NOT_A_DURATION: &str =
    "must be a number with a unit: \"200ms\", \"15s\", \"5m\", \"1h\" or \"2d\"";

fn milliseconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(per_unit)
}

/// Writes a duration in the largest unit that keeps it whole.
pub fn write_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    for (unit, size) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ] {
        if ms != 0 && ms.is_multiple_of(size) {
            return format!("{}{unit}", ms / size);
        }
    }
    format!("{ms}ms")
}

fn text<'a>(raw: &'a DeValue<'_>, what: &str) -> Result<&'a str, String> {
    raw.as_str().ok_or_else(|| format!("must be {what}"))
}

fn list<'a>(raw: &'a DeValue<'_>, what: &str) -> Result<Vec<&'a str>, String> {
    let texts: Option<Vec<_>> = raw
        .as_array()
        .and_then(|array| array.iter().map(|item| item.get_ref().as_str()).collect());
    texts.ok_or_else(|| format!("must be a list of {what}"))
}

fn each<T>(list: &[&str], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    list.iter().map(|item| read(item)).collect()
}

fn network(text: &str) -> Result<(IpAddr, u8), String> {
    address_and_bits(text).ok_or_else(|| {
        format!(
            "contains {text:?}, which is not ADDRESS/BITS such as \"10.0.0.0/8\" or \"fd00::/8\""
        )
    })
}

fn addresses(raw: &DeValue<'_>) -> Result<Vec<SocketAddr>, String> {
    let list = list(raw, "ADDRESS:PORT texts such as [\"127.0.0.1:4000\"]")?;
    let addresses = each(&list, |text| {
        text.parse().map_err(|_| {
            format!("contains {text:?}, which is not ADDRESS:PORT such as \"127.0.0.1:4000\"")
        })
    })?;
    if addresses.is_empty() {
        return Err("must contain at least one address".to_owned());
    }
    Ok(addresses)
}

/// Reads a host name or an address, without checking its characters: a certificate is made for it.
fn host_name(name: &str) -> Result<String, String> {
    let has_bad_character = name.contains(|c: char| c.is_whitespace() || c == '/');
    if name.is_empty() || name.len() > HOST_NAME_MAX || has_bad_character {
        return Err(format!(
            "contains {name:?}, which is not a host name or address"
        ));
    }
    Ok(name.to_owned())
}

/// Longest host name of the DNS (RFC 1035, without the dot at the end).
const HOST_NAME_MAX: usize = 253;

fn address_and_bits(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text
        .split_once('/')
        .map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits: u8 = bits.map_or(Ok(most), str::parse).ok()?;
    (bits <= most).then_some((address, bits))
}

fn within<T: PartialOrd>(
    value: T,
    min: T,
    max: T,
    write: impl Fn(&T) -> String,
) -> Result<T, String> {
    if value >= min && value <= max {
        Ok(value)
    } else {
        Err(format!(
            "must be between {} and {}; it is {}",
            write(&min),
            write(&max),
            write(&value)
        ))
    }
}

/// Writes the value as TOML.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(items) = self.items() {
            let quoted: Vec<_> = items.into_iter().map(quoted).collect();
            return write!(f, "[{}]", quoted.join(", "));
        }
        match self {
            Self::Count(n) => write!(f, "{n}"),
            other => f.write_str(&quoted(other.text())),
        }
    }
}

/// Returns a text as a TOML string.
fn quoted(text: String) -> String {
    toml::Value::String(text).to_string()
}

impl Value {
    /// Returns the items of a list; `None` for a single value.
    fn items(&self) -> Option<Vec<String>> {
        match self {
            Self::Addresses(list) => Some(list.iter().map(ToString::to_string).collect()),
            Self::Networks(list) => Some(
                list.iter()
                    .map(|(ip, bits)| format!("{ip}/{bits}"))
                    .collect(),
            ),
            Self::Names(list) => Some(list.clone()),
            Self::Duration(_) | Self::Count(_) | Self::Size(_) | Self::File(_) | Self::Text(_) => {
                None
            }
        }
    }

    /// Returns a single value as text; a list has its items separated by commas.
    fn text(&self) -> String {
        match self {
            // No other key accepts such a long time.
            Self::Duration(duration) if *duration == NEVER_SLEEPS => "never".to_owned(),
            Self::Duration(duration) => write_duration(*duration),
            Self::Count(n) => n.to_string(),
            Self::Size(size) => size.to_string(),
            Self::File(path) => path
                .as_ref()
                .map_or_else(String::new, |path| path.display().to_string()),
            Self::Text(text) => text.clone(),
            Self::Addresses(_) | Self::Networks(_) | Self::Names(_) => {
                self.items().unwrap_or_default().join(", ")
            }
        }
    }

    /// Returns the value for `--json`, in the same form as in TOML. No file is null.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Count(n) => (*n).into(),
            Self::File(None) => serde_json::Value::Null,
            single => match single.items() {
                Some(items) => items.into(),
                None => single.text().into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_back() {
        for (text, ms) in [
            ("200ms", 200),
            ("15s", 15_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
        ] {
            let read = duration(text).unwrap();
            assert_eq!(read, Duration::from_millis(ms), "{text}");
            assert_eq!(write_duration(read), text);
        }
        for bad in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "5w",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_filter_with_an_unknown_word_is_refused() {
        assert!(filter("info").is_ok());
        assert!(filter("info,tidegate_gateway=debug").is_ok());
        assert!(filter("loud").is_err());
        assert!(filter("info,tidegate=loud").is_err());
    }
}
