//! The local CA in the stores of browsers: those of the user behind sudo, and nobody else's. The
//! commands run in a private mount namespace; tests/browser proves it with real browsers.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use tidegate_e2e::clients::Said;
use tidegate_e2e::machine::Machine;
use tidegate_e2e::server::binary;
use tidegate_e2e::{Server, not_run};

/// Number of a user that only the namespace has.
const UID: u32 = 64_990;

/// Script that adds the user, with a database of Chromium, a Firefox profile, one that is a link to
/// root's, and one that root owns.
const USER: &str = r#"
set -e
echo "tgann:x:$2:$2::$1:/bin/sh" >>/etc/passwd
mkdir -p "$1"
for name in .pki/nssdb .mozilla/firefox/one.default .mozilla/firefox/roots; do
  mkdir -p "$1/$name"
  certutil -N -d "sql:$1/$name" --empty-password
done
ln -s roots "$1/.mozilla/firefox/linked"
touch "$1/.mozilla/firefox/profiles.ini"
chown -R "$2:$2" "$1"
chown -R 0:0 "$1/.mozilla/firefox/roots"
"#;

/// Script that lists every database with its content, and files that another user owns.
const STATE: &str = r#"
for name in .pki/nssdb .mozilla/firefox/one.default .mozilla/firefox/roots; do
  echo "$name"
  certutil -L -d "sql:$1/$name"
done
find "$1" ! -uid "$2" ! -path '*/roots*'
"#;

struct User<'a> {
    machine: &'a Machine,
    home: PathBuf,
}

/// Returns the namespace. `None`, with a message, if that is not possible.
fn machine_with_certutil() -> Option<Machine> {
    if !Path::new("/usr/bin/certutil").is_file() {
        not_run("certutil is not installed");
        return None;
    }
    Machine::new("")
}

impl<'a> User<'a> {
    /// Makes the user with its browsers.
    fn new(machine: &'a Machine) -> Self {
        let home = machine.folder().join("ann");
        let user = Self { machine, home };
        user.shell(USER);
        user
    }

    fn shell(&self, script: &str) -> String {
        let mut command = self.machine.command("sh");
        command.args(["-c", script, "sh"]).arg(&self.home);
        Said::from(command.arg(UID.to_string()).output().unwrap()).expect()
    }

    /// Runs `tidegate trust` as root, as sudo starts it.
    fn trust(&self, server: &Server, args: &[&str]) -> Said {
        let mut command = self.machine.command(binary());
        command
            .arg("trust")
            .args(args)
            .arg("--data")
            .arg(server.data());
        command.env("SUDO_UID", UID.to_string());
        command.output().unwrap().into()
    }

    fn browsers(&self, server: &Server) -> Vec<(String, String)> {
        let said = self.trust(server, &["status", "--json"]).expect();
        let status: Value = serde_json::from_str(&said).unwrap();
        let stores = status["stores"].as_array().unwrap();
        stores
            .iter()
            .filter(|store| store["store"].as_str().unwrap().contains("tgann"))
            .map(|store| {
                let [name, state] = ["store", "state"].map(|key| store[key].as_str().unwrap());
                (name.to_owned(), state.to_owned())
            })
            .collect()
    }
}

fn in_state(state: &str) -> Vec<(String, String)> {
    ["Chromium's store of tgann", "Firefox's store of tgann"]
        .map(|store| (store.to_owned(), state.to_owned()))
        .to_vec()
}

#[test]
fn browsers_of_the_user_behind_sudo_get_the_ca_and_lose_it_wholly() {
    let Some(machine) = machine_with_certutil() else {
        return;
    };
    let user = User::new(&machine);
    let server = Server::start();
    let before = user.shell(STATE);
    assert_eq!(user.browsers(&server), in_state("absent"));

    let said = user.trust(&server, &["install"]);
    assert!(said.ok, "{said:?}");
    assert_eq!(user.browsers(&server), in_state("installed"), "{said:?}");
    let installed = user.shell(STATE);
    assert_eq!(
        installed.matches("C,,").count(),
        2,
        "an issuer of servers in the user's two stores, and in no other: {installed}"
    );
    assert!(
        !installed.contains("/ann/"),
        "no file of another user: {installed}"
    );
    let again = user.trust(&server, &["install"]);
    assert!(
        again.ok && again.err.contains("already installed"),
        "{again:?}"
    );
    assert_eq!(user.shell(STATE), installed);

    let said = user.trust(&server, &["remove"]);
    assert!(said.ok, "{said:?}");
    assert_eq!(user.shell(STATE), before, "as if it had never been there");
    assert_eq!(user.browsers(&server), in_state("absent"));
}

#[test]
fn a_store_with_a_password_is_left_as_it_was_and_the_others_are_changed() {
    let Some(machine) = machine_with_certutil() else {
        return;
    };
    let user = User::new(&machine);
    user.shell(
        "set -e; cd \"$1/.mozilla/firefox/one.default\"; rm *.db; echo secret >../pw; \
         certutil -N -d sql:. -f ../pw; rm ../pw; chown -R $2:$2 .",
    );
    let server = Server::start();
    let said = user.trust(&server, &["install"]);
    assert!(!said.ok, "{said:?}");
    assert!(
        said.err.contains("primary password") && said.err.contains("import ca.pem"),
        "{said:?}"
    );
    let state = user.shell(STATE);
    assert_eq!(
        state.matches("tidegate-local-").count(),
        1,
        "only Chromium's: {state}"
    );
}
