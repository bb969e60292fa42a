//! A tenant that writes anything into its account table affects only its own logins, not the
//! server.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use tidegate_e2e::console::Console;
use tidegate_e2e::limits::soon;
use tidegate_e2e::session::{Session, almighty};
use tidegate_e2e::wire::{self, Refused};
use tidegate_e2e::{Cluster, Server, processes};

/// Memory that a hostile book may cost the server at any moment.
const COST_MAX_KB: u64 = 4 << 10;

fn refused(cluster: &Cluster, user: &str, password: &str) -> Refused {
    match Session::login(cluster, user, password, wire::ORDINARY) {
        Err(refused) => refused,
        Ok(_) => panic!("{user} got in with {password:?}"),
    }
}

/// Logs in. While the cluster recovers, the only other answer allowed is "try again".
fn login_soon(server: &Server, cluster: &Cluster, password: &str) -> Session {
    soon("a login", || {
        match Session::login(cluster, &cluster.user, password, wire::ORDINARY) {
            Ok(session) => Some(session),
            Err(refused) => {
                assert_eq!(refused.code, 1040, "{refused:?}\n{}", server.log());
                None
            }
        }
    })
}

/// Makes the server read the accounts in each possible way: after a wrong password while awake,
/// when the cluster falls asleep, and from the store.
fn have_accounts_read(server: &Server, cluster: &Cluster, name: &str) {
    let session = Session::open(cluster);
    assert_eq!(refused(cluster, &cluster.user, "wrong").code, 1045);
    assert_eq!(refused(cluster, &cluster.login("boom"), "wrong").code, 1045);
    session.quit();
    server.sleep(name);
    assert_eq!(
        refused(cluster, &cluster.login("nobody"), "wrong").code,
        1045
    );
    assert_eq!(
        server.state(name),
        "asleep",
        "a wrong password wakes nobody"
    );
    Session::open(cluster).quit();
}

/// Rows that no engine writes. The first one made an earlier reader request 20 GB.
fn fill_with_hostile_rows(cluster: &Cluster) {
    let mut root = Session::open(cluster);
    root.run("CREATE USER x IDENTIFIED BY 'p'");
    root.run("GRANT ALL ON `%`.* TO x");
    let mut x = Session::login(cluster, &cluster.login("x"), "p", wire::ORDINARY).unwrap();
    x.run(
        "INSERT INTO mysql.global_priv VALUES ('boom.example', 'boom', \
         CONCAT('{\"plugin\":\"', REPEAT('a', 1000000), '\",\"auth_or\":[{}', REPEAT(',{}', \
         20000), ']}'))",
    );
    // Rows within their limit, with as many methods as are kept, and far more rows than fit into a
    // book.
    x.run(
        "INSERT INTO mysql.global_priv SELECT CONCAT(seq, REPEAT('h', 200)), CONCAT(REPEAT('u', \
         100), seq), \
         CONCAT('{\"auth_or\":[{}', REPEAT(CONCAT(',{\"plugin\":\"mysql_native_password\",\
         \"authentication_string\":\"', PASSWORD(seq), '\"}'), 7), ']}') FROM test.seq_1_to_20000",
    );
    x.run(
        "INSERT INTO mysql.global_priv SELECT '%', 'deep', CONCAT(REPEAT('{\"a\":', 25), '1', \
         REPEAT('}', 25)) \
         UNION ALL SELECT '%', 'many', CONCAT('{\"auth_or\":[{}', REPEAT(',{}', 500), ']}')",
    );
}

#[test]
fn a_hostile_account_table_costs_its_own_cluster_and_under_4_mb() {
    let mut server = Server::start();
    let [warm, evil, good] = ["warm", "evil", "good"].map(|name| server.create(name));
    let mut bystander = Session::open(&good);
    fill_with_hostile_rows(&evil);
    // Memory that the first use of each part keeps.
    for _ in 0..2 {
        have_accounts_read(&server, &warm, "warm");
    }
    let before = processes::resident_kb(server.pid());
    processes::reset_peak(server.pid());
    for _ in 0..2 {
        have_accounts_read(&server, &evil, "evil");
    }
    let cost = processes::peak_kb(server.pid()).saturating_sub(before);
    println!("a hostile book of 20,000 rows costs {cost} KB at its peak");
    assert!(cost < COST_MAX_KB, "{cost} KB\n{}", server.log());
    assert_eq!(bystander.value("SELECT 1"), "1", "nobody else notices");

    // An operator can always log in, with the cluster asleep and awake.
    for _ in 0..2 {
        server.sleep("evil");
        let changed = Cluster::from_json(&server.json(&["cluster", "password", "evil"]));
        Session::open(&changed).quit();
    }
    let changed = Cluster::from_json(&server.json(&["cluster", "password", "evil"]));

    // Also after kill -9, which leaves a cluster to recover.
    server.kill9();
    server.run();
    login_soon(&server, &good, &good.password).quit();
    let mut root = login_soon(&server, &changed, &changed.password);
    assert_eq!(
        root.value("SELECT COUNT(*) > 20000 FROM mysql.global_priv"),
        "1"
    );
    root.quit();
    server.sleep("evil");
    assert_eq!(server.stop(), 0);
}

fn add_accounts(cluster: &Cluster, name: &str, count: u32) {
    almighty(cluster).run(&format!(
        "INSERT INTO mysql.global_priv SELECT '%', CONCAT({name}, seq), \
         CONCAT('{{\"access\":1,\"plugin\":\
         \"mysql_native_password\",\"authentication_string\":\"', PASSWORD('secret'), '\"}}') \
         FROM test.seq_1_to_{count}"
    ));
    Session::open(cluster).query("FLUSH PRIVILEGES");
}

#[test]
fn a_cluster_with_20_001_accounts_sleeps_and_wakes_and_all_of_them_log_in() {
    let mut server = Server::start();
    let cluster = server.create("crowd");
    add_accounts(&cluster, "'u'", 20_001);
    for restart in [false, true] {
        for n in [1, 255, 256, 257, 9_999, 20_001] {
            server.sleep("crowd");
            let user = cluster.login(&format!("u{n}"));
            assert_eq!(refused(&cluster, &user, "wrong").code, 1045);
            assert_eq!(server.state("crowd"), "asleep", "judged without waking");
            Session::login(&cluster, &user, "secret", wire::ORDINARY)
                .expect("each account")
                .quit();
        }
        if restart {
            return;
        }
        server.kill9();
        server.run();
        login_soon(&server, &cluster, &cluster.password).quit();
    }
}

/// Login name of an account that the test adds by its number.
fn numbered_login(cluster: &Cluster, n: u32) -> String {
    cluster.login(&format!("{}{n}", "v".repeat(40)))
}

fn log_in_as(cluster: &Cluster, n: u32) -> Result<Session, Refused> {
    Session::login(
        cluster,
        &numbered_login(cluster, n),
        "secret",
        wire::ORDINARY,
    )
}

#[test]
fn accounts_beyond_the_book_log_in_while_the_cluster_is_awake_and_wake_nobody() {
    let mut console = Console::start("");
    let cookie = format!("Cookie: {}", console.sign_in());
    let server = &console.server;
    let cluster = server.create("city");
    assert!(
        !tells_of_incomplete_accounts(&console, &cookie, "city"),
        "a fresh cluster's book has all accounts"
    );
    // About 75 bytes each: the book is full before the last.
    add_accounts(&cluster, "REPEAT('v', 40)", 40_000);
    log_in_as(&cluster, 99)
        .expect("awake, the engine is asked")
        .quit();
    server.sleep("city");
    assert!(tells_of_incomplete_accounts(&console, &cookie, "city"));
    // The order of the engine's key: as text, "9999" is the last.
    assert_eq!(
        log_in_as(&cluster, 9_999)
            .err()
            .expect("asleep, not in the book")
            .code,
        1045
    );
    assert_eq!(server.state("city"), "asleep");
    log_in_as(&cluster, 1).expect("asleep, in the book").quit();
    log_in_as(&cluster, 9_999).expect("awake again").quit();
    assert_eq!(
        refused(&cluster, &numbered_login(&cluster, 9_999), "wrong").code,
        1045
    );
    server.sleep("city");
    // The first administrator is in the book however many others there are.
    Session::open(&cluster).quit();
    server.wait_log("more accounts than");

    // The mark survives a restart, and disappears when the book has room again.
    assert_eq!(console.server.stop(), 0);
    console.server.run();
    assert!(tells_of_incomplete_accounts(&console, &cookie, "city"));
    let mut evil = Session::login(&cluster, &cluster.login("evil"), "pw", wire::ORDINARY).unwrap();
    evil.run("DELETE FROM mysql.global_priv WHERE User LIKE 'vvv%'");
    evil.quit();
    console.server.sleep("city");
    assert!(!tells_of_incomplete_accounts(&console, &cookie, "city"));
}

/// Whether the operator is told that the account book lacks accounts. All outputs must agree.
fn tells_of_incomplete_accounts(console: &Console, cookie: &str, name: &str) -> bool {
    let text = console.server.cli(&["cluster", "show", name]);
    let text = String::from_utf8(text.stdout).unwrap();
    let shown = console.server.json(&["cluster", "show", name])["incomplete_accounts"].clone();
    let page = console.ask(&format!("/clusters/{name}"), &["-H", cookie]);
    assert_eq!(page.status, 200, "{}", page.head);
    let said = [
        text.contains("\naccounts "),
        page.body.contains("lacks some of the cluster"),
    ];
    assert_eq!(
        said,
        [!shown.is_null(); 2],
        "{shown}\n{text}\n{}",
        page.body
    );
    if !shown.is_null() {
        for part in ["message", "meaning", "hint"] {
            let words = console.server.printed_hint(shown[part].as_str().unwrap());
            assert!(text.contains(&words), "no {part} of {shown} in\n{text}");
        }
        assert!(
            text.contains("only while the cluster is awake")
                && text.contains("hint: drop unused accounts"),
            "{text}"
        );
    }
    !shown.is_null()
}
