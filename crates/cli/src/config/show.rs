//! Display of the configuration: current values with their origins, and the example file. The
//! configuration contains no secrets, only paths of files that do.

use super::{Config, keys};

/// Returns every key with its current value and where the value comes from.
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

/// Returns the same as [`table`] as JSON.
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
            let value = serde_json::json!({
                "value": setting.value.to_json(),
                "from": setting.origin.to_string(),
            });
            entry.insert(key.to_owned(), value);
        }
    }
    serde_json::Value::Object(sections)
}

/// Returns the example file: every key, commented out, with its default and its meaning.
#[cfg(test)]
pub fn example() -> String {
    let mut out = String::from(
        "# Tidegate's configuration: `tidegate.toml` in the data directory, or the file given with \
         --config.\n\
         # Every key is listed with its default; remove the `#` to change it.\n\
         # `tidegate config check` checks a file. `tidegate config show` prints the current values \
         and where\n\
         # they come from.\n",
    );
    for section in keys::SECTIONS {
        out.push_str(&format!("\n{}[{}]\n", comment(section.doc), section.name));
        for key in section.keys {
            out.push_str(&format!("\n{}", comment(key.doc)));
            if let Some(bounds) = bounds(key.kind) {
                out.push_str(&format!("# {bounds}\n"));
            }
            out.push_str(&format!("#{} = {}\n", key.name, key.default));
        }
    }
    out
}

/// Returns a text as comment lines of at most 100 columns.
#[cfg(test)]
fn comment(text: &str) -> String {
    let mut out = String::new();
    let mut line = "#".to_owned();
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > 100 {
            out.push_str(&line);
            out.push('\n');
            line = "#".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    format!("{out}{line}\n")
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
        Kind::SleepTime { min, max } => Some(format!(
            "From {} to {}, or \"never\".",
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
