//! Kind of engine with a parameter of every type, for tests of this room and of the rooms that make
//! forms from descriptions (feature `samples`). No engine implements it.

use crate::engine_kind::{
    Abilities, KindDescription, ParameterDescription, ParameterType, PasswordVerifier,
};

pub const SAMPLE_KIND: KindDescription = KindDescription {
    name: "sample",
    summary: "with every type of parameter",
    page: "engines/README.md",
    parameters: &[
        parameter("endpoint", ParameterType::List, None),
        parameter(
            "weight",
            ParameterType::Number { min: 1, max: 9 },
            Some("5"),
        ),
        parameter("proxy", ParameterType::Flag, Some("false")),
        parameter(
            "storage",
            ParameterType::Choice(&["own", "shared"]),
            Some("shared"),
        ),
        parameter("note", ParameterType::Text, Some("")),
    ],
    login_check: PasswordVerifier::KnownAccounts,
    abilities: Abilities {
        sleeps: true,
        backs_up: false,
        branches: false,
    },
};

const fn parameter(
    name: &'static str,
    value: ParameterType,
    default: Option<&'static str>,
) -> ParameterDescription {
    ParameterDescription {
        name,
        value,
        default,
        help: "help with <b>markup</b>, which forms must escape",
    }
}
