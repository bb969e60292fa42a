//! Reader of the configuration file: checks every section, key and value, and names the line of an
//! error.

use super::keys::{Key, SECTIONS, Section};
use super::nearest::nearest;
use super::value::Value;
use crate::failure::Failure;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// Value in the file.
pub struct FileEntry {
    /// `section.key`.
    pub name: String,
    pub value: Value,
    pub line: usize,
}

/// Reads the text of the file at `path`.
pub fn read_file(path: &Path, text: &str) -> Result<Vec<FileEntry>, Failure> {
    let file = File { path, text };
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| file.line_of(span.start));
        let hint = "correct the TOML on that line";
        file.error(line, error.message(), hint)
    })?;
    let mut entries = Vec::new();
    for (name, table) in document.get_ref() {
        let line = file.line_of(name.span().start);
        let Some(section) = SECTIONS.iter().find(|s| s.name == name.get_ref()) else {
            let what = format!("there is no section `{}`", name.get_ref());
            return Err(file.error(line, what, section_hint(name.get_ref())));
        };
        let Some(table) = table.get_ref().as_table() else {
            let what = format!("`{}` is a section, not a value", section.name);
            let hint = format!("write [{}] on its own line", section.name);
            return Err(file.error(line, what, hint));
        };
        for (name, raw) in table {
            let line = file.line_of(name.span().start);
            entries.push(file.entry(section, name.get_ref(), raw.get_ref(), line)?);
        }
    }
    Ok(entries)
}

/// Configuration file that is being read.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    /// Returns the line of a byte offset. An offset behind the end is on the last line.
    fn line_of(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    fn error(&self, line: usize, what: impl Into<String>, hint: impl Into<String>) -> Failure {
        let what = what.into();
        Failure::usage(format!("{}:{line}: {what}", self.path.display()), hint)
    }

    fn entry(
        &self,
        section: &Section,
        name: &str,
        raw: &DeValue<'_>,
        line: usize,
    ) -> Result<FileEntry, Failure> {
        let Some(key) = section.keys.iter().find(|key| key.name == name) else {
            let known: Vec<_> = section.keys.iter().map(|key| key.name).collect();
            let what = format!("there is no key `{name}` in [{}]", section.name);
            return Err(self.error(line, what, suggestion(name, &known, "keys")));
        };
        let Key { name, default, .. } = key;
        let value = key.kind.read(raw).map_err(|wrong| {
            let what = format!("{}.{name} {wrong}", section.name);
            self.error(line, what, format!("the default is {name} = {default}"))
        })?;
        Ok(FileEntry {
            name: format!("{}.{name}", section.name),
            value,
            line,
        })
    }
}

/// Returns the hint for an unknown section. A key at the top of the file is a common mistake.
fn section_hint(word: &str) -> String {
    let of_key = SECTIONS
        .iter()
        .find(|section| section.keys.iter().any(|key| key.name == word));
    match of_key {
        Some(section) => format!("the key `{word}` belongs in [{}]", section.name),
        None => {
            let names: Vec<_> = SECTIONS.iter().map(|section| section.name).collect();
            suggestion(word, &names, "sections")
        }
    }
}

fn suggestion(word: &str, known: &[&str], what: &str) -> String {
    match nearest(word, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("the {what} are: {}", known.join(", ")),
    }
}
