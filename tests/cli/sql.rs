//! `tidegate sql`: the client that it starts, what it passes on, and its database.

use super::*;

#[test]
fn sql_runs_the_machines_client_and_the_password_is_in_no_argument() {
    let cluster = SERVER.create("sql");
    let mut child = SERVER
        .command(&["sql", "sql", "-e", "SELECT SLEEP(30), 'here'"])
        .env("TIDEGATE_PASSWORD", &cluster.password)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let marker = "SELECT SLEEP(30)";
    soon("the client runs", || {
        lines_with(marker)
            .iter()
            .any(|l| l.contains("--ssl") || l.contains("defaults"))
            .then_some(())
    });
    for line in lines_with(marker) {
        assert!(!line.contains(&cluster.password), "{line}");
    }
    processes::kill(child.id(), Signal::TERM);
    child.wait().unwrap();
    let out = SERVER
        .command(&["sql", "sql", "-e", "SELECT 12"])
        .env("TIDEGATE_PASSWORD", &cluster.password)
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&out.stdout).contains("12"),
        "{out:?}"
    );
    let wrong = SERVER
        .command(&["sql", "sql", "-e", "SELECT 12"])
        .env("TIDEGATE_PASSWORD", "wrong")
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
}

#[test]
fn sql_keeps_every_character_and_passes_arguments_on() {
    let cluster = SERVER.create("emoji");
    let written = "CREATE DATABASE other; CREATE TABLE other.t (a VARCHAR(9)); \
                   INSERT INTO other.t VALUES ('\u{1f600}\u{e9}')";
    run_sql(&cluster, &["-e", written]);
    let read = "SELECT a, HEX(a), DATABASE() FROM t";
    let options = [
        "-D",
        "other",
        "-e",
        read,
        "--",
        "--batch",
        "--skip-column-names",
    ];
    assert_eq!(
        run_sql(&cluster, &options),
        "\u{1f600}\u{e9}\tF09F9880C3A9\tother\n"
    );
}

#[test]
fn sql_selects_no_database_that_the_user_cannot_use() {
    let cluster = SERVER.create("choosy");
    let own =
        "CREATE DATABASE own; CREATE USER app IDENTIFIED BY 'pw'; GRANT SELECT ON own.* TO app";
    run_sql(&cluster, &["-e", own]);
    let selected = ["-e", "SELECT DATABASE()", "--", "-N"];
    assert_eq!(run_sql(&cluster, &selected), "test\n");
    let mut user = cluster.clone();
    "pw".clone_into(&mut user.password);
    let of_user = [&["--user", "app"], &selected[..]].concat();
    assert_eq!(run_sql(&user, &of_user), "NULL\n");
    let of_user = [&["--user", "app", "-D", "own"], &selected[..]].concat();
    assert_eq!(run_sql(&user, &of_user), "own\n");
    run_sql(&cluster, &["-e", "DROP DATABASE test"]);
    assert_eq!(run_sql(&cluster, &selected), "NULL\n");
}

/// Returns the output of `tidegate sql` with these arguments, which must succeed.
fn run_sql(cluster: &Cluster, args: &[&str]) -> String {
    let out = SERVER
        .command(&[&["sql", &cluster.name], args].concat())
        .env("TIDEGATE_PASSWORD", &cluster.password)
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap()
}

/// Returns the command lines of all processes that contain this text.
fn lines_with(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|e| std::fs::read(e.path().join("cmdline")).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
        .filter(|line| line.contains(text))
        .collect()
}
