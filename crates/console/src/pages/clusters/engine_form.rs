//! Forms for clusters of other kinds than the default one, generated from the descriptions of the
//! kinds, and the values that such a form sends.

use askama::Template;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tidegate_model::{KindDescription, ParameterDescription, ParameterType};

/// Prefix of the names of fields that are parameters.
const FIELD_PREFIX: &str = "set.";

/// Forms, one per kind.
#[derive(Template)]
#[template(path = "engine_form.html")]
pub struct EngineForms {
    pub csrf: String,
    pub kinds: Vec<KindForm>,
}

pub struct KindForm {
    pub name: &'static str,
    pub summary: &'static str,
    pub fields: Vec<ParameterField>,
}

pub struct ParameterField {
    pub name: &'static str,
    pub help: &'static str,
    pub required: bool,
    /// The default.
    pub value: &'static str,
    pub input: FieldInput,
}

/// HTML element of a parameter.
pub enum FieldInput {
    Text,
    Number(i64, i64),
    Choice(&'static [&'static str]),
    /// Text with one value on each line.
    Lines,
}

impl EngineForms {
    /// Forms of the kinds that the form with only a name does not create: all except the first, and
    /// the first too if it has parameters.
    pub fn of(csrf: &str, kinds: impl Iterator<Item = &'static KindDescription>) -> Self {
        let with_form = kinds
            .enumerate()
            .filter(|(at, kind)| *at > 0 || !kind.parameters.is_empty());
        Self {
            csrf: csrf.to_owned(),
            kinds: with_form.map(|(_, kind)| KindForm::of(kind)).collect(),
        }
    }
}

impl KindForm {
    fn of(kind: &'static KindDescription) -> Self {
        Self {
            name: kind.name,
            summary: kind.summary,
            fields: kind.parameters.iter().map(ParameterField::of).collect(),
        }
    }
}

impl ParameterField {
    fn of(parameter: &'static ParameterDescription) -> Self {
        let input = match parameter.value {
            ParameterType::Text => FieldInput::Text,
            ParameterType::Number { min, max } => FieldInput::Number(min, max),
            ParameterType::Flag => FieldInput::Choice(&["true", "false"]),
            ParameterType::Choice(words) => FieldInput::Choice(words),
            ParameterType::List => FieldInput::Lines,
        };
        Self {
            name: parameter.name,
            help: parameter.help,
            required: parameter.default.is_none(),
            value: parameter.default.unwrap_or_default(),
            input,
        }
    }
}

/// Returns the parameters among the fields of a sent form. An empty field is omitted, and several
/// lines become a list.
pub fn sent_parameters(fields: &BTreeMap<String, String>) -> Map<String, Value> {
    let mut parameters = Map::new();
    for (field, text) in fields {
        let Some(name) = field.strip_prefix(FIELD_PREFIX) else {
            continue;
        };
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .collect();
        let value = match lines.as_slice() {
            [] => continue,
            [single] => Value::from(*single),
            several => Value::from(several.to_vec()),
        };
        parameters.insert(name.to_owned(), value);
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_model::EngineParameters;
    use tidegate_model::sample_kind::SAMPLE_KIND;

    const FIRST_KIND: KindDescription = KindDescription {
        name: "first",
        parameters: &[],
        ..SAMPLE_KIND
    };

    #[test]
    fn every_parameter_of_another_kind_has_a_field_with_its_default() {
        let html = EngineForms::of("token", [&FIRST_KIND, &SAMPLE_KIND].into_iter())
            .render()
            .unwrap();
        assert_eq!(html.matches("<form").count(), 1, "{html}");
        for words in [
            "name=\"csrf\" value=\"token\"",
            "name=\"engine\" value=\"sample\"",
            "<textarea id=\"sample-endpoint\" name=\"set.endpoint\" rows=\"3\"",
            "name=\"set.weight\" type=\"number\" min=\"1\" max=\"9\" step=\"1\" value=\"5\"",
            "<option value=\"false\" selected>",
            "<option value=\"shared\" selected>",
            "name=\"set.note\" type=\"text\" value=\"\"",
        ] {
            assert!(html.contains(words), "{words}: {html}");
        }
        assert!(!html.contains("<b>"), "text is escaped: {html}");
        assert!(
            html.contains("&#60;b&#62;") || html.contains("&lt;b&gt;"),
            "{html}"
        );
    }

    #[test]
    fn what_a_form_sends_is_accepted_as_parameters() {
        let sent = [
            ("csrf", "token"),
            ("engine", "sample"),
            ("set.endpoint", "a:1\r\n b:2\r\n"),
            ("set.weight", "7"),
            ("set.proxy", "true"),
            ("set.storage", "own"),
            ("set.note", ""),
        ];
        let fields = sent.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let given = sent_parameters(&fields.into_iter().collect());
        let checked = EngineParameters::check(SAMPLE_KIND.parameters, &given).unwrap();
        assert_eq!(checked.list("endpoint"), ["a:1", "b:2"]);
        assert_eq!(checked.number("weight"), Some(7));
        assert_eq!(checked.flag("proxy"), Some(true));
        assert_eq!(checked.text("note"), Some(""));
    }
}
