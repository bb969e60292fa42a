//! A tenant with all rights sets variables for all sessions. Users, databases, readings, the
//! operator's password and a clean sleep work all the same: each session of ours begins with its
//! own settings.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::hostile_tenant::HostileTenant;
use common::{Client, EnginesFixture, stage2};
use std::time::Instant;
use tidegate_engine::{AdministrationError, NewEngineUser, UsersWanted};
use tidegate_model::{ClusterId, DatabaseName, UserName, UserRole};

/// Variables that are not tried, and why.
const NOT_TRIED: &[(&str, &str)] = &[
    (
        "max_session_mem_used",
        "the engine crashes at the next login: the tenant's own loss",
    ),
    ("read_only", "refused on purpose, with its own test"),
    ("innodb_buffer_pool_size", "takes memory for minutes"),
    ("innodb_log_file_size", "takes disk for minutes"),
    ("innodb_defragment", "starts work for minutes"),
];

/// Values of variables of text, beside an empty one and one that means nothing.
const TEXTS: &[(&str, &[&str])] = &[
    ("lc_messages", &["'ru_RU'", "'ja_JP'"]),
    ("character_set_client", &["latin1"]),
    ("character_set_connection", &["ucs2", "utf16", "binary"]),
    ("character_set_results", &["ucs2", "utf32", "NULL"]),
    ("character_set_server", &["ucs2", "binary", "latin1"]),
    ("character_set_filesystem", &["ucs2"]),
    ("collation_connection", &["ucs2_bin", "utf8mb4_turkish_ci"]),
    ("collation_server", &["ucs2_bin", "latin1_german2_ci"]),
    ("default_storage_engine", &["MEMORY", "CSV"]),
    ("enforce_storage_engine", &["MEMORY", "CSV"]),
    ("init_connect", &["'garbage'", "'SET autocommit=0'"]),
    ("time_zone", &["'+13:00'"]),
    ("system_versioning_asof", &["'2001-01-01'"]),
    ("proxy_protocol_networks", &["''"]),
    ("max_statement_time", &["0.000001"]),
    ("session_track_system_variables", &["'*'"]),
];

/// A hostile value of one variable, and the one that it had.
struct Setting {
    name: String,
    hostile: String,
    former: String,
}

/// The largest value that is tried: more memory or disk than this would hold up the test.
const LARGEST: u64 = 1 << 22;

fn hostile_values(name: &str, kind: &str, least: &str, most: &str, list: &str) -> Vec<String> {
    let mut values: Vec<String> = match kind {
        "BOOLEAN" => vec!["0".into(), "1".into()],
        "ENUM" => list.split(',').map(|v| format!("'{v}'")).collect(),
        "SET" | "FLAGSET" => vec![
            "''".into(),
            format!("'{list}'"),
            list.split(',')
                .map(|flag| format!("{flag}=off"))
                .collect::<Vec<_>>()
                .join(","),
        ]
        .into_iter()
        .map(|v| {
            if v.starts_with('\'') {
                v
            } else {
                format!("'{v}'")
            }
        })
        .collect(),
        "VARCHAR" => vec!["''".into(), "'garbage'".into()],
        _ => {
            let most: f64 = most.parse().unwrap_or(0.0);
            // As the engine writes it, or what is still harmless.
            let most = if most > LARGEST as f64 {
                LARGEST.to_string()
            } else {
                most.to_string()
            };
            vec![least.to_owned(), most]
        }
    };
    let texts = TEXTS.iter().find(|(other, _)| *other == name);
    values.extend(
        texts
            .iter()
            .flat_map(|(_, texts)| texts.iter().map(|t| (*t).to_owned())),
    );
    values
}

/// All settings but those of InnoDB, of Galera and of MyISAM's key cache that no session has: some
/// of them end the engine, and none changes what a session reads.
async fn all_settings(root: &mut Client) -> Vec<Setting> {
    let rows = root
        .query(
            "SELECT LOWER(VARIABLE_NAME), VARIABLE_TYPE, NUMERIC_MIN_VALUE, NUMERIC_MAX_VALUE, \
             ENUM_VALUE_LIST, GLOBAL_VALUE FROM information_schema.SYSTEM_VARIABLES WHERE \
             READ_ONLY = 'NO' AND VARIABLE_SCOPE <> 'SESSION ONLY' AND NOT (VARIABLE_SCOPE = \
             'GLOBAL' AND (VARIABLE_NAME LIKE 'innodb%' OR VARIABLE_NAME LIKE 'wsrep%' OR \
             VARIABLE_NAME LIKE 'key%')) ORDER BY VARIABLE_NAME",
        )
        .await
        .unwrap();
    let mut settings = Vec::new();
    for row in rows {
        let [name, kind, least, most, list, value] = &row[..] else {
            panic!("{row:?}")
        };
        if NOT_TRIED.iter().any(|(other, _)| other == name) {
            continue;
        }
        let is_number = kind.contains("INT") || kind == "DOUBLE";
        let former = match is_number || value == "NULL" {
            true => value.clone(),
            false => format!("'{}'", value.replace('\'', "''")),
        };
        for hostile in hostile_values(name, kind, least, most, list) {
            settings.push(Setting {
                name: name.clone(),
                hostile,
                former: former.clone(),
            });
        }
    }
    settings
}

/// Text of an error of one step.
fn step(what: &'static str) -> impl Fn(AdministrationError) -> String {
    move |error| format!("{what}: {error:?}")
}

/// Does all that an operator does with users and databases, and returns what went wrong.
async fn administer(fixture: &EnginesFixture, id: ClusterId) -> Result<(), String> {
    let run = fixture
        .engines
        .administer(id)
        .await
        .map_err(|e| e.report())?;
    let admin = run.administration().map_err(|e| e.report())?;
    let database = DatabaseName::parse("tried_1").unwrap();
    let user = NewEngineUser {
        name: UserName::parse("tried").unwrap(),
        stage2: stage2("x"),
        role: UserRole::ReadOnly,
        databases: None,
        replaces_unfinished: false,
    };
    let granted = admin
        .create_user(&user)
        .await
        .map_err(step("create user"))?;
    if granted != ["test"] {
        return Err(format!("granted {granted:?}"));
    }
    admin
        .create_database(&database)
        .await
        .map_err(step("create database"))?;
    let databases = admin.databases().await.map_err(step("databases"))?;
    let names: Vec<_> = databases.rows.iter().map(|d| d.name.as_str()).collect();
    if names != ["test", "tried_1"] || !databases.complete {
        return Err(format!("databases {databases:?}"));
    }
    let all = UsersWanted {
        most: 100,
        ..UsersWanted::default()
    };
    let users = admin.users(&all).await.map_err(step("users"))?;
    let names: Vec<_> = users.rows.iter().map(|u| u.name.as_str()).collect();
    let of_user = users.rows.iter().find(|u| u.name == "tried");
    let granted = of_user.map(|u| u.databases.join(","));
    if names != ["root", "tried"] || granted.as_deref() != Some("test,tried_1") {
        return Err(format!("users {users:?}"));
    }
    admin
        .set_user_password(&user.name, stage2("y"))
        .await
        .map_err(step("password"))?;
    admin
        .delete_database(&database)
        .await
        .map_err(step("delete database"))?;
    admin
        .end_user_sessions(&user.name)
        .await
        .map_err(step("end sessions"))?;
    admin
        .delete_user(&user.name)
        .await
        .map_err(step("delete user"))?;
    let book = fixture
        .engines
        .set_password(id, "root", stage2("first"))
        .await
        .map_err(|e| e.report())?;
    match book.accounts.iter().count() {
        1 => Ok(()),
        others => Err(format!("{others} accounts of root")),
    }
}

/// Sets all these, administers, and sets them back. Returns how many the engine took.
async fn try_settings(
    hostile: &mut HostileTenant,
    settings: &[Setting],
) -> (usize, Result<(), String>) {
    let mut taken = Vec::new();
    for setting in settings {
        let set = format!("SET GLOBAL {} = {}", setting.name, setting.hostile);
        if hostile.attempt(&set).await.is_none() {
            taken.push(setting);
        }
    }
    let done = administer(&hostile.fixture, hostile.id).await;
    for setting in taken.iter().rev() {
        let back = format!("SET GLOBAL {} = {}", setting.name, setting.former);
        if hostile.attempt(&back).await.is_some() {
            let back = format!("SET GLOBAL {} = DEFAULT", setting.name);
            let _ = hostile.attempt(&back).await;
        }
    }
    (taken.len(), done)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_setting_of_a_tenant_reaches_our_sessions() {
    let mut hostile = HostileTenant::begin().await;
    let begun = administer(&hostile.fixture, hostile.id).await;
    assert_eq!(begun, Ok(()), "without any setting");
    let settings = all_settings(&mut hostile.root).await;
    let mut taken = 0;
    let mut faults = Vec::new();
    // Many at once, which saves a second each; one by one only to tell which was at fault.
    for some in settings.chunks(40) {
        let (count, done) = try_settings(&mut hostile, some).await;
        let deaths = hostile.fixture.deaths(hostile.id, "");
        assert_eq!(deaths, 0, "by one of {} and the next 39", some[0].name);
        taken += count;
        let Err(together) = done else { continue };
        let before = faults.len();
        for one in some {
            let (_, done) = try_settings(&mut hostile, std::slice::from_ref(one)).await;
            if let Err(fault) = done {
                faults.push(format!("{} = {}: {fault}", one.name, one.hostile));
            }
        }
        if faults.len() == before {
            faults.push(format!("{}...: {together}", some[0].name));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(
        taken > 500,
        "the engine took only {taken} of {} settings",
        settings.len()
    );
    assert_eq!(hostile.fixture.deaths(hostile.id, ""), 0);
    // A clean sleep, with the worst of them still set.
    for set in [
        "sql_select_limit = 0",
        "max_join_size = 1",
        "tx_read_only = 1",
        "autocommit = 0",
        "lock_wait_timeout = 1000000",
        "max_statement_time = 0.000001",
        "lc_messages = 'ru_RU'",
    ] {
        hostile.root.run(&format!("SET GLOBAL {set}")).await;
    }
    let (fixture, id) = hostile.sleep().await;
    assert!(!fixture.memory.row(id).awake, "asleep cleanly");
    let book = fixture
        .engines
        .accounts(id, vec!["root".to_owned()], Instant::now())
        .await;
    assert!(book.is_err(), "it sleeps");
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_as_small_as_they_can_be_are_enough() {
    let mut hostile = HostileTenant::begin().await;
    hostile
        .root
        .run("CREATE USER tried2@'10.0.0.1' IDENTIFIED BY 'x'")
        .await;
    for set in ["max_allowed_packet = 1024", "net_buffer_length = 1024"] {
        hostile.root.run(&format!("SET GLOBAL {set}")).await;
    }
    hostile.root.run("DROP USER tried2@'10.0.0.1'").await;
    assert_eq!(administer(&hostile.fixture, hostile.id).await, Ok(()));
    let many = NewEngineUser {
        name: UserName::parse("many").unwrap(),
        stage2: stage2("x"),
        role: UserRole::ReadWrite,
        databases: None,
        replaces_unfinished: false,
    };
    let run = hostile
        .fixture
        .engines
        .administer(hostile.id)
        .await
        .unwrap();
    let admin = run.administration().unwrap();
    admin.create_user(&many).await.unwrap();
    for n in 0..60 {
        hostile
            .root
            .run(&format!("CREATE USER many@'10.0.0.{n}' IDENTIFIED BY 'x'"))
            .await;
    }
    admin
        .set_user_password(&many.name, stage2("y"))
        .await
        .unwrap();
    admin.delete_user(&many.name).await.unwrap();
    let left = "SELECT COUNT(*) FROM mysql.global_priv WHERE User = 'many'";
    assert_eq!(hostile.root.one(left).await, "0");
    hostile.fixture.engines.shutdown().await;
}
