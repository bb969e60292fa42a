//! Samples of the page of a cluster's users and databases.

use super::view::{DatabaseRow, Lists, MadeUser, UserRow, UsersPage};
use crate::limits::ROWS_PER_PAGE;
use crate::pages::frame::MenuEntry;
use crate::pages::samples::{cluster_row, operator_frame};
use crate::types::Secret;
use askama::Template;
use tidegate_control::{AccountView, DatabaseView, UserView};
use tidegate_model::{ClusterState, UserRole};

pub fn samples() -> Vec<(&'static str, String)> {
    vec![
        ("users", page(Some(lists(3)), true)),
        ("users-asleep", page(None, false)),
    ]
}

fn user(name: &str, role: Option<UserRole>) -> UserRow {
    UserRow::of(&UserView {
        name: name.to_owned(),
        login: format!("k7m2q9x4w3tz.{name}"),
        accounts: vec![account("%", role, false), account("10.0.0.%", None, true)],
        role,
        every_database: role == Some(UserRole::Admin),
        databases: vec!["orders".to_owned(), "stock".to_owned()],
    })
}

fn account(host: &str, role: Option<UserRole>, locked: bool) -> AccountView {
    AccountView {
        host: host.to_owned(),
        role,
        locked,
    }
}

fn lists(databases: usize) -> Lists {
    let database = |n| {
        DatabaseRow::of(&DatabaseView {
            name: format!("db{n}"),
            character_set: "utf8mb4".to_owned(),
            collation: "utf8mb4_general_ci".to_owned(),
        })
    };
    Lists {
        users: vec![
            user("app", Some(UserRole::ReadWrite)),
            user("\u{202e}<b>", None),
            user("root", Some(UserRole::Admin)),
        ],
        users_complete: true,
        next_users: None,
        find: String::new(),
        databases: (0..databases).map(database).collect(),
        databases_complete: true,
    }
}

fn page(lists: Option<Lists>, made: bool) -> String {
    let state = match lists {
        Some(_) => ClusterState::Awake,
        None => ClusterState::Asleep,
    };
    let page = UsersPage {
        frame: operator_frame("Users of shop", MenuEntry::Clusters),
        row: cluster_row("shop", state, 0),
        lists,
        made: made.then(|| MadeUser {
            login: "k7m2q9x4w3tz.app".to_owned(),
            password: Secret::new("7spd-B5Z0QeYn4yD".to_owned().into()),
        }),
        wanted_user: String::new(),
        wanted_database: String::new(),
    };
    page.render().unwrap()
}

#[test]
fn names_from_sql_are_escaped_and_root_has_no_forms() {
    let html = page(Some(lists(1)), false);
    assert!(html.contains("\\u{202e}&#60;b&#62;"), "{html}");
    // The role is that of one account; the others are told too.
    assert!(html.contains("read-write") && html.contains("made with SQL, locked at 10.0.0.%"));
    let mut rows = html
        .split("<tr>")
        .filter_map(|row| row.split("</tr>").next());
    let root = rows.find(|row| row.contains("k7m2q9x4w3tz.root"));
    assert!(!root.unwrap().contains("<form"), "{root:?}");
}

#[test]
fn a_sleeping_cluster_has_no_lists_and_a_long_list_is_cut() {
    let asleep = page(None, false);
    assert!(
        !asleep.contains("<table") && asleep.contains("/users/wake"),
        "{asleep}"
    );
    let long = page(Some(lists(ROWS_PER_PAGE + 1)), false);
    assert!(long.contains("tidegate database list shop"), "{long}");
    assert!(!page(Some(lists(2)), false).contains("tidegate database list shop"));
}
