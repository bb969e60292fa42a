//! KILL in all its forms: it reaches the right session of the same cluster and user, and never
//! another's.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use rustix::process::Signal;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use tidegate_e2e::clients::{mariadb_command, mysql9_command};
use tidegate_e2e::limits::soon;
use tidegate_e2e::not_run;
use tidegate_e2e::session::{Outcome, Session};
use tidegate_e2e::wire::{self, Refused};
use tidegate_e2e::{Cluster, Server, processes};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

fn running(cluster: &Cluster, query: &str) -> bool {
    let sql = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE info = '{query}'");
    Session::open(cluster).value(&sql) == "1"
}

/// A session that runs a query without end.
fn busy(cluster: &Cluster, seconds: u32) -> Session {
    let mut session = Session::open(cluster);
    let query = format!("SELECT SLEEP({seconds})");
    session.send(&query);
    soon("the query runs", || running(cluster, &query).then_some(()));
    session
}

/// Answer that the killed session reads: an interrupted query, or the end with or without its
/// error.
fn interrupted(session: &mut Session) -> bool {
    match session.outcome() {
        Ok(Outcome::Refused(refused)) => [1317, 1927].contains(&refused.code),
        // An interrupted SLEEP gives 1.
        Ok(Outcome::Rows { rows, .. }) => rows[0][0].as_deref() == Some(b"1"),
        Ok(_) => false,
        Err(_) => true,
    }
}

#[test]
fn case_72_forms_with_our_id_reach_the_session() {
    let cluster = SERVER.create("forms");
    let mut killer = Session::open(&cluster);
    for (n, form) in [
        "KILL QUERY {id}",
        "kill soft query {id}",
        "KILL HARD QUERY {id}",
        "/* who */ KILL QUERY {id}",
        "-- why\nKILL QUERY {id}",
        "# so\nKILL QUERY {id}",
        "  KILL\tQUERY\n{id} ",
        "KILL QUERY {id};",
    ]
    .into_iter()
    .enumerate()
    {
        let mut victim = busy(&cluster, 7000 + u32::try_from(n).unwrap());
        let sql = form.replace("{id}", &victim.probe.greeting.id.to_string());
        assert!(matches!(killer.query(&sql), Outcome::Ok { .. }), "{form}");
        assert!(interrupted(&mut victim), "{form}");
        assert!(victim.ping(), "{form}: KILL QUERY leaves the session");
    }
    for form in [
        "KILL {id}",
        "KILL CONNECTION {id}",
        "KILL HARD CONNECTION {id}",
        "kill connection {id}",
    ] {
        let mut victim = busy(&cluster, 7100);
        let sql = form.replace("{id}", &victim.probe.greeting.id.to_string());
        assert!(matches!(killer.query(&sql), Outcome::Ok { .. }), "{form}");
        assert!(interrupted(&mut victim), "{form}");
        victim.probe.until_closed();
    }
}

#[test]
fn case_72_com_process_kill_is_mapped() {
    let cluster = SERVER.create("process");
    let mut killer = Session::open(&cluster);
    let mut victim = busy(&cluster, 7200);
    let mut command = vec![0x0c];
    command.extend_from_slice(&victim.probe.greeting.id.to_le_bytes());
    killer.probe.command(&command);
    assert_eq!(killer.probe.expect()[0], 0x00);
    assert!(interrupted(&mut victim));
    // COM_PROCESS_KILL with an id that no session has.
    killer.probe.command(&[0x0c, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(
        Refused::parse(&killer.probe.expect())
            .expect("an error")
            .code,
        1094
    );
}

#[test]
fn case_72_other_clusters_and_users_are_out_of_reach() {
    let ours = SERVER.create("ours");
    let theirs = SERVER.create("theirs");
    let mut root = Session::open(&ours);
    root.run("CREATE USER weak@'%' IDENTIFIED BY 'pw'");
    root.run("GRANT SELECT ON test.* TO weak@'%'");
    let mut weak = Session::login(&ours, &ours.login("weak"), "pw", wire::ORDINARY).unwrap();
    let mut neighbour = busy(&theirs, 7300);
    let mut busy_root = busy(&ours, 7301);
    for (mut killer, victim) in [
        (root, neighbour.probe.greeting.id),
        (Session::open(&theirs), busy_root.probe.greeting.id),
    ] {
        for form in ["KILL {id}", "KILL QUERY {id}"] {
            let refused = killer
                .query(&form.replace("{id}", &victim.to_string()))
                .refused();
            assert_eq!(refused.code, 1094, "{form}: {refused:?}");
        }
    }
    let refused = weak
        .query(&format!("KILL {}", busy_root.probe.greeting.id))
        .refused();
    assert!([1094, 1095].contains(&refused.code), "{refused:?}");
    for unknown in [
        "4294967295",
        "18446744073709551615",
        "-1",
        "-9000000000",
        "1073741825",
    ] {
        let refused = weak.query(&format!("KILL {unknown}")).refused();
        assert_eq!(refused.code, 1094, "{unknown}: {refused:?}");
    }
    // Both sessions still exist.
    for (cluster, query, victim) in [
        (&theirs, "SELECT SLEEP(7300)", &mut neighbour),
        (&ours, "SELECT SLEEP(7301)", &mut busy_root),
    ] {
        assert!(running(cluster, query), "{query}");
        let mut killer = Session::open(cluster);
        killer.run(&format!("KILL QUERY {}", victim.probe.greeting.id));
        assert!(interrupted(victim));
    }
}

#[test]
fn case_73_the_engines_id_kills_too_and_differs_from_the_greetings() {
    let cluster = SERVER.create("ids");
    let mut victim = Session::open(&cluster);
    let engines = victim.value("SELECT CONNECTION_ID()");
    assert_ne!(engines, victim.probe.greeting.id.to_string());
    victim.send("SELECT SLEEP(7400)");
    soon("the query runs", || {
        running(&cluster, "SELECT SLEEP(7400)").then_some(())
    });
    Session::open(&cluster).run(&format!("KILL QUERY {engines}"));
    assert!(interrupted(&mut victim));
    assert!(victim.ping());
}

#[test]
fn case_73_ctrl_c_of_both_command_line_clients_ends_the_query() {
    let cluster = SERVER.create("ctrlc");
    let clients: [(&str, Option<Command>); 2] = [
        ("mariadb", Some(mariadb_command(&cluster, &[]))),
        ("mysql", mysql9_command(&cluster, &[])),
    ];
    for (n, (name, command)) in clients.into_iter().enumerate() {
        let Some(mut command) = command else {
            not_run(&format!("{name} is not here"));
            continue;
        };
        let query = format!("SELECT SLEEP({})", 7500 + n);
        let mut child = command
            .args(["-e", &query])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the client");
        soon("the query runs", || running(&cluster, &query).then_some(()));
        processes::kill(child.id(), Signal::INT);
        soon(&format!("{name}: the query's end"), || {
            (!running(&cluster, &query)).then_some(())
        });
        soon(&format!("{name}: the client's end"), || {
            child.try_wait().expect("a child")
        });
    }
}

#[test]
fn an_operator_ends_any_session() {
    let cluster = SERVER.create("operator");
    let mut victim = Session::open(&cluster);
    let id = victim.probe.greeting.id.to_string();
    let out = SERVER.cli(&["session", "kill", &id]);
    assert!(out.status.success(), "{out:?}");
    if let Ok(Some(packet)) = victim.probe.payload() {
        assert_eq!(Refused::parse(&packet).expect("an error packet").code, 1927);
    }
    victim.probe.until_closed();
    assert_eq!(
        SERVER.cli(&["session", "kill", &id]).status.code(),
        Some(1),
        "it is gone"
    );
}
