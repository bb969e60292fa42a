//! Writes that a crash interrupts. For each, a server ends with kill -9 after a step of it; another
//! server then gets the same requests again.

use crate::support::Server;
use crate::{Answer, Call, clusters, is_password, restart, wait_for_data};
use rustix::process::Signal;
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::OnceLock;
use tidegate_control::{OperationStep, UsersWanted};

/// A write that is interrupted after a step.
struct Crash {
    step: OperationStep,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    /// Status of the repetition's answer.
    status: u16,
}

const fn crash(
    step: OperationStep,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    status: u16,
) -> Crash {
    Crash {
        step,
        method,
        path,
        body,
        status,
    }
}

const CREATE: &str = "/v1/clusters";
const PASSWORD: &str = "/v1/clusters/kept/password";
const SEVEN: &str = r#"{"limits":{"connections_max":7}}"#;

/// Each of them changes another thing, and the last one the key of the others' records.
/// `VERSION` is the cluster's version before.
const CRASHES: &[Crash] = {
    use OperationStep::*;
    &[
        crash(CreateReserved, "POST", CREATE, r#"{"name":"new-1"}"#, 201),
        crash(CreateTaken, "POST", CREATE, r#"{"name":"new-2"}"#, 201),
        crash(CreateMade, "POST", CREATE, r#"{"name":"new-3"}"#, 201),
        crash(CreatePublished, "POST", CREATE, r#"{"name":"new-4"}"#, 201),
        crash(RequestExecuted, "POST", CREATE, r#"{"name":"new-5"}"#, 201),
        crash(DeleteHidden, "DELETE", "/v1/clusters/old-1", "", 204),
        crash(DeleteRemoved, "DELETE", "/v1/clusters/old-2", "", 204),
        crash(DeleteReleased, "DELETE", "/v1/clusters/old-3", "", 204),
        crash(DeleteBuried, "DELETE", "/v1/clusters/old-4", "", 204),
        crash(RequestExecuted, "DELETE", "/v1/clusters/old-5", "", 204),
        crash(
            RequestExecuted,
            "POST",
            "/v1/clusters/named/rename?version=VERSION",
            r#"{"name":"renamed"}"#,
            200,
        ),
        crash(
            LimitsStored,
            "PATCH",
            "/v1/clusters/limited?version=VERSION",
            SEVEN,
            200,
        ),
        crash(LimitsApplied, "PATCH", "/v1/clusters/kept", SEVEN, 200),
        crash(
            RequestExecuted,
            "POST",
            "/v1/clusters/kept/databases",
            r#"{"name":"made"}"#,
            201,
        ),
        crash(
            RequestExecuted,
            "DELETE",
            "/v1/clusters/kept/databases/dropped",
            "",
            204,
        ),
        crash(
            RequestExecuted,
            "POST",
            "/v1/clusters/kept/users",
            r#"{"name":"made","role":"read-write"}"#,
            201,
        ),
        crash(
            RequestExecuted,
            "POST",
            "/v1/clusters/kept/users/changed/password",
            "{}",
            200,
        ),
        crash(
            RequestExecuted,
            "DELETE",
            "/v1/clusters/kept/users/dropped",
            "",
            204,
        ),
        crash(
            RequestExecuted,
            "POST",
            "/v1/keys",
            r#"{"name":"made","scopes":["read"]}"#,
            201,
        ),
        crash(RequestExecuted, "DELETE", "/v1/keys/dropped", "", 204),
        crash(RequestExecuted, "POST", "/v1/clusters/kept/sleep", "", 200),
        crash(RequestExecuted, "POST", "/v1/clusters/kept/wake", "", 200),
        crash(PasswordBegun, "POST", PASSWORD, "", 200),
        crash(PasswordChanged, "POST", PASSWORD, " ", 200),
        crash(PasswordEnded, "POST", PASSWORD, "  ", 200),
        crash(RequestExecuted, "POST", "/v1/server/ca", "", 409),
        crash(RequestExecuted, "POST", "/v1/server/master-key", "", 409),
    ]
};

/// Returns the request of a case. Its version is in a file, since the servers that end need it too.
fn call_of(case: usize, data: &Path) -> Call {
    let Crash {
        method, path, body, ..
    } = &CRASHES[case];
    let versions = std::fs::read_to_string(data.join("versions")).unwrap();
    let version = match path.contains("named") {
        true => versions.split(' ').next(),
        false => versions.split(' ').next_back(),
    };
    let path = path.replace("VERSION", version.unwrap());
    Call::new(&format!("\"crash {case}\""), method, &path, body)
}

/// Step that ends the server.
static CRASH_AFTER: OnceLock<OperationStep> = OnceLock::new();

fn kill_if_asked(step: OperationStep) {
    if CRASH_AFTER.get() == Some(&step) {
        rustix::process::kill_process(rustix::process::getpid(), Signal::KILL).unwrap();
    }
}

/// Becomes the server that ends in the middle of a write.
pub async fn crash_in(case: usize, data: &Path) {
    CRASH_AFTER.set(CRASHES[case].step).unwrap();
    let server = Server::start_with(data, |settings| {
        settings.after_step = Some(kill_if_asked);
    })
    .await;
    let call = call_of(case, data);
    panic!("{call:?} got {:?}", call.ask(&server).await);
}

/// Creates what the writes change.
async fn set_up(server: &Server, data: &Path) {
    for name in [
        "kept", "limited", "named", "old-1", "old-2", "old-3", "old-4", "old-5",
    ] {
        let body = format!(r#"{{"name":"{name}"}}"#);
        let made = Call::new(name, "POST", CREATE, &body).ask(server).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    let made = server.control.create_database("kept", "dropped").await;
    made.unwrap();
    for name in ["changed", "dropped"] {
        let body = format!(r#"{{"name":"{name}","role":"admin"}}"#);
        let users = "/v1/clusters/kept/users";
        let made = Call::new(name, "POST", users, &body).ask(server).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    server.new_key("dropped", "read").await;
    let mut versions = Vec::new();
    for name in ["named", "limited"] {
        let view = server.control.cluster(name).await.unwrap();
        versions.push(view.version.to_string());
    }
    let versions = versions.join(" ");
    std::fs::write(data.join("versions"), versions).unwrap();
}

/// Checks what a repetition has answered.
async fn check(server: &Server, case: &Crash, answer: &Answer) {
    let password = answer.body["password"].as_str();
    let body: Value = serde_json::from_str(case.body).unwrap_or_default();
    let name = body["name"].as_str().unwrap_or("root");
    let (cluster, user) = match case.path {
        CREATE => (name, "root"),
        path if path.contains("/users/changed") => ("kept", "changed"),
        _ => ("kept", name),
    };
    if case.path == CREATE || password.is_some() {
        assert!(
            is_password(server, cluster, user, password.unwrap()).await,
            "{:?} {}: {answer:?}",
            case.step,
            case.path
        );
    }
    if case.body == SEVEN {
        assert_eq!(answer.body["limits"]["connections_max"], 7);
    }
    if case.path == "/v1/keys" {
        let token = answer.body["key"].as_str().unwrap();
        assert_eq!(server.control.key_of(token).unwrap().name, "made");
    }
}

fn run_child(case: usize, data: &Path) {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let child = child.args(["crash-in", &case.to_string()]).arg(data);
    let ended = child.status().unwrap();
    assert_eq!(ended.signal(), Some(9), "{}", CRASHES[case].path);
}

pub async fn killed_in_each_write(data: &Path) {
    let server = restart(data).await;
    let others = clusters(&server).await;
    set_up(&server, data).await;
    server.control.shutdown().await;
    drop(server);
    wait_for_data(data).await;
    let last = CRASHES.len() - 1;
    (0..last).for_each(|case| run_child(case, data));
    let server = restart(data).await;
    // Somebody else takes the names of deleted clusters.
    for name in ["old-1", "old-5"] {
        let body = format!(r#"{{"name":"{name}"}}"#);
        let key = format!("again {name}");
        let made = Call::new(&key, "POST", CREATE, &body).ask(&server).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    for (case, what) in CRASHES.iter().enumerate().take(last) {
        let call = call_of(case, data);
        let answer = call.ask(&server).await;
        let step = what.step;
        assert_eq!(answer.status, what.status, "{step:?} {call:?}: {answer:?}");
        if what.status == 409 {
            assert_eq!(answer.body["code"], "outcome_unknown", "{call:?}");
            continue;
        }
        assert!(!answer.is_replayed, "{step:?} {call:?}");
        check(&server, what, &answer).await;
        let again = call.ask(&server).await;
        let replayed = Answer {
            is_replayed: true,
            ..answer
        };
        assert_eq!(again, replayed, "{step:?} {call:?}");
    }
    let mut expected = others;
    for name in [
        "kept", "limited", "renamed", "old-1", "old-5", "new-1", "new-2", "new-3", "new-4", "new-5",
    ] {
        expected.push(name.to_owned());
    }
    expected.sort();
    assert_eq!(clusters(&server).await, expected);
    let databases = server.control.databases("kept").await.unwrap().rows;
    let names: Vec<_> = databases.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["made", "test"]);
    let wanted = UsersWanted {
        most: 10,
        ..UsersWanted::default()
    };
    let users = server.control.users("kept", wanted).await.unwrap().rows;
    let names: Vec<_> = users.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["changed", "made", "root"]);
    let keys = server.control.keys();
    let names: Vec<_> = keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["k", "made"]);
    server.control.shutdown().await;
    drop(server);
    wait_for_data(data).await;
    run_child(last, data);
    let server = restart(data).await;
    let key = server.identity.master_key().id();
    let rotated = call_of(last, data).ask(&server).await;
    assert_eq!(rotated.body["code"], "outcome_unknown");
    assert_eq!(server.identity.master_key().id(), key, "once");
    server.control.shutdown().await;
}
