//! Tests of the budget of processor time, with its balance set by hand.

use super::*;

fn turns(handshakes: &Handshakes, address: &str) -> Turns {
    Turns::new(
        handshakes.clone(),
        NetworkPath::of(address.parse().unwrap()),
        false,
    )
}

/// Makes a used-up budget with a session that has run for long.
fn busy() -> (Handshakes, RunningSession) {
    let handshakes = Handshakes::default();
    let session = handshakes.session();
    let mut state = handshakes.inner.lock();
    let long_ago = Instant::now().checked_sub(SETTLED_AFTER * 2).unwrap();
    state
        .sessions
        .values_mut()
        .for_each(|since| *since = long_ago);
    state.balance = -nanos(BURST);
    drop(state);
    (handshakes, session)
}

fn burn(duration: Duration) {
    let until = thread_time() + duration;
    while thread_time() < until {
        std::hint::black_box(());
    }
}

#[tokio::test]
async fn work_is_charged_by_the_processor_time_it_took() {
    let handshakes = Handshakes::default();
    let before = handshakes.inner.lock().balance;
    turns(&handshakes, "203.0.113.9")
        .turn()
        .await
        .unwrap()
        .run(|| burn(Duration::from_millis(3)));
    let state = handshakes.inner.lock();
    assert!(
        before - state.balance >= nanos(Duration::from_millis(3)) - nanos(PACE),
        "{}",
        state.balance
    );
    assert!(state.typical > nanos(TYPICAL_TURN));
}

#[tokio::test]
async fn accepted_connections_are_charged_and_take_turns_with_a_flood_of_handshakes() {
    const CONNECTION: Duration = Duration::from_millis(2);
    let (handshakes, _session) = busy();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for _ in 0..50 {
        let mut turns = turns(&handshakes, "203.0.113.9");
        let order = Arc::clone(&order);
        tasks.push(tokio::spawn(async move {
            let turn = turns.turn().await.unwrap();
            order.lock().unwrap().push("flood");
            turn.run(|| burn(Duration::from_micros(200)));
        }));
    }
    tokio::task::yield_now().await;
    let mut accepting = Turns::of_accept_loop(handshakes.clone());
    for _ in 0..3 {
        let turn = accepting.turn().await.unwrap();
        order.lock().unwrap().push("accept");
        let before = handshakes.inner.lock().balance;
        turn.run_and_charge(|| ((), CONNECTION));
        let charged = before - handshakes.inner.lock().balance;
        assert!(charged > nanos(CONNECTION) / 2, "{charged}");
    }
    for task in tasks {
        task.await.unwrap();
    }
    let order = order.lock().unwrap();
    let accepts = order
        .iter()
        .enumerate()
        .filter(|(_, who)| **who == "accept");
    let places: Vec<_> = accepts.map(|(place, _)| place).collect();
    // Turns that were due at the same moment may follow each other.
    assert_eq!(places.len(), 3);
    assert!(places.iter().all(|place| *place < 45), "{places:?}");
}

#[tokio::test]
async fn an_unused_turn_is_given_back() {
    let handshakes = Handshakes::default();
    let full = handshakes.inner.lock().balance;
    drop(turns(&handshakes, "203.0.113.9").turn().await);
    assert!(handshakes.inner.lock().balance >= full);
}

#[tokio::test]
async fn beside_a_running_session_work_takes_half_of_the_time() {
    let (handshakes, session) = busy();
    handshakes.inner.lock().balance = 0;
    let began = Instant::now();
    let used = thread_time();
    for _ in 0..20 {
        turns(&handshakes, "203.0.113.9")
            .turn()
            .await
            .unwrap()
            .run(|| burn(Duration::from_millis(2)));
    }
    let took = began.elapsed();
    let worked = thread_time() - used;
    // A lower bound only: the last turn is not yet charged, and waiting uses processor time
    // too.
    assert!(
        took + Duration::from_millis(6) >= Duration::from_millis(80),
        "40 ms of work took {took:?}"
    );
    assert!(worked >= Duration::from_millis(40));
    drop(session);
    handshakes.inner.lock().balance = -nanos(BURST);
    assert!(
        turns(&handshakes, "203.0.113.9").ask_now().is_some(),
        "with nobody to protect there is no waiting"
    );
}

#[tokio::test]
async fn networks_take_turns_and_whoever_left_is_skipped() {
    let (handshakes, _session) = busy();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for n in 0..=50 {
        let (name, address) = match n {
            50 => ("other", "198.51.100.1"),
            _ => ("flood", "203.0.113.9"),
        };
        let mut turns = turns(&handshakes, address);
        let order = Arc::clone(&order);
        tasks.push(tokio::spawn(async move {
            let turn = turns.turn().await.unwrap();
            order.lock().unwrap().push(name);
            turn.run(|| burn(Duration::from_micros(200)));
        }));
    }
    tokio::task::yield_now().await;
    // A connection that ends in the meantime.
    let mut left = turns(&handshakes, "192.0.2.1");
    assert!(
        tokio::time::timeout(Duration::ZERO, left.turn())
            .await
            .is_err()
    );
    drop(left);
    for task in tasks {
        task.await.unwrap();
    }
    let order = order.lock().unwrap();
    let place = order.iter().position(|name| *name == "other").unwrap();
    assert!(place <= 2, "{place}");
    assert_eq!(order.len(), 51);
    assert_eq!(
        handshakes.waits(),
        52,
        "each of them, and the one that left"
    );
}

impl Turns {
    fn ask_now(&self) -> Option<Turn> {
        self.handshakes.ask(&self.path, self.known).ok()
    }
}
