//! Both ends of a lease: requests to yield, their answers, and the end of either side.

use super::*;
use std::future::{pending, ready};
use std::pin::pin;
use std::task::Waker;

fn pair() -> (Lease, LeaseHandle) {
    LeaseHandle::pair(
        ClusterId(1),
        RunEpoch(1),
        EngineEndpoint {
            address: Arc::new(EngineAddress::Unix("/none".into())),
            certificate: None,
        },
        None,
    )
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_request_is_answered_and_its_verdict_arrives() {
    let (mut lease, handle) = pair();
    let mut ask = pin!(handle.ask(7, false, pending()));
    assert!(poll(ask.as_mut()).is_pending());
    let Poll::Ready(Some(request)) = poll(pin!(lease.yield_request())) else {
        panic!("no request")
    };
    assert_eq!(request.epoch, 7);
    let mut yes = pin!(request.yes());
    assert!(poll(yes.as_mut()).is_pending());
    let Poll::Ready(Ok(Some(verdict))) = poll(ask) else {
        panic!("no answer")
    };
    verdict.send(YieldVerdict::Resume).unwrap();
    assert_eq!(poll(yes), Poll::Ready(YieldVerdict::Resume));
}

#[test]
fn no_silence_and_a_lease_that_is_gone_each_have_their_meaning() {
    let (mut lease, handle) = pair();
    let mut ask = pin!(handle.ask(1, false, pending()));
    assert!(poll(ask.as_mut()).is_pending());
    let Poll::Ready(Some(request)) = poll(pin!(lease.yield_request())) else {
        panic!("no request")
    };
    request.no();
    assert!(matches!(poll(ask), Poll::Ready(Err(YieldRefused))));
    assert!(
        matches!(
            poll(pin!(handle.ask(2, false, ready(())))),
            Poll::Ready(Err(YieldRefused))
        ),
        "silence is no"
    );
    let mut ask = pin!(handle.ask(3, false, pending()));
    assert!(poll(ask.as_mut()).is_pending());
    drop(lease);
    assert!(
        matches!(poll(ask), Poll::Ready(Ok(None))),
        "gone while asked is yes"
    );
    assert!(
        matches!(
            poll(pin!(handle.ask(4, false, pending()))),
            Poll::Ready(Ok(None))
        ),
        "gone before is yes"
    );
    assert!(poll(pin!(handle.detached())).is_ready());
    assert!(
        poll(pin!(handle.detached())).is_ready(),
        "as often as one asks"
    );
}

#[test]
fn a_lease_learns_that_its_engine_is_gone() {
    let (mut lease, handle) = pair();
    assert!(poll(pin!(lease.yield_request())).is_pending());
    assert!(lease.is_current());
    drop(handle);
    assert!(!lease.is_current());
    assert!(matches!(
        poll(pin!(lease.yield_request())),
        Poll::Ready(None)
    ));
    assert!(!lease.yields_memory());
}

#[test]
fn a_session_that_must_end_for_memory_learns_why_and_its_end_is_noticed() {
    let (mut lease, handle) = pair();
    assert!(poll(pin!(lease.yield_request())).is_pending());
    handle.end_for_memory();
    assert!(!lease.is_current() && lease.yields_memory());
    let request = poll(pin!(lease.yield_request()));
    assert!(matches!(request, Poll::Ready(None)));
    assert!(poll(pin!(handle.detached())).is_pending());
    drop(lease);
    assert!(poll(pin!(handle.detached())).is_ready());
}
