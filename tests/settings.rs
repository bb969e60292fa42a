//! Settings of a cluster beside its limits, and its name.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::sync::LazyLock;
use std::time::Duration;
use tidegate_e2e::clients::mariadb;
use tidegate_e2e::console::{Console, form_token};
use tidegate_e2e::session::Session;
use tidegate_e2e::wire::Refused;
use tidegate_e2e::{Options, Server};

/// Server whose clusters sleep after a second, so each test has its own cluster.
static SLEEPY: LazyLock<Server> = LazyLock::new(|| Server::with(Options::sleepy()));
/// Server whose clusters sleep only on command.
static CALM: LazyLock<Server> = LazyLock::new(Server::start);

/// Pause between two pings: a tenth of the time after which a cluster sleeps.
const PING_PAUSE: Duration = Duration::from_millis(100);

/// Pings in several times that time.
const PINGS: usize = 50;

/// Pings until the gateway ends the session. Returns its error, or none if it answers all pings.
fn ping(session: &mut Session, times: usize) -> Option<Refused> {
    for _ in 0..times {
        std::thread::sleep(PING_PAUSE);
        session.probe.command(b"\x0e");
        let answer = session.probe.expect();
        if answer[0] != 0 {
            return Some(Refused::parse(&answer).expect("an error packet"));
        }
    }
    None
}

#[test]
fn pings_do_not_keep_a_cluster_awake_unless_it_is_told_so() {
    let cluster = SLEEPY.create("pinged");
    let mut session = Session::open(&cluster);
    assert_eq!(session.value("SELECT 1"), "1");
    let ended = ping(&mut session, PINGS).expect("the cluster falls asleep");
    assert_eq!((ended.code, ended.state.as_str()), (4031, "HY000"));
    SLEEPY.wait_state("pinged", "asleep");

    let mut session = Session::open(&cluster);
    // Also for sessions that are open.
    SLEEPY.succeed(&["cluster", "set", "pinged", "--ping-holds", "on"]);
    assert_eq!(ping(&mut session, PINGS), None, "a ping keeps it awake");
    let shown = SLEEPY.json(&["cluster", "show", "pinged"]);
    assert_eq!(
        (&shown["state"], &shown["ping_holds"]),
        (&"awake".into(), &true.into())
    );
    SLEEPY.succeed(&["cluster", "set", "pinged", "--ping-holds", "off"]);
    let ended = ping(&mut session, PINGS).expect("the cluster falls asleep");
    assert_eq!(ended.code, 4031);
}

#[test]
fn queries_between_pings_keep_a_cluster_awake() {
    let cluster = SLEEPY.create("worked");
    let mut session = Session::open(&cluster);
    for _ in 0..PINGS / 5 {
        assert_eq!(session.value("SELECT 1"), "1");
        assert_eq!(ping(&mut session, 5), None);
    }
}

#[test]
fn a_transaction_is_kept_while_its_session_only_pings() {
    let cluster = SLEEPY.create("pinged-tx");
    let mut session = Session::open(&cluster);
    session.run("CREATE TABLE t (n INT)");
    session.run("BEGIN");
    session.run("INSERT INTO t VALUES (1)");
    assert_eq!(ping(&mut session, PINGS / 2), None);
    assert_eq!(session.value("SELECT COUNT(*) FROM t"), "1");
    session.run("COMMIT");
}

#[test]
fn a_renamed_cluster_keeps_its_logins_and_frees_its_name() {
    let cluster = CALM.create("before");
    mariadb(&cluster, "CREATE TABLE t (n INT)").expect();
    let mut session = Session::open(&cluster);
    // Awake.
    let renamed = CALM.json(&["cluster", "rename", "before", "after"]);
    assert_eq!(
        (&renamed["name"], &renamed["prefix"]),
        (&"after".into(), &cluster.prefix.as_str().into())
    );
    assert_eq!(
        session.value("SELECT COUNT(*) FROM t"),
        "0",
        "open sessions stay"
    );
    drop(session);
    let other = CALM.create("before");
    // Asleep.
    CALM.sleep("after");
    CALM.succeed(&["cluster", "rename", "after", "later"]);
    assert_eq!(CALM.state("later"), "asleep");
    assert_eq!(mariadb(&cluster, "SELECT COUNT(*) FROM t").expect(), "0");
    assert_eq!(mariadb(&other, "SELECT 1").expect(), "1");

    let taken = CALM.fail(&["cluster", "rename", "later", "before"]);
    assert!(
        taken.contains("cluster \"before\" already exists"),
        "{taken}"
    );
    let wrong = CALM.fail(&["cluster", "rename", "later", "No!"]);
    assert!(wrong.contains("is not a valid name"), "{wrong}");
    let missing = CALM.fail(&["cluster", "rename", "after", "other"]);
    assert!(
        missing.contains("there is no cluster \"after\""),
        "{missing}"
    );
    CALM.succeed(&["cluster", "rename", "later", "later"]);
}

#[test]
fn names_and_settings_survive_a_restart() {
    let mut server = Server::start();
    let cluster = server.create("old");
    server.succeed(&["cluster", "rename", "old", "new"]);
    server.succeed(&[
        "cluster",
        "set",
        "new",
        "--deletion-protection",
        "on",
        "--ping-holds",
        "on",
    ]);
    server.restart();
    let shown = server.json(&["cluster", "show", "new"]);
    assert_eq!(shown["deletion_protection"], true);
    assert_eq!(shown["ping_holds"], true);
    assert_eq!(mariadb(&cluster, "SELECT 1").expect(), "1");
}

#[test]
fn a_protected_cluster_is_not_deleted_until_its_protection_is_turned_off() {
    let cluster = CALM.create("precious");
    let shown = CALM.succeed(&["cluster", "set", "precious", "--deletion-protection", "on"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("protected"), "{shown}");
    let refused = CALM.fail(&["cluster", "delete", "precious", "--yes"]);
    assert!(
        refused.contains("is protected against deletion"),
        "{refused}"
    );
    let hint = "turn the protection off: `tidegate cluster set precious --deletion-protection off`";
    assert!(refused.contains(&CALM.printed_hint(hint)), "{refused}");

    assert_eq!(mariadb(&cluster, "SELECT 1").expect(), "1");
    CALM.succeed(&["cluster", "set", "precious", "--deletion-protection", "off"]);
    CALM.succeed(&["cluster", "delete", "precious", "--yes"]);
    CALM.fail(&["cluster", "show", "precious"]);
}

#[test]
fn a_cluster_that_never_sleeps_is_started_with_the_server() {
    let mut server = Server::with(Options {
        config: "[cluster]\nsleep_after = \"never\"\n".into(),
        ..Options::default()
    });
    let cluster = server.create("always");
    server.wait_state("always", "awake");
    let shown = server.succeed(&["cluster", "show", "always"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("never"), "{shown}");
    server.restart();
    server.wait_state("always", "awake");
    server.succeed(&["cluster", "set", "always", "--sleep-after", "1s"]);
    server.wait_state("always", "asleep");
    server.succeed(&["cluster", "set", "always", "--sleep-after", "never"]);
    server.wait_state("always", "awake");
    assert_eq!(mariadb(&cluster, "SELECT 1").expect(), "1");
}

#[test]
fn a_change_for_another_version_is_refused_by_commands_and_forms() {
    let console = Console::start("");
    let server = &console.server;
    server.create("shop");
    let cookie = format!("Cookie: {}", console.sign_in());
    let origin = format!("Origin: {}", console.base());
    // Two operators open the page, and one of them changes the cluster.
    let page = console.ask("/clusters/shop", &["-H", &cookie]).body;
    let version = server.json(&["cluster", "show", "shop"])["version"].to_string();
    let field = format!("name=\"version\" value=\"{version}\"");
    let minified = format!("name=version value={version}");
    let forms = page.matches(&field).count() + page.matches(&minified).count();
    assert_eq!(forms, 5, "{page}");
    let set = ["cluster", "set", "shop", "--connections-max", "7"];
    server.succeed(&[&set[..], &["--if-version", &version]].concat());
    for command in [
        "cluster set shop --connections-max 8",
        "cluster rename shop other",
        "cluster sleep shop",
        "cluster wake shop",
        "cluster password shop",
        "cluster delete shop --yes",
        "user create shop app --role admin",
        "user password shop app",
        "user delete shop app --yes",
        "database create shop more",
        "database delete shop test --yes",
    ] {
        let words: Vec<_> = command.split(' ').collect();
        let args = [&words[..], &["--if-version", &version, "--json"]].concat();
        let error = server.fail(&args);
        assert!(error.contains("\"stale\""), "{command}: {error}");
    }
    // Every form that changes the cluster names its version.
    for path in ["", "/users", "/connect"] {
        let page = console
            .ask(&format!("/clusters/shop{path}"), &["-H", &cookie])
            .body;
        let changes = page.split("<form").skip(1).filter(|form| {
            let sent = form.split("</form>").next().unwrap_or_default();
            let reads = ["/connect/test", "action=\"/sign-out", "action=/sign-out"];
            sent.contains("csrf") && !reads.iter().any(|read| sent.contains(read))
        });
        for form in changes {
            assert!(
                form.contains("name=\"version\"") || form.contains("name=version"),
                "{form}"
            );
        }
    }
    let csrf = format!("csrf={}", form_token(&page));
    let at = format!("version={version}");
    for (form, fields) in [
        ("rename", vec!["new_name=other"]),
        ("delete", vec!["confirm=shop"]),
        ("settings", vec!["ping_holds=on"]),
        ("sleep", vec![]),
        ("wake", vec![]),
        ("users/wake", vec![]),
        ("users", vec!["user=app", "role=admin"]),
        ("users/password", vec!["user=app"]),
        ("users/delete", vec!["user=app"]),
        ("databases", vec!["database=more"]),
        ("databases/delete", vec!["database=test", "confirm=test"]),
        ("connect/password", vec!["with=general"]),
    ] {
        let path = format!("/clusters/shop/{form}");
        let mut args = vec!["-H", &cookie, "-H", &origin, "-d", &csrf, "-d", &at];
        for field in fields {
            args.extend(["-d", field]);
        }
        let answer = console.ask(&path, &args);
        assert_eq!(answer.status, 409, "{form}: {}", answer.body);
        assert!(answer.body.contains("Nothing was changed"), "{form}");
    }
    let shown = server.json(&["cluster", "show", "shop"]);
    assert_eq!(
        (&shown["limits"]["connections_max"], &shown["ping_holds"]),
        (&7.into(), &false.into())
    );
    // The page that told of it has the current version.
    let now = format!("version={}", shown["version"]);
    let args = ["-H", &cookie, "-H", &origin, "-d", &csrf, "-d", &now];
    let answer = console.ask(
        "/clusters/shop/settings",
        &[&args[..], &["-d", "ping_holds=on"]].concat(),
    );
    assert_eq!(answer.status, 303, "{}", answer.body);
}
