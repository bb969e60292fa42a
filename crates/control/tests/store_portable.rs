//! Portability of the shared facts: a real MariaDB prepares every statement about them, over the
//! tables of this version.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::store::open;
use sqlx::{Connection, SqliteConnection};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Files with SQL of the SQLite file itself, and of what belongs to its host.
const OF_THE_FILE: [&str; 6] = [
    "migrate",
    "migrate_books",
    "runs",
    "sqlite",
    "system_users",
    "writer",
];

/// First words of statements.
const STATEMENTS: [&str; 4] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE "];

/// Statements in a file's string literals, in one line each.
fn statements(text: &str) -> Vec<String> {
    let code: Vec<_> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    let mut rest = code.as_str();
    while let Some(start) = rest.find('"') {
        rest = &rest[start + 1..];
        let mut literal = String::new();
        let mut chars = rest.char_indices().peekable();
        let mut end = rest.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    end = at + 1;
                    break;
                }
                '\\' => {
                    if let Some((_, next)) = chars.next()
                        && next != '\n'
                    {
                        literal.push(next);
                        continue;
                    }
                    while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
                }
                c => literal.push(c),
            }
        }
        rest = &rest[end..];
        if STATEMENTS.iter().any(|word| literal.starts_with(word)) {
            found.push(literal);
        }
    }
    found
}

/// All statements about shared facts, each with its file.
fn shared_statements() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if OF_THE_FILE.contains(&name.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let found = statements(&text);
        all.extend(found.into_iter().map(|sql| (name.clone(), sql)));
    }
    all
}

/// The tables and indexes of this version, in MariaDB's types.
async fn tables() -> Vec<String> {
    let tmp = tempfile::tempdir().unwrap();
    common::store::live(&open(tmp.path()).await, "demo").await;
    let file = format!("sqlite://{}", tmp.path().join("store.sqlite").display());
    let mut db = SqliteConnection::connect(&file).await.unwrap();
    let sql = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, rowid";
    let made: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut db).await.unwrap();
    let in_one_line = |sql: String| {
        let lines = sql.lines().map(|line| line.split("--").next().unwrap());
        let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
        let line = words.join(" ");
        line.replace("TEXT", "VARCHAR(255)")
            // A key of bytes is a hash.
            .replace("BLOB NOT NULL UNIQUE", "VARBINARY(255) NOT NULL UNIQUE")
            .replace("BLOB PRIMARY KEY", "VARBINARY(255) PRIMARY KEY")
            .replace("BLOB", "LONGBLOB")
            .replace("INTEGER", "BIGINT")
    };
    made.into_iter().map(in_one_line).collect()
}

/// Runs statements, one a line, in a new MariaDB. Returns its first error.
fn error_of(lines: &[String]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new("mariadbd")
        .args(["--no-defaults", "--bootstrap", "--skip-log-bin"])
        .arg(format!("--datadir={}", folder.path().display()))
        .arg(match rustix::process::getuid().is_root() {
            true => "--user=root",
            false => "--skip-networking",
        })
        .env("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let head = "CREATE DATABASE t;\nUSE t;\nSET foreign_key_checks = 0;\n\
                SET sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES';\n";
    let text = format!("{head}{};\n", lines.join(";\n"));
    // An error ends it before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let error = said.lines().find(|line| line.starts_with("ERROR:"));
    assert_eq!(ended.status.success(), error.is_none(), "{said}");
    error.map(str::to_owned)
}

fn prepare(sql: &str) -> String {
    format!("PREPARE s FROM '{}'", sql.replace('\'', "''"))
}

#[tokio::test]
async fn a_mariadb_prepares_every_statement_about_shared_facts() {
    let all = shared_statements();
    assert!(all.len() > 50, "{}: the scanner finds too few", all.len());
    let tables = tables().await;
    let mut lines = tables.clone();
    lines.extend(all.iter().map(|(_, sql)| prepare(sql)));
    if let Some(error) = error_of(&lines) {
        // Which one it is.
        for (file, sql) in &all {
            let mut lines = tables.clone();
            lines.push(prepare(sql));
            assert_eq!(error_of(&lines), None, "{file}.rs: {sql}");
        }
        panic!("{error}");
    }
    // The test can fail.
    let mut lines = tables;
    lines.push(prepare("SELECT rowid FROM clusters"));
    assert!(error_of(&lines).unwrap().contains("rowid"));
}
