//! Tests of admission: who is refused and whose connection ends.

use super::*;
use std::task::Context;
use std::time::Duration;

const KB: u64 = 1024;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn admission(per_source: u32, total: u32) -> Admission {
    Admission::new(AdmissionLimits {
        per_source,
        total,
        memory: 1 << 40,
        late_max: (per_source / 2).max(1),
    })
}

fn is_forgotten(admission: &Admission) -> bool {
    let state = admission.inner.lock();
    state.strangers.is_forgotten() && state.reserve.is_forgotten()
}

#[test]
fn a_source_is_an_ipv4_address_or_an_ipv6_64() {
    let admission = admission(1, 64);
    let _first = admission.admit(ip("2001:db8::1"), KB).unwrap();
    assert_eq!(
        admission.admit(ip("2001:db8::2"), KB).unwrap_err(),
        PoolFull::Source,
        "the same /64"
    );
    let _next = admission.admit(ip("2001:db8:0:1::1"), KB).unwrap();
    let _v4 = admission.admit(ip("203.0.113.9"), KB).unwrap();
    assert_eq!(
        admission.admit(ip("::ffff:203.0.113.9"), KB).unwrap_err(),
        PoolFull::Source,
        "IPv4 written as IPv6"
    );
    assert!(admission.admit(ip("203.0.113.10"), KB).is_ok());
}

#[test]
fn one_ipv6_59_never_takes_all_places() {
    let admission = admission(256, 8192);
    let mut places: Vec<AdmissionPlace> = Vec::new();
    // 32 networks of /64, each of which may hold 256: as many as there are places.
    for n in 0..8192_u32 {
        places.extend(admission.admit(ip(&format!("2001:db8:0:{:x}::{n:x}", n % 32)), KB));
    }
    assert!(
        places.iter().filter(|place| !place.is_evicted()).count() <= 512,
        "the share of one /56"
    );
    let other = admission.admit(ip("2001:db8:1::1"), KB);
    assert!(
        other.is_ok_and(|place| !place.is_evicted()),
        "everybody else finds a place"
    );
}

#[test]
fn when_all_is_full_the_oldest_of_the_largest_network_ends_first() {
    let admission = admission(16, 48);
    let large: Vec<AdmissionPlace> = (0..30)
        .map(|n| admission.admit(ip(&format!("203.0.113.{n}")), KB).unwrap())
        .collect();
    let small: Vec<AdmissionPlace> = (0..12)
        .map(|n| admission.admit(ip(&format!("198.51.{n}.1")), KB).unwrap())
        .collect();
    // 48 places are there, 6 of them for sources that proved a password lately.
    assert!(large.iter().chain(&small).all(|place| !place.is_evicted()));
    let newcomers: Vec<AdmissionPlace> = (0..3)
        .map(|n| admission.admit(ip(&format!("192.0.{n}.1")), KB).unwrap())
        .collect();
    let gone: Vec<usize> = (0..large.len())
        .filter(|n| large[*n].is_evicted())
        .collect();
    assert_eq!(gone, [0, 1, 2], "of sources that hold the same, the oldest");
    assert!(
        small
            .iter()
            .chain(&newcomers)
            .all(|place| !place.is_evicted())
    );
    drop((large, small, newcomers));
    assert!(is_forgotten(&admission));
}

#[test]
fn the_oldest_of_a_source_ends_first_and_a_neighbour_is_not_shut_out() {
    let admission = admission(8, 4096);
    let mut crowd: Vec<AdmissionPlace> = Vec::new();
    // Four addresses of a /24 take all that it may hold.
    for n in 0..32 {
        crowd.push(
            admission
                .admit(ip(&format!("203.0.113.{}", n % 4)), KB)
                .unwrap(),
        );
    }
    let neighbour = admission.admit(ip("203.0.113.200"), KB).unwrap();
    assert!(!neighbour.is_evicted());
    let gone: Vec<usize> = (0..crowd.len())
        .filter(|n| crowd[*n].is_evicted())
        .collect();
    assert_eq!(gone, [0], "the oldest of one of the four");
}

#[test]
fn a_source_in_a_hurry_is_refused_and_one_that_stalled_loses_its_oldest() {
    let admission = admission(3, 100);
    let began = Instant::now();
    let held: Vec<AdmissionPlace> = (0..3)
        .map(|_| admission.admit_at(ip("203.0.113.9"), KB, began).unwrap())
        .collect();
    let soon = admission.admit_at(ip("203.0.113.9"), KB, began + Duration::from_millis(2500));
    assert_eq!(soon.unwrap_err(), PoolFull::Source);
    let later = admission
        .admit_at(ip("203.0.113.9"), KB, began + Duration::from_secs(3))
        .unwrap();
    assert!(
        held[0].is_evicted()
            && !held[1].is_evicted()
            && !held[2].is_evicted()
            && !later.is_evicted()
    );
}

#[test]
fn at_80_percent_of_the_memory_the_largest_networks_oldest_ends() {
    let budget = 8 * 1000 * KB;
    let admission = Admission::new(AdmissionLimits {
        per_source: 500,
        total: 8000,
        memory: budget,
        late_max: 250,
    });
    // 7/8 of the memory is for strangers: 7,000 KB, of which 5,600 may be in use before somebody
    // ends.
    let mut large: Vec<AdmissionPlace> = (0..300)
        .map(|_| admission.admit(ip("203.0.113.9"), 10 * KB).unwrap())
        .collect();
    let small: Vec<AdmissionPlace> = (0..200)
        .map(|n| {
            admission
                .admit(ip(&format!("10.0.{n}.1")), 10 * KB)
                .unwrap()
        })
        .collect();
    assert!(large.iter().chain(&small).all(|place| !place.is_evicted()));
    large[7].charge(700 * KB);
    // The oldest ones in order, until the one that grew has gone too.
    assert!(large[..8].iter().all(AdmissionPlace::is_evicted));
    assert!(
        large[8..]
            .iter()
            .chain(&small)
            .all(|place| !place.is_evicted())
    );
    assert!(admission.used().1 <= budget);
}

#[test]
fn connections_that_leave_are_counted_until_they_have() {
    let admission = Admission::new(AdmissionLimits {
        per_source: 1000,
        total: 8000,
        memory: 800 * KB,
        late_max: 500,
    });
    let mut places = Vec::new();
    let full = loop {
        match admission.admit(
            ip(&format!(
                "10.{}.{}.1",
                places.len() / 200,
                places.len() % 200
            )),
            10 * KB,
        ) {
            Ok(place) => places.push(place),
            Err(full) => break full,
        }
    };
    assert_eq!(full, PoolFull::Memory);
    assert_eq!(
        places.len(),
        70,
        "never above the strangers' part of the memory"
    );
    assert_eq!(places.iter().filter(|place| place.is_evicted()).count(), 14);
    places.retain(|place| !place.is_evicted());
    assert!(
        admission.admit(ip("192.0.2.1"), 10 * KB).is_ok(),
        "their memory is free once they have ended"
    );
    let mut grows = places.pop().unwrap();
    grows.charge(500 * KB);
    assert!(
        grows.is_evicted(),
        "what would be over the whole budget ends itself"
    );
}

#[test]
fn a_source_that_proved_a_password_lately_gets_in_while_all_is_full() {
    let admission = admission(16, 32);
    admission.admit(ip("203.0.113.9"), KB).unwrap().prove();
    // Every stranger is alone in its network: whoever comes next ends one of them.
    let strangers: Vec<AdmissionPlace> = (0..28)
        .map(|n| admission.admit(ip(&format!("10.0.{n}.1")), KB).unwrap())
        .collect();
    let known = admission.admit(ip("203.0.113.9"), KB).unwrap();
    assert!(
        known.is_known() && strangers.iter().all(|place| !place.is_evicted()),
        "it has a place of the reserve"
    );
    let more: Vec<AdmissionPlace> = (0..60)
        .filter_map(|n| admission.admit(ip(&format!("10.1.{n}.1")), KB).ok())
        .collect();
    assert!(
        !known.is_evicted() && !more.is_empty(),
        "and no stranger ends it"
    );
    drop((strangers, known, more));
    assert!(is_forgotten(&admission));
}

#[test]
fn case_49_delayed_denials_take_half_of_the_places_of_a_source() {
    let admission = admission(4, 100);
    let mut places: Vec<AdmissionPlace> = (0..3)
        .map(|_| admission.admit(ip("203.0.113.9"), KB).unwrap())
        .collect();
    assert!(!places[0].late_full());
    let soon = Instant::now() + Duration::from_secs(5);
    places[0].wait_late(soon);
    places[0].wait_late(soon);
    assert!(!places[2].late_full(), "one place counts once");
    places[1].wait_late(soon);
    assert!(places[2].late_full());
    assert!(
        !admission.admit(ip("203.0.113.10"), KB).unwrap().late_full(),
        "others are not affected"
    );
    places.remove(0);
    assert!(!places[1].late_full());
}

/// Source that connects at given times.
struct SourceInTime<'a> {
    admission: &'a Admission,
    began: Instant,
}

impl SourceInTime<'_> {
    fn admit(&self, seconds: u64) -> AdmissionPlace {
        let now = self.began + Duration::from_secs(seconds);
        let place = self.admission.admit_at(ip("203.0.113.9"), KB, now);
        place.unwrap()
    }
}

#[test]
fn case_49_a_denial_whose_connection_was_ended_still_counts_against_its_source() {
    let admission = admission(2, 16);
    let began = Instant::now();
    let source = SourceInTime {
        admission: &admission,
        began,
    };
    let mut denied = source.admit(0);
    denied.wait_late(began + Duration::from_secs(20));
    let open = source.admit(0);
    let next = source.admit(3);
    assert!(
        open.is_evicted() && !denied.is_evicted(),
        "one that is still logging in goes before a denied one"
    );
    drop(next);
    let mut second = source.admit(6);
    second.wait_late(began + Duration::from_secs(20));
    let third = source.admit(9);
    assert!(denied.is_evicted(), "there was no other");
    drop(source.admit(12));
    drop((denied, second, third));
    assert!(
        source.admit(19).late_full(),
        "the denial of the ended connection still counts"
    );
    assert!(!source.admit(21).late_full(), "until its time");
    drop(open);
    assert!(is_forgotten(&admission));
}

#[test]
fn an_evicted_task_is_woken() {
    let admission = admission(1, 16);
    let began = Instant::now();
    let place = admission.admit_at(ip("203.0.113.9"), KB, began).unwrap();
    let flag = Arc::new(Flag::default());
    let waker = std::task::Waker::from(Arc::clone(&flag));
    let eviction = place.eviction();
    let mut evicted = Box::pin(eviction.wait());
    assert!(
        evicted
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let _next = admission
        .admit_at(ip("203.0.113.9"), KB, began + Duration::from_secs(5))
        .unwrap();
    assert!(flag.0.load(Ordering::Acquire));
    assert!(
        evicted
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
    );
}

#[derive(Default)]
struct Flag(AtomicBool);

impl std::task::Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}
