//! Users and databases of a cluster in tests: commands that manage them, and what they answer.

use crate::clients::{Said, mariadb};
use crate::{Cluster, Server};
use serde_json::Value;

/// Creates a user and returns the cluster as this user logs in to it.
pub fn create_user(server: &Server, cluster: &Cluster, args: &[&str], database: &str) -> Cluster {
    let words = [&["user", "create", &cluster.name], args].concat();
    let made = server.json(&words);
    Cluster {
        user: made["user"].as_str().unwrap().to_owned(),
        password: made["password"].as_str().unwrap().to_owned(),
        database: database.to_owned(),
        ..copy(cluster)
    }
}

pub fn copy(cluster: &Cluster) -> Cluster {
    Cluster {
        name: cluster.name.clone(),
        prefix: cluster.prefix.clone(),
        host: cluster.host.clone(),
        port: cluster.port,
        user: cluster.user.clone(),
        password: cluster.password.clone(),
        database: cluster.database.clone(),
        ca: cluster.ca.clone(),
    }
}

/// The answer of a command whose arguments end with a name after `--`.
pub fn json_before(server: &Server, args: &[&str]) -> Value {
    let out = server.succeed(&[&["--json"], args].concat());
    serde_json::from_slice(&out.stdout).unwrap()
}

/// The code of a command's error.
pub fn error_code(server: &Server, args: &[&str]) -> String {
    let out = server.cli(&[args, &["--json"]].concat());
    assert!(!out.status.success(), "{args:?} succeeded");
    let line: Value = serde_json::from_slice(out.stderr.trim_ascii()).unwrap_or_else(|_| {
        panic!("{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    });
    line["code"].as_str().unwrap().to_owned()
}

/// Asserts that the engine or the gateway refuses each of these statements with one of these codes.
pub fn assert_refused(user: &Cluster, statements: &[&str]) {
    for sql in statements {
        let said = mariadb(user, sql);
        assert!(!said.ok, "{sql}: {said:?}");
        let refused = [
            "1044", "1045", "1142", "1227", "1370", "1290", "1049", "1410",
        ]
        .iter()
        .any(|code| said.err.contains(&format!("ERROR {code}")));
        assert!(refused, "{sql}: {}", said.err);
    }
}

pub fn lines(said: Said) -> Vec<String> {
    said.expect().lines().map(str::to_owned).collect()
}

pub fn names(list: &Value) -> Vec<&str> {
    let rows = list.as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap()).collect()
}

pub fn row<'a>(list: &'a Value, name: &str) -> &'a Value {
    let mut rows = list.as_array().unwrap().iter();
    rows.find(|row| row["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {list}"))
}
