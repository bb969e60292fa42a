//! Reads the modules of a room from its sources: what each one declares, imports and names. It
//! works on tokens, so the format of a source makes no difference.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module's path inside its room; the root is empty.
pub type ModulePath = Vec<String>;

/// A module as it is written: its children, its imports and the paths in its code.
#[derive(Debug, Default)]
pub struct Module {
    /// Whether it is written inside its parent's file.
    pub inline: bool,
    pub children: BTreeSet<String>,
    pub imports: Vec<Import>,
    /// Paths in code, such as `crate::limits::MAX` or `limits::MAX`.
    pub paths: Vec<Vec<String>>,
    /// Every name in code outside `use`, and the items that it declares.
    pub names: BTreeSet<String>,
}

/// A name that a `use` imports.
#[derive(Debug)]
pub struct Import {
    /// The name it gets here; `*` for all names.
    pub name: String,
    pub path: Vec<String>,
    pub public: bool,
}

pub type Modules = BTreeMap<ModulePath, Module>;

/// Splits Rust source into names, `::` and single signs. Comments, strings, characters, lifetimes
/// and numbers are left out.
pub fn tokens(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        let next = char_at(&chars, i + 1);
        let after_next = char_at(&chars, i + 2);
        match c {
            '/' if next == '/' => i = skip_while(&chars, i, |c| c != '\n'),
            '/' if next == '*' => i = skip_block_comment(&chars, i),
            '"' => i = skip_string(&chars, i + 1),
            '\'' if next == '\\' => i = skip_while(&chars, i + 3, |c| c != '\'') + 1,
            '\'' if after_next == '\'' => i += 3,
            '\'' => i = skip_while(&chars, i + 1, is_name_char),
            _ if c.is_ascii_digit() => i = skip_while(&chars, i, is_name_char),
            _ if is_name_char(c) => {
                let end = skip_while(&chars, i, is_name_char);
                let name: String = chars[i..end].iter().collect();
                let raw_prefix = ["r", "br", "cr"].contains(&name.as_str());
                let quote = skip_while(&chars, end, |c| c == '#');
                i = if raw_prefix && char_at(&chars, quote) == '"' {
                    skip_raw_string(&chars, quote, quote - end)
                } else {
                    found.push(name);
                    end
                };
            }
            ':' if next == ':' => {
                found.push("::".to_owned());
                i += 2;
            }
            _ => {
                if !c.is_whitespace() {
                    found.push(c.to_string());
                }
                i += 1;
            }
        }
    }
    found
}

/// Returns the character at this index, or NUL behind the end.
fn char_at(chars: &[char], i: usize) -> char {
    chars.get(i).copied().unwrap_or('\0')
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn skip_while(chars: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    let rest = chars.iter().skip(from);
    from + rest.take_while(|c| wanted(**c)).count()
}

fn skip_block_comment(chars: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut i = from;
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                i += 1;
                continue;
            }
        }
        i += 2;
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn skip_string(chars: &[char], from: usize) -> usize {
    let mut i = from;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn skip_raw_string(chars: &[char], quote: usize, hashes: usize) -> usize {
    let mut i = quote + 1;
    while i < chars.len() {
        let closing = chars.iter().skip(i + 1).take(hashes);
        if chars[i] == '"' && closing.filter(|c| **c == '#').count() == hashes {
            return i + 1 + hashes;
        }
        i += 1;
    }
    i
}

/// Returns the index behind the bracket that closes the one at `open`.
fn behind_bracket(tokens: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// Returns the index behind the item that begins at `from`: behind its `;`, or its block.
fn behind_item(tokens: &[String], from: usize) -> usize {
    let is_use = tokens[from..]
        .iter()
        .take(5)
        .take_while(|t| *t != ";")
        .any(|t| t == "use");
    let mut i = from;
    while i < tokens.len() {
        match tokens[i].as_str() {
            ";" => return i + 1,
            "{" if !is_use => return behind_bracket(tokens, i),
            "(" | "[" | "{" => i = behind_bracket(tokens, i),
            _ => i += 1,
        }
    }
    i
}

/// Reads the modules of a room: the one at `path` from its tokens, and its children from their
/// files. `folder` is where the files of its children are.
pub fn read_module(tokens: &[String], path: &[String], folder: &Path, modules: &mut Modules) {
    modules.entry(path.to_vec()).or_default();
    let mut only_tests = false;
    let mut i = 0;
    while i < tokens.len() {
        let token = tokens[i].as_str();
        let next = tokens.get(i + 1).map_or("", String::as_str);
        let module = modules.get_mut(path).expect("entered above");
        match token {
            "#" if next == "[" || next == "!" => {
                let open = if next == "!" { i + 2 } else { i + 1 };
                let end = behind_bracket(tokens, open);
                let inside: Vec<_> = tokens[open + 1..end].iter().map(String::as_str).collect();
                only_tests |= inside.starts_with(&["cfg", "(", "test", ")"]);
                i = end;
                continue;
            }
            _ if only_tests => i = behind_item(tokens, i),
            "use" => {
                let end = behind_item(tokens, i);
                let public = i > 0 && (tokens[i - 1] == "pub" || tokens[i - 1] == ")");
                read_imports(&tokens[i + 1..end], &[], public, &mut module.imports);
                i = end;
            }
            "mod" if tokens.get(i + 2).is_some_and(|t| t == ";" || t == "{") => {
                module.children.insert(next.to_owned());
                let child = [path, &[next.to_owned()]].concat();
                if tokens[i + 2] == "{" {
                    let end = behind_bracket(tokens, i + 2);
                    read_module(&tokens[i + 3..end - 1], &child, &folder.join(next), modules);
                    modules.get_mut(&child).expect("just read").inline = true;
                    i = end;
                } else {
                    read_file(&child, folder, modules);
                    i += 3;
                }
            }
            _ if token.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                let named = path_at(tokens, i);
                module.names.insert(token.to_owned());
                i += 2 * named.len() - 1;
                let before: Vec<_> = tokens[..i].iter().rev().skip(2 * named.len() - 1).collect();
                let in_visibility = before.len() > 2 && before[0] == "in" && before[2] == "pub";
                let member = before.first().is_some_and(|t| *t == "." || *t == "::");
                if named.len() > 1 && !in_visibility && !member {
                    module.paths.push(named);
                }
            }
            _ => i += 1,
        }
        only_tests = false;
    }
}

/// Returns the path that begins at this name: names with `::` between them.
fn path_at(tokens: &[String], from: usize) -> Vec<String> {
    let mut path = vec![tokens[from].clone()];
    let mut i = from + 1;
    while tokens.get(i).is_some_and(|t| t == "::")
        && tokens
            .get(i + 1)
            .is_some_and(|t| t.starts_with(|c: char| c.is_alphabetic() || c == '_'))
    {
        path.push(tokens[i + 1].clone());
        i += 2;
    }
    path
}

/// Reads a child's file: `folder/name.rs` or `folder/name/mod.rs`.
fn read_file(path: &[String], folder: &Path, modules: &mut Modules) {
    let inner = folder.join(path.last().expect("a child has a name"));
    let file = [inner.with_extension("rs"), inner.join("mod.rs")]
        .into_iter()
        .find(|file| file.exists())
        .unwrap_or_else(|| panic!("{path:?} has no file in {}", folder.display()));
    let source = std::fs::read_to_string(&file).expect("a source");
    read_module(&tokens(&source), path, &inner, modules);
}

/// Reads the tokens after `use`: `a::b`, `a::{b, c as d}`, `a::*`.
fn read_imports(tokens: &[String], before: &[String], public: bool, found: &mut Vec<Import>) {
    let mut path = before.to_vec();
    let mut name = None;
    let mut i = 0;
    while i < tokens.len() {
        match tokens[i].as_str() {
            "{" => {
                let end = behind_bracket(tokens, i);
                for part in split_at_commas(&tokens[i + 1..end - 1]) {
                    read_imports(part, &path, public, found);
                }
                return;
            }
            "as" => {
                name = tokens.get(i + 1).cloned();
                break;
            }
            "::" | ";" => {}
            "self" if !path.is_empty() => {}
            token => path.push(token.to_owned()),
        }
        i += 1;
    }
    let Some(last) = path.last().cloned() else {
        return;
    };
    if last == "*" {
        path.pop();
    }
    found.push(Import {
        name: name.unwrap_or(last),
        path,
        public,
    });
}

fn split_at_commas(tokens: &[String]) -> Vec<&[String]> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut i = 0;
    while i < tokens.len() {
        match tokens[i].as_str() {
            "{" => i = behind_bracket(tokens, i),
            "," => {
                parts.push(&tokens[start..i]);
                i += 1;
                start = i;
            }
            _ => i += 1,
        }
    }
    parts.push(&tokens[start..]);
    parts
}
