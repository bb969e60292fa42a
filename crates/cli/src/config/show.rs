//! How the configuration is shown: the effective values with their origins, and the example file.
//! Never secrets: the configuration holds none, only paths to them.

use super::{Config, keys};

/// Every key with the value that counts and where it came from.
pub fn table(config: &Config) -> String {
    let mut out = String::new();
    for section in keys::SECTIONS {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&format!("[{}]\n", section.name));
        let lines: Vec<_> = section
            .keys
            .iter()
            .filter_map(|key| {
                let setting = config
                    .settings
                    .get(&format!("{}.{}", section.name, key.name))?;
                Some((
                    format!("{} = {}", key.name, setting.value),
                    setting.origin.to_string(),
                ))
            })
            .collect();
        let width = lines
            .iter()
            .map(|(line, _)| line.chars().count())
            .max()
            .unwrap_or(0);
        for (line, origin) in lines {
            out.push_str(&format!("{line:width$}  # {origin}\n"));
        }
    }
    out
}

/// The same for a script.
pub fn json(config: &Config) -> serde_json::Value {
    let mut sections = serde_json::Map::new();
    for (name, setting) in &config.settings {
        let Some((section, key)) = name.split_once('.') else {
            continue;
        };
        let entry = sections
            .entry(section)
            .or_insert_with(|| serde_json::json!({}));
        if let Some(entry) = entry.as_object_mut() {
            let value = serde_json::json!({ "value": setting.value.to_json(), "from": setting.origin.to_string() });
            entry.insert(key.to_owned(), value);
        }
    }
    serde_json::Value::Object(sections)
}

/// The example file: every key, commented out, with its default and its meaning.
#[cfg(test)]
pub fn example() -> String {
    let mut out = String::from(
        "# Tidegate's configuration: `tidegate.toml` in the data directory, or the file given with \
         --config.\n\
         # Every key stands here with its default; take the `#` away to change it.\n\
         # `tidegate config check` says whether a file is right, `tidegate config show` what \
         counts and why.\n",
    );
    for section in keys::SECTIONS {
        out.push_str(&format!("\n# {}\n[{}]\n", section.doc, section.name));
        for key in section.keys {
            out.push_str(&format!("\n# {}\n", key.doc));
            if let Some(bounds) = bounds(key.kind) {
                out.push_str(&format!("# {bounds}\n"));
            }
            out.push_str(&format!("#{} = {}\n", key.name, key.default));
        }
    }
    out
}

#[cfg(test)]
fn bounds(kind: super::value::Kind) -> Option<String> {
    use super::value::{Kind, write_duration};
    match kind {
        Kind::Duration { min, max } => Some(format!(
            "From {} to {}.",
            write_duration(min),
            write_duration(max)
        )),
        Kind::Count { min, max } => Some(format!("From {min} to {max}.")),
        Kind::Size { min, max } => {
            let size = tidegate_model::Size;
            Some(format!("From {} to {}.", size(min), size(max)))
        }
        Kind::Choice(choices) => Some(format!("One of {}.", choices.join(", "))),
        Kind::Addresses
        | Kind::Networks
        | Kind::Names
        | Kind::File
        | Kind::Text
        | Kind::HelpBase
        | Kind::Cgroup
        | Kind::Uids
        | Kind::Filter => None,
    }
}
