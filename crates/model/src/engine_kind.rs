//! Description of a kind of engine: its name, the parameters of its clusters, and its abilities.
//! CLI, API and console make their forms from it, so a new kind needs no change there.

use crate::limits::{ENGINE_PARAMETERS_BYTES_MAX, PARAMETER_ITEMS_MAX};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Description of a kind of engine.
#[derive(Debug, Clone, Copy)]
pub struct KindDescription {
    /// Stable name in the store, in the API and for `--engine`.
    pub name: &'static str,
    /// Summary in one line, for people who choose a kind.
    pub summary: &'static str,
    /// Page of the documentation, below `docs/`.
    pub page: &'static str,
    /// Parameters of a cluster, in the order in which forms show them.
    pub parameters: &'static [ParameterDescription],
    pub login_check: PasswordVerifier,
    pub abilities: Abilities,
}

/// Place where the password of a login is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordVerifier {
    /// The gateway verifies it by the accounts that it read from the engine, before it wakes one.
    KnownAccounts,
}

impl PasswordVerifier {
    /// Stable word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KnownAccounts => "known_accounts",
        }
    }
}

/// Operations that a kind of engine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// Its clusters go to sleep, by themselves and when an operator asks for it.
    pub sleeps: bool,
    /// Its clusters can be backed up.
    pub backs_up: bool,
    /// Its clusters can be copied with their data.
    pub branches: bool,
}

/// A parameter of a kind of engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParameterDescription {
    /// Name as in `--set NAME=VALUE`: a-z, 0-9 and `_`.
    pub name: &'static str,
    pub value: ParameterType,
    /// Value of a cluster that was created without one, as text. `None`: a value is required.
    pub default: Option<&'static str>,
    /// Help in one line, for forms.
    pub help: &'static str,
}

/// Type of a parameter's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParameterType {
    Text,
    /// Whole number within these bounds.
    Number {
        min: i64,
        max: i64,
    },
    Flag,
    /// Exactly one of these words.
    Choice(&'static [&'static str]),
    /// Several texts, such as endpoints.
    List,
}

impl ParameterType {
    /// Stable word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number { .. } => "number",
            Self::Flag => "flag",
            Self::Choice(_) => "choice",
            Self::List => "list",
        }
    }

    /// Description of the accepted values, for errors and help.
    pub fn expected(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Number { min, max } => format!("a whole number from {min} to {max}"),
            Self::Flag => "true or false".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::List => "one or more texts".to_owned(),
        }
    }

    /// Converts a given value to this type. Text is accepted for every type, since command lines
    /// and HTML forms have nothing else.
    fn convert(self, given: &Value) -> Option<Value> {
        match (self, given) {
            (Self::Text, Value::String(_)) | (Self::Flag, Value::Bool(_)) => Some(given.clone()),
            (Self::Number { min, max }, value) => {
                let number = match value {
                    Value::String(text) => text.trim().parse().ok()?,
                    other => other.as_i64()?,
                };
                (min..=max).contains(&number).then(|| number.into())
            }
            (Self::Flag, Value::String(text)) => text.trim().parse::<bool>().ok().map(Value::Bool),
            (Self::Choice(words), Value::String(text)) => {
                words.contains(&text.as_str()).then(|| given.clone())
            }
            (Self::List, Value::String(text)) => Some(Value::Array(vec![text.as_str().into()])),
            (Self::List, Value::Array(items)) => {
                let valid = (1..=PARAMETER_ITEMS_MAX).contains(&items.len())
                    && items.iter().all(Value::is_string);
                valid.then(|| given.clone())
            }
            _ => None,
        }
    }
}

/// Values of a cluster's parameters: one JSON object, complete and of the declared types.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EngineParameters(Map<String, Value>);

impl EngineParameters {
    /// Checks given values against their descriptions and adds the defaults of those missing.
    pub fn check(
        descriptions: &[ParameterDescription],
        given: &Map<String, Value>,
    ) -> Result<Self, ParameterError> {
        let known = |name: &str| descriptions.iter().any(|d| d.name == name);
        if let Some(unknown) = given.keys().find(|name| !known(name)) {
            let names: Vec<_> = descriptions.iter().map(|d| d.name).collect();
            return Err(ParameterError::Unknown {
                name: unknown.chars().take(NAME_SHOWN_MAX).collect(),
                known: names.join(", "),
            });
        }
        let mut values = Map::new();
        for description in descriptions {
            let value = match (given.get(description.name), description.default) {
                (Some(value), _) => value.clone(),
                (None, Some(default)) => Value::String(default.to_owned()),
                (None, None) => return Err(ParameterError::missing(description)),
            };
            let wrong = || ParameterError::wrong(description);
            let value = description.value.convert(&value).ok_or_else(wrong)?;
            values.insert(description.name.to_owned(), value);
        }
        let checked = Self(values);
        if checked.to_json().len() > ENGINE_PARAMETERS_BYTES_MAX {
            return Err(ParameterError::TooLarge);
        }
        Ok(checked)
    }

    /// Text of a parameter of type text or choice.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Value of a parameter of type number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    /// Value of a parameter of type flag.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    /// Items of a parameter of type list.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let items = self.0.get(name).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// Names and values, for people: a list as its items with commas between them.
    pub fn rows(&self) -> Vec<(&str, String)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), shown(value)))
            .collect()
    }

    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The JSON object, as the store keeps it.
    pub fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// Reads what [`Self::to_json`] wrote.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(Self)
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            items.join(", ")
        }
        other => other.to_string(),
    }
}

/// Engine of one cluster: its kind and the values of that kind's parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterEngine {
    /// Name of the kind.
    pub kind: String,
    pub parameters: EngineParameters,
}

/// Kind of all clusters that were created before there were others.
const FIRST_KIND: &str = "mariadb";

impl Default for ClusterEngine {
    fn default() -> Self {
        Self {
            kind: FIRST_KIND.to_owned(),
            parameters: EngineParameters::default(),
        }
    }
}

/// Characters of an unknown parameter's name that an error repeats.
const NAME_SHOWN_MAX: usize = 64;

/// Reason why given parameters are not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    #[error("this kind of engine has no parameter {name:?}")]
    Unknown { name: String, known: String },
    #[error("the parameter {name} is required: {help}")]
    Missing {
        name: &'static str,
        help: &'static str,
    },
    #[error("the value of parameter {name} is not valid: it must be {expected}")]
    Wrong {
        name: &'static str,
        expected: String,
    },
    #[error("the parameters take more than {ENGINE_PARAMETERS_BYTES_MAX} bytes")]
    TooLarge,
    /// The values have their types, and the kind rejects them.
    #[error("{message}")]
    Rejected { message: String, hint: String },
}

impl ParameterError {
    fn missing(description: &ParameterDescription) -> Self {
        Self::Missing {
            name: description.name,
            help: description.help,
        }
    }

    fn wrong(description: &ParameterDescription) -> Self {
        Self::Wrong {
            name: description.name,
            expected: description.value.expected(),
        }
    }

    /// Returns what to do about the error.
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { known, .. } if known.is_empty() => {
                "leave it out: this kind has no parameters".to_owned()
            }
            Self::Unknown { known, .. } => format!("its parameters are {known}"),
            Self::Missing { name, .. } => format!("give it, such as --set {name}=VALUE"),
            Self::Wrong { name, .. } => format!("change the value in --set {name}=VALUE"),
            Self::TooLarge => "give shorter values".to_owned(),
            Self::Rejected { hint, .. } => hint.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample_kind::SAMPLE_KIND;
    use serde_json::json;

    fn check(given: Value) -> Result<EngineParameters, ParameterError> {
        EngineParameters::check(SAMPLE_KIND.parameters, given.as_object().unwrap())
    }

    #[test]
    fn values_are_completed_and_mean_the_same_as_text_and_as_json() {
        let typed = check(json!({"endpoint": ["a:1"], "weight": 7, "proxy": true})).unwrap();
        let text = check(json!({"endpoint": "a:1", "weight": "7", "proxy": "true"})).unwrap();
        assert_eq!(typed, text);
        assert_eq!(typed.list("endpoint"), ["a:1"]);
        assert_eq!(typed.number("weight"), Some(7));
        assert_eq!(typed.flag("proxy"), Some(true));
        assert_eq!(typed.text("storage"), Some("shared"), "the default");
        let read = EngineParameters::from_json(&typed.to_json()).unwrap();
        assert_eq!(read, typed);
    }

    #[test]
    fn each_wrong_value_is_named_with_what_is_expected() {
        for (given, words) in [
            (json!({}), "the parameter endpoint is required"),
            (
                json!({"endpoint": "a", "colour": 1}),
                "no parameter \"colour\"",
            ),
            (json!({"endpoint": []}), "one or more texts"),
            (json!({"endpoint": [1]}), "one or more texts"),
            (json!({"endpoint": "a", "weight": 10}), "from 1 to 9"),
            (json!({"endpoint": "a", "weight": "x"}), "from 1 to 9"),
            (json!({"endpoint": "a", "proxy": "yes"}), "true or false"),
            (json!({"endpoint": "a", "storage": "none"}), "own, shared"),
            (json!({"endpoint": "a", "note": 1}), "a text"),
        ] {
            let error = check(given.clone()).unwrap_err();
            assert!(error.to_string().contains(words), "{given}: {error}");
            assert!(!error.hint().is_empty(), "{given}");
        }
        let long = "x".repeat(ENGINE_PARAMETERS_BYTES_MAX);
        let error = check(json!({"endpoint": "a", "note": long})).unwrap_err();
        assert_eq!(error, ParameterError::TooLarge);
    }
}
