//! "Am I encrypted?" in SQL: the answer is true of the client's connection, whatever the connection
//! to the engine.

use super::{SERVER, account, secure_cluster, session_over};
use rustls::version::{TLS12, TLS13};
use std::collections::BTreeMap;
use std::slice::from_ref;
use tidegate_e2e::Cluster;
use tidegate_e2e::clients::{Said, mariadb, mysql9_command};
use tidegate_e2e::not_run;
use tidegate_e2e::probe::frames;
use tidegate_e2e::session::{Outcome, Session};
use tidegate_e2e::wire::{self, lenenc};

/// Cipher that the session's own TLS library names, in OpenSSL's words.
fn own_cipher(session: &Session) -> String {
    let suite = session.probe.tls().negotiated_cipher_suite().unwrap();
    match format!("{:?}", suite.suite()).as_str() {
        "TLS13_AES_128_GCM_SHA256" => "TLS_AES_128_GCM_SHA256".into(),
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" => "ECDHE-ECDSA-AES128-GCM-SHA256".into(),
        other => panic!("{other} has no name in this test"),
    }
}

/// A row of SHOW STATUS or SHOW VARIABLES.
fn row(name: &str, value: &str) -> Vec<String> {
    vec![name.to_owned(), value.to_owned()]
}

fn rows(session: &mut Session, sql: &str) -> Vec<Vec<String>> {
    session.query(sql).text()
}

#[test]
fn cipher_and_version_are_those_of_the_client_in_every_form() {
    let (cluster, secure) = secure_cluster(&SERVER, "asks");
    for login in [&cluster, &secure] {
        for (version, name) in [(&TLS13, "TLSv1.3"), (&TLS12, "TLSv1.2")] {
            let mut session = session_over(login, version);
            let cipher = row("Ssl_cipher", &own_cipher(&session));
            let version = row("Ssl_version", name);
            for sql in [
                "SHOW STATUS LIKE 'Ssl_cipher'",
                "SHOW SESSION STATUS LIKE 'ssl_cipher'",
                "show global status like \"SSL_CIPHER\" ; ",
                "/* c */ SHOW LOCAL STATUS\nLIKE 'Ssl\\_cipher' -- end",
                "SHOW STATUS WHERE `Variable_name` = 'Ssl_cipher'",
                "SHOW STATUS LIKE '%ssl_cipher'",
            ] {
                assert_eq!(rows(&mut session, sql), from_ref(&cipher), "{sql}");
            }
            let sql = "SHOW STATUS LIKE 'Ssl_version'";
            assert_eq!(rows(&mut session, sql), from_ref(&version));
            let sql = "SHOW STATUS WHERE variable_name IN ('Ssl_version', 'Ssl_cipher')";
            assert_eq!(rows(&mut session, sql), [cipher, version]);
        }
    }
}

#[test]
fn server_variables_tell_that_tls_is_required() {
    let (cluster, secure) = secure_cluster(&SERVER, "variables");
    for login in [&cluster, &secure] {
        let mut session = Session::open(login);
        let sql = "SELECT CONCAT(@@have_ssl, @@GLOBAL.require_secure_transport)";
        assert_eq!(session.value(sql), "YESON");
        for (name, value) in [("have_ssl", "YES"), ("require_secure_transport", "ON")] {
            let sql = format!("SHOW VARIABLES LIKE '{name}'");
            assert_eq!(rows(&mut session, &sql), [row(name, value)]);
        }
    }
}

fn names_of(rows: &[Vec<String>]) -> Vec<String> {
    rows.iter().map(|row| row[0].clone()).collect()
}

#[test]
fn a_pattern_gets_the_rows_of_the_engine_in_its_order() {
    let (cluster, secure) = secure_cluster(&SERVER, "patterns");
    for login in [&cluster, &secure] {
        let mut session = Session::open(login);
        // The gateway does not recognize this pattern, so the engine answers for itself.
        let engine = rows(&mut session, "SHOW STATUS LIKE 'S_l\\_%'");
        let told = rows(&mut session, "SHOW STATUS LIKE 'Ssl%'");
        assert_eq!(names_of(&told), names_of(&engine));
        assert!(told.contains(&row("Ssl_cipher", &own_cipher(&session))));
        assert!(told.contains(&row("Ssl_version", "TLSv1.3")));
        let changed: BTreeMap<_, _> = engine
            .iter()
            .zip(&told)
            .filter(|(engine, told)| engine != told)
            .map(|(_, told)| (told[0].as_str(), told[1].as_str()))
            .collect();
        let ours = ["Ssl_cipher", "Ssl_version"];
        let expected: &[&str] = if login.user == secure.user {
            &[]
        } else {
            &ours
        };
        assert_eq!(changed.keys().copied().collect::<Vec<_>>(), expected);
        // All names that contain "ssl" are spelled alike, or the gateway must not answer for them.
        let all = rows(&mut session, "SHOW GLOBAL STATUS LIKE '%s_l%'");
        let ssl = all
            .iter()
            .filter(|row| row[0].to_lowercase().contains("ssl"));
        let told = rows(&mut session, "SHOW GLOBAL STATUS LIKE '%ssl%'");
        assert_eq!(names_of(&told), names_of(&ssl.cloned().collect::<Vec<_>>()));
    }
}

#[test]
fn a_condition_gets_the_rows_of_the_engine_in_its_order() {
    let cluster = SERVER.create("conditions");
    let mut session = Session::open(&cluster);
    for scope in ["", "GLOBAL "] {
        let engine = rows(&mut session, &format!("SHOW {scope}STATUS"));
        let sql = format!("SHOW {scope}STATUS WHERE Variable_name LIKE '%' OR Value = 'ssl'");
        let told = rows(&mut session, &sql);
        assert_eq!(names_of(&told), names_of(&engine));
    }
    let cipher = row("Ssl_cipher", &own_cipher(&session));
    let version = row("Ssl_version", "TLSv1.3");
    for condition in [
        "Variable_name = 'Ssl_version' OR Variable_name = 'Ssl_cipher'",
        "lower(Variable_name) IN ('ssl_cipher', 'ssl_version') -- both",
        "Variable_name REGEXP '^ssl_(cipher|version)$' AND Value <> '' ;",
    ] {
        let told = rows(&mut session, &format!("SHOW STATUS WHERE {condition}"));
        assert_eq!(told, [cipher.clone(), version.clone()], "{condition}");
    }
    for sql in [
        "/*!40101 SHOW STATUS LIKE 'Ssl_cipher' */",
        "SHOW /*!50002 SESSION */ STATUS WHERE lower(Variable_name) = 'ssl_cipher'",
    ] {
        assert_eq!(rows(&mut session, sql), from_ref(&cipher), "{sql}");
    }
}

/// Status flags that tell the state of a session: in a transaction, autocommit, more results,
/// read-only transaction. The others tell how a statement was executed.
const STATE_FLAGS: u16 = 1 | 2 | 8 | 0x2000;

#[test]
fn the_answer_fits_every_framing_and_state_of_the_session() {
    let cluster = SERVER.create("framing");
    let sql = "SHOW STATUS LIKE 'Ssl_version'";
    for capabilities in [wire::ORDINARY, wire::ORDINARY | wire::DEPRECATE_EOF] {
        let mut session =
            Session::login(&cluster, &cluster.user, &cluster.password, capabilities).unwrap();
        session.run("CREATE TABLE IF NOT EXISTS t (a INT)");
        for state in [
            "DO 1",
            "SET autocommit = 0",
            "SET autocommit = 1",
            "START TRANSACTION",
            "INSERT INTO t VALUES (1)",
            "ROLLBACK",
            "START TRANSACTION READ ONLY",
            "COMMIT",
            "LOCK TABLES t READ",
            "UNLOCK TABLES",
            "SET sql_select_limit = 0",
            "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
            "SET sql_mode = 'ORACLE'",
            "SET NAMES gbk",
            "SET collation_connection = utf16_general_ci",
        ] {
            session.run(state);
            let Outcome::Rows { status, .. } = session.query("SHOW STATUS LIKE 'Uptime'") else {
                panic!("{state}")
            };
            for sql in [sql, "SHOW STATUS LIKE 'Ssl_vers%'"] {
                let answer = session.query(sql);
                assert_eq!(answer.text(), [row("Ssl_version", "TLSv1.3")], "{state}");
                let Outcome::Rows {
                    status: told,
                    columns,
                    ..
                } = answer
                else {
                    panic!("{state}")
                };
                let expected = (status & STATE_FLAGS, 2);
                assert_eq!((told & STATE_FLAGS, columns), expected, "{state}: {sql}");
            }
        }
        session.run("SET sql_select_limit = DEFAULT");
        // Between other commands that are sent without waiting.
        let together = [
            frames(b"\x03DO 1"),
            frames(format!("\x03{sql}").as_bytes()),
            frames(b"\x03SELECT 7"),
        ];
        session.probe.raw(&together.concat()).unwrap();
        assert!(matches!(session.outcome().unwrap(), Outcome::Ok { .. }));
        let told = session.outcome().unwrap().text();
        assert_eq!(told, [row("Ssl_version", "TLSv1.3")]);
        assert_eq!(session.outcome().unwrap().text(), [["7"]]);
    }
}

/// Prepares a statement, executes it with a text for its parameter, if it has one, and returns the
/// texts of its only row.
fn execute_prepared(session: &mut Session, sql: &str, text: Option<&str>) -> Vec<String> {
    session.probe.command(&[&[0x16], sql.as_bytes()].concat());
    let prepared = session.probe.expect();
    assert_eq!(prepared[0], 0, "{sql}: {prepared:?}");
    let columns = usize::from(u16::from_le_bytes([prepared[5], prepared[6]]));
    if text.is_some() {
        session.skip_columns(1).unwrap();
    }
    session.skip_columns(columns).unwrap();
    let id = &prepared[1..5];
    let mut execute = [&[0x17], id, &[0, 1, 0, 0, 0]].concat();
    if let Some(text) = text {
        // Not NULL, with its type, a text.
        execute.extend_from_slice(&[0, 1, 0xfd, 0, u8::try_from(text.len()).unwrap()]);
        execute.extend_from_slice(text.as_bytes());
    }
    session.probe.command(&execute);
    assert_eq!(session.probe.expect(), [u8::try_from(columns).unwrap()]);
    session.skip_columns(columns).unwrap();
    let row = session.probe.expect();
    assert_eq!(session.probe.expect()[0], 0xfe);
    // Behind the head and the map of NULLs.
    let mut at = 1 + (columns + 9) / 8;
    (0..columns)
        .map(|_| {
            let length = usize::try_from(lenenc(&row, &mut at).unwrap()).unwrap();
            at += length;
            String::from_utf8(row[at - length..at].to_vec()).unwrap()
        })
        .collect()
}

#[test]
fn prepared_statements_get_the_same_answer() {
    let cluster = SERVER.create("prepared");
    let mut session = Session::open(&cluster);
    let cipher = own_cipher(&session);
    for sql in [
        "SHOW STATUS LIKE 'Ssl_cipher'",
        "SHOW STATUS LIKE 'Ssl_cip%er'",
    ] {
        let told = execute_prepared(&mut session, sql, None);
        assert_eq!(told, row("Ssl_cipher", &cipher), "{sql}");
    }
    let told = execute_prepared(&mut session, "SHOW STATUS LIKE 'Threads_running'", None);
    assert_eq!(told[0], "Threads_running");
    let sql = "SHOW STATUS WHERE Variable_name = ?";
    let told = execute_prepared(&mut session, sql, Some("ssl_cipher"));
    assert_eq!(told, row("Ssl_cipher", &cipher));
    let told = execute_prepared(&mut session, sql, Some("threads_running"));
    assert_eq!(told[0], "Threads_running");
}

/// Cipher that a command-line client's library names in its answer to `\s`, and what SQL says in
/// the same session.
fn library_and_sql(out: &str) -> (String, String) {
    let library = out
        .lines()
        .find_map(|line| line.split_once("Cipher in use is "))
        .unwrap_or_else(|| panic!("no cipher in {out}"));
    let library = library.1.split([',', ' ']).next().unwrap().to_owned();
    let sql = out
        .lines()
        .find_map(|line| line.split_once("Ssl_cipher\t"))
        .unwrap_or_else(|| panic!("no answer in {out}"));
    (library, sql.1.to_owned())
}

#[test]
fn the_command_line_clients_hear_the_same_from_their_library_and_from_sql() {
    let (cluster, secure) = secure_cluster(&SERVER, "library");
    let ask = "\\s\nSHOW STATUS LIKE 'Ssl_cipher';";
    for login in [&cluster, &secure] {
        let (library, sql) = library_and_sql(&mariadb(login, ask).expect());
        assert_eq!(library, sql);
        // Oracle's client tells nothing of its library in a script.
        let sql = "SHOW STATUS LIKE 'Ssl_cipher'";
        let flags = ["--tls-version=TLSv1.2", "-e", sql];
        let Some(mut mysql9) = mysql9_command(login, &flags) else {
            not_run("Oracle's client is not here");
            continue;
        };
        let said = Said::from(mysql9.output().unwrap()).expect();
        assert_eq!(said, "Ssl_cipher\tECDHE-ECDSA-AES128-GCM-SHA256");
    }
    let nobody: Cluster = account(&cluster, "nobody");
    assert!(!mariadb(&nobody, ask).ok);
}
