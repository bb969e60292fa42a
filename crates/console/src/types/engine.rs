//! Kinds of engines in the API, with their parameters.

use serde::{Deserialize, Serialize};
use tidegate_model::{KindDescription, ParameterDescription, ParameterType};
use utoipa::ToSchema;

/// A kind of engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EngineKind {
    #[schema(example = "mariadb")]
    pub name: String,
    pub summary: String,
    /// Page of the documentation, below `docs/`.
    #[schema(example = "engines/mariadb.md")]
    pub page: String,
    /// Parameters of a cluster, in the order in which forms show them.
    pub parameters: Vec<EngineParameter>,
    /// Way in which passwords are verified: with `known_accounts`, the gateway compares them with
    /// the accounts that it read.
    #[schema(example = "known_accounts")]
    pub login_check: String,
    /// Whether its clusters can sleep.
    pub sleeps: bool,
    /// Whether its clusters can be backed up.
    pub backs_up: bool,
    /// Whether its clusters can be copied with their data.
    pub branches: bool,
}

/// A parameter of a kind of engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EngineParameter {
    pub name: String,
    /// `text`, `number`, `flag`, `choice` or `list`.
    #[serde(rename = "type")]
    #[schema(example = "text")]
    pub value_type: String,
    /// Default value as text; null if a value is required.
    pub default: Option<String>,
    pub help: String,
    /// Words of a choice; empty for other types.
    #[serde(default)]
    pub choices: Vec<String>,
    /// Minimum of a number.
    pub min: Option<i64>,
    /// Maximum of a number.
    pub max: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EngineKindList {
    /// The default kind first.
    pub engines: Vec<EngineKind>,
}

impl From<&KindDescription> for EngineKind {
    fn from(kind: &KindDescription) -> Self {
        Self {
            name: kind.name.to_owned(),
            summary: kind.summary.to_owned(),
            page: kind.page.to_owned(),
            parameters: kind.parameters.iter().map(EngineParameter::from).collect(),
            login_check: kind.login_check.as_str().to_owned(),
            sleeps: kind.abilities.sleeps,
            backs_up: kind.abilities.backs_up,
            branches: kind.abilities.branches,
        }
    }
}

impl From<&ParameterDescription> for EngineParameter {
    fn from(parameter: &ParameterDescription) -> Self {
        let mut choices = Vec::new();
        let mut min = None;
        let mut max = None;
        match parameter.value {
            ParameterType::Choice(words) => {
                choices = words.iter().map(|word| (*word).to_owned()).collect();
            }
            ParameterType::Number {
                min: least,
                max: most,
            } => {
                min = Some(least);
                max = Some(most);
            }
            ParameterType::Text | ParameterType::Flag | ParameterType::List => {}
        }
        Self {
            name: parameter.name.to_owned(),
            value_type: parameter.value.as_str().to_owned(),
            default: parameter.default.map(str::to_owned),
            help: parameter.help.to_owned(),
            choices,
            min,
            max,
        }
    }
}
