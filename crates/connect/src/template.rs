//! Rendering of templates. A value is always written as a literal of the form's language, so no
//! host, user or path can break out of its place.

use crate::quote::{Syntax, always, literal, percent};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use std::collections::BTreeMap;

/// Renders a template. Numbers and values marked `|safe` are written unchanged, all others as
/// literals.
///
/// # Errors
/// If the template is wrong or uses a missing value. A test renders every template.
pub fn fill(
    syntax: Syntax,
    template: &str,
    values: &BTreeMap<&'static str, Value>,
) -> Result<String, Error> {
    let mut environment = Environment::new();
    // A missing value is an error where it is written, but a condition may test for it.
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.set_formatter(move |out, _, value| {
        let text = match value.kind() {
            ValueKind::Number => value.to_string(),
            ValueKind::String if value.is_safe() => value.to_string(),
            ValueKind::String => literal(syntax, value.as_str().unwrap_or_default()),
            kind => {
                return Err(Error::new(
                    ErrorKind::InvalidOperation,
                    format!("a {kind} is no value of a string"),
                ));
            }
        };
        Ok(out.write_str(&text)?)
    });
    // Percent-encodes a part of a URL.
    environment.add_filter("url", |value: String| percent(&value));
    // Adds shell quotes even if none are needed.
    environment.add_filter("quoted", move |value: String| {
        Value::from_safe_string(always(syntax, &value))
    });
    // Writes a literal of this language that can be joined with other code.
    environment.add_filter("lit", move |value: String| {
        Value::from_safe_string(literal(syntax, &value))
    });
    let text = environment.render_str(template, Value::from(values.clone()))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(ca: Option<&str>) -> BTreeMap<&'static str, Value> {
        let mut values = BTreeMap::from([
            ("user", Value::from("a'b.root")),
            ("port", Value::from(4000)),
        ]);
        if let Some(ca) = ca {
            values.insert("ca", Value::from(ca));
        }
        values
    }

    #[test]
    fn values_are_literals_and_numbers_are_not() {
        let made = fill(
            Syntax::Python,
            "connect(user={{user}}, port={{port}})",
            &values(None),
        )
        .unwrap();
        assert_eq!(made, r#"connect(user="a'b.root", port=4000)"#);
    }

    #[test]
    fn what_is_not_there_can_be_asked_for_but_not_written() {
        let template = "x{% if ca %} --ssl-ca={{ca}}{% endif %}";
        assert_eq!(fill(Syntax::Sh, template, &values(None)).unwrap(), "x");
        assert_eq!(
            fill(Syntax::Sh, template, &values(Some("/a b"))).unwrap(),
            "x --ssl-ca='/a b'"
        );
        assert!(fill(Syntax::Sh, "{{ca}}", &values(None)).is_err());
    }

    #[test]
    fn joined_pieces_are_one_literal() {
        let made = fill(
            Syntax::Go,
            r#"{{ user|url ~ "@tcp(:" ~ port ~ ")" }}"#,
            &values(None),
        )
        .unwrap();
        assert_eq!(made, r#""a%27b.root@tcp(:4000)""#);
    }
}
