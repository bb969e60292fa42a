//! Recognises an address that a variable contains: `url = env("DATABASE_URL")`, `${DB_URL}`,
//! `sql.Open("mysql", dsn)`. Only the variable's value says what such a client does about TLS.

use super::judgement::{CheckAnswer, ClientChecks};
use super::keys::normal;
use super::text::{is_quote, part};
use super::url;

/// Reason for a verdict that the variable's value decides.
pub const PASTE_VALUE: &str = "can't read: a variable contains the address, and its value says \
                               what is verified; hint: paste the variable's value.";

/// Beginnings of a value that a variable, a setting or another file provides.
pub const HEADS: &[&str] = &[
    "env(",
    "env!(",
    "env.",
    "env::",
    "std::env",
    "dotenv",
    "<%",
    "${",
    "{{",
    "#{",
    "%env(",
    "%(",
    "os.environ",
    "os.getenv",
    "os.Getenv",
    "os.LookupEnv",
    "getenv(",
    "process.env",
    "Deno.env",
    "Bun.env",
    "import.meta.env",
    "System.getenv",
    "System.getProperty",
    "System.get_env",
    "System.fetch_env",
    "ENV[",
    "ENV.fetch",
    "$_ENV",
    "$_SERVER",
    "$ENV{",
    "Environment.GetEnvironmentVariable",
    "Environment.get",
    "Configuration.",
    "builder.Configuration",
    "viper.Get",
    "config(",
    "secrets.",
    "var.",
    "local.",
    "data.",
    "!Ref",
    "!Sub",
    "!GetAtt",
    "!env",
    "!secret",
    "@@",
];

/// Calls whose first argument, or second one behind the driver's name, is an address.
const CALLS: &[&str] = &[
    "createPool",
    "createConnection",
    "create_engine",
    "create_async_engine",
    "engine_from_config",
    "Open",
    "Connect",
    "MustConnect",
    "MustOpen",
    "NewConnector",
    "ParseDSN",
    "connect",
    "connect_lazy",
    "establish",
    "establish_connection",
    "getConnection",
    "PDO",
    "Sequelize",
    "DataSource",
    "PrismaMariaDb",
    "MySqlConnection",
    "UseMySql",
    "UseMySQL",
    "setUrl",
    "setURL",
    "setJdbcUrl",
    "drizzle",
    "from_url",
];

/// Drivers of the first argument of Go's calls.
const DRIVERS: [&str; 3] = ["\"mysql\",", "'mysql',", "\"nrmysql\","];

/// Words of a key that an address of another service has.
const OTHER_SERVICES: [&str; 10] = [
    "redis",
    "mongo",
    "amqp",
    "rabbit",
    "kafka",
    "elastic",
    "postgres",
    "pgsql",
    "memcache",
    "clickhouse",
];

/// Maximum number of variables that are followed in a text.
const DEPTH_MAX: usize = 3;

/// A reference to a variable that contains the whole address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressReference {
    /// Whether the text has an address for the case that the variable is not set.
    has_default: bool,
    /// Whether the address also names the driver.
    names_driver: bool,
}

impl AddressReference {
    /// Whether the variable's value decides a verdict of this form: not if the text contains the
    /// address itself, and not if options beside it verify anyway.
    pub fn decides(self, form: &str, has_host: bool, checks: ClientChecks) -> bool {
        if ["a command line", "an options file"].contains(&form) {
            return false;
        }
        if self.has_default {
            return true;
        }
        let is_address = form.ends_with("URL") || form.contains("DSN") || form.contains("source");
        if is_address || form.starts_with("a list") && has_host {
            return false;
        }
        let by_options = checks.tls == CheckAnswer::Yes || checks.chain != CheckAnswer::No;
        self.names_driver || !by_options
    }
}

/// Finds a reference in the place of an address.
pub fn find(text: &str) -> Option<AddressReference> {
    let mut rest = text;
    let mut found = None;
    while !rest.is_empty() {
        let end = rest.find(|c| !of_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end)?;
        if let Some(value) = address_value(word, after).filter(|value| is_reference(value, text, 0))
        {
            let line = value.lines().next().unwrap_or_default();
            let reference = AddressReference {
                has_default: has_address(line),
                names_driver: text.contains("create_engine")
                    || text.contains("create_async_engine")
                    || text.contains("SQLALCHEMY"),
            };
            if reference.has_default {
                return Some(reference);
            }
            found = Some(reference);
        }
        let step = after.chars().next().map_or(0, char::len_utf8);
        rest = part(after, step..);
    }
    found
}

fn of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.-$".contains(c)
}

fn has_address(line: &str) -> bool {
    url::find(line).is_some() || line.contains("@tcp(") || line.contains("ecto://")
}

/// Returns the text of the value that this word gives an address.
fn address_value<'a>(word: &str, after: &'a str) -> Option<&'a str> {
    if let Some(arguments) = after.strip_prefix('(') {
        let name = word.rsplit('.').next()?;
        let arguments = arguments.trim_start();
        let behind_driver = DRIVERS.iter().find_map(|name| arguments.strip_prefix(name));
        return CALLS
            .contains(&name)
            .then(|| behind_driver.unwrap_or(arguments).trim_start());
    }
    if !is_address_key(word) {
        // Kubernetes and task definitions: a key `name`, then `valueFrom`.
        let after = after.trim_start_matches(|c: char| is_quote(c) || c.is_whitespace());
        let rest = after.strip_prefix(':').filter(|_| word == "name")?;
        let name = rest.trim_start_matches(|c: char| is_quote(c) || c == ' ');
        let end = name.find(|c| !of_word(c)).unwrap_or(name.len());
        let (name, next) = name.split_at_checked(end)?;
        let next = next.trim_start_matches(|c: char| is_quote(c) || c.is_whitespace() || c == ',');
        return (is_address_key(name) && next.starts_with("valueFrom")).then_some(FROM_ELSEWHERE);
    }
    let after = after.trim_start_matches(|c: char| is_quote(c) || " \t]".contains(c));
    let value = after
        .strip_prefix("=>")
        .or_else(|| after.strip_prefix(":="))
        .or_else(|| after.strip_prefix(['=', ':']))?;
    Some(value.trim_start_matches([' ', '\t']))
}

/// A value that another object provides.
const FROM_ELSEWHERE: &str = "secrets.";

/// Whether an address of MySQL may be the value of this key.
fn is_address_key(key: &str) -> bool {
    let name = normal(key);
    if OTHER_SERVICES.iter().any(|word| name.contains(word)) {
        return false;
    }
    let last = key.rsplit('.').next().map(normal).unwrap_or_default();
    if ["url", "uri", "dsn", "jdbcurl", "connectionstring"].contains(&last.as_str()) {
        return true;
    }
    let of_database = [
        "db",
        "database",
        "sql",
        "maria",
        "datasource",
        "jdbc",
        "conn",
    ]
    .iter()
    .any(|word| name.contains(word));
    let of_address = [
        "url",
        "uri",
        "dsn",
        "conn",
        "connection",
        "connectionstring",
    ]
    .iter()
    .any(|end| name.ends_with(end));
    of_database && of_address
}

/// Whether a value is a variable whose value the text does not contain.
fn is_reference(value: &str, text: &str, depth: usize) -> bool {
    let is_text = value.starts_with(is_quote);
    let value = value.trim_start_matches(|c: char| is_quote(c) || "&*".contains(c));
    if OTHER_SERVICES
        .iter()
        .any(|word| first_word(value).to_ascii_lowercase().contains(word))
    {
        return false;
    }
    // A variable of a shell or of PHP may have its value in the text.
    let name = value.strip_prefix('$').map(|name| {
        let name = name.trim_start_matches('{');
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        part(name, ..end.unwrap_or(name.len()))
    });
    if let Some(name) = name.filter(|name| !name.is_empty() && !name.starts_with("_")) {
        return is_unset(name, text, depth);
    }
    if HEADS.iter().any(|head| value.starts_with(head)) {
        return true;
    }
    let is_variable = value.strip_prefix('%').is_some_and(|rest| {
        let name = rest.split('%').next().unwrap_or_default();
        rest.contains('%') && !name.is_empty() && name.chars().all(of_word)
    });
    if is_variable {
        return true;
    }
    let is_code = text.contains(['(', '{']);
    if is_text || !is_code {
        return false;
    }
    let end = value.find(|c: char| !c.is_ascii_alphanumeric() && !"_.".contains(c));
    let name = part(value, ..end.unwrap_or(value.len()));
    let after = part(value, name.len()..).trim_start_matches([' ', '\t']);
    let ends =
        after.is_empty() || after.starts_with([',', ';', ')', '}', ']', '!', '?', '|', '\n']);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_constant = ["true", "false", "null", "nil", "none", "undefined"];
    if !is_name || !ends || is_constant.contains(&name.to_ascii_lowercase().as_str()) {
        return false;
    }
    is_unset(name, text, depth)
}

fn first_word(value: &str) -> &str {
    value.lines().next().unwrap_or_default()
}

/// Whether the text does not set this variable, or only to another one that it does not set.
fn is_unset(name: &str, text: &str, depth: usize) -> bool {
    if depth >= DEPTH_MAX {
        return true;
    }
    let mut values = text.match_indices(name).filter_map(|(at, _)| {
        let is_start =
            !part(text, ..at).ends_with(|c: char| c.is_ascii_alphanumeric() || "_.{".contains(c));
        let after = part(text, at + name.len()..).trim_start_matches([' ', '\t']);
        let value = after
            .strip_prefix(":=")
            .or_else(|| after.strip_prefix('='))
            .filter(|value| !value.starts_with(['=', '>']))?;
        is_start.then(|| value.trim_start_matches([' ', '\t']))
    });
    values.all(|value| is_reference(value, text, depth + 1))
}
