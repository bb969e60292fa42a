//! A restart of the server in the middle of the CA's validation. Runs against a real ACME server;
//! without Pebble a test prints "not run" and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use tidegate_e2e::acme::{Bench, DOMAIN, NAMES, ca};
use tidegate_e2e::certificates::{Company, VALID};
use tidegate_e2e::limits::soon;
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::ports::free_port;
use tidegate_e2e::server::write;
use tidegate_e2e::{Options, Server};

/// Stand-in for a slow network between the CA's validators and the server. It holds back their
/// connections until it is told to pass them on.
struct SlowNetwork {
    /// Port of the server that they are passed on to.
    server: u16,
    is_open: Mutex<bool>,
    opened: Condvar,
    arrived: AtomicUsize,
}

impl SlowNetwork {
    fn start(validators: u16, server: u16) -> Arc<Self> {
        let network = Arc::new(Self {
            server,
            is_open: Mutex::default(),
            opened: Condvar::new(),
            arrived: AtomicUsize::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, validators)).unwrap();
        let serving = Arc::clone(&network);
        std::thread::spawn(move || {
            for validator in listener.incoming().flatten() {
                let network = Arc::clone(&serving);
                std::thread::spawn(move || drop(network.pass_on(validator)));
            }
        });
        network
    }

    fn pass_on(&self, mut validator: TcpStream) -> io::Result<()> {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        let is_open = self.is_open.lock().unwrap();
        drop(
            self.opened
                .wait_while(is_open, |is_open| !*is_open)
                .unwrap(),
        );
        let mut server = self.connect()?;
        let mut asked = validator.try_clone()?;
        let mut answering = server.try_clone()?;
        let forth = std::thread::spawn(move || {
            let _ = io::copy(&mut asked, &mut answering);
            answering.shutdown(Shutdown::Write)
        });
        io::copy(&mut server, &mut validator)?;
        validator.shutdown(Shutdown::Write)?;
        let _ = forth.join();
        Ok(())
    }

    fn wait_validator(&self) {
        soon("a validator", || {
            (self.arrived.load(Ordering::SeqCst) > 0).then_some(())
        });
    }

    fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.server))
    }

    /// Waits until the server listens for validators.
    fn wait_answers(&self) {
        soon("the port of the challenge is open", || self.connect().ok());
    }

    fn wait_closed(&self) {
        soon("the port of the challenge is closed", || {
            self.connect().err()
        });
    }

    /// Passes the validators' connections on from now on.
    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// Starts a server whose validators ask through a slow network: at Pebble's port of this challenge.
fn bench(challenge: &str) -> Option<(Bench, Arc<SlowNetwork>)> {
    let pebble = Pebble::start(Wanted::default())?;
    let at = if challenge == "http-01" {
        pebble.http
    } else {
        pebble.alpn
    };
    let network = SlowNetwork::start(at, free_port());
    let folder = tempfile::tempdir().unwrap();
    let roots = write(folder.path(), "roots.pem", &pebble.root());
    let keys = ca(&pebble, &roots);
    let listen = network.server;
    let config = format!(
        "[acme]\ndomains = {NAMES}\nchallenges = [\"{challenge}\"]\n\
         http_listen = [\"127.0.0.1:{listen}\"]\nalpn_listen = [\"127.0.0.1:{listen}\"]\n{keys}"
    );
    let server = Server::with(Options {
        config,
        ..Options::default()
    });
    Some((Bench::of(server, pebble, roots, folder), network))
}

/// Restarts a server while the CA validates, and expects the same order to be completed.
fn restart_while_the_ca_validates(challenge: &str, restart: impl FnOnce(&mut Server)) {
    let Some((mut bench, network)) = bench(challenge) else {
        return;
    };
    network.wait_validator();
    restart(&mut bench.server);
    network.wait_answers();
    network.open();
    soon("the CA's decision", || {
        bench
            .pebble
            .log()
            .contains("set VALID by completed challenge")
            .then_some(())
    });
    // An order by command does not wait. It continues the one that the CA has.
    bench.renew();
    bench.wait();
    assert_eq!((bench.pebble.orders(), bench.pebble.issued()), (1, 1));
    let acme = bench.server.data().join("acme");
    assert!(!acme.join("ecdsa.challenges.json").exists());
    network.wait_closed();
}

#[test]
fn a_validator_gets_its_answer_after_a_crash() {
    restart_while_the_ca_validates("http-01", |server| {
        server.kill9();
        server.run();
    });
}

#[test]
fn a_validator_gets_its_challenge_certificate_after_a_restart() {
    restart_while_the_ca_validates("tls-alpn-01", Server::restart);
}

#[test]
fn the_port_is_closed_when_the_order_is_not_needed_any_more() {
    let Some((mut bench, network)) = bench("http-01") else {
        return;
    };
    network.wait_validator();
    bench.server.kill9();
    bench.server.run();
    network.wait_answers();
    // A certificate of another CA, which the operator trusts too.
    let company = Company::new();
    let roots = std::fs::read_to_string(&bench.roots).unwrap() + &company.pem();
    std::fs::write(&bench.roots, roots).unwrap();
    let folder = tempfile::tempdir().unwrap();
    company.leaf_with(VALID, &[DOMAIN]).write(folder.path());
    let files = ["chain.pem", "key.pem"].map(|name| folder.path().join(name));
    let [chain, key] = files.each_ref().map(|file| file.to_str().unwrap());
    bench.server.succeed(&["cert", "import", chain, key]);
    bench.wait();
    network.wait_closed();
    network.open();
}
