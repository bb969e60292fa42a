//! Ends of sessions: the last error, the log and the console tell who ended the session.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::sync::LazyLock;
use tidegate_e2e::limits::soon;
use tidegate_e2e::session::{Outcome, Session, almighty};
use tidegate_e2e::wire::Refused;
use tidegate_e2e::{Cluster, Server, processes};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// The error that a session reads before its connection closes.
fn last_error(session: &mut Session) -> Refused {
    let packet = session.probe.payload().unwrap().expect("a last packet");
    let refused = Refused::parse(&packet).expect("an error packet");
    session.probe.until_closed();
    refused
}

/// Waits until the server has logged the end of a session of this cluster as this refusal.
fn logged_end(cluster: &Cluster, slug: &str) {
    let name = format!("\"name\":\"{}\"", cluster.name);
    let end = format!("\"end\":\"{slug}\"");
    soon(slug, || {
        let log = SERVER.log();
        log.lines()
            .any(|line| line.contains(&name) && line.contains(&end))
            .then_some(())
    });
}

fn closed_by_the_engine(cluster: &Cluster, refused: &Refused) {
    assert_eq!(refused.code, 4031, "{refused:?}");
    assert!(
        refused
            .message
            .starts_with("The connection was closed by the server: idle timeout or KILL."),
        "{refused:?}"
    );
    logged_end(cluster, "closed-by-engine");
}

fn running(cluster: &Cluster, query: &str) {
    let sql = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE info = '{query}'");
    soon("the query runs", || {
        (Session::open(cluster).value(&sql) == "1").then_some(())
    });
}

#[test]
fn wait_timeout_is_told_as_such() {
    let cluster = SERVER.create("waits");
    let mut session = Session::open(&cluster);
    session.run("SET SESSION wait_timeout = 1");
    let refused = last_error(&mut session);
    closed_by_the_engine(&cluster, &refused);
    assert_eq!(Session::open(&cluster).value("SELECT 1"), "1");
    assert_eq!(SERVER.state("waits"), "awake", "its engine is well");
}

#[test]
fn idle_transaction_timeout_is_told_as_such() {
    let cluster = SERVER.create("transactions");
    let mut session = Session::open(&cluster);
    session.run("SET SESSION idle_transaction_timeout = 1");
    session.run("BEGIN");
    let refused = last_error(&mut session);
    closed_by_the_engine(&cluster, &refused);
}

#[test]
fn a_kill_that_passes_through_is_1927_for_an_idle_and_for_a_busy_session() {
    let cluster = SERVER.create("killed");
    let mut killer = Session::open(&cluster);
    let mut idle = Session::open(&cluster);
    killer.run(&format!("KILL {}", idle.probe.greeting.id));
    let refused = last_error(&mut idle);
    assert_eq!(refused.code, 1927, "{refused:?}");
    assert!(
        refused.message.starts_with("Connection was killed."),
        "{refused:?}"
    );
    logged_end(&cluster, "killed-in-sql");
    let mut busy = Session::open(&cluster);
    busy.send("SELECT SLEEP(8100)");
    running(&cluster, "SELECT SLEEP(8100)");
    killer.run(&format!("KILL HARD CONNECTION {}", busy.probe.greeting.id));
    let refused = last_error(&mut busy);
    assert_eq!(refused.code, 1927, "{refused:?}");
    // By the engine's own number.
    let mut own = Session::open(&cluster);
    let id = own.value("SELECT CONNECTION_ID()");
    killer.run(&format!("KILL {id}"));
    assert_eq!(last_error(&mut own).code, 1927);
    // COM_PROCESS_KILL, as mysqladmin sends it.
    let mut other = Session::open(&cluster);
    let mut command = vec![0x0c];
    command.extend_from_slice(&other.probe.greeting.id.to_le_bytes());
    killer.probe.command(&command);
    assert_eq!(killer.probe.expect()[0], 0x00);
    assert_eq!(last_error(&mut other).code, 1927);
}

#[test]
fn kill_query_is_1317_and_the_session_stays() {
    let cluster = SERVER.create("query");
    let mut victim = Session::open(&cluster);
    let query = "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, \
                 information_schema.columns c";
    victim.send(query);
    running(&cluster, query);
    Session::open(&cluster).run(&format!("KILL QUERY {}", victim.probe.greeting.id));
    match victim.outcome().unwrap() {
        Outcome::Refused(refused) => assert_eq!(refused.code, 1317, "{refused:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(victim.value("SELECT 1"), "1");
    victim.run("SET SESSION wait_timeout = 1");
    // The KILL QUERY ended no session: this end is another one.
    let refused = last_error(&mut victim);
    closed_by_the_engine(&cluster, &refused);
}

#[test]
fn a_kill_that_the_gateway_does_not_see_is_told_as_the_engines() {
    let cluster = SERVER.create("unseen");
    let mut killer = almighty(&cluster);
    let mut victim = Session::open(&cluster);
    let engines = victim.value("SELECT CONNECTION_ID()");
    killer.run(&format!("KILL {engines}"));
    let refused = last_error(&mut victim);
    closed_by_the_engine(&cluster, &refused);
    let mut busy = Session::open(&cluster);
    let engines = busy.value("SELECT CONNECTION_ID()");
    busy.send("SELECT SLEEP(8200)");
    running(&cluster, "SELECT SLEEP(8200)");
    killer.run(&format!("KILL {engines}"));
    assert_eq!(last_error(&mut busy).code, 4031);
}

#[test]
fn an_engine_that_is_killed_is_1053() {
    let server = Server::start();
    let cluster = server.create("dead");
    let mut idle = Session::open(&cluster);
    let mut busy = Session::open(&cluster);
    busy.send("SELECT SLEEP(8300)");
    running(&cluster, "SELECT SLEEP(8300)");
    processes::kill9(server.engine());
    for session in [&mut idle, &mut busy] {
        let refused = last_error(session);
        assert_eq!(refused.code, 1053, "{refused:?}");
    }
    server.wait_log("\"end\":\"engine-lost\"");
}
